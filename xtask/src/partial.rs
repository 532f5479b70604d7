//! Folders that are written under another name first, so that what bears the final name is complete.

use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A folder that does not outlive this value. What an earlier run left there, by a power cut or SIGKILL, is removed.
pub struct Partial(PathBuf);

impl Partial {
    /// An empty folder.
    pub fn new(path: PathBuf) -> Result<Self> {
        remove_folder(&path)?;
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Err(failure) = remove_folder(&self.0) {
            eprintln!("warning: {failure:#}");
        }
    }
}

/// `path` with `.ending` added to its name.
pub fn sibling(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Removes a folder and all that is in it, if there is one.
pub fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(failure) if failure.kind() != ErrorKind::NotFound => {
            Err(failure).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes a file or a link, if there is one.
pub fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(failure) if failure.kind() != ErrorKind::NotFound => {
            Err(failure).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
