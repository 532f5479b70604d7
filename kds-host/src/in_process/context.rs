//! Contexts of the library.

use std::{
    collections::BTreeSet,
    path::Path,
    ptr::{NonNull, null, null_mut},
    sync::Arc,
};

use super::{
    Library,
    call::check,
    log,
    model::ModelHandle,
    raw::{self, Sized32},
    text,
};
use crate::{
    Calibration, ContextOptions, DeviceInfo, Error, Log, ModelInfo, RecognisedModel, Status,
    transport::{ContextCalls, ModelCalls},
};

/// [`crate::Context`]
pub(crate) struct Context {
    handle: Arc<ContextHandle>,
}

impl Context {
    pub(crate) fn new(library: &Arc<Library>, options: &ContextOptions) -> Result<Self, Error> {
        let api = &library.api;
        let registry = options
            .registry
            .as_ref()
            .map(|path| {
                let path = path.to_str().ok_or_else(|| {
                    let message = format!("the registry path {} is not UTF-8; rename the file", path.display());
                    Error::new(Status::InvalidArgument, message)
                })?;
                text::pass("registry path", path)
            })
            .transpose()?;
        let log = options.log.clone().map(Box::new);
        let mut params = raw::ContextParams::empty();
        let mut pointer = null_mut();
        // SAFETY: `params` is writable and at least as large as in interface 1.0; the registry string lives through the
        // call.
        unsafe {
            match api.kds_context_params_init_sized {
                Some(init) => init(&mut params, size_of_val(&params)),
                None => (api.kds_context_params_init)(&mut params),
            }
            params.threads = i32::from(options.threads);
            params.registry = text::pointer(&registry);
            if let Some(log) = &log {
                params.log = Some(log::forward);
                params.log_user_data = std::ptr::from_ref::<Log>(log).cast_mut().cast();
                params.log_level = log.level as i32;
            }
            check(api, |error| (api.kds_context_new)(&params, &mut pointer, error))?;
        }
        let pointer = filled(pointer, "kds_context_new")?;
        Ok(Self { handle: Arc::new(ContextHandle { pointer, library: library.clone(), _log: log }) })
    }
}

