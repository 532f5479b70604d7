//! Text for people: a closed pipe or a full disk behind standard output must not panic, as `println!` does.

use std::io::{ErrorKind, Write, stderr, stdout};

use anyhow::Context;

use crate::shown;

/// Writes to standard output. A reader that has seen enough and closed the pipe is no error.
///
/// # Errors
/// When standard output cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(shown::message(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Writes a line to standard error, with the program's name as is the custom. There is nowhere to say that it failed.
pub fn say(line: &str) {
    // In one piece, so that lines of several threads or processes do not mix.
    let _ = stderr().write_all(format!("kds: {}\n", shown::message(line)).as_bytes());
}
