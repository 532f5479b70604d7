//! The `kds` command: restores photographs through libkds.so, as every other host does.
//!
//! A library only so that tests and fuzzing reach its parts; `src/main.rs` is the program.

mod add_model;
mod batch;
mod compare;
mod confidence;
mod doctor;
mod exif;
pub mod file_kind;
mod hub;
mod interrupt;
mod model_source;
mod models;
mod options;
mod output;
pub mod picture;
mod pipeline;
mod place;
mod plan;
mod progress;
mod restore;
pub mod save;
mod table;
#[cfg(test)]
mod testing;
mod tiff_file;
mod usage;
mod webp_file;

use std::process::ExitCode;

use interrupt::Cancelled;
use options::Command;
use usage::UsageError;

/// Something was not done.
const FAILED: u8 = 1;
/// The command line itself is wrong.
const USAGE: u8 = 2;
/// Stopped by Ctrl-C: 128 and the number of the signal, as shells have it.
const CANCELLED: u8 = 130;

/// The whole command: reads the command line, does what it says, gives the exit code.
pub fn run() -> ExitCode {
    let result = options::parse(std::env::args_os()).and_then(|command| match command {
        Command::Text(text) => output::print(&text).map(|()| true),
        Command::Restore(options) => restore(&options),
        Command::Models(options) => models::run(&options),
        Command::Doctor(options) => doctor::print(&options),
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) if error.is::<Cancelled>() => {
            output::say("cancelled");
            ExitCode::from(CANCELLED)
        }
        Err(error) => {
            output::say(&format!("{error:#}"));
            ExitCode::from(if error.is::<UsageError>() { USAGE } else { FAILED })
        }
    }
}

fn restore(options: &options::Restore) -> anyhow::Result<bool> {
    interrupt::install()?;
    save::report_large_files_as_errors();
    let plan = plan::plan(options)?;
    batch::run(options, &plan)
}
