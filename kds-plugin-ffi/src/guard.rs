//! The one gate of all exports: nothing unwinds into the caller.

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use kds_engine::device;

use crate::error::{Failure, KDS_OK, KDS_PANIC, kds_error};
use crate::freeing::discard;

/// Runs an export's body; a failure becomes an error object, a panic becomes `KDS_PANIC`.
///
/// # Safety
/// `error` is NULL or may be written.
pub(crate) unsafe fn guard(error: *mut *mut kds_error, body: impl FnOnce() -> Result<(), Failure>) -> i32 {
    let failure = match catch_unwind(AssertUnwindSafe(|| device::caught(body))) {
        Ok(Ok(())) => return KDS_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => {
            let what = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let what = what.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            discard(panic);
            Failure::new(KDS_PANIC, format!("a defect in libkds: {}; please report it", what.replace('\n', " ")))
        }
    };
    // SAFETY: the caller's promise.
    unsafe { failure.give(error) }
}

/// Mark of a handle that a panic has left in an unknown state.
#[derive(Default)]
pub(crate) struct Poison(AtomicBool);

impl Poison {
    /// Runs `body`, unless an earlier one panicked.
    pub fn protect<T>(&self, body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        if self.0.load(Ordering::Acquire) {
            return Err(Failure::new(
                KDS_PANIC,
                "this handle met a defect in libkds before; free it and make a new one",
            ));
        }
        let armed = Armed(&self.0);
        // Memory that runs out is no defect, even where tch panics.
        let result = device::caught(body);
        std::mem::forget(armed);
        result
    }
}

/// Sets the flag when it is dropped, which only unwinding does.
struct Armed<'a>(&'a AtomicBool);

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The object behind a handle.
///
/// # Safety
/// `handle` is NULL or points to a live object.
pub(crate) unsafe fn object<'a, T>(handle: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { handle.as_ref() }.ok_or_else(|| Failure::argument(format!("{name} is NULL")))
}

/// An out-parameter that may be written.
pub(crate) fn out<T>(pointer: *mut T, name: &str) -> Result<*mut T, Failure> {
    if pointer.is_null() { Err(Failure::argument(format!("{name} is NULL"))) } else { Ok(pointer) }
}

/// A string argument.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string.
pub(crate) unsafe fn string<'a>(text: *const c_char, name: &str) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(Failure::argument(format!("{name} is NULL")));
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| Failure::argument(format!("{name} is not UTF-8")))
}

/// A string that may be NULL.
///
/// # Safety
/// As of [`string`].
pub(crate) unsafe fn optional_string<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>, Failure> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { string(text, name) }).transpose()
}
