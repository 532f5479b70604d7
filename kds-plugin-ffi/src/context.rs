//! Contexts: what is on this machine.

use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use kds_engine::device;
use kds_engine::registry::Registry;
use kds_engine::threads;

use crate::device_info::{DeviceText, kds_device_info};
use crate::error::{Failure, KDS_NOT_FOUND, kds_error};
use crate::freeing::free;
use crate::guard::{guard, object, optional_string, out as writable, string};
use crate::log::{KDS_LOG_DEBUG, KDS_LOG_ERROR, KDS_LOG_INFO, Log, kds_log};
use crate::model_info::{ModelText, kds_model_info};
use crate::process;
use crate::structs::{self, Sized32};
use crate::text::text;

/// A list of models, a number of threads. Models and jobs keep what they need of it: free it whenever you like.
pub struct kds_context {
    pub(crate) shared: Arc<Shared>,
    /// Earlier values of `shared`, from before registries were added: their strings have been given away.
    earlier: Vec<Arc<Shared>>,
}

/// State shared by a context and its models.
pub(crate) struct Shared {
    pub registry: Registry,
    pub threads: usize,
    pub log: Log,
    models: Vec<ModelText>,
    devices: OnceLock<Vec<DeviceText>>,
    description: OnceLock<CString>,
}

/// Parameters of a context. Fill it with `kds_context_params_init(&params)`, then change what you want.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kds_context_params {
    /// Set by `kds_context_params_init`.
    pub struct_size: u32,
    /// Threads to compute with, 0 to 1024; 0 is one per core.
    pub threads: i32,
    /// Path of a registry file (UTF-8) to add to the built-in models and the user's own, or NULL.
    pub registry: *const c_char,
    /// Is told what happens, or NULL. It and `log_user_data` must live as long as the context and all that is made of
    /// it.
    pub log: kds_log,
    /// The first argument of `log`.
    pub log_user_data: *mut c_void,
    /// The highest `KDS_LOG_*` to tell.
    pub log_level: i32,
    /// 0.
    pub reserved: i32,
}

// SAFETY: plain data behind a u32.
unsafe impl Sized32 for kds_context_params {
    const NAME: &'static str = "kds_context_params";
    const FIRST_SIZE: usize = 16;
}

const DEFAULT_PARAMS: kds_context_params = kds_context_params {
    struct_size: size_of::<kds_context_params>() as u32,
    threads: 0,
    registry: std::ptr::null(),
    log: None,
    log_user_data: std::ptr::null_mut(),
    log_level: KDS_LOG_INFO,
    reserved: 0,
};

/// Bytes of `kds_context_params` in interface 1.0. Programs of that time call `kds_context_params_init` with so many.
const PARAMS_OF_1_0: usize = 40;

/// As `kds_context_params_init_sized` for the struct of interface 1.0, which has 40 bytes: it writes no more, whatever the
/// header of the library says. A macro of the same name, at the end of `kds.h`, passes the size of your header's struct.
///
/// Threads: any.
///
/// # Safety
/// `params` is NULL or has 40 bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_context_params_init(params: *mut kds_context_params) {
    // SAFETY: the caller's promise.
    unsafe { structs::init(params, PARAMS_OF_1_0, &DEFAULT_PARAMS) };
}

/// Fills in the defaults, `struct_size` included. `size` is `sizeof(kds_context_params)`; fields that this library does not
/// know become 0. Since 1.1.
///
/// Threads: any.
///
/// # Safety
/// `params` is NULL or has `size` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_context_params_init_sized(params: *mut kds_context_params, size: usize) {
    // SAFETY: the caller's promise.
    unsafe { structs::init(params, size, &DEFAULT_PARAMS) };
}

/// Makes a context: reads the registries. `params` may be NULL.
///
/// Errors: `KDS_INVALID_ARGUMENT`, `KDS_INVALID_REGISTRY` where a registry file cannot be used.
/// Ownership: the context is yours; free it with `kds_context_free`. The strings of `params` are copied.
/// Threads: any.
///
/// # Safety
/// `params` is NULL or valid, `out` may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_context_new(
    params: *const kds_context_params,
    out: *mut *mut kds_context,
    error: *mut *mut kds_error,
) -> i32 {
    let body = || {
        let out = writable(out, "out")?;
        process::check()?;
        // SAFETY: the caller's promise.
        let params = if params.is_null() { DEFAULT_PARAMS } else { unsafe { structs::read(params, DEFAULT_PARAMS)? } };
        if !(0..=1024).contains(&params.threads) {
            return Err(Failure::argument(format!("threads is {}; 0 to 1024 are possible", params.threads)));
        }
        if !(KDS_LOG_ERROR..=KDS_LOG_DEBUG).contains(&params.log_level) || params.reserved != 0 {
            return Err(Failure::argument("log_level must be one of KDS_LOG_ERROR ..., reserved must be 0"));
        }
        // SAFETY: the caller's promise.
        let file = unsafe { optional_string(params.registry, "registry")? };
        let log = Log::new(params.log, params.log_user_data, params.log_level);
        let shared = log.clone().within(|| {
            let mut registry = Registry::layered()?;
            if let Some(file) = file {
                registry.add_file(Path::new(file))?;
            }
            let threads = params.threads.unsigned_abs() as usize;
            threads::use_threads(threads)?;
            tracing::info!("libkds {}: {} models", env!("CARGO_PKG_VERSION"), registry.models().len());
            Ok::<_, Failure>(Shared::new(registry, threads, log))
        })?;
        // SAFETY: checked not to be NULL; the caller's promise.
        unsafe { out.write(Box::into_raw(Box::new(kds_context { shared: Arc::new(shared), earlier: Vec::new() }))) };
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guard(error, body) }
}

