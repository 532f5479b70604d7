//! The files of an installation, before they are anywhere: a folder or an archive is made of them.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Files by their path from the prefix.
#[derive(Default)]
pub struct Tree(pub BTreeMap<PathBuf, Entry>);

/// One file.
pub enum Entry {
    /// A program with these bytes.
    Program(Vec<u8>),
    /// A library or a text with these bytes.
    File(Vec<u8>),
    /// A copy of this file.
    Copy(PathBuf),
    /// A symbolic link.
    Link(PathBuf),
}

impl Entry {
    /// Permissions of the file.
    pub fn mode(&self) -> u32 {
        if matches!(self, Self::Program(_)) { 0o755 } else { 0o644 }
    }
}

impl Tree {
    /// Adds a file.
    pub fn add(&mut self, path: impl Into<PathBuf>, entry: Entry) {
        self.0.insert(path.into(), entry);
    }

    /// Writes everything into a folder.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (path, entry) in &self.0 {
            let target = folder.join(path);
            let failed = || format!("cannot write {}", target.display());
            fs::create_dir_all(target.parent().unwrap_or(folder)).with_context(failed)?;
            match entry {
                Entry::Program(bytes) | Entry::File(bytes) => fs::write(&target, bytes).with_context(failed)?,
                Entry::Copy(from) => {
                    fs::copy(from, &target)
                        .with_context(|| format!("cannot copy {} to {}", from.display(), target.display()))?;
                }
                Entry::Link(to) => {
                    symlink(to, &target).with_context(failed)?;
                    continue;
                }
            }
            fs::set_permissions(&target, fs::Permissions::from_mode(entry.mode())).with_context(failed)?;
        }
        Ok(())
    }

    /// Bytes of all files.
    pub fn size(&self) -> Result<u64> {
        let mut size = 0;
        for entry in self.0.values() {
            size += match entry {
                Entry::Program(bytes) | Entry::File(bytes) => bytes.len() as u64,
                Entry::Copy(from) => {
                    fs::metadata(from).with_context(|| format!("cannot read {}", from.display()))?.len()
                }
                Entry::Link(_) => 0,
            };
        }
        Ok(size)
    }
}
