//! `cargo xtask …`: set up, run, test and install KDS from a fresh clone.

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::cargo::Profile;
use xtask::install::Tree;
use xtask::setup::{Setup, Variant};
use xtask::{abi, cargo, checks, dist, fuzz, header, install};

/// Set up, run, test and install KDS. Every command that needs libtorch fetches it first, once.
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
    /// Build KDS and install the library, headers, command and libtorch below a prefix, which may be moved afterwards
    Install {
        /// Folder to install into, such as /usr/local or ~/kds
        #[arg(long, value_name = "FOLDER")]
        prefix: PathBuf,
        #[command(flatten)]
        build: BuildArguments,
        /// Remove what was installed there instead
        #[arg(long)]
        uninstall: bool,
    },
    /// Build KDS and pack an installation as one archive that runs where it is unpacked
    Dist {
        #[command(flatten)]
        build: BuildArguments,
        /// File to write [default: kds-VERSION-linux-MACHINE.tar.gz in the target folder]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Write include/kds.h from the sources of kds-plugin-ffi
    Header {
        /// Compare only, and fail when the committed header is out of date
        #[arg(long)]
        check: bool,
    },
    /// Write tests/c/kds.abi, the description of the binary interface, where it has only grown
    Abi {
        /// Compare only, and fail when the interface is not as described
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
    /// Run a model of others at its true size, with random weights, beside diffusers: agreement, time and memory
    #[command(disable_help_flag = true)]
    Compare(PassedOn),
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

#[derive(Args)]
struct BuildArguments {
    /// How much the compiler optimises
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
}

impl BuildArguments {
    /// Builds, and collects what an installation consists of.
    fn tree(&self, setup: &Setup) -> Result<Tree> {
        let libtorch = setup.run(None)?;
        let built = cargo::build(&setup.root, self.profile, &install::PACKAGES)?;
        install::Source { root: &setup.root, built: &built, libtorch: &libtorch }.tree()
    }
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
        Command::Compare(passed_on) => {
            setup.run(None)?;
            cargo::run_release(&setup.root, &["kds-tests"], "compare", &passed_on.arguments)
        }
        Command::Fuzz { target, minutes, sanitizer } => {
            setup.run(None)?;
            fuzz::run(&setup.root, &target, minutes, sanitizer)
        }
        Command::Test => {
            setup.run(None)?;
            checks::run(&setup.root)
        }
        Command::Install { prefix, uninstall: true, .. } => {
            install::uninstall(&prefix)?;
            println!("KDS is removed from {}.", prefix.display());
            Ok(())
        }
        Command::Install { prefix, build, uninstall: false } => {
            let tree = build.tree(&setup)?;
            install::install(&tree, &prefix)?;
            println!("KDS {} is installed in {} ({}).", install::VERSION, prefix.display(), megabytes(tree.size()?));
            Ok(())
        }
        Command::Dist { build, output } => {
            let tree = build.tree(&setup)?;
            let output = match output {
                Some(output) => output,
                None => cargo::target_folder()?.join(dist::name() + ".tar.gz"),
            };
            dist::write(&tree, &output)?;
            let packed = std::fs::metadata(&output).with_context(|| format!("cannot read {}", output.display()))?.len();
            println!("{} is written ({}; {} unpacked).", output.display(), megabytes(packed), megabytes(tree.size()?));
            Ok(())
        }
        Command::Header { check: true } => header::check(&setup.root),
        Command::Header { check: false } => header::write(&setup.root),
        Command::Abi { check: true } => abi::check(&setup.root),
        Command::Abi { check: false } => abi::write(&setup.root),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}
