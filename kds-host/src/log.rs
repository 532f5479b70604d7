//! What the library tells of itself while it works.

use std::{
    ffi::{c_char, c_void},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::text;

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum LogLevel {
    /// Something failed; the call that failed says so too.
    Error = 1,
    /// Something went on in another way than asked for.
    Warn = 2,
    /// What a person may want to know of a run.
    Info = 3,
    /// What helps to find a defect.
    Debug = 4,
}

/// Is told each line of the log, on the thread inside the call that it is about.
#[derive(Clone)]
pub struct Log {
    /// The least that is told.
    pub level: LogLevel,
    /// Takes a line.
    pub tell: Arc<Tell>,
}

/// What takes a line of the log.
pub type Tell = dyn Fn(LogLevel, &str) + Send + Sync;

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Log").field("level", &self.level).finish_non_exhaustive()
    }
}

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
