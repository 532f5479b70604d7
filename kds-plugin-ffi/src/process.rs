//! The process that the library is loaded into: a copy made by `fork`, or one with another libtorch, cannot compute.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use kds_engine::device;

use crate::error::{Failure, KDS_INTERNAL};

/// The process that made the first context; 0 before. The threads that libtorch starts then are this process's alone.
static USER: AtomicU32 = AtomicU32::new(0);

/// Says so where libtorch cannot compute in this process. Every call that computes asks this first.
pub(crate) fn check() -> Result<(), Failure> {
    let this = std::process::id();
    match USER.compare_exchange(0, this, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => check_libtorch(),
        Err(user) if user == this => Ok(()),
        Err(user) => Err(Failure::new(
            KDS_INTERNAL,
            format!(
                "process {this} is a copy by fork of process {user}, which had used KDS before: libtorch's threads did not \
                 come along, so nothing can be computed here; start another program (exec), or fork before the first \
                 kds_context_new"
            ),
        )),
    }
}

/// The dynamic loader gives every library of a process the libtorch that was loaded first, of whatever version.
fn check_libtorch() -> Result<(), Failure> {
    let found = device::loaded_library("libtorch_cpu.so");
    let other = found.as_deref().and_then(|file| another(file, env!("KDS_LIBTORCH_VERSION")));
    let Some(other) = other else { return Ok(()) };
    // The next context must be told too.
    USER.store(0, Ordering::Release);
    let (ours, file) = (env!("KDS_LIBTORCH_VERSION"), found.unwrap_or_default());
    Err(Failure::new(
        KDS_INTERNAL,
        format!(
            "this process has loaded libtorch {other} ({}), and KDS needs {ours}: load KDS before it, use PyTorch {ours}, or \
             let a worker process compute (docs/worker.md)",
            file.display()
        ),
    ))
}

/// The version of this libtorch, where it says one that is not ours: in the package of PyTorch `version.py` lies above it.
fn another(file: &Path, ours: &str) -> Option<String> {
    let text = std::fs::read_to_string(file.parent()?.parent()?.join("version.py")).ok()?;
    let version = text.lines().find_map(|line| line.strip_prefix("__version__ = "))?.trim_matches(['\'', '"']);
    let release = version.split('+').next()?;
    (!ours.is_empty() && release != ours).then(|| release.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_libtorch_is_named_and_ours_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lib/libtorch_cpu.so");
        assert_eq!(another(&file, "2.11.0"), None);
        let text = "from typing import Optional\n__version__ = '2.9.1+cpu'\ndebug = False\n";
        std::fs::write(folder.path().join("version.py"), text).unwrap();
        assert_eq!(another(&file, "2.11.0").as_deref(), Some("2.9.1"));
        assert_eq!(another(&file, "2.9.1"), None);
        assert_eq!(another(&file, ""), None);
    }

    #[test]
    fn the_version_of_libtorch_is_known() {
        assert!(env!("KDS_LIBTORCH_VERSION").split('.').count() >= 3, "{}", env!("KDS_LIBTORCH_VERSION"));
    }
}