impl ContextCalls for Context {
    fn models(&self) -> Result<Vec<ModelInfo>, Error> {
        let (api, context) = (&self.handle.library.api, self.handle.pointer.as_ptr());
        let mut count = 0;
        // SAFETY: a live context and a writable number.
        check(api, |error| unsafe { (api.kds_context_model_count)(context, &mut count, error) })?;
        (0..count)
            .map(|index| {
                let mut info = raw::ModelInfo::empty();
                // SAFETY: a live context, whose strings are copied while it lives, and a writable structure.
                unsafe {
                    check(api, |error| (api.kds_context_model_get)(context, index, &mut info, error))?;
                    Ok(model_info(&info))
                }
            })
            .collect()
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, Error> {
        let (api, context) = (&self.handle.library.api, self.handle.pointer.as_ptr());
        let mut count = 0;
        // SAFETY: a live context and a writable number.
        check(api, |error| unsafe { (api.kds_context_device_count)(context, &mut count, error) })?;
        (0..count)
            .map(|index| {
                let mut info = raw::DeviceInfo::empty();
                // SAFETY: a live context, whose strings are copied while it lives, and a writable structure.
                unsafe {
                    check(api, |error| (api.kds_context_device_get)(context, index, &mut info, error))?;
                    Ok(DeviceInfo {
                        name: text::copy(info.name),
                        description: text::copy(info.description),
                        dtypes: text::copy(info.dtypes).split(',').map(Into::into).collect(),
                        default_dtype: text::copy(info.default_dtype),
                        memory_total: info.memory_total,
                        memory_free: info.memory_free,
                    })
                }
            })
            .collect()
    }

    fn describe(&self) -> Result<Vec<(String, String)>, Error> {
        let (api, context) = (&self.handle.library.api, self.handle.pointer.as_ptr());
        let mut lines = null();
        // SAFETY: a live context, whose string is copied while it lives, and a writable pointer.
        let lines = unsafe {
            check(api, |error| (api.kds_context_describe)(context, &mut lines, error))?;
            text::copy(lines)
        };
        Ok(pairs(&lines))
    }

    fn open_model(
        self: Arc<Self>,
        id: &str,
        device: Option<&str>,
        dtype: Option<&str>,
    ) -> Result<Arc<dyn ModelCalls>, Error> {
        let api = &self.handle.library.api;
        let id = text::pass("model id", id)?;
        let device = device.map(|device| text::pass("device", device)).transpose()?;
        let dtype = dtype.map(|dtype| text::pass("dtype", dtype)).transpose()?;
        let mut pointer = null_mut();
        // SAFETY: a live context, strings that live through the call, and a writable pointer.
        check(api, |error| unsafe {
            (api.kds_model_open)(
                self.handle.pointer.as_ptr(),
                id.as_ptr(),
                text::pointer(&device),
                text::pointer(&dtype),
                &mut pointer,
                error,
            )
        })?;
        let pointer = filled(pointer, "kds_model_open")?;
        Ok(Arc::new(ModelHandle::new(pointer, self.handle.clone())))
    }

    fn check_model(&self, id: &str) -> Result<(), Error> {
        let library = &self.handle.library;
        let api = &library.api;
        let kds_model_check = api.kds_model_check.ok_or_else(|| library.lacks("check models"))?;
        let id = text::pass("model id", id)?;
        // SAFETY: a live context, and a string that lives through the call.
        check(api, |error| unsafe { kds_model_check(self.handle.pointer.as_ptr(), id.as_ptr(), error) })
    }

    fn recognise_model(
        &self,
        folder: &Path,
        names: Option<&BTreeSet<String>>,
        id: &str,
    ) -> Result<RecognisedModel, Error> {
        let library = &self.handle.library;
        let api = &library.api;
        let (Some(recognise), Some(get), Some(free)) =
            (api.kds_model_recognise, api.kds_recognised_get, api.kds_recognised_free)
        else {
            return Err(library.lacks("recognise models"));
        };
        let folder = folder.to_str().ok_or_else(|| {
            let message = format!("the path {} is not UTF-8; rename the folder", folder.display());
            Error::new(Status::InvalidArgument, message)
        })?;
        let folder = text::pass("folder", folder)?;
        let id = text::pass("model id", id)?;
        let lines = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        let names = names.map(|names| text::pass("names", &lines(names))).transpose()?;
        let mut found = null_mut();
        // SAFETY: a live context, strings that live through the call, and writable pointers; the strings are copied before
        // what was found is freed, once.
        unsafe {
            check(api, |error| {
                let context = self.handle.pointer.as_ptr();
                recognise(context, folder.as_ptr(), text::pointer(&names), id.as_ptr(), &mut found, error)
            })?;
            let (mut entry, mut files) = (null(), null());
            let got = check(api, |error| get(found, &mut entry, &mut files, error));
            let model = got.map(|()| RecognisedModel {
                entry: text::copy(entry),
                files: text::copy(files).lines().map(str::to_owned).collect(),
            });
            free(found);
            model
        }
    }
}

/// The handle that a successful call must have written.
pub(crate) fn filled<T>(pointer: *mut T, function: &str) -> Result<NonNull<T>, Error> {
    NonNull::new(pointer).ok_or_else(|| {
        Error::new(Status::Internal, format!("{function} succeeded but gave nothing; install KDS again"))
    })
}

/// Reads lines of `key: value`.
fn pairs(lines: &str) -> Vec<(String, String)> {
    lines
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// Owns a `kds_context`.
pub(crate) struct ContextHandle {
    pub(crate) pointer: NonNull<raw::Context>,
    pub(crate) library: Arc<Library>,
    /// The library holds a pointer to this log; models and jobs, which log too, keep the handle alive.
    _log: Option<Box<Log>>,
}

// SAFETY: the library lets any thread use a context, and its functions that take it as `const`, which are all but the one
// that frees it, run at the same time.
unsafe impl Send for ContextHandle {}
// SAFETY: as above.
unsafe impl Sync for ContextHandle {}

impl Drop for ContextHandle {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `kds_context_new` and is freed once, here.
        unsafe { (self.library.api.kds_context_free)(self.pointer.as_ptr()) }
    }
}

/// # Safety
/// The strings of `info` are live.
pub(crate) unsafe fn model_info(info: &raw::ModelInfo) -> ModelInfo {
    // SAFETY: by the contract of this function.
    unsafe {
        ModelInfo {
            id: text::copy(info.id),
            title: text::copy(info.title),
            task: text::copy(info.task),
            backbone: text::copy(info.backbone),
            source: text::copy(info.source),
            scale: info.scale,
            needs_mask: info.needs_mask != 0,
            calibration: (info.error_range > 0.0).then_some(Calibration {
                error_range: info.error_range,
                trusted: (info.trusted_error > 0.0).then_some((info.trusted_confidence, info.trusted_error)),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read_line_by_line() {
        let expected = vec![("cuda".to_owned(), "not usable: no driver".to_owned()), ("threads".into(), "2".into())];
        assert_eq!(pairs("cuda: not usable: no driver\nthreads: 2\n\n"), expected);
    }

    #[test]
    fn a_missing_handle_is_an_error() {
        assert_eq!(filled::<raw::Context>(null_mut(), "kds_context_new").unwrap_err().status, Status::Internal);
    }
}
