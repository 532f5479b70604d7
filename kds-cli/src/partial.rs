//! Files that are not whole yet: `.kds-*.partial` beside where they will be.
//!
//! Its writer holds a lock on each, which the system takes away when the process ends, however it ends. So a partial file
//! without a lock is what a killed run left, and of two runs that want to write the same file one finds it locked.

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    thread,
    time::Duration,
};

use sha2::{Digest, Sha256};
use tempfile::TempPath;

use crate::place::folder_of;

const PREFIX: &str = ".kds-";
const SUFFIX: &str = ".partial";

/// A file that is being written; removed when it is dropped.
pub struct Partial {
    file: File,
    path: TempPath,
    /// The mode that a new file gets here: the user's mask and the folder's access list decide. Until it is whole, nobody
    /// else reads it.
    mode: u32,
}

impl Partial {
    /// The one partial file for this target; `None` while another process has it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn claim(target: &Path) -> io::Result<Option<Self>> {
        let name = Sha256::digest(target.file_name().unwrap_or_default().as_encoded_bytes());
        let name: String = name[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder_of(target).join(format!("{PREFIX}{name}{SUFFIX}"));
        // Another run that looks for what killed runs left holds a lock for a moment.
        const TRIES: u32 = 20;
        for _ in 0..TRIES {
            match options().create_new(true).open(&path) {
                Ok(file) => match file.try_lock() {
                    Ok(()) if is_at(&file, &path) => return Self::of(file, TempPath::try_from_path(path)?).map(Some),
                    Ok(()) | Err(TryLockError::WouldBlock) => {}
                    // A file system without locks: nobody can be asked, so nobody is disturbed.
                    Err(TryLockError::Error(_)) => {
                        fs::remove_file(&path)?;
                        return Self::new(folder_of(target)).map(Some);
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if !remove_if_abandoned(&path) {
                        thread::sleep(Duration::from_millis(25));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// A partial file of a name that nobody else has.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let make = |path: &Path| options().create_new(true).open(path);
        let (file, path) = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).make_in(folder, make)?.into_parts();
        // Where there are no locks, it is told from those of killed runs by nothing, and never removed by others.
        let _ = file.try_lock();
        Self::of(file, path)
    }

    fn of(file: File, path: TempPath) -> io::Result<Self> {
        let mode = file.metadata()?.mode() & 0o7777;
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok(Self { file, path, mode })
    }

    /// The file, to be written.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// The mode of a new file in its folder.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// The open file and its path, which is removed when dropped.
    pub fn into_parts(self) -> (File, TempPath) {
        (self.file, self.path)
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o666).custom_flags(libc::O_NOFOLLOW);
    options
}

/// True while the open file is the one of this path, and ours.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

/// Removes what killed runs left in a folder. What cannot be removed stays.
pub fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if !name.starts_with(PREFIX.as_bytes()) || !name.ends_with(SUFFIX.as_bytes()) {
            continue;
        }
        remove_if_abandoned(&entry.path());
    }
}

/// True where the file was there, locked by nobody, and is gone now.
fn remove_if_abandoned(path: &Path) -> bool {
    let Ok(file) = options().open(path) else { return false };
    let ours = file.metadata().is_ok_and(|metadata| metadata.is_file());
    ours && file.try_lock().is_ok() && is_at(&file, path) && fs::remove_file(path).is_ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_target_is_claimed_once() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.png");
        let claimed = Partial::claim(&target).unwrap().unwrap();
        assert!(Partial::claim(&target).unwrap().is_none());
        assert!(Partial::claim(&folder.path().join("b.png")).unwrap().is_some());
        drop(claimed);
        assert!(Partial::claim(&target).unwrap().is_some());
        assert_eq!(files(folder.path()), 0);
    }

    #[test]
    fn only_what_nobody_writes_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [".kds-1a2b3c.partial", ".kds-0123456789abcdef.partial", "kds-x.partial", ".kds-notes.txt"] {
            fs::write(path(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("kds-x.partial", path(".kds-link.partial")).unwrap();
        let mut claimed = Partial::claim(&path("a.png")).unwrap().unwrap();
        let other = Partial::new(folder.path()).unwrap();
        claimed.file().write_all(b"half").unwrap();
        assert_eq!(files(folder.path()), 7);
        remove_abandoned(folder.path());
        assert_eq!(files(folder.path()), 5, "two of dead processes are gone");
        drop((claimed, other));
        assert_eq!(files(folder.path()), 3);
    }

    #[test]
    fn a_partial_file_of_a_killed_run_is_taken_over_empty() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.png");
        let path = Partial::claim(&target).unwrap().unwrap().into_parts().1.keep().unwrap();
        fs::write(&path, "half a picture").unwrap();
        let mut claimed = Partial::claim(&target).unwrap().unwrap();
        assert_eq!(claimed.file().metadata().unwrap().len(), 0);
        assert_eq!(claimed.mode(), Partial::new(folder.path()).unwrap().mode());
    }

    #[test]
    fn nobody_else_reads_half_a_picture() {
        let folder = tempfile::tempdir().unwrap();
        let mut partial = Partial::new(folder.path()).unwrap();
        assert_eq!(partial.file().metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(partial.mode() & 0o600, 0o600);
    }
}
