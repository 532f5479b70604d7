//! Fuzzing: functions that take any bytes, give them to one of our doors, and panic where it does not hold what it
//! promises. `tests/fuzzing.rs` runs them in the ordinary tests, `fuzz/` at length under libFuzzer; see docs/fuzzing.md.

mod arguments;
mod calls;
mod checkpoint;
mod image;
mod images;
mod outcome;
mod registry;
mod run;
pub mod tiny_model;
mod weights;

use std::cell::OnceCell;
use std::path::PathBuf;

use tempfile::TempDir;

pub use calls::{calls, completed_runs};
pub use checkpoint::checkpoint;
pub use image::image;
pub use registry::registry;
pub use weights::{inputs as weights_input, weights};

/// A function to fuzz.
pub type Target = fn(&[u8]);

/// All of them; the name is also that of the corpus.
pub const TARGETS: &[(&str, Target)] =
    &[("registry", registry), ("weights", weights), ("checkpoint", checkpoint), ("image", image), ("calls", calls)];

/// The committed seeds of a target.
pub fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

/// What every message has to be: one line that says something and that a terminal shows as it is.
fn assert_one_line(message: &str) {
    assert!(!message.trim().is_empty(), "an empty message");
    assert!(!message.contains(char::is_control), "not one plain line: {message:?}");
}

/// A folder of this thread for files that a target needs, in memory where the system has such a place.
fn folder() -> PathBuf {
    thread_local! {
        static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
    }
    let make = || tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    FOLDER.with(|folder| folder.get_or_init(make).path().to_owned())
}
