//! Fetching libtorch with pip, all or nothing.
//!
//! Everything is written into a `.partial` folder beside the final one, which appears complete, by a rename. A lock
//! file keeps a second set-up waiting. Whatever goes wrong, the partial folder is removed at once, or, after a power
//! cut or SIGKILL, at the next start.

use super::libtorch;
use super::recipe::Recipe;
use crate::partial::{Partial, remove_folder, sibling};
use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Fetches what `recipe` names into `folder`, unless another set-up just did. `folder/torch` is complete afterwards.
pub fn install(recipe: &Recipe, folder: &Path, python: &Path) -> Result<()> {
    let cache = folder.parent().with_context(|| format!("{} has no parent folder", folder.display()))?;
    fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    // Held until the function returns.
    let _lock = lock(&sibling(folder, "lock"))?;
    if libtorch::check(&folder.join("torch")).is_ok() {
        return Ok(());
    }
    let partial = Partial::new(sibling(folder, "partial"))?;
    check_disk_space(cache, recipe)?;
    check_pip(python)?;

    eprintln!(
        "Fetching {}, once for all clones: about {} to fetch, {} on disk, into\n{}",
        recipe.title,
        recipe.fetched,
        recipe.unpacked,
        folder.display()
    );
    let fetched = partial.path().join("packages");
    fetch(recipe, python, &fetched, &partial.path().join("temporary"))?;
    libtorch::check(&fetched.join("torch")).context("pip succeeded, but what it installed is not usable")?;
    // Something incomplete may lie there when files of an earlier set-up were deleted by hand.
    remove_folder(folder)?;
    fs::rename(&fetched, folder).with_context(|| format!("cannot move what was fetched to {}", folder.display()))
}

/// Takes the lock, after waiting for another set-up that holds it. The file stays: removing it would let two processes
/// hold locks on two files of the same name.
fn lock(path: &Path) -> Result<File> {
    let failed = || format!("cannot lock {}", path.display());
    let file = File::create(path).with_context(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("Another set-up is fetching libtorch; waiting for it.");
            file.lock().with_context(failed)?;
        }
        Err(TryLockError::Error(failure)) => return Err(failure).with_context(failed),
    }
    Ok(file)
}

fn check_pip(python: &Path) -> Result<()> {
    let advice = "It is used once, to fetch libtorch. Install Python 3.10 or newer with pip (Debian, Ubuntu: \
                  apt install python3-pip; Fedora: dnf install python3-pip; Arch: pacman -S python-pip), or set \
                  LIBTORCH to the folder of a libtorch";
    let found = Command::new(python).args(["-m", "pip", "--version"]).stdin(Stdio::null()).output();
    match found {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => bail!("{} has no pip. {advice} {}", python.display(), libtorch::VERSION),
        Err(failure) => {
            Err(failure).with_context(|| format!("cannot start {}. {advice} {}", python.display(), libtorch::VERSION))
        }
    }
}

fn check_disk_space(cache: &Path, recipe: &Recipe) -> Result<()> {
    let disk =
        rustix::fs::statvfs(cache).with_context(|| format!("cannot ask for free space at {}", cache.display()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < recipe.disk_space {
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        bail!(
            "{} needs {:.1} GB of free disk space while it is fetched, but {} has {:.1} GB: free some, or set \
             KDS_CACHE to a folder on another disk",
            recipe.title,
            gigabytes(recipe.disk_space),
            cache.display(),
            gigabytes(free)
        );
    }
    Ok(())
}

/// Runs pip, and stops it when this process is asked to end.
fn fetch(recipe: &Recipe, python: &Path, target: &Path, temporary: &Path) -> Result<()> {
    fs::create_dir(temporary).with_context(|| format!("cannot create {}", temporary.display()))?;
    let requirements = temporary.join("requirements.txt");
    fs::write(&requirements, recipe.requirements)
        .with_context(|| format!("cannot write {}", requirements.display()))?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).context("cannot watch for Ctrl-C")?;
    }
    let mut pip = Command::new(python)
        .args(["-m", "pip", "install", "--no-compile", "--only-binary=:all:", "--disable-pip-version-check"])
        .arg("--target")
        .arg(target)
        // The file names all that is needed, and the sum of every wheel.
        .args(["--require-hashes", "--no-deps", "--requirement"])
        .arg(&requirements)
        // pip unpacks here before it moves the files to the target: on the same disk, and removed with it.
        .env("TMPDIR", temporary)
        // Personal settings for installing into a Python do not suit a folder of our own: `--user` contradicts
        // `--target`, and neither a virtual environment nor permission to change the system's packages is needed.
        .env("PIP_USER", "0")
        .env("PIP_REQUIRE_VIRTUALENV", "0")
        .env("PIP_BREAK_SYSTEM_PACKAGES", "1")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let status: ExitStatus = loop {
        if let Some(status) = pip.try_wait().context("cannot wait for pip")? {
            break status;
        }
        if interrupted.load(Ordering::Relaxed) {
            // Failing to end a process that has just ended by itself is no failure.
            let _ = pip.kill();
            pip.wait().context("cannot wait for pip")?;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if interrupted.load(Ordering::Relaxed) {
        bail!("interrupted; nothing is left behind, so the next start begins anew");
    }
    if !status.success() {
        bail!(
            "pip could not fetch {} ({status}); its own message is above. Frequent reasons: no network, or a Python \
             that the package is not made for (it needs 3.10 to 3.14, on Linux with x86-64 or ARM). What has another \
             sum than this version of KDS knows is refused. Nothing is left behind: to try again, cargo xtask setup",
            recipe.title
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Variant;

    #[test]
    fn too_little_disk_space_is_said_before_anything_is_fetched() {
        let cache = tempfile::tempdir().unwrap();
        let recipe = Recipe { disk_space: u64::MAX, ..Variant::Cpu.recipe() };
        let folder = cache.path().join(&recipe.name);
        // Had it gone on, the missing Python would be the failure.
        let message = install(&recipe, &folder, Path::new("/nowhere/python3")).unwrap_err().to_string();
        assert!(message.contains("18446744073.7 GB of free disk space"), "{message}");
        assert!(message.contains(&cache.path().display().to_string()) && message.contains("KDS_CACHE"), "{message}");
        assert!(!folder.exists() && !sibling(&folder, "partial").exists());
    }
}
