//! The log of the library, handed on to the host's.

use std::{
    ffi::{c_char, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::text;
use crate::{Log, LogLevel};

/// The `kds_log` of a context whose `log_user_data` is a [`Log`].
pub(crate) unsafe extern "C" fn forward(user_data: *mut c_void, level: i32, message: *const c_char) {
    // SAFETY: the context was made with a `Log` that lives as long as it.
    let log = unsafe { &*user_data.cast::<Log>() };
    let level = match level {
        1 => LogLevel::Error,
        2 => LogLevel::Warn,
        3 => LogLevel::Info,
        _ => LogLevel::Debug,
    };
    // SAFETY: the library's string lives as long as this call.
    let message = unsafe { text::copy(message) };
    // Nothing may unwind into the library; a host whose log panics loses the line.
    let _ = catch_unwind(AssertUnwindSafe(|| (log.tell)(level, &message)));
}
