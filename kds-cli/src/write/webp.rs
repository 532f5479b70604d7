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
    let (width, height) = (picture.image.width(), picture.image.height());
    let mut simple = Vec::new();
    WebPEncoder::new(&mut simple).encode(picture.image.as_bytes(), width, height, color)?;
    // Always the extended container: the simple one has no place for other chunks before the pixels.
    let metadata = &picture.metadata;
    let has = |there: bool, flag: u8| if there { flag } else { 0 };
    let flags = has(metadata.xmp.is_some(), 1 << 2)
        | has(metadata.exif.is_some(), 1 << 3)
        | has(picture.image.color().has_alpha(), 1 << 4)
        | has(picture.profile.is_some(), 1 << 5);
    let side = |pixels: u32| (pixels - 1).to_le_bytes();
    let ([w0, w1, w2, _], [h0, h1, h2, _]) = (side(width), side(height));
    let mut chunks = Vec::new();
    put(&mut chunks, b"VP8X", &[flags, 0, 0, 0, w0, w1, w2, h0, h1, h2]);
    picture.profile.iter().for_each(|profile| put(&mut chunks, b"ICCP", profile));
    chunks.extend(simple.get(CONTAINER..).unwrap_or_default());
    metadata.exif.iter().for_each(|block| put(&mut chunks, b"EXIF", block));
    metadata.xmp.iter().for_each(|packet| put(&mut chunks, b"XMP ", packet));
    file.write_all(b"RIFF")?;
    file.write_all(&u32::try_from(chunks.len() + 4)?.to_le_bytes())?;
    file.write_all(b"WEBP")?;
    Ok(file.write_all(&chunks)?)
}

/// Length of what stands before the first chunk.
const CONTAINER: usize = 12;

/// A chunk, padded to an even length.
fn put(chunks: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    chunks.extend(name);
    chunks.extend((data.len() as u32).to_le_bytes());
    chunks.extend(data);
    chunks.extend(std::iter::repeat_n(0, data.len() % 2));
}
