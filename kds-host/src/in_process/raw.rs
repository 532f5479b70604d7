//! The C interface of libkds.so, mirrored by hand from `kds.h`: structures and the table of functions.
//!
//! Nothing here is checked; the modules beside it give each function its safe form.

use std::ffi::{c_char, c_void};

/// Major version of the interface that this mirror describes.
pub(crate) const ABI_VERSION: u32 = 1;
/// The status of a call that succeeded.
pub(crate) const OK: i32 = 0;

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[repr(C)]
        pub(crate) struct $name {
            _private: [u8; 0],
        }
    )*};
}

opaque! {
    /// `kds_error`
    Error;
    /// `kds_context`
    Context;
    /// `kds_model`
    Model;
    /// `kds_job`
    Job;
    /// `kds_recognised`
    Recognised;
}

/// `kds_param`
#[repr(C)]
pub(crate) struct Param {
    pub struct_size: u32,
    pub kind: i32,
    pub name: *const c_char,
    pub title: *const c_char,
    pub help: *const c_char,
    pub default_value: *const c_char,
    pub choices: *const c_char,
    pub min: f64,
    pub max: f64,
    pub group: i32,
    pub scope: i32,
}

/// `kds_context_params`
#[repr(C)]
pub(crate) struct ContextParams {
    pub struct_size: u32,
    pub threads: i32,
    pub registry: *const c_char,
    pub log: LogCallback,
    pub log_user_data: *mut c_void,
    pub log_level: i32,
    pub reserved: i32,
}

/// `kds_log`, nullable
pub(crate) type LogCallback = Option<unsafe extern "C" fn(*mut c_void, i32, *const c_char)>;

/// `kds_model_info`
#[repr(C)]
pub(crate) struct ModelInfo {
    pub struct_size: u32,
    pub scale: u32,
    pub id: *const c_char,
    pub title: *const c_char,
    pub task: *const c_char,
    pub backbone: *const c_char,
    pub source: *const c_char,
    pub needs_mask: u32,
    pub reserved: u32,
    pub error_range: f64,
    pub trusted_confidence: f64,
    pub trusted_error: f64,
}

/// `kds_device_info`
#[repr(C)]
pub(crate) struct DeviceInfo {
    pub struct_size: u32,
    pub reserved: u32,
    pub name: *const c_char,
    pub description: *const c_char,
    pub dtypes: *const c_char,
    pub default_dtype: *const c_char,
    pub memory_total: u64,
    pub memory_free: u64,
}

/// `kds_estimate`
#[repr(C)]
pub(crate) struct Estimate {
    pub struct_size: u32,
    pub tile_width: u32,
    pub tile_height: u32,
    pub batch: u32,
    pub tiles: u64,
    pub memory: u64,
    pub evaluations: u64,
    pub host_memory: u64,
    pub device_memory: u64,
}

/// `kds_image`
#[repr(C)]
pub(crate) struct Image {
    pub struct_size: u32,
    pub format: i32,
    pub width: u32,
    pub height: u32,
    pub stride: usize,
    pub data: *mut c_void,
    pub len: usize,
    pub alpha: i32,
    pub reserved: i32,
    pub planes: *const *mut c_void,
    pub rows: i32,
    pub light: i32,
}

/// `kds_progress_info`
#[repr(C)]
pub(crate) struct ProgressInfo {
    pub struct_size: u32,
    pub stage: i32,
    pub done: u64,
    pub total: u64,
}

/// `kds_progress`, nullable
pub(crate) type ProgressCallback = Option<unsafe extern "C" fn(*mut c_void, *const ProgressInfo) -> i32>;

/// A structure that the library fills: all zero but for its size.
pub(crate) trait Sized32: Sized {
    /// The structure with `struct_size` set and every other field zero or null.
    fn empty() -> Self;
}

macro_rules! sized32 {
    ($($name:ty),*) => {$(
        impl Sized32 for $name {
            fn empty() -> Self {
                // SAFETY: the structures consist of numbers and raw pointers only, for which all-zero is valid.
                let mut empty: Self = unsafe { std::mem::zeroed() };
                empty.struct_size = size_of::<Self>() as u32;
                empty
            }
        }
    )*};
}

sized32!(Param, ContextParams, ModelInfo, DeviceInfo, Estimate, Image);

