//! SHA-256 of a model's files, compared before anything of them is used.
//!
//! A large file is not read again as long as it is the same one: its sum is remembered in `$XDG_CACHE_HOME/kds/sha256`, by
//! device and inode, for one size and one time of writing and of change.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Smaller files are read in a moment.
const LARGE: u64 = 64 << 20;

/// Sums that were computed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Good enough where the file has not been touched since: for loading.
    Used,
    /// Not good enough: for a check, since disks forget.
    Unused,
}

/// SHA-256 of bytes, in lower-case hexadecimal digits.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// SHA-256 of a file of any size, in lower-case hexadecimal digits.
pub(super) fn of_file(path: &Path, memory: Memory) -> Result<String> {
    with_memory(path, notes().filter(|_| memory == Memory::Used).as_deref(), LARGE)
}

/// As [`of_file`], with the folder of remembered sums and the size from which on files are remembered.
fn with_memory(path: &Path, memory: Option<&Path>, large: u64) -> Result<String> {
    let wrong =
        |error: std::io::Error| Error::Model { path: path.to_owned(), reason: format!("cannot be read: {error}") };
    if !path.is_file() {
        return Err(Error::Model { path: path.to_owned(), reason: "there is no such file".to_owned() });
    }
    let mut file = File::open(path).map_err(wrong)?;
    let before = Stamp::of(&file).map_err(wrong)?;
    let note = memory.filter(|_| before.size >= large).map(|folder| folder.join(before.name()));
    if let Some(sum) = note.as_deref().and_then(|note| before.remembered(note)) {
        return Ok(sum);
    }
    tracing::debug!("computing the sha256 of {}", path.display());
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash).map_err(wrong)?;
    let sum = hexadecimal(&hash.finalize());
    // One that was written meanwhile has no sum yet.
    if let Some(note) = note.filter(|_| Stamp::of(&file).is_ok_and(|after| after == before)) {
        before.remember(&note, &sum);
    }
    Ok(sum)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where sums are remembered; `None` where the environment names no such place.
fn notes() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Some(named.or_else(home)?.join("kds/sha256"))
}

/// Signs that a file is the same and has not been written to. The time of change cannot be set back.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &File) -> std::io::Result<Self> {
        let data = file.metadata()?;
        Ok(Self {
            device: data.dev(),
            inode: data.ino(),
            size: data.len(),
            written: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        })
    }

    /// One note per file: that of an earlier content is replaced.
    fn name(&self) -> String {
        format!("{:x}-{:x}", self.device, self.inode)
    }

    fn line(&self, sum: &str) -> String {
        let Self { size, written, changed, .. } = self;
        format!("{size} {}.{} {}.{} {sum}\n", written.0, written.1, changed.0, changed.1)
    }

    fn remembered(&self, note: &Path) -> Option<String> {
        let text = std::fs::read_to_string(note).ok()?;
        let sum = text.trim_end().rsplit(' ').next()?;
        (sum.len() == 64 && text == self.line(sum)).then(|| sum.to_owned())
    }

    /// Nothing depends on it: what cannot be written is computed again.
    fn remember(&self, note: &Path, sum: &str) {
        let partial = note.with_extension(std::process::id().to_string());
        let written = note.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
            std::fs::write(&partial, self.line(sum))?;
            std::fs::rename(&partial, note)
        });
        if let Err(error) = written {
            tracing::debug!("{} cannot be written: {error}", note.display());
            let _ = std::fs::remove_file(&partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-4, examples.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn sums_are_those_of_the_standard() {
        assert_eq!(of_bytes(b"abc"), ABC);
        assert_eq!(of_bytes(b""), NOTHING);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(of_file(&file, Memory::Unused).unwrap(), ABC);
        let missing = of_file(&folder.path().join("missing"), Memory::Unused).unwrap_err().to_string();
        assert!(missing.contains("missing: there is no such file"), "{missing}");
    }

    #[test]
    fn a_large_file_is_read_again_only_when_it_was_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (file, memory) = (folder.path().join("weights"), folder.path().join("memory"));
        std::fs::write(&file, "abc").unwrap();
        let sum = || with_memory(&file, Some(&memory), 3).unwrap();
        assert_eq!(sum(), ABC);
        let notes: Vec<_> = std::fs::read_dir(&memory).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        // That the second answer comes from the note shows by a note that lies.
        let lie = std::fs::read_to_string(note).unwrap().replace(ABC, NOTHING);
        std::fs::write(note, lie).unwrap();
        assert_eq!(sum(), NOTHING);
        assert_eq!(with_memory(&file, None, 3).unwrap(), ABC);

        // Other content of the same size, the time of writing set back.
        let written = std::fs::metadata(&file).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(&file, "abd").unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
        assert_eq!(sum(), of_bytes(b"abd"));
        std::fs::write(note, "nonsense").unwrap();
        assert_eq!(sum(), of_bytes(b"abd"));
    }

    #[test]
    fn small_files_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (file, memory) = (folder.path().join("config"), folder.path().join("memory"));
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(with_memory(&file, Some(&memory), 4).unwrap(), ABC);
        assert!(!memory.exists());
    }
}
