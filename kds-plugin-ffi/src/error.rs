//! Status codes and error objects.

use std::ffi::{CString, c_char};

use kds_engine::Error;

use crate::freeing::free;

/// Done.
pub const KDS_OK: i32 = 0;
/// An argument or a parameter is wrong: NULL, out of range, not UTF-8, a struct of unknown size.
pub const KDS_INVALID_ARGUMENT: i32 = 1;
/// There is no model of that id, or no such index.
pub const KDS_NOT_FOUND: i32 = 2;
/// The image's format, size or values cannot be used.
pub const KDS_INVALID_IMAGE: i32 = 3;
/// The model's files are broken or belong to another architecture.
pub const KDS_INVALID_MODEL: i32 = 4;
/// A registry file cannot be read.
pub const KDS_INVALID_REGISTRY: i32 = 5;
/// The device that was asked for cannot be used.
pub const KDS_DEVICE_UNAVAILABLE: i32 = 6;
/// The memory budget is too small, or memory ran out.
pub const KDS_OUT_OF_MEMORY: i32 = 7;
/// The run was cancelled.
pub const KDS_CANCELLED: i32 = 8;
/// The job is running already.
pub const KDS_BUSY: i32 = 9;
/// libtorch failed, or the model computed something that is no number.
pub const KDS_INTERNAL: i32 = 10;
/// A defect of this library was caught; the handle cannot be used any more, only freed.
pub const KDS_PANIC: i32 = 11;

/// An error: a status and a message of one line, in UTF-8.
pub struct kds_error {
    status: i32,
    message: CString,
}

/// The status of an error; `KDS_OK` for NULL.
///
/// Threads: any number at once.
///
/// # Safety
/// `error` is NULL or an error object that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_error_status(error: *const kds_error) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { error.as_ref() }.map_or(KDS_OK, |error| error.status)
}

/// The message of an error, valid until it is freed; "" for NULL.
///
/// Threads: any number at once.
///
/// # Safety
/// `error` is NULL or an error object that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_error_message(error: *const kds_error) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { error.as_ref() }.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

/// Frees an error object. NULL is fine.
///
/// Threads: no other call may use the error object.
///
/// # Safety
/// `error` is NULL or an error object that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_error_free(error: *mut kds_error) {
    // SAFETY: made by `Box::into_raw` in `Failure::give`.
    unsafe { free(error) };
}

/// The name of a status, such as "KDS_OK"; "KDS_UNKNOWN" for a number that is none. Static.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn kds_status_name(status: i32) -> *const c_char {
    let name = match status {
        KDS_OK => c"KDS_OK",
        KDS_INVALID_ARGUMENT => c"KDS_INVALID_ARGUMENT",
        KDS_NOT_FOUND => c"KDS_NOT_FOUND",
        KDS_INVALID_IMAGE => c"KDS_INVALID_IMAGE",
        KDS_INVALID_MODEL => c"KDS_INVALID_MODEL",
        KDS_INVALID_REGISTRY => c"KDS_INVALID_REGISTRY",
        KDS_DEVICE_UNAVAILABLE => c"KDS_DEVICE_UNAVAILABLE",
        KDS_OUT_OF_MEMORY => c"KDS_OUT_OF_MEMORY",
        KDS_CANCELLED => c"KDS_CANCELLED",
        KDS_BUSY => c"KDS_BUSY",
        KDS_INTERNAL => c"KDS_INTERNAL",
        KDS_PANIC => c"KDS_PANIC",
        _ => c"KDS_UNKNOWN",
    };
    name.as_ptr()
}

/// A failure on its way out.
pub(crate) struct Failure {
    pub status: i32,
    pub message: String,
}

impl Failure {
    pub fn new(status: i32, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(KDS_INVALID_ARGUMENT, message)
    }

    /// Writes the error object, where the caller wants one, and returns the status.
    ///
    /// # Safety
    /// `error` is NULL or may be written.
    pub unsafe fn give(self, error: *mut *mut kds_error) -> i32 {
        let Self { status, message } = self;
        if !error.is_null() {
            let message = CString::new(message.replace(char::is_control, " ")).unwrap_or_default();
            // SAFETY: the caller's promise.
            unsafe { error.write(Box::into_raw(Box::new(kds_error { status, message }))) };
        }
        status
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Parameter(_) | Error::Conflict(_) => KDS_INVALID_ARGUMENT,
            Error::Image(_) => KDS_INVALID_IMAGE,
            Error::UnknownModel { .. } => KDS_NOT_FOUND,
            Error::Registry { .. } => KDS_INVALID_REGISTRY,
            error if error.ran_out_of_memory() => KDS_OUT_OF_MEMORY,
            Error::Model { .. } | Error::Both(..) => KDS_INVALID_MODEL,
            Error::Device(_) | Error::DeviceLost(_) => KDS_DEVICE_UNAVAILABLE,
            Error::OutOfMemory { .. } | Error::MemoryRanOut(_) | Error::Threads { .. } => KDS_OUT_OF_MEMORY,
            Error::Cancelled => KDS_CANCELLED,
            Error::NotFinite { .. } | Error::Torch(_) => KDS_INTERNAL,
        };
        Self::new(status, error.to_string())
    }
}
