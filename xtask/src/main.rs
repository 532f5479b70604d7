//! `cargo xtask …`: set up, run, test and install KDS from a fresh clone.

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xtask::cargo::Profile;
use xtask::install::gimp::Home;
use xtask::install::nodes::Host;
use xtask::install::{Tree, openfx};
use xtask::setup::{Setup, Variant};
use xtask::{abi, cargo, checks, deb, dist, flatpak, fuzz, gpu, header, install, packages, wheel};

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
        /// Folder to install into, such as /usr/local or ~/kds [default with --gimp or --nodes: ~/.local/share/kds]
        #[arg(long, value_name = "FOLDER", required_unless_present_any = ["gimp", "nodes"])]
        prefix: Option<PathBuf>,
        /// Put the plug-in where the GIMPs of this user look for it, too
        #[arg(long)]
        gimp: bool,
        /// Put the plug-ins where GEGL, OpenFX hosts and VapourSynth look for them, too
        #[arg(long)]
        nodes: bool,
        /// The Python whose VapourSynth it is [default: python3, if it has one]
        #[arg(long, value_name = "PROGRAM", requires = "nodes")]
        python: Option<PathBuf>,
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
        /// Make a Debian package instead, which serves all users
        #[arg(long)]
        deb: bool,
        /// Make a folder instead, of which flatpak-builder makes an extension for the GIMP 3 of Flatpak
        #[arg(long, conflicts_with = "deb")]
        flatpak: bool,
        /// File to write [default: kds-VERSION-linux-MACHINE.tar.gz, or kds_VERSION_MACHINE.deb, in the target folder], or the folder
        /// for Flatpak [default: flatpak in the target folder]
        #[arg(short, long, value_name = "PATH")]
        output: Option<PathBuf>,
    },
    /// Build the plug-in for VapourSynth as a wheel that pip installs, with the command and the library in it
    Wheel {
        #[command(flatten)]
        build: BuildArguments,
        /// Folder to write it into [default: the target folder]
        #[arg(short, long, value_name = "FOLDER")]
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
        /// Fuzz target
        target: String,
        /// Minutes, after building
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Checks that the compiler adds
        #[arg(long, value_enum, default_value_t = fuzz::Sanitizer::Address)]
        sanitizer: fuzz::Sanitizer,
    },
    /// Measuring on a machine with a GPU
    #[command(subcommand)]
    Gpu(GpuCommand),
    /// Write the screenshots of docs/gimp.md, with both GIMPs on a screen in memory
    Screenshots(PassedOn),
    /// Measure what the plug-in adds to GIMP's start, and a call to a restoration
    GimpTimes,
    /// Measure what a call takes in VapourSynth, GEGL and melt, first and second, beside the command
    NodeTimes,
    /// Build and run the measurements behind the numbers in the README
    #[command(disable_help_flag = true)]
    Evaluate(PassedOn),
    /// Run a third-party model at its true size, with random weights, beside diffusers: agreement, time and memory
    #[command(disable_help_flag = true)]
    Compare(PassedOn),
}

#[derive(Subcommand)]
enum GpuCommand {
    /// Fill a folder of less than 48 MiB whose measure.py checks and measures KDS on a machine that has a driver and Python
    /// with torch
    Pack {
        /// Folder to make [default: kds-gpu in the target folder]
        #[arg(short, long, value_name = "FOLDER")]
        output: Option<PathBuf>,
    },
}

/// Packages that drive GIMP: an installation, and the programs of the measurement.
const GIMP_MEASUREMENTS: &[&str] = &["kds-plugin-ffi", "kds-cli", "kds-plugin-gimp", "kds-tests"];

