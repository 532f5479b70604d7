//! Loading a library of this interface, and saying why it cannot be.

use std::path::{Path, PathBuf};

use abi_stable::library::{AbiHeader, LibHeader, LibraryError, RawLibrary, RootModule, lib_header_from_raw_library};
use abi_stable::sabi_types::VersionNumber;

/// The root module of the library in this very file: no search path is asked. The library is never unloaded; loading it
/// again gives the same one. Nothing of the file is called before it has proven to be of this interface, except that the
/// system's loader runs the initialisers of any library.
pub(crate) fn load<M: RootModule>(file: &Path) -> Result<M, LoadError> {
    // A bare name would let the loader search the system.
    let file = &std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    if !file.exists() {
        return Err(LoadError::NoSuchFile { file: file.clone() });
    }
    let raw = RawLibrary::load_at(file).map_err(|error| LoadError::new(file, error))?;
    // Everything that comes from the library may point into it: it must never be unloaded, whatever is found.
    let raw: &'static RawLibrary = Box::leak(Box::new(raw));
    // SAFETY: the library lives as long as the process.
    let header = unsafe { lib_header_from_raw_library(raw) }.map_err(|error| LoadError::new(file, error))?;
    check::<M>(file, header)?;
    // `RootModule::load_from_file` would do it too, but it remembers the first file for good, even a wrong one.
    header.init_root_module::<M>().map_err(|error| LoadError::new(file, error))
}

/// What `init_root_module` leaves open: whose root module it is, minor versions, and whether a layout can be checked.
fn check<M: RootModule>(file: &Path, header: &'static LibHeader) -> Result<(), LoadError> {
    let name = header.root_mod_consts().name();
    if name != M::NAME {
        let reason = format!("it offers '{name}' and not '{}'", M::NAME);
        return Err(LoadError::NotKds { file: file.to_owned(), reason });
    }
    let version = |strings| VersionNumber::new(strings).map_err(|error| LoadError::new(file, error.into()));
    let (library, program) = (version(header.version_strings())?, version(M::VERSION_STRINGS)?);
    if !program.is_compatible(library) {
        let (library, program) = (library.to_string(), program.to_string());
        return Err(LoadError::OtherVersion { file: file.to_owned(), library, program });
    }
    if header.layout().is_none() {
        let details = "the library does not describe its layout".to_owned();
        return Err(LoadError::OtherLayout { file: file.to_owned(), details });
    }
    Ok(())
}

/// Why a file cannot be used as `libkds.so`, or as a backbone. The messages are of one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is nothing at that path.
    #[error("{}: there is no such file; give the path of the library", file.display())]
    NoSuchFile {
        /// The absolute path.
        file: PathBuf,
    },
    /// The system's loader refuses it: it is no library, or one whose own libraries (libtorch) are not found.
    #[error("{}: cannot be loaded as a library: {reason}", file.display())]
    NotLoadable {
        /// The absolute path.
        file: PathBuf,
        /// Message of the loader.
        reason: String,
    },
    /// It is a library, but not of this interface, or for the other side of it.
    #[error("{}: is not a KDS library: {reason}", file.display())]
    NotKds {
        /// The absolute path.
        file: PathBuf,
        /// Mark of the interface that is missing or wrong.
        reason: String,
    },
    /// Its interface has another major version, or an older minor one.
    #[error("{}: has version {library} of the interface, and this program needs {program}; {REBUILD}", file.display())]
    OtherVersion {
        /// The absolute path.
        file: PathBuf,
        /// The library's version of the interface.
        library: String,
        /// The version of this crate.
        program: String,
    },
    /// It names the same version, but its types differ.
    #[error("{}: has an interface of another layout than this program; {REBUILD}", file.display())]
    OtherLayout {
        /// The absolute path.
        file: PathBuf,
        /// Every type that differs, in many lines: for a report.
        details: String,
    },
    /// It fits, but failed to start: a defect of the library.
    #[error("{}: cannot be started: {reason}; please report it", file.display())]
    Defect {
        /// The absolute path.
        file: PathBuf,
        /// Message of the library.
        reason: String,
    },
}

const REBUILD: &str = "use files that were built with the same version of kds-plugin-api";

impl LoadError {
    fn new(file: &Path, error: LibraryError) -> Self {
        let file = file.to_owned();
        match error {
            LibraryError::OpenError { err, .. } => {
                // libloading's own message wraps the loader's.
                let reason = std::error::Error::source(&*err).map_or_else(|| err.to_string(), ToString::to_string);
                Self::NotLoadable { file, reason: one_line(&reason) }
            }
            LibraryError::GetSymbolError { .. } => {
                Self::NotKds { file, reason: "it does not offer the Rust interface".to_owned() }
            }
            LibraryError::InvalidAbiHeader(found) => {
                let ours = AbiHeader::VALUE;
                let details = format!(
                    "the library was built with abi_stable {}.{} and this program with {}.{}",
                    found.abi_major, found.abi_minor, ours.abi_major, ours.abi_minor
                );
                Self::OtherLayout { file, details }
            }
            error @ (LibraryError::AbiInstability(_) | LibraryError::InvalidCAbi { .. }) => {
                Self::OtherLayout { file, details: error.to_string() }
            }
            error => Self::Defect { file, reason: one_line(&error.to_string()) },
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
