//! A call of the C interface, as a result.

use std::ffi::CStr;

use super::{raw, text};
use crate::{Error, Status};

/// Makes one call of the library and turns its status and error object into a result. The object is freed.
pub(crate) fn check(api: &raw::Api, call: impl FnOnce(*mut *mut raw::Error) -> i32) -> Result<(), Error> {
    let mut error = std::ptr::null_mut();
    let code = call(&mut error);
    if code == raw::OK {
        return Ok(());
    }
    let status = Status::from_code(code);
    if error.is_null() {
        // SAFETY: takes any number; returns a static string or null.
        let name = unsafe { text::copy((api.kds_status_name)(code)) };
        return Err(Error::new(status, format!("libkds reported {name} without a message")));
    }
    // SAFETY: `error` was set by the failed call, so it is a live error object that this function owns; the message is a
    // string that lives as long as the object, and is copied before the object is freed.
    let message = unsafe {
        let message = (api.kds_error_message)(error);
        let copy =
            if message.is_null() { String::new() } else { CStr::from_ptr(message).to_string_lossy().into_owned() };
        (api.kds_error_free)(error);
        copy
    };
    Err(Error::new(status, message))
}
