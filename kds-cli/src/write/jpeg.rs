//! JPEG files.

use std::io::Write;

use image::{
    ImageEncoder,
    codecs::jpeg::{JpegEncoder, PixelDensity, PixelDensityUnit},
};

use crate::{
    metadata::{iptc, xmp},
    picture::Picture,
};

/// Most bytes of a segment, without its length field.
const MOST: usize = 65_533;
/// Most bytes of EXIF data.
pub const MOST_EXIF: usize = MOST - 6;
/// Most bytes of an XMP packet.
pub const MOST_XMP: usize = MOST - xmp::JPEG_PREFIX.len();
/// Most bytes of IPTC records: beside them stands the header of the image resources.
pub const MOST_IPTC: usize = MOST - iptc::JPEG_PREFIX.len() - 16;

const APP1: u8 = 0xe1;
const APP13: u8 = 0xed;
const COMMENT: u8 = 0xfe;

/// Writes a picture of 8 bits without alpha.
pub fn write(picture: &Picture, quality: u8, file: &mut impl Write) -> anyhow::Result<()> {
    let metadata = &picture.metadata;
    let mut encoded = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut encoded, quality);
    let refused = image::ImageError::Unsupported;
    if let Some(profile) = &picture.profile {
        encoder.set_icc_profile(profile.clone()).map_err(refused)?;
    }
    if let Some(exif) = &metadata.exif {
        encoder.set_exif_metadata(exif.clone()).map_err(refused)?;
    }
    if let Some(resolution) = metadata.resolution {
        let dots = |value: f64| value.round().clamp(1.0, 65535.0) as u16;
        let density = (dots(resolution.x), dots(resolution.y));
        encoder.set_pixel_density(PixelDensity { density, unit: PixelDensityUnit::Inches });
    }
    let image = &picture.image;
    encoder.write_image(image.as_bytes(), image.width(), image.height(), image.color().into())?;

    // What the encoder does not know goes behind its first segments: JFIF has to be the first of all.
    let (start, rest) = encoded.split_at(after_applications(&encoded));
    file.write_all(start)?;
    let mut put = |marker: u8, parts: &[&[u8]]| -> std::io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        file.write_all(&[0xff, marker])?;
        file.write_all(&u16::try_from(length + 2).unwrap_or(u16::MAX).to_be_bytes())?;
        parts.iter().try_for_each(|part| file.write_all(part))
    };
    if let Some(packet) = &metadata.xmp {
        put(APP1, &[xmp::JPEG_PREFIX, packet])?;
    }
    if let Some(records) = &metadata.iptc {
        put(APP13, &[iptc::JPEG_PREFIX, &iptc::to_resources(records)])?;
    }
    for (keyword, text) in &metadata.texts {
        let text = if keyword == "Comment" { text.clone() } else { format!("{keyword}: {text}") };
        // Long texts go into as many comments.
        for part in text.as_bytes().chunks(MOST) {
            put(COMMENT, &[part])?;
        }
    }
    file.write_all(rest)?;
    Ok(())
}

/// End of the application segments.
fn after_applications(file: &[u8]) -> usize {
    let mut at = 2;
    while let Some([0xff, 0xe0..=0xef, high, low]) = file.get(at..at + 4) {
        at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
    }
    at.min(file.len())
}
