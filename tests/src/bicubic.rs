//! Bicubic enlargement, what a restoration has to beat.

use image::RgbImage;
use tch::{TchError, no_grad};

use crate::tensor;

/// Enlarges by a whole factor: Keys' kernel with a = -0.75, half-pixel centres, no antialiasing.
pub fn enlarge(image: &RgbImage, scale: u32) -> Result<RgbImage, TchError> {
    let (width, height) = image.dimensions();
    let size = [i64::from(height) * i64::from(scale), i64::from(width) * i64::from(scale)];
    no_grad(|| tensor::to_image(&tensor::from_image(image)?.f_upsample_bicubic2d(size, false, None, None)?))
}
