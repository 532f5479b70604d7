//! The `kds` command as built, and the folder it lies in.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The folder into which cargo builds, `target/debug` or `target/release`, of the running test or measurement.
pub fn build_folder() -> Result<PathBuf> {
    let executable = std::env::current_exe().context("cannot find the running executable")?;
    let mut folder = executable.parent().context("the running executable lies in no folder")?;
    if folder.ends_with("deps") || folder.ends_with("examples") {
        folder = folder.parent().context("the folder of the running executable lies in no folder")?;
    }
    Ok(folder.to_owned())
}

/// The `kds` command beside the running test, set to load the `libkds.so` beside it and no registry of the user.
pub fn kds() -> Result<Command> {
    let mut command = Command::new(built("kds")?);
    built("libkds.so")?;
    command.env_remove("KDS_REGISTRY").env("XDG_CONFIG_HOME", build_folder()?.join("no-configuration"));
    with_default_signals(&mut command);
    Ok(command)
}

/// Takes back what the command would inherit: where tests run in the background of a script, interrupts are ignored, and a
/// program that honours that cannot be interrupted by a test.
pub fn with_default_signals(command: &mut Command) {
    // SAFETY: signal may be called between fork and exec; it touches nothing of this process.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        });
    }
}

/// A program or library in [`build_folder`].
pub fn built(file: &str) -> Result<PathBuf> {
    let path = build_folder()?.join(file);
    ensure!(path.exists(), "{} is not built: run `cargo build --workspace` first", path.display());
    Ok(path)
}
