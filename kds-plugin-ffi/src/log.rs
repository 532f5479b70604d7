//! Log of the library.

use std::ffi::{CString, c_char, c_void};
use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher};

/// `level`: something failed; the call that failed says so too.
pub const KDS_LOG_ERROR: i32 = 1;
/// `level`: something went on in another way than asked for.
pub const KDS_LOG_WARN: i32 = 2;
/// `level`: what a person may want to know of a run.
pub const KDS_LOG_INFO: i32 = 3;
/// `level`: what helps to find a defect.
pub const KDS_LOG_DEBUG: i32 = 4;

/// Is told what happens: `level` is one of `KDS_LOG_*`, `message` one line of UTF-8 that lives as long as the call.
/// Called on the thread inside the call that it is about; where several threads use one context or what was made of it,
/// several at once. It must not call back into the library, and neither throw nor jump out.
pub type kds_log = Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char)>;

/// Receiver of the log of a context, its models and jobs.
#[derive(Clone)]
pub(crate) struct Log(Dispatch);

impl Log {
    /// `most` is the highest level that the caller wants.
    pub fn new(callback: kds_log, user_data: *mut c_void, most: i32) -> Self {
        match callback {
            Some(callback) => Self(Dispatch::new(Host { callback, user_data, most })),
            None => Self(Dispatch::none()),
        }
    }

    /// Runs `body` with what it logs going here.
    pub fn within<T>(&self, body: impl FnOnce() -> T) -> T {
        dispatcher::with_default(&self.0, body)
    }
}

/// The caller's callback.
struct Host {
    callback: unsafe extern "C" fn(*mut c_void, i32, *const c_char),
    user_data: *mut c_void,
    most: i32,
}

// SAFETY: the contract of `kds_log` lets several threads call at once with the same data.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Subscriber for Host {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        level(metadata.level()) <= self.most
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let message = CString::new(line.0.replace(char::is_control, " ")).unwrap_or_default();
        // SAFETY: the caller's function and data, which live as long as the context and what was made of it.
        unsafe { (self.callback)(self.user_data, level(event.metadata().level()), message.as_ptr()) }
    }

    // The engine opens no spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn level(level: &Level) -> i32 {
    match *level {
        Level::ERROR => KDS_LOG_ERROR,
        Level::WARN => KDS_LOG_WARN,
        Level::INFO => KDS_LOG_INFO,
        _ => KDS_LOG_DEBUG,
    }
}

/// An event as one line: its message, then its other fields.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let separator = if self.0.is_empty() { "" } else { " " };
        // Writing into a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{separator}{value:?}"),
            name => write!(self.0, "{separator}{name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    unsafe extern "C" fn keep(user_data: *mut c_void, level: i32, message: *const c_char) {
        // SAFETY: the test's own list, and a string of the library.
        let (list, message) = unsafe { (&mut *user_data.cast::<Vec<(i32, String)>>(), CStr::from_ptr(message)) };
        list.push((level, message.to_str().unwrap().to_owned()));
    }

    #[test]
    fn the_caller_is_told_in_lines_of_its_levels() {
        let mut told: Vec<(i32, String)> = Vec::new();
        let log = Log::new(Some(keep), (&raw mut told).cast(), KDS_LOG_INFO);
        log.within(|| {
            tracing::warn!(tiles = 3, "two\nlines and a \0");
            tracing::info!("plain");
            tracing::debug!("not asked for");
        });
        tracing::warn!("of nobody");
        assert_eq!(told, [(KDS_LOG_WARN, "two lines and a   tiles=3".to_owned()), (KDS_LOG_INFO, "plain".to_owned())]);
        Log::new(None, std::ptr::null_mut(), KDS_LOG_DEBUG).within(|| tracing::error!("to nobody"));
    }
}
