//! Peak signal-to-noise ratio in the convention of super-resolution papers: peak 255, without a border of [`BORDER`]
//! pixels.

use image::RgbImage;

use crate::BORDER;
use crate::error::{Error, Result, same_size};
use crate::plane::Plane;

/// PSNR in dB of the BT.601 luma of two pictures of one size; of identical ones it is infinite.
pub fn psnr_luma(first: &RgbImage, second: &RgbImage) -> Result<f64> {
    same_size(first, second)?;
    psnr(&[(Plane::luma(first), Plane::luma(second))])
}

/// PSNR in dB over all three channels of two pictures of one size; of identical ones it is infinite.
pub fn psnr_rgb(first: &RgbImage, second: &RgbImage) -> Result<f64> {
    same_size(first, second)?;
    psnr(&[0, 1, 2].map(|channel| (Plane::channel(first, channel), Plane::channel(second, channel))))
}

fn psnr(planes: &[(Plane, Plane)]) -> Result<f64> {
    let (mut sum, mut count) = (0.0, 0);
    for (first, second) in planes {
        let error = first.zip(second, |a, b| (a - b).powi(2)).without_border(BORDER as usize);
        let error = error.ok_or_else(|| too_small("PSNR", first, 2 * BORDER + 1))?;
        sum += error.values.iter().sum::<f64>();
        count += error.values.len();
    }
    Ok(10.0 * (255.0 * 255.0 * count as f64 / sum).log10())
}

/// Refuses a picture with fewer than `least` pixels along a side.
pub(crate) fn too_small(metric: &'static str, plane: &Plane, least: u32) -> Error {
    let (width, height) = (plane.width as u32, plane.height as u32);
    Error::TooSmall { metric, width, height, needs: format!("{least} along each side") }
}
