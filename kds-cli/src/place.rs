//! Places of files: one for every way to name them.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

/// The same for every name of a file, links included.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Of a file that is there: its device and number on it.
    File(u64, u64),
    /// Of one that is not.
    Path(PathBuf),
}

impl Identity {
    /// The identity of what this path names now.
    pub fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(metadata) => Self::File(metadata.dev(), metadata.ino()),
            Err(_) => Self::Path(resolve(path)),
        }
    }
}

/// The path of what would be written under this one: symbolic links followed, whether or not there is a file behind them.
pub fn resolve(path: &Path) -> PathBuf {
    /// As many as Linux follows.
    const LINKS: usize = 40;
    let mut place = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&place) {
            Ok(target) => place = folder_of(&place).join(target),
            Err(_) => break,
        }
    }
    let name = match place.components().next_back() {
        Some(Component::Normal(name)) => name.to_owned(),
        _ => OsStr::new("").to_owned(),
    };
    fs::canonicalize(&place)
        .or_else(|_| canonical_folder(folder_of(&place)).map(|folder| folder.join(name)))
        .unwrap_or(place)
}

/// The canonical path of a folder that may have to be created.
fn canonical_folder(folder: &Path) -> std::io::Result<PathBuf> {
    fs::canonicalize(folder).or_else(|error| match (folder.parent(), folder.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => Ok(canonical_folder(parent)?.join(name)),
        _ => Err(error),
    })
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// True for the path of standard input or standard output, `-`. A file of this name is `./-`.
pub fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_file_is_one_identity() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.png"), "x").unwrap();
        fs::hard_link(path("a.png"), path("hard.png")).unwrap();
        std::os::unix::fs::symlink("a.png", path("soft.png")).unwrap();
        for name in ["hard.png", "soft.png", "./a.png"] {
            assert_eq!(Identity::of(&path(name)), Identity::of(&path("a.png")), "{name}");
        }
        assert_ne!(Identity::of(&path("b.png")), Identity::of(&path("a.png")));
    }

    #[test]
    fn what_is_not_there_has_a_place_too() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let path = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("gone.png", path("link.png")).unwrap();
        assert_eq!(resolve(&path("link.png")), root.join("gone.png"));
        assert_eq!(resolve(&path("new/deep/a.png")), root.join("new/deep/a.png"));
        assert_eq!(Identity::of(&path("link.png")), Identity::of(&path("./gone.png")));
    }
}
