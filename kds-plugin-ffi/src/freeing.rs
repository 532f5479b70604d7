//! Freeing that never unwinds into the caller.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Frees a handle. A panic on the way, as of a backbone that cannot end well, leaks what was not yet freed.
///
/// # Safety
/// `handle` is NULL or was made by `Box::into_raw` and is not used elsewhere.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: the caller's promise.
        drop_quietly(unsafe { Box::from_raw(handle) });
    }
}

/// Drops a value; no panic gets out.
pub(crate) fn drop_quietly<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        discard(panic);
    }
}

/// Drops what a panic carries, unless that could panic too.
pub(crate) fn discard(panic: Box<dyn Any + Send>) {
    if !(panic.is::<&str>() || panic.is::<String>()) {
        std::mem::forget(panic);
    }
}
