//! The files of a model: a folder in diffusers' layout, or the ones compiled into the library.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// A file compiled into the library: relative path and content.
pub type BuiltInFile = (&'static str, &'static [u8]);

/// Where a model's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFiles {
    /// Compiled into the library.
    BuiltIn(&'static [BuiltInFile]),
    /// A folder.
    Folder(PathBuf),
}

impl ModelFiles {
    /// The name of a file for errors.
    pub fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::BuiltIn(_) => Path::new("(built-in)").join(name),
            Self::Folder(folder) => folder.join(name),
        }
    }

    /// The content of a file.
    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>> {
        let missing = |reason: String| Error::Model { path: self.path(name), reason };
        match self {
            Self::BuiltIn(files) => files
                .iter()
                .find(|(path, _)| *path == name)
                .map(|(_, content)| Cow::Borrowed(*content))
                .ok_or_else(|| missing("no such file".to_owned())),
            Self::Folder(folder) => std::fs::read(folder.join(name))
                .map(Cow::Owned)
                .map_err(|error| missing(format!("cannot be read: {error}"))),
        }
    }

    /// The content of a JSON file.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_slice(&self.read(name)?)
            .map_err(|error| Error::Model { path: self.path(name), reason: error.to_string() })
    }
}
