//! The pictures in a folder, and what is left out of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::anyhow;

use crate::{place::Identity, shown};

/// Endings of files that hold pictures, of kinds that kds reads and of kinds that it does not: somebody who restores a
/// folder has to learn of both.
const PICTURES: &[&str] = &[
    "apng", "arw", "avif", "bmp", "cr2", "cr3", "dib", "dng", "exr", "gif", "hdr", "heic", "heif", "hif", "j2k",
    "jfif", "jp2", "jpe", "jpeg", "jpg", "jxl", "nef", "orf", "pbm", "pef", "pgm", "png", "pnm", "ppm", "psd", "raf",
    "rw2", "tga", "tif", "tiff", "webp",
];
/// Files that systems leave in folders of pictures.
const OF_THE_SYSTEM: &[&str] = &["thumbs.db", "desktop.ini", "ehthumbs.db"];

/// Content of a folder.
#[derive(Debug, Default)]
pub struct Found {
    /// The pictures, by name within each folder; those of a folder before those of its folders.
    pub pictures: Vec<PathBuf>,
    /// Folders that cannot be read, and why.
    pub unreadable: Vec<String>,
    others: usize,
    folders: usize,
}

/// Looks through a folder, without hidden files and the folders in `except`; with its folders where `recursive`.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn pictures_of(folder: &Path, recursive: bool, except: &[Identity]) -> anyhow::Result<Found> {
    let mut found = Found::default();
    look(folder, recursive, except, &mut found)?;
    Ok(found)
}

fn look(folder: &Path, recursive: bool, except: &[Identity], found: &mut Found) -> anyhow::Result<()> {
    let explain = |error| anyhow!("{}: cannot read the folder: {error}; check its permissions", shown::path(folder));
    let mut entries = fs::read_dir(folder).map_err(explain)?.collect::<Result<Vec<_>, _>>().map_err(explain)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut folders = Vec::new();
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().to_lowercase());
        if name.starts_with('.') || OF_THE_SYSTEM.contains(&name.as_str()) {
            continue;
        }
        // A link to a file counts as one; a link to a folder is not followed, because it may lead back.
        let link = path.is_symlink();
        if path.is_dir() {
            match recursive && !link {
                true if except.contains(&Identity::of(&path)) => {}
                true => folders.push(path),
                false => found.folders += 1,
            }
        } else if is_named_as_picture(&path) && (link || path.is_file()) {
            found.pictures.push(path);
        } else {
            found.others += 1;
        }
    }
    for folder in folders {
        if let Err(error) = look(&folder, recursive, except, found) {
            found.unreadable.push(error.to_string());
        }
    }
    Ok(())
}

fn is_named_as_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    PICTURES.contains(&extension.as_str())
}

impl Found {
    /// List of the files left out, in words; `None` where there are none.
    pub fn left_out(&self) -> Option<String> {
        let files = match self.others {
            0 => None,
            1 => Some("1 file that is not named as a picture".to_owned()),
            count => Some(format!("{count} files that are not named as pictures")),
        };
        let folders = match self.folders {
            0 => None,
            1 => Some("1 folder (--recursive restores its pictures too)".to_owned()),
            count => Some(format!("{count} folders (--recursive restores their pictures too)")),
        };
        let parts: Vec<String> = [files, folders].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("left out: {}", parts.join(" and ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::folder_with;

    fn names(folder: &Path, found: &Found) -> Vec<String> {
        found.pictures.iter().map(|path| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let files =
            ["b.JPG", "a.png", "c.jfif", "d.heic", "notes.txt", ".hidden.png", "Thumbs.db", ".DS_Store", "deep/e.png"];
        let folder = folder_with(&files);
        std::os::unix::fs::symlink("gone.jpg", folder.path().join("z.jpg")).unwrap();
        let found = pictures_of(folder.path(), false, &[]).unwrap();
        assert_eq!(names(folder.path(), &found), ["a.png", "b.JPG", "c.jfif", "d.heic", "z.jpg"]);
        let left_out = found.left_out().unwrap();
        assert_eq!(
            left_out,
            "left out: 1 file that is not named as a picture and 1 folder (--recursive restores its pictures too)"
        );
    }

    #[test]
    fn folders_are_looked_through_when_asked_except_those_of_outputs_and_links() {
        let folder = folder_with(&["a.png", "x/b.png", "x/y/c.png", "out/a.png", ".git/d.png"]);
        std::os::unix::fs::symlink("..", folder.path().join("x/loop")).unwrap();
        let out = Identity::of(&folder.path().join("out"));
        let found = pictures_of(folder.path(), true, &[out]).unwrap();
        assert_eq!(names(folder.path(), &found), ["a.png", "x/b.png", "x/y/c.png"]);
        assert!(found.unreadable.is_empty());
    }
}
