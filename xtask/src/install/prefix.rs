//! Putting a tree of files below a prefix, and taking it away again.
//!
//! Everything is written into a `.partial` folder in the prefix first and renamed file by file, so a file that bears its
//! final name is complete, and a program that runs the old one keeps it. A list of what was put there is kept from
//! before the first rename on, so that whatever an interruption leaves can be uninstalled too.

use super::tree::Tree;
use crate::partial::{Partial, remove_file, sibling};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// The list, from the prefix: one path a line; those that end in a slash are folders that were not there before.
const LIST: &str = "share/kds/installed.txt";

/// Puts the tree below the prefix, in place of what an earlier installation put there.
pub fn install(tree: &Tree, prefix: &Path) -> Result<()> {
    fs::create_dir_all(prefix).with_context(|| format!("cannot create {}", prefix.display()))?;
    let partial = Partial::new(prefix.join(".kds-install.partial"))?;
    tree.write(partial.path())?;

    let earlier = read_list(prefix)?.unwrap_or_default();
    let mut list = BTreeSet::new();
    for path in tree.0.keys().map(PathBuf::as_path).chain([Path::new(LIST)]) {
        list.insert(path.display().to_string());
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            let line = format!("{}/", folder.display());
            if earlier.contains(&line) || !prefix.join(folder).exists() {
                list.insert(line);
            }
        }
    }
    write_list(prefix, earlier.union(&list))?;
    for path in tree.0.keys() {
        let target = prefix.join(path);
        let failed = || format!("cannot write {}", target.display());
        fs::create_dir_all(target.parent().unwrap_or(prefix)).with_context(failed)?;
        fs::rename(partial.path().join(path), &target).with_context(failed)?;
    }
    // What an older version had and this one has not.
    remove(prefix, earlier.difference(&list))?;
    write_list(prefix, list.iter())
}

/// Removes what was installed below the prefix. Folders that were there before, or hold other files by now, stay.
pub fn uninstall(prefix: &Path) -> Result<()> {
    let Some(list) = read_list(prefix)? else {
        bail!("no KDS is installed in {}: there is no {LIST} in it", prefix.display());
    };
    // The list goes last, so that an interrupted removal can be repeated.
    remove(prefix, list.iter().filter(|line| *line != LIST && !line.ends_with('/')))?;
    remove_file(&prefix.join(LIST))?;
    remove(prefix, list.iter().filter(|line| line.ends_with('/')))
}

/// Removes the files, then those of the folders that are empty.
fn remove<'a>(prefix: &Path, lines: impl Iterator<Item = &'a String>) -> Result<()> {
    let (folders, files): (Vec<_>, Vec<_>) = lines.partition(|line| line.ends_with('/'));
    for file in files {
        remove_file(&prefix.join(file))?;
    }
    // A folder sorts before what it holds.
    for folder in folders.into_iter().rev() {
        let folder = prefix.join(folder);
        match fs::remove_dir(&folder) {
            Err(failure) if !matches!(failure.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
                return Err(failure).with_context(|| format!("cannot remove {}", folder.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_list(prefix: &Path) -> Result<Option<BTreeSet<String>>> {
    let path = prefix.join(LIST);
    let text = match fs::read_to_string(&path) {
        Err(failure) if failure.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    // Whatever happened to the list, nothing outside the prefix is touched.
    let inside =
        |line: &str| !line.is_empty() && Path::new(line).components().all(|p| matches!(p, Component::Normal(_)));
    if let Some(line) = text.lines().find(|line| !inside(line)) {
        bail!("{} is damaged: '{line}' is no path below {}", path.display(), prefix.display());
    }
    Ok(Some(text.lines().map(str::to_owned).collect()))
}

fn write_list<'a>(prefix: &Path, lines: impl Iterator<Item = &'a String>) -> Result<()> {
    let path = prefix.join(LIST);
    let failed = || format!("cannot write {}", path.display());
    let text: String = lines.flat_map(|line| [line.as_str(), "\n"]).collect();
    fs::create_dir_all(path.parent().unwrap_or(prefix)).with_context(failed)?;
    let new = sibling(&path, "partial");
    fs::write(&new, text).with_context(failed)?;
    fs::rename(&new, &path).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::tree::Entry;

    /// All files, links and folders below a folder.
    fn contents(folder: &Path) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut open = vec![folder.to_owned()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                }
                found.insert(entry.path().strip_prefix(folder).unwrap().to_owned());
            }
        }
        found
    }

    fn tree(files: &[&str]) -> Tree {
        let mut tree = Tree::default();
        for path in files {
            tree.add(*path, Entry::File(path.as_bytes().to_vec()));
        }
        tree.add("lib/link", Entry::Link("target".into()));
        tree
    }

    #[test]
    fn what_was_installed_is_removed_and_nothing_else() {
        let prefix = tempfile::tempdir().unwrap();
        let prefix = prefix.path();
        fs::create_dir(prefix.join("bin")).unwrap();
        install(&tree(&["bin/a", "lib/deep/b", "include/c"]), prefix).unwrap();
        assert_eq!(fs::read_link(prefix.join("lib/link")).unwrap(), Path::new("target"));
        fs::write(prefix.join("include/of-another"), "").unwrap();
        uninstall(prefix).unwrap();
        let left: BTreeSet<_> = ["bin", "include", "include/of-another"].map(PathBuf::from).into();
        assert_eq!(contents(prefix), left);
        assert!(uninstall(prefix).unwrap_err().to_string().contains("no KDS is installed"));
    }

    #[test]
    fn a_newer_version_replaces_an_older_one_or_a_broken_one() {
        let prefix = tempfile::tempdir().unwrap();
        let prefix = prefix.path();
        install(&tree(&["bin/a", "lib/old/b"]), prefix).unwrap();
        // What a killed installation leaves.
        fs::create_dir_all(prefix.join(".kds-install.partial/bin")).unwrap();
        install(&tree(&["bin/a", "lib/new/b"]), prefix).unwrap();
        assert!(prefix.join("lib/new/b").exists() && !prefix.join("lib/old").exists());
        assert!(!prefix.join(".kds-install.partial").exists());
        uninstall(prefix).unwrap();
        assert!(contents(prefix).is_empty());
    }

    #[test]
    fn a_failed_installation_leaves_what_was_there_and_can_be_uninstalled() {
        let prefix = tempfile::tempdir().unwrap();
        let prefix = prefix.path();
        install(&tree(&["bin/a"]), prefix).unwrap();
        let before = contents(prefix);
        let mut broken = tree(&["bin/a", "bin/b"]);
        broken.add("bin/z", Entry::Copy("/nowhere/z".into()));
        assert!(format!("{:#}", install(&broken, prefix).unwrap_err()).contains("/nowhere/z"));
        assert_eq!(contents(prefix), before);
        uninstall(prefix).unwrap();
        assert!(contents(prefix).is_empty());
    }

    #[test]
    fn a_list_that_leads_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (prefix, treasure) = (folder.path().join("prefix"), folder.path().join("treasure"));
        fs::write(&treasure, "").unwrap();
        install(&tree(&["bin/a"]), &prefix).unwrap();
        for line in ["../treasure", treasure.to_str().unwrap()] {
            fs::write(prefix.join(LIST), format!("{line}\n")).unwrap();
            assert!(uninstall(&prefix).unwrap_err().to_string().contains("is damaged"));
        }
        assert!(treasure.exists() && prefix.join("bin/a").exists());
    }
}
