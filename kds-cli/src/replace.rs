//! A whole file takes its place. What stood there before keeps what is not its content: mode, owner, access list, its
//! links.

use std::{
    ffi::{CStr, CString},
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io::{self, ErrorKind, Read},
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, MetadataExt, PermissionsExt, fchown},
    },
    path::Path,
};

use tempfile::TempPath;

use crate::partial::Partial;

/// State of a file when it was looked at: another content, or another file of the name, has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Snapshot {
    /// The file as it is now; `None` where there is none.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn of(path: &Path) -> io::Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(Self::from(&metadata))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// When it was written last: seconds and nanoseconds since 1970.
    pub fn modified(&self) -> (i64, i64) {
        self.modified
    }
}

impl From<&Metadata> for Snapshot {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Puts the file in the place of what was there before, `None` for nothing. Its path has no links any more.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when something else is there now; others when the place cannot be written.
pub fn replace(partial: Partial, target: &Path, before: Option<Snapshot>) -> io::Result<()> {
    let mode = partial.mode();
    let (file, path) = partial.into_parts();
    let Some(before) = before else {
        file.set_permissions(Permissions::from_mode(mode))?;
        return appear(path, target);
    };
    let there = fs::symlink_metadata(target).map_err(|_| changed())?;
    if Snapshot::from(&there) != before {
        return Err(changed());
    }
    if there.nlink() == 1 && takes_over(&file, &File::open(target)?, &there)? {
        return path.persist(target).map_err(|error| error.error);
    }
    overwrite(&file, target, before)
}

fn changed() -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, "it was changed meanwhile")
}

fn appear(path: TempPath, target: &Path) -> io::Result<()> {
    let Err(failure) = path.persist_noclobber(target) else { return Ok(()) };
    if failure.error.kind() == ErrorKind::AlreadyExists {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "a file of this name appeared meanwhile"));
    }
    // Some file systems can neither link nor rename without replacing.
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == ErrorKind::NotFound => failure.path.persist(target).map_err(|error| error.error),
        _ => Err(failure.error),
    }
}

/// Gives the new file owner, mode and extended attributes (an access list is one) of the old; `false` where the system
/// does not let us.
fn takes_over(new: &File, old: &File, there: &Metadata) -> io::Result<bool> {
    let own = new.metadata()?;
    let other_owner = (own.uid(), own.gid()) != (there.uid(), there.gid());
    if other_owner && fchown(new, Some(there.uid()), Some(there.gid())).is_err() {
        return Ok(false);
    }
    new.set_permissions(Permissions::from_mode(there.mode() & 0o7777))?;
    Ok(attribute_names(old).iter().all(|name| {
        let value = attribute(old, name);
        value.is_none() || value == attribute(new, name) || set_attribute(new, name, value.as_deref().unwrap_or(&[]))
    }))
}

fn attribute_names(file: &File) -> Vec<CString> {
    let names = sized(|buffer, length| {
        // SAFETY: the buffer has this length.
        unsafe { libc::flistxattr(file.as_raw_fd(), buffer.cast(), length) }
    });
    let names = names.unwrap_or_default();
    names
        .split_inclusive(|byte| *byte == 0)
        .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
        .map(CStr::to_owned)
        .collect()
}

fn attribute(file: &File, name: &CStr) -> Option<Vec<u8>> {
    sized(|buffer, length| {
        // SAFETY: the name ends in zero, and the buffer has this length.
        unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), buffer, length) }
    })
}

fn set_attribute(file: &File, name: &CStr, value: &[u8]) -> bool {
    // SAFETY: the name ends in zero, and the value has this length.
    unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) == 0 }
}

/// Result of a system call that tells the length when it is called without a buffer.
fn sized(call: impl Fn(*mut libc::c_void, usize) -> isize) -> Option<Vec<u8>> {
    let length = usize::try_from(call(std::ptr::null_mut(), 0)).ok()?;
    let mut bytes = vec![0u8; length];
    let got = usize::try_from(call(bytes.as_mut_ptr().cast(), length)).ok()?;
    bytes.truncate(got);
    Some(bytes)
}

/// Writes into the old file, where another file in its place would tear it from its other names or its owner. Its content
/// is put back when that fails.
///
/// It is done in a process of its own: half a file would lie there if this one were killed on the way.
fn overwrite(new: &File, target: &Path, before: Snapshot) -> io::Result<()> {
    let mut old = OpenOptions::new().read(true).write(true).open(target)?;
    if Snapshot::from(&old.metadata()?) != before {
        return Err(changed());
    }
    let mut content = Vec::new();
    old.read_to_end(&mut content)?;
    let length = new.metadata()?.len();
    reserve(&old, length)?;
    in_a_process_of_its_own(|| {
        let written = copy(new, &old, length);
        if written.is_err() {
            old.write_all_at(&content, 0)?;
            old.set_len(content.len() as u64)?;
        }
        written
    })
}

