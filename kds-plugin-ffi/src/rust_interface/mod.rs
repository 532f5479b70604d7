//! The interface for Rust hosts, `kds-plugin-api`: the C interface in other types. It calls the exports, so both doors
//! lead to the same rooms, and a status, a message, a lock or a poisoned handle is the same at both.

mod border;
mod numbers;

use std::ffi::c_void;
use std::ptr::null;
use std::sync::Arc;

use abi_stable::erased_types::TD_Opaque;
use abi_stable::export_root_module;
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::RRef;
use abi_stable::std_types::{RStr, RString, RVec};
use kds_plugin_api::restorer::interface::*;
use kds_plugin_api::{DeviceInfo, Estimate, Images, ModelInfo, ParameterInfo, ParameterKind, Progress, Size, Stage};

use crate::error::Failure;
use crate::*;
use border::{Owned, answer, blank, call, copy, made, pass, readable, words, writable};

/// Root module that `kds_plugin_api::load` finds. Nothing in it can panic, which `abi_stable` would answer by ending the
/// process.
#[export_root_module]
fn root_module() -> RestorerModule_Ref {
    RestorerModule { version, parameters, new_context }.leak_into_prefix()
}

extern "C" fn version() -> RStr<'static> {
    RStr::from_str(env!("CARGO_PKG_VERSION"))
}

extern "C" fn parameters() -> Answer<RVec<ParameterInfo>> {
    answer(|| {
        let describe = |index| {
            let mut param: kds_param = blank();
            // SAFETY: `param` has its size set; its strings are static.
            unsafe {
                call(|error| kds_param_get(index, &raw mut param, error))?;
                Ok(ParameterInfo {
                    name: copy(param.name),
                    title: copy(param.title),
                    help: copy(param.help),
                    default: copy(param.default_value),
                    kind: ParameterKind(param.kind),
                    choices: words(param.choices),
                    min: param.min,
                    max: param.max,
                    advanced: param.group != 0,
                    job: param.scope == KDS_SCOPE_JOB,
                })
            }
        };
        (0..kds_param_count()).map(describe).collect()
    })
}

extern "C" fn new_context(options: RRef<'_, ContextOptions>) -> Answer<ContextObject> {
    answer(|| {
        let options = options.get();
        let registry = options.registry.as_ref().into_option().map(|path| pass("registry", path)).transpose()?;
        let mut params: kds_context_params = blank();
        // SAFETY: `params` may be written; the path lives through the call.
        let context = unsafe {
            kds_context_params_init(&raw mut params);
            params.threads = i32::try_from(options.threads).unwrap_or(i32::MAX);
            params.registry = registry.as_ref().map_or(null(), |path| path.as_ptr());
            made(|out, error| kds_context_new(&raw const params, out, error))?
        };
        Ok(ContextInterface_TO::from_value(Context(context), TD_Opaque))
    })
}

struct Context(Owned<kds_context>);

impl ContextInterface for Context {
    fn models(&self) -> Answer<RVec<ModelInfo>> {
        answer(|| {
            let context = self.0.pointer();
            let mut count = 0;
            // SAFETY: a live context, whose strings are copied while it lives; `info` has its size set.
            unsafe {
                call(|error| kds_context_model_count(context, &raw mut count, error))?;
                let describe = |index| {
                    let mut info = blank();
                    call(|error| kds_context_model_get(context, index, &raw mut info, error))?;
                    Ok(model_info(&info))
                };
                (0..count).map(describe).collect()
            }
        })
    }

    fn devices(&self) -> Answer<RVec<DeviceInfo>> {
        answer(|| {
            let context = self.0.pointer();
            let mut count = 0;
            // SAFETY: a live context, whose strings are copied while it lives; `info` has its size set.
            unsafe {
                call(|error| kds_context_device_count(context, &raw mut count, error))?;
                let describe = |index| {
                    let mut info: kds_device_info = blank();
                    call(|error| kds_context_device_get(context, index, &raw mut info, error))?;
                    Ok(DeviceInfo {
                        name: copy(info.name),
                        description: copy(info.description),
                        dtypes: words(info.dtypes),
                        memory_total: info.memory_total,
                        memory_free: info.memory_free,
                    })
                };
                (0..count).map(describe).collect()
            }
        })
    }

    fn open(&self, id: RStr<'_>, device: RStr<'_>, dtype: RStr<'_>) -> Answer<ModelObject> {
        answer(|| {
            let context = self.0.pointer();
            let (id, device, dtype) = (pass("id", &id)?, pass("device", &device)?, pass("dtype", &dtype)?);
            let (id, device, dtype) = (id.as_ptr(), device.as_ptr(), dtype.as_ptr());
            // SAFETY: a live context, strings that live through the call.
            let model = unsafe { made(|out, error| kds_model_open(context, id, device, dtype, out, error))? };
            Ok(model_object(model))
        })
    }
}

struct Model(Owned<kds_model>);

/// A model for a Rust host. Public for tests, which make models of backbones that fail.
#[doc(hidden)]
pub fn model_object(model: Box<kds_model>) -> ModelObject {
    ModelInterface_TO::from_value(Model(Owned::new(model)), TD_Opaque)
}

impl Model {
    /// Device and dtype.
    fn place(&self) -> Result<(RString, RString), Failure> {
        let (mut device, mut dtype) = (null(), null());
        // SAFETY: a live model, whose strings are copied while it lives.
        unsafe {
            call(|error| kds_model_device(self.0.pointer(), &raw mut device, &raw mut dtype, error))?;
            Ok((copy(device), copy(dtype)))
        }
    }
}

