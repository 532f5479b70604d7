//! The `kds` command: restores photographs through libkds.so, as every other host does.
//!
//! A library only so that tests and fuzzing reach its parts; `src/main.rs` is the program.

mod add_model;
mod batch;
mod collisions;
mod colour;
mod compare;
mod confidence;
mod doctor;
mod eval;
pub mod file_kind;
mod hub;
mod interrupt;
mod library;
mod load;
mod mark;
mod mask;
pub mod metadata;
mod model_source;
mod models;
mod naming;
mod options;
mod output;
mod outputs;
mod partial;
pub mod picture;
mod place;
mod plan;
mod progress;
pub mod read;
mod replace;
mod report;
mod restore;
pub mod save;
mod serve;
mod shown;
mod standing;
mod table;
mod task;
#[cfg(test)]
mod testing;
mod usage;
mod walk;
mod write;

use std::{
    io::{IsTerminal, stdout},
    process::ExitCode,
};

use interrupt::Cancelled;
use options::Command;
use usage::UsageError;

/// Something was not done.
const FAILED: u8 = 1;
/// The command line itself is wrong.
const USAGE: u8 = 2;

/// The whole command: reads the command line, does what it says, gives the exit code.
pub fn run() -> ExitCode {
    let result = options::parse(std::env::args_os()).and_then(|command| match command {
        Command::Text(text) => output::print(&text).map(|()| true),
        Command::Restore(options) => restore(&options),
        Command::Evaluate(options) => eval::run(&options),
        Command::Models(options) => models::run(&options),
        Command::Doctor(options) => doctor::print(&options),
        Command::Serve(options) => serve::run(&options).map(|()| true),
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) if error.is::<Cancelled>() => {
            output::say("cancelled");
            ExitCode::from(interrupt::exit_code())
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
    if place::is_standard(&options.output) && stdout().is_terminal() {
        let message = "a picture is no text for a terminal; name a file, or redirect standard output";
        return Err(UsageError(message.to_owned()).into());
    }
    let plan = plan::plan(options)?;
    batch::run(options, &plan)
}
