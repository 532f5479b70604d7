//! Descriptions: models, devices, parameters, estimates.

use serde::{Deserialize, Serialize};

/// Registry entry of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The name for [`crate::Context::open_model`].
    pub id: String,
    /// A few words for a person.
    pub title: String,
    /// `restoration`, `super-resolution` or `inpainting`.
    pub task: String,
    /// The kind of network.
    pub backbone: String,
    /// `built-in`, or the path it comes from.
    pub source: String,
    /// Enlargement: output pixels per input pixel and side.
    pub scale: u32,
    /// True for models whose jobs need a mask.
    pub needs_mask: bool,
    /// Calibration of its confidence map.
    pub calibration: Option<Calibration>,
}

/// Calibration of a confidence map, in grey levels of 255.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected absolute error where the confidence is 0; none is expected where it is 1.
    pub error_range: f64,
    /// Where the confidence of two particles or more is at least the first, the worst error of a picture is, in the mean
    /// over pictures, at most the second.
    pub trusted: Option<(f64, f64)>,
}

/// A device that can compute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// The name for [`crate::Context::open_model`]: `cpu`, `cuda:0`.
    pub name: String,
    /// The maker's name for it.
    pub description: String,
    /// The number formats it does well.
    pub dtypes: Vec<String>,
    /// The number format that `auto` chooses.
    pub default_dtype: String,
    /// Memory in bytes; 0 where not known.
    pub memory_total: u64,
    /// Memory in bytes that was free when the devices were looked for; 0 where not known.
    pub memory_free: u64,
}

/// A parameter as the engine describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParameterInfo {
    /// The name for [`crate::Job::set`].
    pub name: String,
    /// A few words for a label.
    pub title: String,
    /// One or two sentences for a person.
    pub help: String,
    /// The value in force when neither call nor model names one.
    pub default: String,
    /// The words it takes; empty for numbers and free text.
    pub choices: Vec<String>,
    /// Smallest number, where it takes numbers.
    pub min: f64,
    /// Largest number, where it takes numbers.
    pub max: f64,
    /// True for parameters of the advanced section.
    pub advanced: bool,
    /// True for parameters of a job; the others are fixed when the model is opened.
    pub job: bool,
}

/// A model that no registry names yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecognisedModel {
    /// Its registry entry, TOML, whose last table is `[model.defaults]`.
    pub entry: String,
    /// Names in its folder of the files that it reads.
    pub files: Vec<String>,
}

/// Estimate of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Width of a tile in input pixels.
    pub tile_width: u32,
    /// Height of a tile in input pixels.
    pub tile_height: u32,
    /// Particles that go through the network at once.
    pub batch: u32,
    /// Number of tiles.
    pub tiles: u64,
    /// Bytes that the process will hold at the highest point.
    pub memory: u64,
    /// Sampler steps in all, over all tiles; each is an evaluation of the network for every particle.
    pub evaluations: u64,
    /// Of `memory`, bytes that the run takes; 0 from a library that does not tell.
    pub host_memory: u64,
    /// Bytes that the run takes on the GPU; 0 on the CPU.
    pub device_memory: u64,
}
