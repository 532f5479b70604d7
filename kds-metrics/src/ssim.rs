//! Structural similarity: Wang, Bovik, Sheikh and Simoncelli, *Image Quality Assessment: From Error Visibility to
//! Structural Similarity*, 2004. Their Gaussian window of 11 pixels and deviation 1.5, their constants, peak 255, where the
//! whole window lies within the picture, without a border of [`BORDER`] pixels.

use image::RgbImage;

use crate::BORDER;
use crate::error::{Result, same_size};
use crate::plane::{Plane, gaussian};
use crate::psnr::too_small;

/// Pixels from the middle of the window to its edge.
const REACH: usize = 5;

/// SSIM of the BT.601 luma of two pictures of one size; 1 is identical.
pub fn ssim_luma(first: &RgbImage, second: &RgbImage) -> Result<f64> {
    same_size(first, second)?;
    ssim(&Plane::luma(first), &Plane::luma(second))
}

/// Mean SSIM of the three channels of two pictures of one size; 1 is identical.
pub fn ssim_rgb(first: &RgbImage, second: &RgbImage) -> Result<f64> {
    same_size(first, second)?;
    let channel = |channel| ssim(&Plane::channel(first, channel), &Plane::channel(second, channel));
    Ok((channel(0)? + channel(1)? + channel(2)?) / 3.0)
}

fn ssim(first: &Plane, second: &Plane) -> Result<f64> {
    let cut = |plane: &Plane| {
        let least = 2 * (BORDER + REACH as u32) + 1;
        plane
            .without_border(BORDER as usize)
            .filter(|cut| cut.width.min(cut.height) > 2 * REACH)
            .ok_or_else(|| too_small("SSIM", plane, least))
    };
    let (first, second) = (cut(first)?, cut(second)?);
    let window = gaussian(REACH as isize, 1.5);
    let mean = |plane: Plane| plane.filtered(&window);
    let (mean_1, mean_2) = (mean(first.clone()), mean(second.clone()));
    let squares_1 = mean(first.map(|a| a * a));
    let squares_2 = mean(second.map(|b| b * b));
    let products = mean(first.zip(&second, |a, b| a * b));
    let (c1, c2) = ((0.01f64 * 255.0).powi(2), (0.03f64 * 255.0).powi(2));
    let mut map = products;
    for (index, value) in map.values.iter_mut().enumerate() {
        let (m1, m2) = (mean_1.values[index], mean_2.values[index]);
        let (variance_1, variance_2) = (squares_1.values[index] - m1 * m1, squares_2.values[index] - m2 * m2);
        let covariance = *value - m1 * m2;
        *value = (2.0 * m1 * m2 + c1) * (2.0 * covariance + c2)
            / ((m1 * m1 + m2 * m2 + c1) * (variance_1 + variance_2 + c2));
    }
    // The window was extended beyond the edge; what it saw there does not count.
    let inside = map.without_border(REACH).ok_or_else(|| too_small("SSIM", &first, 2 * REACH as u32 + 1))?;
    Ok(inside.values.iter().sum::<f64>() / inside.values.len() as f64)
}
