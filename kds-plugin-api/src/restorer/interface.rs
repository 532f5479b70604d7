//! The border itself: what `libkds.so` exports and a host calls, in types whose layout both compilers agree upon.
//!
//! A host needs none of it: [`Library`](super::Library) and what it gives are the same in plain Rust. The rules here:
//!
//! - Only types of this crate and of `abi_stable` cross; what one side allocated is freed by its own allocator, through
//!   the type's own table of functions.
//! - No panic crosses: `abi_stable` ends the process there. Each side catches its own and answers with an error.
//! - The library is never unloaded, so what it gives may live as long as the process.
//! - Growth: functions are added at the end of [`RestorerModule`], methods at the end of a trait and with a default;
//!   nothing is removed or changed within a major version of this crate. Structs never change.
#![allow(missing_docs, non_camel_case_types, non_local_definitions)] // In what abi_stable derives.

use abi_stable::library::RootModule;
use abi_stable::sabi_types::{RRef, VersionStrings};
use abi_stable::std_types::{RBox, ROption, RResult, RStr, RString, RVec};
use abi_stable::{StableAbi, declare_root_module_statics, package_version_strings, sabi_trait};

use super::info::{DeviceInfo, Estimate, ModelInfo, ParameterInfo, Progress, Size};
use super::job::Images;
use crate::error::Error;

/// A result that crosses the border.
pub type Answer<T> = RResult<T, Error>;

/// Exports of `libkds.so`.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RestorerModule_Ref, prefix_fields = RestorerModule_Prefix)))]
pub struct RestorerModule {
    /// The version of the library, such as "0.1.0".
    pub version: extern "C" fn() -> RStr<'static>,
    /// The parameters of this library.
    pub parameters: extern "C" fn() -> Answer<RVec<ParameterInfo>>,
    /// Makes a context: reads the registries.
    #[sabi(last_prefix_field)]
    pub new_context: extern "C" fn(RRef<'_, ContextOptions>) -> Answer<ContextObject>,
}

impl RootModule for RestorerModule_Ref {
    declare_root_module_statics! {RestorerModule_Ref}
    const BASE_NAME: &'static str = "kds";
    const NAME: &'static str = "kds-restorer";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// Parameters of a context.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct ContextOptions {
    /// Threads to compute with; 0 is one per core.
    pub threads: u32,
    /// Path of a registry file to add.
    pub registry: ROption<RString>,
}

/// A list of models.
#[sabi_trait]
pub trait ContextInterface: Send + Sync {
    /// The models of all registries.
    fn models(&self) -> Answer<RVec<ModelInfo>>;
    /// The devices that can compute.
    fn devices(&self) -> Answer<RVec<DeviceInfo>>;
    /// Loads a model; "auto" is a device and a dtype too.
    #[sabi(last_prefix_field)]
    fn open(&self, id: RStr<'_>, device: RStr<'_>, dtype: RStr<'_>) -> Answer<ModelObject>;
}

/// A model in memory.
#[sabi_trait]
pub trait ModelInterface: Send + Sync {
    /// Its entry in the registry.
    fn info(&self) -> Answer<ModelInfo>;
    /// Its device: the choice of "auto".
    fn device(&self) -> Answer<RString>;
    /// In what number format it computes: what "auto" took.
    fn dtype(&self) -> Answer<RString>;
    /// Makes a job with the model's default parameters.
    #[sabi(last_prefix_field)]
    fn new_job(&self) -> Answer<JobObject>;
}

/// Parameters, and running them.
#[sabi_trait]
pub trait JobInterface: Send {
    /// Sets one parameter.
    fn set(&mut self, name: RStr<'_>, value: RStr<'_>) -> Answer<()>;
    /// The value in force of one parameter.
    fn get(&self, name: RStr<'_>) -> Answer<RString>;
    /// The size of the result for an image of this size.
    fn output_size(&self, input: Size) -> Answer<Size>;
    /// Work and memory of a run for an image of this size.
    fn estimate(&self, input: Size) -> Answer<Estimate>;
    /// A handle that cancels this job.
    fn canceller(&self) -> CancellerObject;
    /// Restores; `listener` is called on this thread.
    #[sabi(last_prefix_field)]
    fn restore(&mut self, images: Images<'_>, listener: ListenerObject<'_>) -> Answer<()>;
}

/// Cancels a job.
#[sabi_trait]
pub trait CancellerInterface: Send + Sync {
    /// Cancels the job's runs, the present one and all later ones. Neither waits nor locks.
    #[sabi(last_prefix_field)]
    fn cancel(&self);
}

/// The host's end of a run.
#[sabi_trait]
pub trait ListenerInterface {
    /// Hears where the run is and answers whether to go on.
    #[sabi(last_prefix_field)]
    fn report(&mut self, progress: Progress) -> bool;
}

/// A context that the host owns.
pub type ContextObject = ContextInterface_TO<'static, RBox<()>>;
/// A model that the host owns.
pub type ModelObject = ModelInterface_TO<'static, RBox<()>>;
/// A job that the host owns.
pub type JobObject = JobInterface_TO<'static, RBox<()>>;
/// A cancel handle that the host owns.
pub type CancellerObject = CancellerInterface_TO<'static, RBox<()>>;
/// A listener that lives as long as the call it is given to.
pub type ListenerObject<'a> = ListenerInterface_TO<'a, RBox<()>>;
