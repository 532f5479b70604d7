//! Nothing may unwind into GIMP or GTK, which are written in C.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Result of `body`, or `instead(message)` if it panics, which is a defect.
pub fn guard<T>(body: impl FnOnce() -> T, instead: impl FnOnce(String) -> T) -> T {
    // State that the body left half changed is not used again: the process ends with the call.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| instead(describe(&*panic)))
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let reason = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given");
    format!("the KDS plug-in has a defect and stopped ({reason}); the image is as it was. Please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_message() {
        assert_eq!(guard(|| 1, |_| 2), 1);
        let message = guard(|| panic!("index {} of 3", 7), |message| message);
        assert!(message.contains("index 7 of 3"), "{message}");
    }
}