/// Adds the models of a registry file (UTF-8 path); one of the same id replaces an earlier one. Models that were opened
/// stay as they are, strings that were given stay valid.
///
/// Errors: `KDS_INVALID_REGISTRY`; nothing is added then.
/// Threads: no other call may use the context.
///
/// # Safety
/// `context` is a live context, `path` is NUL-terminated, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_context_add_registry(
    context: *mut kds_context,
    path: *const c_char,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise, as in every function of this file.
    unsafe {
        guard(error, || {
            let path = string(path, "path")?;
            let context = context.as_mut().ok_or_else(|| Failure::argument("context is NULL"))?;
            let Shared { registry, threads, log, .. } = &*context.shared;
            let mut registry = registry.clone();
            log.within(|| registry.add_file(Path::new(path)))?;
            let shared = Arc::new(Shared::new(registry, *threads, log.clone()));
            context.earlier.push(std::mem::replace(&mut context.shared, shared));
            Ok(())
        })
    }
}

/// Frees a context. NULL is fine. Models that were opened stay usable.
///
/// Threads: no other call may use the context.
///
/// # Safety
/// `context` is NULL or has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_context_free(context: *mut kds_context) {
    // SAFETY: made by `Box::into_raw`.
    unsafe { free(context) };
}

/// Number of models.
///
/// Threads: any number at once.
///
/// # Safety
/// `context` is a live context, `out` may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_context_model_count(
    context: *const kds_context,
    out: *mut usize,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise, as in every function of this file.
    unsafe {
        guard(error, || {
            writable(out, "out")?.write(object(context, "context")?.shared.models.len());
            Ok(())
        })
    }
}

/// Describes one model.
///
/// Errors: `KDS_NOT_FOUND` for an index from the count on.
/// Ownership: the strings stay the context's.
/// Threads: any number at once.
///
/// # Safety
/// `context` is a live context, `out` has its `struct_size` set, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_context_model_get(
    context: *const kds_context,
    index: usize,
    out: *mut kds_model_info,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let models = &object(context, "context")?.shared.models;
            structs::write(out, &item(models, index, "model")?.info())
        })
    }
}

/// Number of devices. The first call looks for them, which takes a moment where there is a GPU.
///
/// Threads: any number at once.
///
/// # Safety
/// `context` is a live context, `out` may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_context_device_count(
    context: *const kds_context,
    out: *mut usize,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            writable(out, "out")?.write(object(context, "context")?.shared.devices().len());
            Ok(())
        })
    }
}

/// Describes one device.
///
/// Errors: `KDS_NOT_FOUND` for an index from the count on.
/// Ownership: the strings stay the context's.
/// Threads: any number at once.
///
/// # Safety
/// `context` is a live context, `out` has its `struct_size` set, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_context_device_get(
    context: *const kds_context,
    index: usize,
    out: *mut kds_device_info,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let devices = object(context, "context")?.shared.devices();
            structs::write(out, &item(devices, index, "device")?.info())
        })
    }
}

/// Describes the library's surroundings in lines of "key: value": libtorch, threads, cpu, cuda, auto (the device that
/// "auto" takes, and why). The string lives as long as the context.
///
/// Ownership: the string stays the context's.
/// Threads: any number at once.
///
/// # Safety
/// `context` is a live context, `out` may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_context_describe(
    context: *const kds_context,
    out: *mut *const c_char,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let shared = &object(context, "context")?.shared;
            writable(out, "out")?.write(shared.description().as_ptr());
            Ok(())
        })
    }
}

fn item<'a, T>(items: &'a [T], index: usize, what: &str) -> Result<&'a T, Failure> {
    let count = items.len();
    items
        .get(index)
        .ok_or_else(|| Failure::new(KDS_NOT_FOUND, format!("there is no {what} {index}; there are {count}")))
}

impl Shared {
    fn new(registry: Registry, threads: usize, log: Log) -> Self {
        let models = registry.models().iter().map(ModelText::new).collect();
        Self { registry, threads, log, models, devices: OnceLock::new(), description: OnceLock::new() }
    }

    fn devices(&self) -> &[DeviceText] {
        self.devices.get_or_init(|| self.log.within(device::devices).iter().map(DeviceText::new).collect())
    }

    fn description(&self) -> &CString {
        self.description.get_or_init(|| {
            let cpu = &device::devices()[0].description;
            let libtorch = device::loaded_library("libtorch_cpu.so")
                .map_or_else(|| "linked in".to_owned(), |path| path.display().to_string());
            let (chosen, reason) = device::automatic();
            let threads = match self.threads {
                0 => std::thread::available_parallelism().map_or(1, usize::from),
                count => count,
            };
            let cuda = device::gpus().map_or_else(|reason| format!("not usable: {reason}"), |_| "usable".to_owned());
            text(&format!(
                "libtorch: {libtorch}\nthreads: {threads}\ncpu: {cpu}\ncuda: {cuda}\nauto: {chosen}: {reason}\n"
            ))
        })
    }
}
