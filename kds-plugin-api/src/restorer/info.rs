//! Descriptions of the library, its models and its runs. The layout of these structs is fixed: what is added
//! later is told by new functions.

use abi_stable::StableAbi;
use abi_stable::std_types::{RString, RVec};

/// Entry of a model in a registry.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// Id for [`Context::open`](super::Context::open).
    pub id: RString,
    /// For a person.
    pub title: RString,
    /// "restoration", "super-resolution" or "inpainting".
    pub task: RString,
    /// The architecture.
    pub backbone: RString,
    /// "built-in" or a path.
    pub source: RString,
    /// Output pixels per input pixel along a side, where the job does not ask for less.
    pub scale: u32,
    /// True where a job needs a mask.
    pub needs_mask: bool,
}

/// A device that can compute.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Name for [`Context::open`](super::Context::open): "cpu", "cuda:0", ...
    pub name: RString,
    /// For a person.
    pub description: RString,
    /// Number formats it computes well in, the one that "auto" takes first.
    pub dtypes: RVec<RString>,
    /// Bytes of memory, 0 where not known.
    pub memory_total: u64,
    /// Bytes of memory that were free when the devices were looked for, 0 where not known.
    pub memory_free: u64,
}

/// One parameter of the library's table.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct ParameterInfo {
    /// The key of [`Job::set`](super::Job::set).
    pub name: RString,
    /// A few words for a label.
    pub title: RString,
    /// One or two sentences for a person.
    pub help: RString,
    /// Value where neither the job nor the model names one.
    pub default: RString,
    /// Type of its values.
    pub kind: ParameterKind,
    /// The words of [`ParameterKind::CHOICE`], empty otherwise.
    pub choices: RVec<RString>,
    /// Smallest value of a number; 0 otherwise.
    pub min: f64,
    /// Largest value of a number; 0 otherwise.
    pub max: f64,
    /// True for an advanced parameter.
    pub advanced: bool,
    /// True where a job sets it; otherwise it is an argument of [`Context::open`](super::Context::open).
    pub job: bool,
}

/// Types of a parameter's values: the numbers of `KDS_PARAM_INTEGER` ... in `kds.h`.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ParameterKind(pub i32);

impl ParameterKind {
    /// A whole number from `min` to `max`.
    pub const INTEGER: Self = Self(0);
    /// A number from `min` to `max`.
    pub const NUMBER: Self = Self(1);
    /// One of `choices`.
    pub const CHOICE: Self = Self(2);
    /// Text of the form that `help` describes.
    pub const TEXT: Self = Self(3);
}

/// Width and height in pixels.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels along a row.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
}

/// Work and memory of a run.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Size of a tile in input pixels.
    pub tile: Size,
    /// Number of tiles.
    pub tiles: u64,
    /// Particles that go through the network at once.
    pub batch: u32,
    /// Bytes that the process is expected to hold at the peak.
    pub memory: u64,
    /// Sampler steps in all, over all tiles; each is an evaluation of the network for every particle.
    pub evaluations: u64,
}

/// Progress of a run.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Stage.
    pub stage: Stage,
    /// Evaluations of the network done, over all tiles.
    pub done: u64,
    /// Evaluations of the network in all, one for each particle, level and tile.
    pub total: u64,
}

/// Stages of a run, in their order: the numbers of `KDS_STAGE_PREPARE` ... in `kds.h`.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stage(pub i32);

impl Stage {
    /// Planning and allocating.
    pub const PREPARE: Self = Self(0);
    /// Sampling the particles of a tile.
    pub const SAMPLE: Self = Self(1);
    /// Decoding the chosen particle of a tile.
    pub const DECODE: Self = Self(2);
    /// Putting the result together.
    pub const FINISH: Self = Self(3);
}
