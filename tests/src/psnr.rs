//! Peak signal-to-noise ratio in the convention of super-resolution papers.

use anyhow::{Result, ensure};
use image::{Rgb, RgbImage};

/// Pixels at each side that do not count.
pub const BORDER: u32 = 4;

/// PSNR in dB (peak 255) of the BT.601 luma of two images of the same size, without a border of [`BORDER`] pixels.
/// Identical images have an infinite PSNR.
pub fn luma(first: &RgbImage, second: &RgbImage) -> Result<f64> {
    let (width, height) = first.dimensions();
    ensure!(
        first.dimensions() == second.dimensions(),
        "sizes differ: {width} x {height} and {:?}",
        second.dimensions()
    );
    ensure!(width.min(height) > 2 * BORDER, "{width} x {height} leaves nothing inside a border of {BORDER} pixels");
    let mut sum = 0.0;
    for y in BORDER..height - BORDER {
        for x in BORDER..width - BORDER {
            sum += (bt601(first.get_pixel(x, y)) - bt601(second.get_pixel(x, y))).powi(2);
        }
    }
    let count = f64::from(width - 2 * BORDER) * f64::from(height - 2 * BORDER);
    Ok(10.0 * (255.0 * 255.0 * count / sum).log10())
}

/// Studio-range luma, 16 to 235.
fn bt601(Rgb([red, green, blue]): &Rgb<u8>) -> f64 {
    16.0 + (65.481 * f64::from(*red) + 128.553 * f64::from(*green) + 24.966 * f64::from(*blue)) / 255.0
}
