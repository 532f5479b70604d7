//! Frequency-aware fusion: coarse structure from a consensus, fine detail from one particle.
//!
//! The mean of the particles has the smallest expected error and no texture, and so has the estimate of a network that was
//! trained on the absolute error; a single particle has texture and errors of its own at every scale. Texture lives in the
//! high frequencies, so exchanging only the low ones keeps it:
//!
//! ```text
//! picture = particle + g_σ * (consensus − particle)
//! ```
//!
//! with g_σ a Gaussian of standard deviation σ, in pixels of the decoded pictures.

use tch::Tensor;

use crate::Result;
use crate::computing::filter::separable;

/// Beyond this many standard deviations the Gaussian is cut off.
const REACH: f64 = 3.0;

/// Fuses two pictures, both `1 x C x h x w` in f32 on one device: low frequencies of `consensus`, high ones of `detail`.
/// `sigma` is above 0, in pixels. Beyond the border both are taken to differ as at its nearest pixel.
pub fn fuse(detail: &Tensor, consensus: &Tensor, sigma: f64) -> Result<Tensor> {
    Ok(detail.f_add(&separable(&consensus.f_sub(detail)?, &gaussian(sigma), 1)?)?)
}

/// The weights of a Gaussian, to three standard deviations; `sigma` is above 0, in pixels.
pub(super) fn gaussian(sigma: f64) -> Vec<f64> {
    let radius = (REACH * sigma).ceil() as i64;
    (-radius..=radius).map(|x| (-0.5 * (x as f64 / sigma).powi(2)).exp()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn picture(seed: i64) -> Vec<f32> {
        (0..3 * 9 * 7).map(|index| (((index + seed) * 7919 + 13 * seed) % 101) as f32 / 50.0 - 1.0).collect()
    }

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::from_slice(values).reshape([1, 3, 9, 7])
    }

    /// The formula, pixel by pixel in f64.
    fn reference(detail: &[f32], consensus: &[f32], sigma: f64) -> Vec<f64> {
        let radius = (3.0 * sigma).ceil() as i64;
        let weight = |x: i64| (-0.5 * (x as f64 / sigma).powi(2)).exp();
        let sum: f64 = (-radius..=radius).map(weight).sum();
        let difference = |channel: i64, y: i64, x: i64| {
            let index = ((channel * 9 + y.clamp(0, 8)) * 7 + x.clamp(0, 6)) as usize;
            f64::from(consensus[index]) - f64::from(detail[index])
        };
        let mut result = Vec::new();
        for channel in 0..3 {
            for y in 0..9 {
                for x in 0..7 {
                    let mut smooth = 0.0;
                    for v in -radius..=radius {
                        for u in -radius..=radius {
                            smooth += weight(u) * weight(v) / (sum * sum) * difference(channel, y + v, x + u);
                        }
                    }
                    result.push(f64::from(detail[((channel * 9 + y) * 7 + x) as usize]) + smooth);
                }
            }
        }
        result
    }

    #[test]
    fn it_is_the_formula() {
        for sigma in [0.4, 1.0, 2.3] {
            let (detail, consensus) = (picture(1), picture(5));
            let fused = fuse(&tensor(&detail), &tensor(&consensus), sigma).unwrap();
            let fused = Vec::<f32>::try_from(fused.reshape([-1])).unwrap();
            for (found, expected) in fused.iter().zip(reference(&detail, &consensus, sigma)) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{found}, not {expected}, at sigma {sigma}");
            }
        }
    }

    #[test]
    fn a_constant_difference_is_taken_over_whole_and_none_changes_nothing() {
        let detail = tensor(&picture(2));
        assert_eq!(fuse(&detail, &detail, 1.0).unwrap(), detail);
        let lighter = &detail + 0.25;
        let error = (fuse(&detail, &lighter, 1.5).unwrap() - &lighter).abs().max().double_value(&[]);
        assert!(error < 1e-6 && detail.device() == Device::Cpu, "{error}");
    }
}
