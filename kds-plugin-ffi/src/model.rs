//! Opened models.

use std::ffi::{CStr, CString, c_char};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use kds_engine::backbone::Backbone;
use kds_engine::device;
use kds_engine::registry::ModelEntry;

use crate::context::{Shared, kds_context};
use crate::error::{Failure, kds_error};
use crate::freeing::free;
use crate::guard::{guard, object, optional_string, out as writable, string};
use crate::log::Log;
use crate::model_info::{ModelText, kds_model_info};
use crate::process;
use crate::structs;

/// A model in memory. Jobs keep what they need of it: free it whenever you like.
pub struct kds_model {
    pub(crate) loaded: Arc<Loaded>,
}

/// State shared by a model and its jobs.
pub(crate) struct Loaded {
    /// As opened.
    first: Arc<dyn Backbone>,
    pub threads: usize,
    pub log: Log,
    pub entry: ModelEntry,
    /// The same model in a wider format, once f16 has overflowed.
    wider: Mutex<Option<Arc<dyn Backbone>>>,
    text: ModelText,
    device: CString,
}

impl Loaded {
    fn new(entry: &ModelEntry, device: Option<&str>, dtype: Option<&str>, shared: &Shared) -> Result<Self, Failure> {
        let start = Instant::now();
        let default = |name: &str| entry.defaults.get(name).map_or("auto", String::as_str);
        let (device, dtype) = (device.unwrap_or_else(|| default("device")), dtype.unwrap_or_else(|| default("dtype")));
        let backbone = entry.load_as(device, dtype)?;
        // A backbone may compute in another format than the one asked for.
        let spec = backbone.spec();
        let (device, dtype) = (device::name(spec.device), device::kind_name(spec.kind));
        tracing::info!("model {} on {device} in {dtype}, loaded in {:.1} s", entry.id, start.elapsed().as_secs_f64());
        Ok(Self {
            first: Arc::from(backbone),
            threads: shared.threads,
            log: shared.log.clone(),
            entry: entry.clone(),
            wider: Mutex::default(),
            text: ModelText::new(entry),
            device: CString::new(device).unwrap_or_default(),
        })
    }
}

impl Loaded {
    /// Backbone of the next run: in the wider format once f16 has overflowed.
    pub fn backbone(&self) -> Arc<dyn Backbone> {
        let wider = self.wider.lock().unwrap_or_else(PoisonError::into_inner);
        wider.as_ref().unwrap_or(&self.first).clone()
    }

    /// The model in a wider format than that of a backbone that has overflowed, loaded when it is first needed; none where
    /// that format was not f16.
    pub fn wider_than(&self, overflowed: &dyn Backbone) -> Result<Option<Arc<dyn Backbone>>, Failure> {
        let spec = overflowed.spec();
        if device::kind_name(spec.kind) != "f16" {
            return Ok(None);
        }
        let mut wider = self.wider.lock().unwrap_or_else(PoisonError::into_inner);
        if wider.is_none() {
            let kind = device::wider_than_f16(spec.device);
            let (id, name) = (&self.entry.id, device::kind_name(kind));
            tracing::warn!(
                "model {id} overflows in f16: this and later runs compute in {name}; open it with dtype '{name}'"
            );
            *wider = Some(Arc::from(self.entry.load(spec.device, kind)?));
        }
        Ok(wider.clone())
    }

    /// Number format of the next run.
    fn dtype(&self) -> &'static CStr {
        match device::kind_name(self.backbone().spec().kind) {
            "bf16" => c"bf16",
            "f16" => c"f16",
            _ => c"f32",
        }
    }
}

