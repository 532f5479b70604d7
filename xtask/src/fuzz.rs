//! `cargo xtask fuzz`: cargo-fuzz on one target of `fuzz/`.

use crate::cargo;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Which checks the compiler adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Sanitizer {
    /// Reads and writes outside of what was allocated
    Address,
    /// None: builds and runs faster
    None,
}

/// The targets: what `fuzz/fuzz_targets` holds, in alphabetical order.
pub fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension() == Some(OsStr::new("rs")))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Fuzzes one target for so many minutes. What it finds is left in `fuzz/artifacts`; inputs that reach more of the code
/// than the seeds do are left in `fuzz/grown`, for the next time.
pub fn run(root: &Path, target: &str, minutes: u64, sanitizer: Sanitizer) -> Result<()> {
    let targets = targets(root)?;
    if !targets.iter().any(|known| known == target) {
        bail!("there is no target '{target}'; the targets are {}", targets.join(", "));
    }
    require("a nightly compiler", &["+nightly", "--version"], "rustup toolchain install nightly --profile minimal")?;
    require("cargo-fuzz", &["+nightly", "fuzz", "--version"], "cargo install cargo-fuzz")?;
    let grown = root.join("fuzz/grown").join(target);
    std::fs::create_dir_all(&grown).with_context(|| format!("cannot create {}", grown.display()))?;
    let seconds = format!("-max_total_time={}", minutes.saturating_mul(60));
    let mut command = rustup_cargo(root);
    command.args(["+nightly", "fuzz", "run", "--sanitizer"]);
    command.arg(if sanitizer == Sanitizer::Address { "address" } else { "none" });
    // libtorch keeps what it allocated until the end; a case takes well under this time, also on a slow machine.
    command.arg(target).args([&grown, &root.join("fuzz/corpus").join(target)]);
    command.args(["--", &seconds, "-timeout=60", "-rss_limit_mb=4096", "-detect_leaks=0"]);
    let dictionary = root.join("fuzz").join(format!("{target}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!(
            "fuzzing '{target}' ended early ({status}); what it found is told above, the input lies in fuzz/artifacts"
        );
    }
    Ok(())
}

/// Fails with the command that installs what is missing.
fn require(what: &str, arguments: &[&str], remedy: &str) -> Result<()> {
    let mut command = rustup_cargo(Path::new("."));
    let found = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        bail!("fuzzing needs {what}, which is not there; to install it: {remedy}");
    }
    Ok(())
}

/// rustup's cargo, which takes `+nightly`; the cargo that started this program is that of one toolchain.
fn rustup_cargo(root: &Path) -> Command {
    let mut command = cargo::command_named("cargo", root);
    // rustup gives these to the programs it starts; left in place they would choose the toolchain again.
    for name in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTDOC"] {
        command.env_remove(name);
    }
    command
}