macro_rules! functions {
    (
        interface 1.0 { $(fn $name:ident($($argument:ty),*) $(-> $result:ty)?;)* }
        later { $(fn $new:ident($($new_argument:ty),*) $(-> $new_result:ty)?;)* }
    ) => {
        /// The functions of a loaded library. Those that came after interface 1.0 are missing from an older library.
        pub(crate) struct Api {
            $(pub $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            $(pub $new: Option<unsafe extern "C" fn($($new_argument),*) $(-> $new_result)?>,)*
        }

        impl Api {
            /// Looks every function up. Only those of interface 1.0 must be there.
            ///
            /// # Safety
            /// `library` is a libkds of major version [`ABI_VERSION`], and stays loaded as long as the table is used.
            pub(crate) unsafe fn load(library: &libloading::Library) -> Result<Self, libloading::Error> {
                Ok(Self {
                    $(
                        // SAFETY: by the contract of this function the symbol has the signature that `kds.h` gives it.
                        $name: *unsafe {
                            library.get::<unsafe extern "C" fn($($argument),*) $(-> $result)?>(stringify!($name))
                        }?,
                    )*
                    $(
                        // SAFETY: as above.
                        $new: unsafe {
                            library.get::<unsafe extern "C" fn($($new_argument),*) $(-> $new_result)?>(stringify!($new))
                        }.ok().map(|found| *found),
                    )*
                })
            }
        }
    };
}

functions! {
interface 1.0 {
    fn kds_version_string() -> *const c_char;
    fn kds_status_name(i32) -> *const c_char;
    fn kds_error_message(*const Error) -> *const c_char;
    fn kds_error_free(*mut Error);

    fn kds_param_count() -> usize;
    fn kds_param_get(usize, *mut Param, *mut *mut Error) -> i32;

    fn kds_context_params_init(*mut ContextParams);
    fn kds_context_new(*const ContextParams, *mut *mut Context, *mut *mut Error) -> i32;
    fn kds_context_free(*mut Context);
    fn kds_context_model_count(*const Context, *mut usize, *mut *mut Error) -> i32;
    fn kds_context_model_get(*const Context, usize, *mut ModelInfo, *mut *mut Error) -> i32;
    fn kds_context_device_count(*const Context, *mut usize, *mut *mut Error) -> i32;
    fn kds_context_device_get(*const Context, usize, *mut DeviceInfo, *mut *mut Error) -> i32;
    fn kds_context_describe(*const Context, *mut *const c_char, *mut *mut Error) -> i32;

    fn kds_model_open(
        *const Context, *const c_char, *const c_char, *const c_char, *mut *mut Model, *mut *mut Error
    ) -> i32;
    fn kds_model_free(*mut Model);
    fn kds_model_info_get(*const Model, *mut ModelInfo, *mut *mut Error) -> i32;
    fn kds_model_device(*const Model, *mut *const c_char, *mut *const c_char, *mut *mut Error) -> i32;

    fn kds_job_new(*const Model, *mut *mut Job, *mut *mut Error) -> i32;
    fn kds_job_free(*mut Job);
    fn kds_job_set(*mut Job, *const c_char, *const c_char, *mut *mut Error) -> i32;
    fn kds_job_get(*const Job, *const c_char, *mut *const c_char, *mut *mut Error) -> i32;
    fn kds_job_output_size(*const Job, u32, u32, *mut u32, *mut u32, *mut *mut Error) -> i32;
    fn kds_job_estimate(*const Job, u32, u32, *mut Estimate, *mut *mut Error) -> i32;
    fn kds_job_run(
        *mut Job, *const Image, *const Image, *const Image, *const Image,
        ProgressCallback, *mut c_void, *mut *mut Error
    ) -> i32;
    fn kds_job_cancel(*const Job);
}

later {
    fn kds_context_params_init_sized(*mut ContextParams, usize);
    fn kds_model_check(*const Context, *const c_char, *mut *mut Error) -> i32;
    fn kds_model_recognise(
        *const Context, *const c_char, *const c_char, *const c_char, *mut *mut Recognised, *mut *mut Error
    ) -> i32;
    fn kds_recognised_get(*const Recognised, *mut *const c_char, *mut *const c_char, *mut *mut Error) -> i32;
    fn kds_recognised_free(*mut Recognised);
}
}
