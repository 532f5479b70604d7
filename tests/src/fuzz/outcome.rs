//! What has to be so after every call of the C interface.

use kds::{KDS_OK, KDS_PANIC, kds_error, kds_error_free, kds_error_message, kds_error_status, kds_status_name};

use super::arguments::library_string;
use super::assert_one_line;

/// The last argument of a call, and what is to be asserted once the call is done.
pub struct ErrorArgument {
    slot: *mut kds_error,
    wanted: bool,
}

/// A value that an out-parameter has before the call. Nobody follows it.
pub fn untouched<T>() -> *mut T {
    std::ptr::without_provenance_mut(0xa5a5_a5a0)
}

impl ErrorArgument {
    /// Without `wanted` the call gets NULL.
    pub fn new(wanted: bool) -> Self {
        Self { slot: untouched(), wanted }
    }

    /// What the call takes.
    pub fn pointer(&mut self) -> *mut *mut kds_error {
        if self.wanted { &raw mut self.slot } else { std::ptr::null_mut() }
    }

    /// Asserts what holds of every status and every error object, and whether the call succeeded. The error object goes
    /// among `errors`.
    pub fn settle(self, status: i32, errors: &mut Vec<*mut kds_error>) -> bool {
        // SAFETY: the error is what the call just gave, or untouched and not followed.
        unsafe {
            let name = library_string(kds_status_name(status));
            assert!((KDS_OK..=KDS_PANIC).contains(&status) && name != "KDS_UNKNOWN", "status {status}");
            let written = self.slot != untouched();
            assert_eq!(written, self.wanted && status != KDS_OK, "{name}: an error object exactly on failure");
            let message = if written { library_string(kds_error_message(self.slot)) } else { "" };
            assert_ne!(status, KDS_PANIC, "{message}");
            if written {
                assert_one_line(message);
                assert_eq!(kds_error_status(self.slot), status);
                errors.push(self.slot);
            }
        }
        status == KDS_OK
    }
}

/// Frees the error object.
///
/// # Safety
/// It has not been freed.
pub unsafe fn free(error: *mut kds_error) {
    // SAFETY: the caller's promise.
    unsafe { kds_error_free(error) };
}