fn copy(from: &File, to: &File, length: u64) -> io::Result<()> {
    let (mut buffer, mut at) = ([0; 1 << 16], 0);
    while at < length {
        let read = match from.read_at(&mut buffer, at)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => read,
        };
        to.write_all_at(&buffer[..read], at)?;
        at += read as u64;
    }
    to.set_len(length)?;
    to.sync_all()
}

/// Does the work in a copy of this process, which goes on when this one is killed. It may call the system, and neither take
/// memory nor wait for other threads: there are none in the copy.
fn in_a_process_of_its_own(work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    // SAFETY: the copy does nothing but the work, as is said above, and ends.
    match unsafe { libc::fork() } {
        // Without memory for another process it is done in this one.
        -1 => work(),
        0 => {
            // SAFETY: numbers only; a session of its own is beyond signals to this one's group.
            unsafe { libc::setsid() };
            let code = work().err().map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO));
            // SAFETY: ends the copy without running what this process would at its end.
            unsafe { libc::_exit(code) }
        }
        child => loop {
            let mut status = 0;
            // SAFETY: the status is a number that may be written.
            match unsafe { libc::waitpid(child, &mut status, 0) } {
                -1 if io::Error::last_os_error().kind() == ErrorKind::Interrupted => {}
                -1 => return Err(io::Error::last_os_error()),
                _ if libc::WIFEXITED(status) => match libc::WEXITSTATUS(status) {
                    0 => return Ok(()),
                    code => return Err(io::Error::from_raw_os_error(code)),
                },
                _ => return Err(io::Error::other("the process that wrote it was killed")),
            }
        },
    }
}

/// Makes sure that the disk has room for so many bytes, before one of them is written.
fn reserve(file: &File, length: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(length).map_err(io::Error::other)?;
    // SAFETY: only numbers are passed.
    match unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, 0, length) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            // Not every file system can.
            error if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL)) => Ok(()),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        path::PathBuf,
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    fn with_old(content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    fn partial(folder: &Path, content: &str) -> Partial {
        let mut partial = Partial::new(folder).unwrap();
        partial.file().write_all(content.as_bytes()).unwrap();
        partial
    }

    #[test]
    fn mode_and_attributes_stay() {
        let (folder, path) = with_old("old");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let name = c"user.tags";
        let knows_attributes = set_attribute(&File::open(&path).unwrap(), name, b"holiday");
        let before = Snapshot::of(&path).unwrap();
        replace(partial(folder.path(), "new"), &path, before).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        if knows_attributes {
            assert_eq!(attribute(&File::open(&path).unwrap(), name).as_deref(), Some(&b"holiday"[..]));
        }
    }

    #[test]
    fn hard_links_stay_together_whether_the_new_is_longer_or_shorter() {
        for new in ["longer than the old one", "x"] {
            let (folder, path) = with_old("old one");
            let other = folder.path().join("other.png");
            fs::hard_link(&path, &other).unwrap();
            replace(partial(folder.path(), new), &path, Snapshot::of(&path).unwrap()).unwrap();
            assert_eq!(fs::read_to_string(&other).unwrap(), new);
            assert_eq!(fs::metadata(&path).unwrap().nlink(), 2);
        }
    }

    #[test]
    fn a_file_of_several_names_is_whole_though_the_process_is_killed() {
        const LENGTH: usize = 64 << 20;
        let (folder, path) = with_old(&"o".repeat(LENGTH));
        fs::hard_link(&path, folder.path().join("other.png")).unwrap();
        let partial = partial(folder.path(), &"n".repeat(LENGTH));
        let before = Snapshot::of(&path).unwrap();
        // SAFETY: the copy replaces one file and ends.
        let child = match unsafe { libc::fork() } {
            0 => {
                let _ = replace(partial, &path, before);
                // SAFETY: as above.
                unsafe { libc::_exit(0) }
            }
            child => child,
        };
        let seen = File::open(&path).unwrap();
        let reaches = |at: usize| {
            let start = Instant::now();
            let mut byte = [0];
            while seen.read_at(&mut byte, at as u64).is_err() || byte != *b"n" {
                assert!(start.elapsed() < Duration::from_secs(30), "byte {at} is still the old one");
                thread::yield_now();
            }
        };
        reaches(0);
        // SAFETY: the process that was made above.
        unsafe { libc::kill(child, libc::SIGKILL) };
        reaches(LENGTH - 1);
        // SAFETY: likewise.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    }

    #[test]
    fn what_appeared_or_changed_meanwhile_stays() {
        let (folder, path) = with_old("old");
        let before = Snapshot::of(&path).unwrap();
        assert_eq!(replace(partial(folder.path(), "new"), &path, None).unwrap_err().kind(), ErrorKind::AlreadyExists);
        fs::write(&path, "edited").unwrap();
        assert_eq!(replace(partial(folder.path(), "new"), &path, before).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "edited");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing partial is left");
    }

    #[test]
    fn a_new_file_has_the_mode_of_any_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, usual) = (folder.path().join("x.png"), folder.path().join("usual"));
        fs::write(&usual, "").unwrap();
        replace(partial(folder.path(), "new"), &path, None).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode();
        assert_eq!(mode(&path), mode(&usual));
    }
}
