//! Alpha that is multiplied into the colours.

use image::DynamicImage;

use crate::colour::Sample;

/// Divides the colours by alpha; those of transparent pixels stay.
pub fn straight(image: &mut DynamicImage) {
    fn divide<T: Sample>(samples: &mut [T], channels: usize) {
        for pixel in samples.chunks_exact_mut(channels) {
            let alpha = pixel[channels - 1].to_unit();
            if alpha > 0.0 {
                pixel[..channels - 1].iter_mut().for_each(|sample| *sample = T::from_unit(sample.to_unit() / alpha));
            }
        }
    }
    match image {
        DynamicImage::ImageLumaA8(buffer) => divide(buffer, 2),
        DynamicImage::ImageLumaA16(buffer) => divide(buffer, 2),
        DynamicImage::ImageRgba8(buffer) => divide(buffer, 4),
        DynamicImage::ImageRgba16(buffer) => divide(buffer, 4),
        DynamicImage::ImageRgba32F(buffer) => divide(buffer, 4),
        _ => {}
    }
}
