//! OpenEXR files: linear light in floating point, alpha multiplied into the colours.

use std::io::{Seek, Write};

use anyhow::bail;
use image::{DynamicImage, ImageEncoder, codecs::openexr::OpenExrEncoder};

use crate::picture::Picture;

/// Writes a picture of amounts of light with the primaries of sRGB, which are those of the format.
pub fn write(picture: &Picture, file: &mut (impl Write + Seek)) -> anyhow::Result<()> {
    let image = match &picture.image {
        DynamicImage::ImageRgb32F(_) => picture.image.clone(),
        DynamicImage::ImageRgba32F(buffer) => {
            let mut buffer = buffer.clone();
            for pixel in buffer.pixels_mut() {
                let [red, green, blue, alpha] = pixel.0;
                pixel.0 = [red * alpha, green * alpha, blue * alpha, alpha];
            }
            buffer.into()
        }
        _ => bail!("only floating-point pixels are written as OpenEXR; please report this"),
    };
    let encoder = OpenExrEncoder::new(file);
    Ok(encoder.write_image(image.as_bytes(), image.width(), image.height(), image.color().into())?)
}
