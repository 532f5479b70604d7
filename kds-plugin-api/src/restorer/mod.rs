//! Restoring pictures through `libkds.so`: what a Rust host uses.

mod info;
pub mod interface;
mod job;

use std::path::Path;

pub use info::{DeviceInfo, Estimate, ModelInfo, ParameterInfo, ParameterKind, Progress, Size, Stage};
pub use job::{CancelHandle, Images, Job};

use abi_stable::sabi_types::RRef;
use abi_stable::std_types::ROption;

use crate::LoadError;
use crate::error::{Error, Status};
use interface::{ContextObject, ContextOptions, ModelObject, RestorerModule_Ref};

/// Loads a `libkds.so` from this very file: no search path is asked. With it comes libtorch, so load it when it is first
/// needed. It is never unloaded; loading it again gives the same library.
///
/// # Errors
/// [`LoadError`] says what the file is instead. Nothing of the file is called before it has proven to be a `libkds.so`
/// of this interface, except that the system's loader runs the initialisers of any library.
pub fn load(file: impl AsRef<Path>) -> Result<Library, LoadError> {
    Ok(Library { module: crate::load::load(file.as_ref())? })
}

/// A loaded `libkds.so`, which stays loaded until the process ends. May be copied and used by any thread.
#[derive(Clone, Copy)]
pub struct Library {
    module: RestorerModule_Ref,
}

impl Library {
    /// The version of the library, such as "0.1.0".
    pub fn version(self) -> &'static str {
        self.module.version()().as_str()
    }

    /// The parameters that this library knows, in the order of a dialog.
    ///
    /// # Errors
    /// [`Status::PANIC`] only, for a defect of the library.
    pub fn parameters(self) -> Result<Vec<ParameterInfo>, Error> {
        Ok(self.module.parameters()().into_result()?.into_vec())
    }

    /// A context that computes with this many threads (0: one per core, at most 1024), knows the built-in models, those
    /// of the user's registries, and those of `registry`, a file, if given.
    ///
    /// # Errors
    /// [`Status::INVALID_REGISTRY`], [`Status::INVALID_ARGUMENT`].
    pub fn context(self, threads: u32, registry: Option<&Path>) -> Result<Context, Error> {
        let registry = match registry.map(|path| path.to_str().ok_or(path)) {
            None => ROption::RNone,
            Some(Ok(path)) => ROption::RSome(path.into()),
            Some(Err(path)) => {
                let message = format!("the path of the registry {} is not UTF-8; rename the file", path.display());
                return Err(Error::new(Status::INVALID_ARGUMENT, message));
            }
        };
        let options = ContextOptions { threads, registry };
        Ok(Context { object: self.module.new_context()(RRef::new(&options)).into_result()? })
    }
}

/// Models and devices. Many threads may use one.
pub struct Context {
    object: ContextObject,
}

impl Context {
    /// The models of all registries.
    ///
    /// # Errors
    /// [`Status::PANIC`] only, for a defect of the library.
    pub fn models(&self) -> Result<Vec<ModelInfo>, Error> {
        Ok(self.object.models().into_result()?.into_vec())
    }

    /// The devices that can compute. The first call looks for them, which takes a moment where there is a GPU.
    ///
    /// # Errors
    /// [`Status::PANIC`] only, for a defect of the library.
    pub fn devices(&self) -> Result<Vec<DeviceInfo>, Error> {
        Ok(self.object.devices().into_result()?.into_vec())
    }

    /// Loads a model, which takes about as long as reading its files. `device` is "auto", "cpu", "cuda" or "cuda:K",
    /// `dtype` is "auto", "f32", "bf16" or "f16".
    ///
    /// # Errors
    /// [`Status::NOT_FOUND`], [`Status::INVALID_MODEL`], [`Status::DEVICE_UNAVAILABLE`], [`Status::OUT_OF_MEMORY`],
    /// [`Status::INVALID_ARGUMENT`].
    pub fn open(&self, id: &str, device: &str, dtype: &str) -> Result<Model, Error> {
        Ok(Model { object: self.object.open(id.into(), device.into(), dtype.into()).into_result()? })
    }
}

/// A model in memory. Many threads may use one; it does not need its context any more.
pub struct Model {
    object: ModelObject,
}

impl Model {
    /// Takes a model of the library as its owner.
    #[doc(hidden)]
    pub fn from_object(object: ModelObject) -> Self {
        Self { object }
    }

    /// Its entry in the registry.
    ///
    /// # Errors
    /// [`Status::PANIC`] only, for a defect of the library.
    pub fn info(&self) -> Result<ModelInfo, Error> {
        self.object.info().into_result()
    }

    /// Its device, such as "cpu" or "cuda:0": the choice of "auto".
    ///
    /// # Errors
    /// [`Status::PANIC`] only, for a defect of the library.
    pub fn device(&self) -> Result<String, Error> {
        Ok(self.object.device().into_result()?.into_string())
    }

    /// In what number format it computes, such as "bf16": what "auto" took.
    ///
    /// # Errors
    /// [`Status::PANIC`] only, for a defect of the library.
    pub fn dtype(&self) -> Result<String, Error> {
        Ok(self.object.dtype().into_result()?.into_string())
    }

    /// A job with the model's default parameters. It does not need the model any more.
    ///
    /// # Errors
    /// [`Status::PANIC`] only, for a defect of the library.
    pub fn job(&self) -> Result<Job, Error> {
        Ok(Job::new(self.object.new_job().into_result()?))
    }
}

/// Opaque handles of the library.
macro_rules! opaque_debug {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

opaque_debug! { Library, Context, Model, Job, CancelHandle }
