//! WebP files, without loss.

use std::io::Write;

use anyhow::bail;
use image::DynamicImage;
use image_webp::{ColorType, WebPEncoder};

use crate::picture::Picture;

/// Writes a picture of 8 bits.
pub fn write(picture: &Picture, file: &mut impl Write) -> anyhow::Result<()> {
    let color = match &picture.image {
        DynamicImage::ImageLuma8(_) => ColorType::L8,
        DynamicImage::ImageLumaA8(_) => ColorType::La8,
        DynamicImage::ImageRgb8(_) => ColorType::Rgb8,
        DynamicImage::ImageRgba8(_) => ColorType::Rgba8,
        _ => bail!("pixels of more than 8 bits are not written as WebP; please report this"),
    };
    let mut encoder = WebPEncoder::new(file);
    if let Some(profile) = &picture.profile {
        encoder.set_icc_profile(profile.clone());
    }
    if let Some(exif) = &picture.metadata.exif {
        encoder.set_exif_metadata(exif.clone());
    }
    if let Some(packet) = &picture.metadata.xmp {
        encoder.set_xmp_metadata(packet.clone());
    }
    Ok(encoder.encode(picture.image.as_bytes(), picture.image.width(), picture.image.height(), color)?)
}
