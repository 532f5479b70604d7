//! OpenEXR files: linear light in floating point, alpha multiplied into the colours.

use std::io::{Seek, Write};

use anyhow::bail;
use exr::prelude::{Image, SpecificChannels, Text, Vec2, WritableImage};
use image::DynamicImage;

use crate::picture::Picture;

/// Writes a picture of amounts of light with the primaries of sRGB, which are those of the format, and the mark as the
/// software's name.
pub fn write(picture: &Picture, mark: &str, file: &mut (impl Write + Seek)) -> anyhow::Result<()> {
    let size = (picture.image.width() as usize, picture.image.height() as usize);
    let software = Text::new_or_none(mark);
    let at = |place: Vec2<usize>| (place.x() as u32, place.y() as u32);
    match &picture.image {
        DynamicImage::ImageRgb32F(buffer) => {
            let pixel = |place| {
                let (x, y) = at(place);
                let [red, green, blue] = buffer.get_pixel(x, y).0;
                (red, green, blue)
            };
            let mut image = Image::from_channels(size, SpecificChannels::rgb(pixel));
            image.layer_data.attributes.software_name = software;
            image.write().to_buffered(file)?;
        }
        DynamicImage::ImageRgba32F(buffer) => {
            let pixel = |place| {
                let (x, y) = at(place);
                let [red, green, blue, alpha] = buffer.get_pixel(x, y).0;
                (red * alpha, green * alpha, blue * alpha, alpha)
            };
            let mut image = Image::from_channels(size, SpecificChannels::rgba(pixel));
            image.layer_data.attributes.software_name = software;
            image.write().to_buffered(file)?;
        }
        _ => bail!("only floating-point pixels are written as OpenEXR; please report this"),
    }
    Ok(())
}
