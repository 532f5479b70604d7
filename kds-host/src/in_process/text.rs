//! Strings across the C interface: always copied, never borrowed.

use std::ffi::{CStr, CString, c_char};

use crate::{Error, Status};

/// Copies a string of the library; null gives the empty string.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that does not change during the call.
pub(crate) unsafe fn copy(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and by the contract of this function a NUL-terminated string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A string for the library.
pub(crate) fn pass(what: &str, text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| {
        Error::new(Status::InvalidArgument, format!("the {what} {text:?} holds a NUL character; leave it out"))
    })
}

/// The pointer of an optional string: null stands for "the default".
pub(crate) fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_empty_and_nul_is_refused() {
        // SAFETY: null is allowed, and the literal is NUL-terminated.
        unsafe {
            assert_eq!(copy(std::ptr::null()), "");
            assert_eq!(copy(c"cpu".as_ptr()), "cpu");
        }
        let error = pass("model id", "a\0b").unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument);
        assert!(error.message.contains("model id"), "{error}");
        assert!(pointer(&None).is_null());
    }
}
