//! The engine, as a host first meets it.

use std::path::Path;
use std::sync::Arc;

use crate::transport::Transport;
use crate::{Error, ParameterInfo, in_process, worker};

/// The engine: `libkds.so` in this process, or a worker process that has loaded it. All else is used the same way.
pub struct Library {
    pub(crate) transport: Arc<dyn Transport>,
}

impl Library {
    /// Finds `libkds.so` and loads it into this process. The first of these that there is:
    ///
    /// 1. the file that the environment variable `KDS_LIBRARY` names; if that one cannot be loaded, no other is tried;
    /// 2. `libkds.so` beside the running program, in the folder above, in `../lib` or `../lib/x86_64-linux-gnu`;
    /// 3. what the dynamic loader finds for `libkds.so.1` (the version of the interface) or `libkds.so`.
    ///
    /// # Errors
    /// [`Status::LibraryUnavailable`](crate::Status), with every place that was tried, the loader's reason, and what to do;
    /// [`Status::OutOfMemory`](crate::Status) where limits of the process leave too little to load it.
    pub fn open() -> Result<Arc<Self>, Error> {
        Ok(Self::of(in_process::Library::open()?))
    }

    /// Loads this very file into this process.
    ///
    /// # Errors
    /// [`Status::LibraryUnavailable`](crate::Status), with the loader's reason; [`Status::OutOfMemory`](crate::Status) as in
    /// [`Self::open`].
    pub fn open_file(file: &Path) -> Result<Arc<Self>, Error> {
        Ok(Self::of(in_process::Library::open_file(file)?))
    }

    /// Finds the program `kds` that serves as worker. Nothing is loaded into this process: the first call that needs a worker
    /// starts one, or meets the one that another host of this user has started, with its models still loaded. The program is
    /// the first of these that there is:
    ///
    /// 1. the file that the environment variable `KDS_WORKER` names; if there is none, no other is tried;
    /// 2. `kds` beside the file that this code lies in (a program, or a plug-in), in the folder above, in `../bin` or
    ///    `../../bin`;
    /// 3. `kds` on the `PATH`.
    ///
    /// Where the worker ends in the middle of a call, because it was killed or memory ran out, that call fails with
    /// [`Status::WorkerLost`](crate::Status), and the next one starts a new worker: models and jobs stay usable.
    ///
    /// # Errors
    /// [`Status::LibraryUnavailable`](crate::Status), with every place that was tried and what to do.
    pub fn worker() -> Result<Arc<Self>, Error> {
        Ok(Self::of(Arc::new(worker::Client::open()?)))
    }

    fn of(transport: Arc<dyn Transport>) -> Arc<Self> {
        Arc::new(Self { transport })
    }

    /// The file that was loaded, or the name under which the dynamic loader found it; of a worker, its program.
    pub fn path(&self) -> &Path {
        self.transport.path()
    }

    /// The library's version, such as `0.1.0`.
    pub fn version(&self) -> String {
        self.transport.version()
    }

    /// The parameters that this library knows, in the order of a dialog. They equal [`crate::parameters::table`] when
    /// host and library are of the same version.
    ///
    /// # Errors
    /// Only on a defect of the library, or where no worker can be started.
    pub fn parameters(&self) -> Result<Vec<ParameterInfo>, Error> {
        self.transport.parameters()
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Library").field("path", &self.path()).finish_non_exhaustive()
    }
}
