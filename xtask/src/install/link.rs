//! Links from where a program looks to what is installed below a prefix.

use anyhow::{Context, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

/// Makes `place` a link to `target`, relative, so that it still leads there when both move together. It replaces an earlier
/// link, and nothing else.
pub fn make(place: &Path, target: &Path) -> Result<()> {
    let folder = place.parent().with_context(|| format!("{} lies in no folder", place.display()))?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // Where either really lies: `..` in a link leaves the real folder.
    let real = |path: &Path| fs::canonicalize(path).with_context(|| format!("cannot find {}", path.display()));
    let target = relative(&real(folder)?, &real(target)?);
    remove(place)?;
    symlink(&target, place).with_context(|| format!("cannot write {}", place.display()))
}

/// Removes a link, and nothing else; whether it was there.
pub fn remove(link: &Path) -> Result<bool> {
    let failed = || format!("cannot remove {}", link.display());
    match fs::symlink_metadata(link) {
        Err(failure) if failure.kind() == ErrorKind::NotFound => Ok(false),
        Err(failure) => Err(failure).with_context(failed),
        Ok(found) if !found.is_symlink() => {
            bail!("{} is a file that this command did not put there: remove it first", link.display())
        }
        Ok(_) => fs::remove_file(link).with_context(failed).map(|()| true),
    }
}

/// The way from a folder to a file. Both are absolute and have no links and no dots in them.
pub(super) fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}
