//! Strings for C.

use std::ffi::CString;

/// NUL characters, which would end it, become spaces.
pub(crate) fn text(value: &str) -> CString {
    CString::new(value.replace('\0', " ")).unwrap_or_default()
}
