//! Panics, which must not get into the host.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Makes a panic, which is a defect, an error like any other.
///
/// # Errors
/// The error of the call, or the message of its panic.
pub fn caught<T>(call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let describe = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        format!("a defect of the plug-in, please report it: {}", text.unwrap_or("no message"))
    };
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(describe(panic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_errors() {
        assert_eq!(caught(|| Ok(5)), Ok(5));
        let message = caught::<()>(|| panic!("out of {}", "ideas")).unwrap_err();
        assert!(message.ends_with("please report it: out of ideas"), "{message}");
    }
}
