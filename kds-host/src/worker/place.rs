//! Address of a worker: a socket in a folder that only its user can enter, by a name that differs for all that
//! must not share a worker.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::{Error, Status, configuration};

/// The folder of the sockets.
pub(crate) struct Folder {
    path: PathBuf,
    // Paths of sockets may have 107 bytes only; by this file they are short.
    open: OwnedFd,
}

impl Folder {
    /// `$XDG_RUNTIME_DIR/kds`; where there is none, `kds/worker` in the user's cache folder. It is made if it is not there.
    pub fn of_user() -> Result<Self, Error> {
        let path = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let runtime = path("XDG_RUNTIME_DIR").map(|folder| folder.join("kds"));
        let cache = || path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
        let folder = runtime.or_else(|| Some(cache()?.join("kds/worker"))).ok_or_else(|| {
            let message = "there is no folder for the socket of a worker: set XDG_RUNTIME_DIR or HOME";
            Error::new(Status::LibraryUnavailable, message)
        })?;
        Self::open(&folder)
    }

    /// This folder, made if it is not there.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let wrong = |reason: String| {
            let message = format!(
                "{}: cannot hold the socket of a worker: {reason}; remove it, or set XDG_RUNTIME_DIR to a folder of your own",
                path.display()
            );
            Error::new(Status::LibraryUnavailable, message)
        };
        let open = || -> io::Result<OwnedFd> {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(rustix::fs::open(path, flags, Mode::empty())?)
        };
        let open = open().map_err(|error| wrong(error.to_string()))?;
        let stat = rustix::fs::fstat(&open).map_err(|error| wrong(error.to_string()))?;
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(wrong(format!("it belongs to user {}", stat.st_uid)));
        }
        if stat.st_mode & 0o077 != 0 {
            return Err(wrong(format!("others may enter it (its mode is {:o})", stat.st_mode & 0o777)));
        }
        Ok(Self { path: path.to_owned(), open })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Held by those who put sockets there or take them away.
    pub fn lock(&self) -> io::Result<impl Drop + use<>> {
        let file = rustix::fs::open(self.short("."), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let file = fs::File::from(file);
        file.lock()?;
        Ok(Lock(file))
    }

    pub fn connect(&self, name: &str) -> io::Result<UnixStream> {
        UnixStream::connect(self.short(name))
    }

    pub fn bind(&self, name: &str) -> io::Result<UnixListener> {
        UnixListener::bind(self.short(name))
    }

    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.short(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Removes sockets whose workers are gone. The caller has the lock.
    pub fn remove_stale(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.short("."))? {
            let name = entry?.file_name();
            let Some(name) = name.to_str().filter(|name| name.ends_with(SOCKET)) else { continue };
            if self.connect(name).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
                self.remove(name)?;
            }
        }
        Ok(())
    }

    fn short(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.open.as_raw_fd()).into()
    }
}

struct Lock(fs::File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

const SOCKET: &str = ".socket";

/// The name of the socket of a worker that runs this program, for this device.
///
/// Hosts share it if they are of the same version and would find the same models. The worker of another machine, which may
/// see the same folder, or of one that has been started anew since, is another one.
pub(crate) fn name(program: &Path, device: &str) -> String {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().hash(&mut hasher);
    program.hash(&mut hasher);
    if let Ok(metadata) = fs::metadata(program) {
        (metadata.len(), metadata.mtime(), metadata.mtime_nsec()).hash(&mut hasher);
    }
    let mut variables: Vec<_> =
        environment().into_iter().filter(|(name, _)| decides(&name.to_string_lossy())).collect();
    variables.sort();
    variables.hash(&mut hasher);
    format!("{}-{:016x}{SOCKET}", device.replace(|c: char| !c.is_ascii_alphanumeric(), "-"), hasher.finish())
}

/// The device whose worker computes what is asked for this one: the CPU's where there is no GPU to choose.
pub(crate) fn device(asked: Option<&str>) -> &str {
    match asked.unwrap_or("auto") {
        "auto" if !Path::new("/dev/nvidiactl").exists() && env::var_os("KDS_CUDA").is_none() => "cpu",
        device => device,
    }
}

/// True for environment variables on which the models or devices of the engine depend.
fn decides(name: &str) -> bool {
    let folders = ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "CUDA_VISIBLE_DEVICES"];
    folders.contains(&name) || (name.starts_with("KDS_") && !name.starts_with("KDS_WORKER"))
}

/// Environment of a new worker: the host's, without preloaded libraries and Python's variables, and with absolute paths.
pub(crate) fn environment() -> Vec<(OsString, OsString)> {
    env::vars_os()
        .filter(|(name, _)| name != "LD_PRELOAD" && !name.to_string_lossy().starts_with("PYTHON"))
        .map(|(name, value)| {
            let is_path = name == "KDS_REGISTRY" || name == "KDS_LIBRARY";
            match std::path::absolute(&value) {
                Ok(absolute) if is_path => (name, absolute.into()),
                _ => (name, value),
            }
        })
        .collect()
}

/// Changes when a registry file does that the engine would read, or a new one comes.
pub(crate) fn registries(extra: Option<&Path>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let folder = configuration::registries();
    let of_folder = folder.iter().flat_map(|folder| {
        let more = fs::read_dir(folder.join("registry.d")).into_iter().flatten().flatten().map(|entry| entry.path());
        std::iter::once(folder.join("registry.toml")).chain(more)
    });
    let mut files: Vec<_> =
        of_folder.chain(env::var_os("KDS_REGISTRY").map(PathBuf::from)).chain(extra.map(Path::to_owned)).collect();
    files.sort();
    for file in files {
        file.hash(&mut hasher);
        if let Ok(metadata) = fs::metadata(&file) {
            (metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn folders_that_others_may_enter_are_refused() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("a/kds");
        assert!(Folder::open(&folder).is_ok());
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        let error = Folder::open(&folder).err().unwrap();
        assert!(error.message.contains("others may enter it (its mode is 750)"), "{error}");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let link = outer.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(Folder::open(&link).is_err());
    }

    #[test]
    fn stale_sockets_go_and_live_ones_stay() {
        let outer = tempfile::tempdir().unwrap();
        // Longer than a path of a socket may be.
        let folder = Folder::open(&outer.path().join("x".repeat(120))).unwrap();
        drop(folder.bind("stale.socket").unwrap());
        let _live = folder.bind("live.socket").unwrap();
        fs::write(folder.path().join("other"), "").unwrap();
        let _lock = folder.lock().unwrap();
        folder.remove_stale().unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["live.socket", "other"]);
    }

    #[test]
    fn registries_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("registry.toml");
        let before = registries(Some(&file));
        assert_eq!(before, registries(Some(&file)));
        fs::write(&file, "x").unwrap();
        assert_ne!(before, registries(Some(&file)));
    }

    #[test]
    fn what_differs_in_version_program_or_device_has_another_name() {
        let name_of = |program: &str, device| name(Path::new(program), device);
        assert_eq!(name_of("/bin/sh", "cpu"), name_of("/bin/sh", "cpu"));
        assert_ne!(name_of("/bin/sh", "cpu"), name_of("/bin/ls", "cpu"));
        assert!(name_of("/bin/sh", "cuda:0").starts_with("cuda-0-"));
        assert!(!name_of("/bin/sh", "../../x").contains('/'));
        assert!(decides("KDS_REGISTRY") && decides("HOME") && !decides("KDS_WORKER_IDLE") && !decides("PATH"));
    }
}
