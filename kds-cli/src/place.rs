//! Places of files: one for every way to name them.

use std::{
    ffi::OsStr,
    fs,
    path::{Component, Path, PathBuf},
};

/// The same path for every way to name a file, whether or not it exists.
pub fn resolve(path: &Path) -> PathBuf {
    let name = match path.components().next_back() {
        Some(Component::Normal(name)) => name,
        _ => OsStr::new(""),
    };
    fs::canonicalize(path)
        .or_else(|_| fs::canonicalize(folder_of(path)).map(|folder| folder.join(name)))
        .unwrap_or_else(|_| path.to_owned())
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
