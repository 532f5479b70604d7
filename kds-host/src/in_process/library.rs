//! Finding and loading libkds.so, and what it says about itself before anything is computed.

use std::{
    env,
    ffi::OsStr,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    addresses,
    call::check,
    raw::{self, Api, Sized32},
    text,
};
use crate::{
    ContextOptions, Error, ParameterInfo, Status,
    transport::{ContextCalls, Transport},
};

/// Environment variable that names the library file.
const VARIABLE: &str = "KDS_LIBRARY";
/// The library's file name, without the version of its interface.
const FILE: &str = "libkds.so";
/// Search path of the library, relative to the folder of the running program: beside it, above it (test programs lie one
/// folder deeper), and where an installation puts libraries.
const BESIDE: &[&str] = &["", "..", "../lib", "../lib/x86_64-linux-gnu"];

/// Before the loader runs initialisers that end the process where memory runs out.
fn addresses_suffice() -> Result<(), Error> {
    addresses::refused().map_or(Ok(()), |reason| Err(Error::new(Status::OutOfMemory, reason)))
}

/// A loaded libkds.so.
pub(crate) struct Library {
    pub(crate) api: Api,
    path: PathBuf,
    // Never unloaded: libtorch keeps threads and thread-local state that do not outlive its code.
    _library: ManuallyDrop<libloading::Library>,
}

impl Library {
    /// [`crate::Library::open`]
    pub fn open() -> Result<Arc<Self>, Error> {
        addresses_suffice()?;
        if let Some(file) = env::var_os(VARIABLE).filter(|file| !file.is_empty()) {
            return Self::open_file(Path::new(&file)).map_err(|error| {
                let message = format!("{}; correct the environment variable {VARIABLE}, or unset it", error.message);
                Error::new(error.status, message)
            });
        }
        let folder = env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
        let versioned = format!("{FILE}.{}", raw::ABI_VERSION);
        Self::search(folder.as_deref(), &[&versioned, FILE])
    }

    /// [`crate::Library::open_file`]
    pub fn open_file(file: &Path) -> Result<Arc<Self>, Error> {
        addresses_suffice()?;
        let reason = if file.is_file() {
            match Self::load(file.as_os_str()) {
                Ok(library) => return Ok(library),
                Err(reason) => reason,
            }
        } else {
            "there is no such file".to_owned()
        };
        Err(Error::new(Status::LibraryUnavailable, format!("cannot load {}: {reason}", file.display())))
    }

    fn search(folder: Option<&Path>, loader: &[&str]) -> Result<Arc<Self>, Error> {
        let mut tried = Vec::new();
        for file in folder.into_iter().flat_map(|folder| BESIDE.iter().map(move |place| folder.join(place).join(FILE)))
        {
            if !file.is_file() {
                tried.push(format!("{} (not there)", file.display()));
                continue;
            }
            match Self::load(file.as_os_str()) {
                Ok(library) => return Ok(library),
                Err(reason) => tried.push(format!("{} ({reason})", file.display())),
            }
        }
        for name in loader {
            match Self::load(OsStr::new(name)) {
                Ok(library) => return Ok(library),
                Err(reason) => tried.push(format!("{name} of the system ({reason})")),
            }
        }
        let message = format!(
            "cannot load the library {FILE}; tried: {}; install KDS again, or set the environment variable {VARIABLE} to \
             the file {FILE}",
            tried.join(", ")
        );
        Err(Error::new(Status::LibraryUnavailable, message))
    }

    /// Loads a file, or a name that the dynamic loader looks up; the reason if it cannot be used.
    fn load(name: &OsStr) -> Result<Arc<Self>, String> {
        let describe = |error: libloading::Error| match std::error::Error::source(&error) {
            Some(source) => source.to_string(),
            None => error.to_string(),
        };
        // SAFETY: loading runs the initialisers of libkds and libtorch, which ask nothing of the program. Whether this
        // is a libkds of the right version is asked before any other function is looked up.
        unsafe {
            let library = ManuallyDrop::new(libloading::Library::new(name).map_err(describe)?);
            let version = *library.get::<unsafe extern "C" fn() -> u32>("kds_abi_version").map_err(describe)?;
            let version = version();
            if version != raw::ABI_VERSION {
                return Err(format!(
                    "it has version {version} of the interface and this program needs version {}",
                    raw::ABI_VERSION
                ));
            }
            // An older minor version lacks functions that this program can do without.
            let api = Api::load(&library).map_err(describe)?;
            Ok(Arc::new(Self { api, path: PathBuf::from(name), _library: library }))
        }
    }

    /// The error of a call that needs a newer library than this one.
    pub(crate) fn lacks(&self, what: &str) -> Error {
        let (path, version) = (self.path.display(), self.version());
        let message = format!("{path} is libkds {version}, which is too old to {what}; install a newer KDS");
        Error::new(Status::LibraryUnavailable, message)
    }
}

impl Transport for Library {
    fn path(&self) -> &Path {
        &self.path
    }

    fn version(&self) -> String {
        // SAFETY: takes nothing and returns a static string.
        unsafe { text::copy((self.api.kds_version_string)()) }
    }

    fn parameters(&self) -> Result<Vec<ParameterInfo>, Error> {
        // SAFETY: takes nothing.
        let count = unsafe { (self.api.kds_param_count)() };
        (0..count)
            .map(|index| {
                let mut param = raw::Param::empty();
                // SAFETY: `param` is a writable structure that states its size; its strings are static.
                unsafe {
                    check(&self.api, |error| (self.api.kds_param_get)(index, &mut param, error))?;
                    Ok(ParameterInfo {
                        name: text::copy(param.name),
                        title: text::copy(param.title),
                        help: text::copy(param.help),
                        default: text::copy(param.default_value),
                        choices: text::copy(param.choices)
                            .split(',')
                            .filter(|c| !c.is_empty())
                            .map(Into::into)
                            .collect(),
                        min: param.min,
                        max: param.max,
                        advanced: param.group != 0,
                        job: param.scope != 0,
                    })
                }
            })
            .collect()
    }

    fn context(self: Arc<Self>, options: &ContextOptions) -> Result<Arc<dyn ContextCalls>, Error> {
        Ok(Arc::new(super::context::Context::new(&self, options)?))
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Library").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_search_names_every_place_and_what_to_do() {
        let outer = tempfile::tempdir().unwrap();
        // The search looks above the folder too.
        let folder = outer.path().join("bin");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(FILE), "not a library").unwrap();
        let error = Library::search(Some(&folder), &["libkds-that-is-not-installed.so"]).unwrap_err();
        assert_eq!(error.status, Status::LibraryUnavailable);
        for place in BESIDE {
            let file = folder.join(place).join(FILE);
            assert!(error.message.contains(&file.display().to_string()), "{place}: {error}");
        }
        for part in ["invalid ELF header", "not there", "libkds-that-is-not-installed.so", VARIABLE] {
            // The loader's wording depends on the length of the broken file.
            let found =
                error.message.contains(part) || (part == "invalid ELF header" && error.message.contains("too short"));
            assert!(found, "{part}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Library::open_file(Path::new("/nowhere/libkds.so")).unwrap_err();
        assert_eq!(error.message, "cannot load /nowhere/libkds.so: there is no such file");
    }

    #[test]
    fn a_library_that_is_not_libkds_is_refused() {
        // The C library is on every system that runs this test, and it is not libkds.
        let reason = Library::load(OsStr::new("libc.so.6")).unwrap_err();
        assert!(reason.contains("kds_abi_version"), "{reason}");
    }
}
