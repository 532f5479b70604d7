//! Panics of decoders, which are third-party code over any files: a panic in one is a picture that cannot be read, and does
//! not take the batch along.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use anyhow::anyhow;

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder; a panic becomes an error.
///
/// # Errors
/// The decoder's own, and its panic.
pub fn guarded<T>(decode: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    silence();
    let outer = DECODING.replace(true);
    // Nothing that the decoder has touched is used after a panic.
    let result = panic::catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(outer);
    result.unwrap_or_else(|panic| {
        let reason = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let reason = super::plain(&reason.unwrap_or("no reason given"));
        Err(anyhow!("cannot be decoded: the decoder failed ({reason}); convert it to PNG with another program"))
    })
}

/// Keeps the panics of decoders from being printed: they are told as errors.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !DECODING.get() {
                usual(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_in_one_line() {
        let error = guarded(|| -> anyhow::Result<()> { panic!("index 7\nout of range") }).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("index 7 out of range") && message.contains("; convert"), "{message}");
        assert_eq!(guarded(|| Ok(3)).unwrap(), 3);
    }
}
