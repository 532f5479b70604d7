//! A context: threads, registry of models, devices.

use std::{collections::BTreeSet, fmt, path::Path, sync::Arc};

use crate::{ContextOptions, DeviceInfo, Error, Library, Model, ModelInfo, RecognisedModel, transport::ContextCalls};

/// Models and devices; the beginning of everything that computes. It may be shared between threads.
#[derive(Clone)]
pub struct Context {
    calls: Arc<dyn ContextCalls>,
}

impl Context {
    /// Reads the registries and looks for devices.
    ///
    /// # Errors
    /// [`Status::InvalidRegistry`](crate::Status) or [`Status::NotFound`](crate::Status) for a registry file that cannot be
    /// used.
    pub fn new(library: &Arc<Library>, options: &ContextOptions) -> Result<Self, Error> {
        Ok(Self { calls: library.transport.clone().context(options)? })
    }

    /// The models of all registries.
    ///
    /// # Errors
    /// Only on a defect of the library.
    pub fn models(&self) -> Result<Vec<ModelInfo>, Error> {
        self.calls.models()
    }

    /// The devices that can compute.
    ///
    /// # Errors
    /// Only on a defect of the library.
    pub fn devices(&self) -> Result<Vec<DeviceInfo>, Error> {
        self.calls.devices()
    }

    /// What the library computes with, as pairs of a key and a value: version of libtorch, capability of the CPU,
    /// threads, CUDA and why it cannot be used.
    ///
    /// # Errors
    /// Only on a defect of the library.
    pub fn describe(&self) -> Result<Vec<(String, String)>, Error> {
        self.calls.describe()
    }

    /// Loads a model. `device` and `dtype` are `None` for the automatic choice; otherwise they take what the parameters
    /// of these names take.
    ///
    /// # Errors
    /// [`Status::NotFound`](crate::Status) for an unknown id, [`Status::InvalidModel`](crate::Status) for files that cannot
    /// be used, [`Status::DeviceUnavailable`](crate::Status), [`Status::OutOfMemory`](crate::Status),
    /// [`Status::InvalidArgument`](crate::Status).
    pub fn open_model(&self, id: &str, device: Option<&str>, dtype: Option<&str>) -> Result<Model, Error> {
        Ok(Model::new(self.calls.clone().open_model(id, device, dtype)?))
    }

    /// Compares the files of a model with what its architecture needs, without loading them.
    ///
    /// # Errors
    /// [`Status::NotFound`](crate::Status) for an unknown id, [`Status::InvalidModel`](crate::Status) with all that is wrong
    /// with the files, [`Status::LibraryUnavailable`](crate::Status) where the library is too old to check models.
    pub fn check_model(&self, id: &str) -> Result<(), Error> {
        self.calls.check_model(id)
    }

    /// Recognises the model in a folder that no registry names yet, to be called `id`. `names`: of all files of it, where only
    /// some are there yet; `model_index.json` and `scheduler/scheduler_config.json` must be where they are named.
    ///
    /// # Errors
    /// [`Status::InvalidModel`](crate::Status) for a folder that holds no model that is known, or lacks a file of it, which is named;
    /// [`Status::LibraryUnavailable`](crate::Status) where the library is too old to recognise models.
    pub fn recognise_model(
        &self,
        folder: &Path,
        names: Option<&BTreeSet<String>>,
        id: &str,
    ) -> Result<RecognisedModel, Error> {
        self.calls.recognise_model(folder, names, id)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Context").finish_non_exhaustive()
    }
}