impl ModelInterface for Model {
    fn info(&self) -> Answer<ModelInfo> {
        answer(|| {
            let mut info = blank();
            // SAFETY: a live model, whose strings are copied while it lives; `info` has its size set.
            unsafe {
                call(|error| kds_model_info_get(self.0.pointer(), &raw mut info, error))?;
                Ok(model_info(&info))
            }
        })
    }

    fn device(&self) -> Answer<RString> {
        answer(|| Ok(self.place()?.0))
    }

    fn dtype(&self) -> Answer<RString> {
        answer(|| Ok(self.place()?.1))
    }

    fn new_job(&self) -> Answer<JobObject> {
        answer(|| {
            // SAFETY: a live model.
            let job = unsafe { made(|out, error| kds_job_new(self.0.pointer(), out, error))? };
            Ok(JobInterface_TO::from_value(Job(Arc::new(Owned::new(job))), TD_Opaque))
        })
    }
}

/// Shared with its cancel handles. What the C interface forbids to run at once, here takes `&mut self`, or a job that is
/// on one thread only.
struct Job(Arc<Owned<kds_job>>);

impl JobInterface for Job {
    fn set(&mut self, name: RStr<'_>, value: RStr<'_>) -> Answer<()> {
        answer(|| {
            let (name, value) = (pass("name", &name)?, pass("value", &value)?);
            // SAFETY: a live job, strings that live through the call.
            call(|error| unsafe { kds_job_set(self.0.pointer().cast_mut(), name.as_ptr(), value.as_ptr(), error) })
        })
    }

    fn get(&self, name: RStr<'_>) -> Answer<RString> {
        answer(|| {
            let name = pass("name", &name)?;
            let mut value = null();
            // SAFETY: a live job, which no other thread asks; the value is copied before the next question.
            unsafe {
                call(|error| kds_job_get(self.0.pointer(), name.as_ptr(), &raw mut value, error))?;
                Ok(copy(value))
            }
        })
    }

    fn output_size(&self, input: Size) -> Answer<Size> {
        answer(|| {
            let Size { width, height } = input;
            let mut size = Size { width: 0, height: 0 };
            // SAFETY: a live job.
            call(|error| unsafe {
                let (out_width, out_height) = (&raw mut size.width, &raw mut size.height);
                kds_job_output_size(self.0.pointer(), width, height, out_width, out_height, error)
            })?;
            Ok(size)
        })
    }

    fn estimate(&self, input: Size) -> Answer<Estimate> {
        answer(|| {
            let Size { width, height } = input;
            let mut found: kds_estimate = blank();
            // SAFETY: a live job; `found` has its size set.
            call(|error| unsafe { kds_job_estimate(self.0.pointer(), width, height, &raw mut found, error) })?;
            Ok(Estimate {
                tile: Size { width: found.tile_width, height: found.tile_height },
                tiles: found.tiles,
                batch: found.batch,
                memory: found.memory,
                evaluations: found.evaluations,
            })
        })
    }

    fn canceller(&self) -> CancellerObject {
        CancellerInterface_TO::from_value(Canceller(self.0.clone()), TD_Opaque)
    }

    fn restore(&mut self, images: Images<'_>, mut listener: ListenerObject<'_>) -> Answer<()> {
        answer(|| {
            let Images { input, mut output, mask, confidence } = images;
            let (input, mask) = (readable(&input), mask.into_option().as_ref().map(readable));
            let (output, confidence) = (writable(&mut output), confidence.into_option().as_mut().map(writable));
            let optional = |image: &Option<kds_image>| image.as_ref().map_or(null(), std::ptr::from_ref);
            let job = self.0.pointer().cast_mut();
            // SAFETY: a live job; the images borrow their bytes through the call; `report` gets the listener.
            call(|error| unsafe {
                let listener = (&raw mut listener).cast::<c_void>();
                let (mask, confidence) = (optional(&mask), optional(&confidence));
                kds_job_run(job, &raw const input, mask, &raw const output, confidence, Some(report), listener, error)
            })
        })
    }
}

/// Hands a report to the host. The host's function lets no panic out.
unsafe extern "C" fn report(listener: *mut c_void, info: *const kds_progress_info) -> i32 {
    // SAFETY: `restore` gives its listener, which only this function uses during the run; the info is live.
    let (listener, info) = unsafe { (&mut *listener.cast::<ListenerObject<'_>>(), &*info) };
    let progress = Progress { stage: Stage(info.stage), done: info.done, total: info.total };
    i32::from(!listener.report(progress))
}

struct Canceller(Arc<Owned<kds_job>>);

impl CancellerInterface for Canceller {
    fn cancel(&self) {
        // SAFETY: a live job.
        unsafe { kds_job_cancel(self.0.pointer()) }
    }
}

/// # Safety
/// The strings of `info` are live.
unsafe fn model_info(info: &kds_model_info) -> ModelInfo {
    // SAFETY: the caller's promise.
    unsafe {
        ModelInfo {
            id: copy(info.id),
            title: copy(info.title),
            task: copy(info.task),
            backbone: copy(info.backbone),
            source: copy(info.source),
            scale: info.scale,
            needs_mask: info.needs_mask != 0,
        }
    }
}
