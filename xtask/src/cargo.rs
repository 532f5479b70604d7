//! Running cargo, and the programs that it built.

use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository root: the folder above this package. Cargo tells at run time where the package lies, so that a clone
/// may be moved; the place at build time stands in when the program is started by hand.
pub fn repository_root() -> Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&package).parent().with_context(|| format!("{} has no parent folder", package.display()))?;
    Ok(root.to_owned())
}

/// A cargo command in the repository root: the same cargo that started this program. An empty `LIBTORCH` is taken away,
/// because for cargo it would count as set and hide the one in `.cargo/config.toml`.
pub fn command(root: &Path) -> Command {
    command_named(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), root)
}

/// As [`command`], with a cargo of this name.
pub fn command_named(cargo: impl AsRef<OsStr>, root: &Path) -> Command {
    let mut command = Command::new(cargo);
    command.current_dir(root);
    if std::env::var_os("LIBTORCH").is_some_and(|value| value.is_empty()) {
        command.env_remove("LIBTORCH");
    }
    command
}

/// Profiles of cargo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Optimised: for use.
    Release,
    /// Quick to build: for tests.
    Dev,
    /// Small: for what has to travel.
    #[value(skip)]
    Small,
}

impl Profile {
    /// Name of the folder that cargo builds into.
    fn folder(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "debug",
            Self::Small => "small",
        }
    }
}

/// Builds these packages, and returns the folder that their libraries and programs lie in.
pub fn build(root: &Path, profile: Profile, packages: &[&str]) -> Result<PathBuf> {
    build_only(root, profile, packages, &[])
}

/// As [`build`], of all programs only these; all without a name.
pub fn build_only(root: &Path, profile: Profile, packages: &[&str], programs: &[&str]) -> Result<PathBuf> {
    let mut build = command(root);
    build.arg("build");
    match profile {
        Profile::Dev => &mut build,
        Profile::Release => build.arg("--release"),
        Profile::Small => build.args(["--profile", "small"]),
    };
    for package in packages {
        build.args(["-p", package]);
    }
    if !programs.is_empty() {
        build.arg("--lib").args(programs.iter().flat_map(|program| ["--bin", program]));
    }
    let status = build.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("building {} failed ({status}); the compiler's messages are above", packages.join(" and "));
    }
    Ok(target_folder()?.join(profile.folder()))
}

/// Builds these packages in release mode, then becomes the named program: its exit code is the answer, and signals
/// reach it directly. It runs in the caller's working directory, so relative paths in `arguments` hold. Returns only on
/// failure.
pub fn run_release(root: &Path, packages: &[&str], program: &str, arguments: &[OsString]) -> Result<()> {
    let program = build(root, Profile::Release, packages)?.join(program);
    let failure = Command::new(&program).args(arguments).exec();
    Err(failure).with_context(|| format!("cannot start {}", program.display()))
}

/// The folder that cargo builds into: this program lies in `TARGET/debug/`, wherever the target folder was set to be.
pub fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find out where this program lies")?;
    let target = program.parent().and_then(Path::parent);
    Ok(target.with_context(|| format!("{} does not lie in a target folder", program.display()))?.to_owned())
}
