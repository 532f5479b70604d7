//! Names of the files that a batch writes: by the pictures' own, in folders that mirror theirs.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs, iter,
    path::{Component, Path, PathBuf},
};

use crate::{file_kind::FileKind, place};

/// A picture of a batch, and what its outputs are called after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The picture.
    pub path: PathBuf,
    /// The folder in which it was found; `None` for a picture that was named.
    pub root: Option<PathBuf>,
}

impl Source {
    /// The path below its folder, or the name alone.
    fn relative(&self) -> PathBuf {
        if place::is_standard(&self.path) {
            return "stdin".into();
        }
        let below = self.root.as_ref().and_then(|root| self.path.strip_prefix(root).ok());
        below.unwrap_or_else(|| Path::new(self.path.file_name().unwrap_or_default())).to_owned()
    }
}

/// The path below the output folder that mirrors where each picture lies. The folders themselves appear in it where there
/// are several, and so do those of named pictures that would get the same name.
pub fn mirrored(sources: &[Source]) -> Vec<PathBuf> {
    let roots: Vec<PathBuf> = sources.iter().filter_map(|source| source.root.as_deref()).map(absolute).collect();
    let several = roots.iter().any(|root| *root != roots[0]);
    let roots = common_ancestor(&roots);

    let mut named: HashMap<PathBuf, Vec<PathBuf>> = HashMap::new();
    for source in sources.iter().filter(|source| source.root.is_none() && !place::is_standard(&source.path)) {
        named.entry(source.relative()).or_default().push(absolute(place::folder_of(&source.path)));
    }
    named.retain(|_, folders| folders.iter().any(|folder| *folder != folders[0]));
    let parents = common_ancestor(&named.values().flatten().cloned().collect::<Vec<_>>());
    sources
        .iter()
        .map(|source| {
            let prefix = match &source.root {
                Some(root) if several => below(&absolute(root), &roots),
                None if named.contains_key(&source.relative()) => {
                    below(&absolute(place::folder_of(&source.path)), &parents)
                }
                _ => PathBuf::new(),
            };
            prefix.join(source.relative())
        })
        .collect()
}

/// The path from the root, without `.` and `..`. Links stay what they are called.
fn absolute(path: &Path) -> PathBuf {
    let goes_up = path.components().any(|component| component == Component::ParentDir);
    let absolute = if goes_up { fs::canonicalize(path) } else { std::path::absolute(path) };
    absolute.unwrap_or_else(|_| path.to_owned()).components().collect()
}

fn common_ancestor(paths: &[PathBuf]) -> PathBuf {
    let mut common = paths.first().cloned().unwrap_or_default();
    for path in paths {
        while !path.starts_with(&common) && common.pop() {}
    }
    common
}

fn below(path: &Path, ancestor: &Path) -> PathBuf {
    path.strip_prefix(ancestor).unwrap_or(path).to_owned()
}

/// Options for output names.
#[derive(Debug, Clone, Copy)]
pub struct Style<'a> {
    /// Stands between name and ending.
    pub suffix: &'a OsStr,
    /// The format; the picture's own where `None`, or PNG where that is not written.
    pub format: Option<FileKind>,
}

/// The name of the restored picture: first choice, and what it is called where another has the first.
pub fn restored(picture: &Path, style: Style) -> [PathBuf; 2] {
    let own = FileKind::of(picture).ok();
    let extension = match (style.format, own) {
        (Some(format), Some(own)) if format == own => picture.extension().unwrap_or_default(),
        (Some(format), _) => OsStr::new(format.extension()),
        (None, Some(_)) => picture.extension().unwrap_or_default(),
        (None, None) => OsStr::new(FileKind::Png.extension()),
    };
    [picture.file_stem(), picture.file_name()].map(|name| {
        let parts = [name.unwrap_or_default(), style.suffix, OsStr::new("."), extension];
        picture.with_file_name(parts.into_iter().collect::<OsString>())
    })
}