/// Loads a model, which takes about as long as reading its files. Files that its registry entry names a SHA-256 of are
/// compared before anything of them is used. `device` is "auto", "cpu", "cuda" or "cuda:K", `dtype`
/// is "auto", "f32", "bf16" or "f16"; NULL is what the model's registry entry says, else "auto".
///
/// Ownership: the model is yours; free it with `kds_model_free`.
/// Errors: `KDS_NOT_FOUND` for an unknown id, `KDS_INVALID_MODEL` for files that cannot be used or have another SHA-256,
/// `KDS_INVALID_REGISTRY` for a model that is code and whose registry does not allow it, `KDS_DEVICE_UNAVAILABLE`, `KDS_OUT_OF_MEMORY`, `KDS_INVALID_ARGUMENT`.
/// Threads: any number at once.
///
/// # Safety
/// `context` is a live context, the strings are NUL-terminated, `out` may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_model_open(
    context: *const kds_context,
    id: *const c_char,
    device: *const c_char,
    dtype: *const c_char,
    out: *mut *mut kds_model,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise, as in every function of this file.
    unsafe {
        guard(error, || {
            let shared = &object(context, "context")?.shared;
            let out = writable(out, "out")?;
            process::check()?;
            let entry = shared.registry.find(string(id, "id")?)?;
            let (device, dtype) = (optional_string(device, "device")?, optional_string(dtype, "dtype")?);
            let loaded = shared.log.within(|| Loaded::new(entry, device, dtype, shared))?;
            out.write(Box::into_raw(Box::new(kds_model { loaded: Arc::new(loaded) })));
            Ok(())
        })
    }
}

/// Compares the files of a model with the SHA-256 that its registry entry names, then with what its architecture needs,
/// without loading them: whether they are there, and name, shape and number format of every tensor. A model that is code
/// (TorchScript, a library) is asked by running it. The error's message tells all that is wrong. Since 1.1.
///
/// Errors: as `kds_model_open`, but for devices.
/// Threads: any number at once.
///
/// # Safety
/// `context` is a live context, `id` is NUL-terminated, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_model_check(
    context: *const kds_context,
    id: *const c_char,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let shared = &object(context, "context")?.shared;
            let entry = shared.registry.find(string(id, "id")?)?;
            shared.log.within(|| entry.check().map_err(Failure::from))
        })
    }
}

/// Frees a model. NULL is fine. Jobs that were made of it stay usable.
///
/// Threads: no other call may use the model.
///
/// # Safety
/// `model` is NULL or has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_model_free(model: *mut kds_model) {
    // SAFETY: made by `Box::into_raw`.
    unsafe { free(model) };
}

/// Describes an opened model. The strings live as long as the model.
///
/// Ownership: the strings stay the model's.
/// Threads: any number at once.
///
/// # Safety
/// `model` is a live model, `out` has its `struct_size` set, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_model_info_get(
    model: *const kds_model,
    out: *mut kds_model_info,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { guard(error, || structs::write(out, &object(model, "model")?.loaded.text.info())) }
}

/// Device and number format of the model: the choice of "auto", and after an overflow in f16 the format that runs take since.
/// The strings live as long as the model.
///
/// Ownership: the strings stay the model's.
/// Threads: any number at once.
///
/// # Safety
/// `model` is a live model, `device` and `dtype` may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_model_device(
    model: *const kds_model,
    device: *mut *const c_char,
    dtype: *mut *const c_char,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let loaded = &object(model, "model")?.loaded;
            let (device, dtype) = (writable(device, "device")?, writable(dtype, "dtype")?);
            device.write(loaded.device.as_ptr());
            dtype.write(loaded.dtype().as_ptr());
            Ok(())
        })
    }
}

/// For tests of what the library does when a backbone fails.
#[doc(hidden)]
impl kds_model {
    /// Backbone that computes.
    pub fn backbone(&self) -> Arc<dyn Backbone> {
        self.loaded.backbone()
    }

    /// Lets another compute; without effect once the model has jobs.
    pub fn set_backbone(&mut self, backbone: Box<dyn Backbone>) {
        if let Some(loaded) = Arc::get_mut(&mut self.loaded) {
            loaded.first = Arc::from(backbone);
        }
    }
}
