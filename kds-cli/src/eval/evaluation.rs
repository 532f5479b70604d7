//! Pictures and methods of an evaluation, as the command line names them.

use std::path::PathBuf;

use super::{degradation::Degradation, method::Method, metric::WeightFiles, vary::Variation};
use crate::library::Library;

/// Options of an evaluation.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Folder of true pictures.
    pub truth: Option<PathBuf>,
    /// Folder of pictures to restore.
    pub low: Option<PathBuf>,
    /// Folder of masks, for models that fill holes.
    pub masks: Option<PathBuf>,
    /// Degradation of the true pictures where no folder of low-quality pictures is given.
    pub degradation: Option<Degradation>,
    /// True pictures are reduced by this before.
    pub reduce: u32,
    /// Most pixels along a side of a picture to restore; 0 leaves it whole.
    pub crop: u32,
    /// Most pictures; 0 takes all.
    pub limit: usize,
    /// Folder of the results.
    pub output: PathBuf,
    /// Id of the model.
    pub model: String,
    /// Device, where named.
    pub device: Option<String>,
    /// Number format, where named.
    pub dtype: Option<String>,
    /// Options of the context.
    pub library: Library,
    /// The job's parameters that were named, checked one by one.
    pub settings: Vec<(&'static str, String)>,
    /// Methods to compare.
    pub methods: Vec<Method>,
    /// Seeds over which stability is measured; fewer than 2 measure none.
    pub seeds: u64,
    /// A parameter that takes several values, an evaluation for each.
    pub vary: Option<Variation>,
    /// Measures the reliability of the confidence map.
    pub confidence: bool,
    /// Grey levels that the worst error in the mask of a conformal threshold has at most, in the mean over pictures.
    pub worst_error: f64,
    /// Weights of metrics.
    pub weights: WeightFiles,
}