/// The name of a map that belongs to a restored picture, in the same way; always PNG.
pub fn map(restored: &Path, suffix: &str) -> [PathBuf; 2] {
    [restored.file_stem(), restored.file_name()].map(|name| {
        let parts = [name.unwrap_or_default(), OsStr::new(suffix), OsStr::new(".png")];
        restored.with_file_name(parts.into_iter().collect::<OsString>())
    })
}

/// Chooses for each the first name that no other has; where several have it, the one that `own` says is called so anyway.
pub fn distinct(choices: &[[PathBuf; 2]], own: impl Fn(usize, &Path) -> bool) -> Vec<PathBuf> {
    let mut wanted: HashMap<&Path, usize> = HashMap::new();
    for [first, _] in choices {
        *wanted.entry(first).or_default() += 1;
    }
    iter::zip(0.., choices)
        .map(|(index, [first, second])| match wanted[first.as_path()] {
            1 => first.clone(),
            _ if own(index, first) => first.clone(),
            _ => second.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, root: Option<&str>) -> Source {
        Source { path: path.into(), root: root.map(PathBuf::from) }
    }

    fn places(sources: &[Source]) -> Vec<String> {
        mirrored(sources).into_iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn one_folder_is_mirrored_from_itself_on() {
        let sources = [source("/p/in/a.png", Some("/p/in")), source("/p/in/x/b.png", Some("/p/in"))];
        assert_eq!(places(&sources), ["a.png", "x/b.png"]);
    }

    #[test]
    fn several_folders_keep_their_names_as_far_as_they_differ() {
        let sources = [source("/p/1990/a.png", Some("/p/1990")), source("/p/1991/a.png", Some("/p/1991/"))];
        assert_eq!(places(&sources), ["1990/a.png", "1991/a.png"]);
        let sources = [source("/p/1990/x/a.png", Some("/p/1990/x")), source("/p/1991/x/a.png", Some("/p/1991/x"))];
        assert_eq!(places(&sources), ["1990/x/a.png", "1991/x/a.png"]);
        let sources = [source("/p/a.png", Some("/p")), source("/p/x/a.png", Some("/p/x"))];
        assert_eq!(places(&sources), ["a.png", "x/a.png"]);
    }

    #[test]
    fn named_pictures_lie_flat_unless_two_have_the_same_name() {
        let sources = [source("/p/1990/a.png", None), source("/p/1991/a.png", None), source("/p/1991/b.png", None)];
        assert_eq!(places(&sources), ["1990/a.png", "1991/a.png", "b.png"]);
        assert_eq!(places(&[source("-", None)]), ["stdin"]);
    }

    #[test]
    fn names_follow_format_and_suffix() {
        let name = |picture: &str, suffix: &str, format| {
            restored(Path::new(picture), Style { suffix: OsStr::new(suffix), format })
                .map(|path| path.to_str().unwrap().to_owned())
        };
        assert_eq!(name("x/a.JPG", "", None), ["x/a.JPG", "x/a.JPG.JPG"]);
        assert_eq!(name("x/a.JPG", "-new", None)[0], "x/a-new.JPG");
        assert_eq!(name("a.JPG", "", Some(FileKind::Jpeg))[0], "a.JPG");
        assert_eq!(name("a.jpg", "", Some(FileKind::Png)), ["a.png", "a.jpg.png"]);
        assert_eq!(name("scan.0001", "", None), ["scan.png", "scan.0001.png"]);
        assert_eq!(name("plain", "", Some(FileKind::Tiff))[0], "plain.tif");
        assert_eq!(map(Path::new("x/a.jpg"), "-map"), ["x/a-map.png", "x/a.jpg-map.png"].map(PathBuf::from));
    }

    #[test]
    fn of_two_with_one_name_the_one_called_so_keeps_it() {
        let choices = ["a.jpg", "a.png", "b.jpg"]
            .map(|name| restored(Path::new(name), Style { suffix: OsStr::new(""), format: Some(FileKind::Png) }));
        let names = distinct(&choices, |index, name| index == 1 && name == Path::new("a.png"));
        assert_eq!(names, ["a.jpg.png", "a.png", "b.png"].map(PathBuf::from));
    }
}
