//! `cargo xtask …`: set up, run and test KDS from a fresh clone.

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;
use xtask::setup::{Setup, Variant};
use xtask::{cargo, checks, fuzz, header};

/// Set up, run and test KDS. Every command that needs libtorch fetches it first, once.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch libtorch into the user's cache folder and link it as .libtorch
    Setup(SetupArguments),
    /// Build the kds command and restore photographs with it; takes the arguments of `kds restore`
    #[command(disable_help_flag = true)]
    Restore(PassedOn),
    /// Build the kds command and run it
    #[command(disable_help_flag = true)]
    Kds(PassedOn),
    /// Run every check: format, lints, build, tests
    Test,
    /// Write include/kds.h from the sources of kds-plugin-ffi
    Header {
        /// Compare only, and fail when the committed header is out of date
        #[arg(long)]
        check: bool,
    },
    /// Fuzz one target (registry, weights, image, calls) by cargo-fuzz; needs a nightly compiler
    Fuzz {
        /// What to fuzz
        target: String,
        /// How long, after building
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Checks that the compiler adds
        #[arg(long, value_enum, default_value_t = fuzz::Sanitizer::Address)]
        sanitizer: fuzz::Sanitizer,
    },
    /// Build and run the measurements behind the numbers in the README
    #[command(disable_help_flag = true)]
    Evaluate(PassedOn),
}

#[derive(Args)]
struct SetupArguments {
    /// Libraries for NVIDIA GPUs and for the CPU (default where an NVIDIA driver is installed)
    #[arg(long, conflicts_with = "cpu")]
    cuda: bool,
    /// Libraries for the CPU only
    #[arg(long)]
    cpu: bool,
}

/// Arguments that belong to the program that is run, `--help` included. Only a `--` before all others is dropped, as
/// cargo drops its own.
#[derive(Args)]
struct PassedOn {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let setup = Setup::from_environment()?;
    match command {
        Command::Setup(SetupArguments { cuda, cpu }) => {
            let wanted = if cuda {
                Some(Variant::Cuda)
            } else if cpu {
                Some(Variant::Cpu)
            } else {
                None
            };
            let libtorch = setup.run(wanted)?;
            println!("libtorch is ready: {}", libtorch.display());
            Ok(())
        }
        Command::Restore(mut passed_on) => {
            setup.run(None)?;
            passed_on.arguments.insert(0, "restore".into());
            cargo::run_release(&setup.root, &["kds-plugin-ffi", "kds-cli"], "kds", &passed_on.arguments)
        }
        Command::Kds(passed_on) => {
            setup.run(None)?;
            cargo::run_release(&setup.root, &["kds-plugin-ffi", "kds-cli"], "kds", &passed_on.arguments)
        }
        Command::Evaluate(passed_on) => {
            setup.run(None)?;
            cargo::run_release(&setup.root, &["kds-plugin-ffi", "kds-tests"], "evaluate", &passed_on.arguments)
        }
        Command::Fuzz { target, minutes, sanitizer } => {
            setup.run(None)?;
            fuzz::run(&setup.root, &target, minutes, sanitizer)
        }
        Command::Test => {
            setup.run(None)?;
            checks::run(&setup.root)
        }
        Command::Header { check: true } => header::check(&setup.root),
        Command::Header { check: false } => header::write(&setup.root),
    }
}