/// The same with the nodes.
const NODE_MEASUREMENTS: &[&str] = &[
    "kds-plugin-ffi",
    "kds-cli",
    "kds-plugin-gimp",
    "kds-plugin-vapoursynth",
    "kds-plugin-gegl",
    "kds-plugin-openfx",
    "kds-tests",
];

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
    /// Profile of cargo
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
            cargo::run_release(
                &setup.root,
                &["kds-plugin-ffi", "kds-cli", "kds-tests"],
                "evaluate",
                &passed_on.arguments,
            )
        }
        Command::Compare(passed_on) => {
            setup.run(None)?;
            cargo::run_release(&setup.root, &["kds-tests"], "compare", &passed_on.arguments)
        }
        Command::Screenshots(passed_on) => {
            setup.run(None)?;
            packages::ensure(checks::NEEDED)?;
            cargo::run_release(&setup.root, GIMP_MEASUREMENTS, "gimp_screenshots", &passed_on.arguments)
        }
        Command::GimpTimes => {
            setup.run(None)?;
            packages::ensure(checks::NEEDED)?;
            cargo::run_release(&setup.root, GIMP_MEASUREMENTS, "gimp_times", &[])
        }
        Command::NodeTimes => {
            setup.run(None)?;
            packages::ensure(checks::NEEDED)?;
            cargo::run_release(&setup.root, NODE_MEASUREMENTS, "node_times", &[])
        }
        Command::Fuzz { target, minutes, sanitizer } => {
            setup.run(None)?;
            fuzz::run(&setup.root, &target, minutes, sanitizer)
        }
        Command::Test => {
            setup.run(None)?;
            checks::run(&setup.root)
        }
        Command::Install { prefix, gimp, nodes, python, build, uninstall } => {
            // Without either a prefix was given.
            let home = (gimp || nodes).then(Home::from_environment).transpose()?;
            let prefix = prefix.or_else(|| home.as_ref().map(Home::prefix)).context("--prefix is missing")?;
            let gegl = home.as_ref().filter(|_| nodes).map(Host::gegl);
            let openfx = home.as_ref().filter(|_| nodes).map(openfx::Session::of);
            let home = home.filter(|_| gimp);
            let vapoursynth = if nodes { find_vapoursynth(python.as_deref())? } else { None };
            if uninstall {
                if gegl.map(|found| found.unlink()).transpose()?.unwrap_or(false) {
                    println!("The operations are removed from GEGL.");
                }
                if openfx.map(|found| found.unlink()).transpose()?.unwrap_or(false) {
                    println!("The bundle is removed from the search path of OpenFX hosts.");
                }
                if vapoursynth.map(|found| found.unlink()).transpose()?.unwrap_or(false) {
                    println!("The plug-in is removed from VapourSynth.");
                }
                return uninstall_from(&prefix, home.as_ref());
            }
            install_into(&prefix, home.as_ref(), &build.tree(&setup)?)?;
            if let Some(found) = gegl {
                println!("GEGL finds its operations as {}.", found.link(&prefix)?.display());
            }
            if let Some(found) = openfx {
                println!(
                    "OpenFX hosts find their bundle from the next login on, by {}; before: export OFX_PLUGIN_PATH='{}'",
                    found.link(&prefix)?.display(),
                    prefix.join(openfx::FOLDER).display()
                );
            }
            if let Some(found) = vapoursynth {
                println!("VapourSynth finds its plug-in as {}.", found.link(&prefix)?.display());
            }
            Ok(())
        }
        Command::Wheel { build, output } => {
            let libtorch = setup.run(None)?;
            let built = cargo::build(&setup.root, build.profile, &install::PACKAGES)?;
            let source = install::Source { root: &setup.root, built: &built, libtorch: &libtorch };
            let folder = match output {
                Some(output) => output,
                None => cargo::target_folder()?,
            };
            let wheel = wheel::write(&source, &folder)?;
            let size = std::fs::metadata(&wheel).with_context(|| format!("cannot read {}", wheel.display()))?.len();
            println!("{} is written ({}).", wheel.display(), megabytes(size));
            Ok(())
        }
        Command::Dist { build, deb: package, flatpak: extension, output } => {
            let tree = build.tree(&setup)?;
            let size = tree.size()?;
            let output = match output {
                Some(output) => output,
                None if package => cargo::target_folder()?.join(deb::name()?),
                None if extension => cargo::target_folder()?.join("flatpak"),
                None => cargo::target_folder()?.join(dist::name() + ".tar.gz"),
            };
            if extension {
                flatpak::write(&tree, &output)?;
                let (id, folder) = (flatpak::ID, output.display());
                println!("{folder} is written. Where flatpak-builder and the GIMP of Flathub are installed:");
                println!("    flatpak-builder --user --install --force-clean {folder}/build {folder}/{id}.json");
                return Ok(());
            }
            if package {
                deb::write(tree, &output)?;
            } else {
                dist::write(&tree, &output)?;
            }
            let packed = std::fs::metadata(&output).with_context(|| format!("cannot read {}", output.display()))?.len();
            println!("{} is written ({}; {} unpacked).", output.display(), megabytes(packed), megabytes(size));
            Ok(())
        }
        Command::Gpu(GpuCommand::Pack { output }) => {
            setup.run(None)?;
            let folder = match output {
                Some(output) => output,
                None => cargo::target_folder()?.join("kds-gpu"),
            };
            let size = gpu::pack(&setup.root, &folder)?;
            println!("{} is written ({}); there: python3 measure.py", folder.display(), megabytes(size));
            Ok(())
        }
        Command::Header { check: true } => header::check(&setup.root),
        Command::Header { check: false } => header::write(&setup.root),
        Command::Abi { check: true } => abi::check(&setup.root),
        Command::Abi { check: false } => abi::write(&setup.root),
    }
}

/// The VapourSynth of this Python. Without a name that of `python3`, where there is one.
fn find_vapoursynth(python: Option<&Path>) -> Result<Option<Host>> {
    match python {
        Some(python) => Host::vapoursynth(python).map(Some),
        None => Ok(Host::vapoursynth(Path::new("python3"))
            .inspect_err(|reason| eprintln!("VapourSynth is left out: {reason:#}"))
            .ok()),
    }
}

/// Installs, and links the plug-in into the GIMPs of a home.
fn install_into(prefix: &Path, home: Option<&Home>, tree: &Tree) -> Result<()> {
    let gimps = home.map(Home::gimps).unwrap_or_default();
    if home.is_some() && gimps.is_empty() {
        bail!(
            "found no GIMP 2.10 or 3, neither a command on the PATH nor its settings: install GIMP, or start it once"
        );
    }
    install::install(tree, prefix)?;
    println!("KDS {} is installed in {} ({}).", install::VERSION, prefix.display(), megabytes(tree.size()?));
    for gimp in gimps {
        if gimp.was_started() {
            println!("GIMP {} finds its plug-in as {}.", gimp.version, gimp.link(prefix)?.display());
        } else {
            println!(
                "GIMP {} was never started, and takes over the settings of an older GIMP when it is: start it once, then run \
                 this command again.",
                gimp.version
            );
        }
    }
    Ok(())
}

/// Undoes [`install_into`].
fn uninstall_from(prefix: &Path, home: Option<&Home>) -> Result<()> {
    for gimp in home.map(Home::gimps).unwrap_or_default() {
        if gimp.unlink()? {
            println!("The plug-in is removed from GIMP {}.", gimp.version);
        }
    }
    install::uninstall(prefix)?;
    println!("KDS is removed from {}.", prefix.display());
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}
