//! Difference of restorations of one picture by the seed: Sun et al., *Improving the Stability and Efficiency of
//! Diffusion Models for Content Consistent Super-Resolution* (CCSR), arXiv 2401.00877.
//!
//! Their G-STD of a metric is the mean over the pictures of [`deviation`] of its values over the runs, and their L-STD that
//! of [`local_deviation`].

use image::RgbImage;

use crate::BORDER;
use crate::error::{Result, same_size};

/// Standard deviation of the values of one metric over several runs, divided by their number; of none it is 0.
pub fn deviation(values: &[f64]) -> f64 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// Standard deviation of each channel of each pixel, from 0 to 1, over the restorations of several runs, and the mean of
/// that over the picture without a border of [`BORDER`] pixels. Fewer than two runs, or a picture that is all border, give
/// 0; pictures of different sizes are refused.
pub fn local_deviation(runs: &[RgbImage]) -> Result<f64> {
    let Some(first) = runs.first() else { return Ok(0.0) };
    for other in runs {
        same_size(first, other)?;
    }
    let (mut sum, mut count) = (0.0, 0usize);
    let mut values = vec![0.0; runs.len()];
    for y in BORDER..first.height().saturating_sub(BORDER) {
        for x in BORDER..first.width().saturating_sub(BORDER) {
            for channel in 0..3 {
                for (value, run) in values.iter_mut().zip(runs) {
                    *value = f64::from(run.get_pixel(x, y).0[channel]) / 255.0;
                }
                sum += deviation(&values);
                count += 1;
            }
        }
    }
    Ok(sum / count.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn deviations_are_those_of_numpy() {
        // numpy.std([1, 2, 4, 8])
        assert!((deviation(&[1.0, 2.0, 4.0, 8.0]) - 2.680_951_323_690_902).abs() < 1e-12);
        assert_eq!((deviation(&[3.0]), deviation(&[])), (0.0, 0.0));
        let flat = |value: u8| RgbImage::from_pixel(12, 10, Rgb([value; 3]));
        // numpy.std([0, 51]) / 255; the corner lies in the border.
        let mut runs = [flat(0), flat(51)];
        runs[0].put_pixel(0, 0, Rgb([255; 3]));
        assert!((local_deviation(&runs).unwrap() - 0.1).abs() < 1e-12);
        assert_eq!(local_deviation(&runs[..1]).unwrap(), 0.0);
        assert!(local_deviation(&[flat(0), RgbImage::new(3, 3)]).is_err());
    }
}
