//! Separable filters of pictures.

use tch::Tensor;

use crate::Result;

/// Each channel of `x`, `N x C x H x W`, filtered along both axes by `weights`: an odd number of positive factors, `dilation`
/// pixels apart and divided by their sum. Beyond the border the nearest pixel is repeated.
///
/// Not a convolution: oneDNN writes results of one channel with room for 16, on a tile more bytes than the network takes.
pub(crate) fn separable(x: &Tensor, weights: &[f64], dilation: i64) -> Result<Tensor> {
    let radius = (weights.len() / 2) as i64 * dilation;
    let padded = x.f_replication_pad2d([radius, radius, radius, radius])?;
    let across = along(&padded, 3, weights, dilation)?;
    drop(padded);
    along(&across, 2, weights, dilation)
}

/// The running mean, weighted and in place: one copy of the picture, and rounding that no order of threads changes.
fn along(padded: &Tensor, axis: i64, weights: &[f64], dilation: i64) -> Result<Tensor> {
    let length = padded.size()[axis as usize] - (weights.len() as i64 - 1) * dilation;
    let shifted = |index: usize| padded.f_narrow(axis, index as i64 * dilation, length);
    let mut mean = shifted(0)?.f_zeros_like()?;
    let mut sum = 0.0;
    for (index, weight) in weights.iter().enumerate() {
        sum += weight;
        let _ = mean.f_lerp_(&shifted(index)?, weight / sum)?;
    }
    Ok(mean)
}
