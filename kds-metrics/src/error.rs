//! Metric errors.

use std::path::PathBuf;

/// Result of a metric.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The two pictures are of different sizes.
    #[error("the pictures differ in size: {0} x {1} and {2} x {3} pixels; compare pictures of one size")]
    Sizes(u32, u32, u32, u32),
    /// The picture has too few pixels for the metric.
    #[error("{width} x {height} pixels are too few for {metric}, which needs {needs}")]
    TooSmall {
        /// Its name.
        metric: &'static str,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The least that it can measure, in words.
        needs: String,
    },
    /// A file of weights cannot be used.
    #[error("{}: {reason}; write it by tools/metrics/convert.py", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Why, and which tensor.
        reason: String,
    },
    /// The statistics of a picture cannot be compared with those of photographs.
    #[error("NIQE: the covariance of the picture's features cannot be inverted; measure a larger picture")]
    Singular,
}

/// Refuses pictures of different sizes.
pub(crate) fn same_size(first: &image::RgbImage, second: &image::RgbImage) -> Result<()> {
    if first.dimensions() == second.dimensions() {
        return Ok(());
    }
    Err(Error::Sizes(first.width(), first.height(), second.width(), second.height()))
}
