//! PNG files.

use std::io::Write;

use anyhow::bail;
use image::DynamicImage;
use png::{BitDepth, ColorType, Encoder, Info, PixelDimensions, Unit};

use crate::{
    metadata::{Metadata, iptc, xmp},
    picture::Picture,
};

/// Writes a picture of 8 or 16 bits.
pub fn write(picture: &Picture, file: &mut impl Write) -> anyhow::Result<()> {
    use DynamicImage::*;
    let (color_type, bit_depth) = match &picture.image {
        ImageLuma8(_) => (ColorType::Grayscale, BitDepth::Eight),
        ImageLumaA8(_) => (ColorType::GrayscaleAlpha, BitDepth::Eight),
        ImageRgb8(_) => (ColorType::Rgb, BitDepth::Eight),
        ImageRgba8(_) => (ColorType::Rgba, BitDepth::Eight),
        ImageLuma16(_) => (ColorType::Grayscale, BitDepth::Sixteen),
        ImageLumaA16(_) => (ColorType::GrayscaleAlpha, BitDepth::Sixteen),
        ImageRgb16(_) => (ColorType::Rgb, BitDepth::Sixteen),
        ImageRgba16(_) => (ColorType::Rgba, BitDepth::Sixteen),
        _ => bail!("pixels of 32 bits are not written as PNG; please report this"),
    };
    let metadata = &picture.metadata;
    let mut info = Info::with_size(picture.image.width(), picture.image.height());
    info.color_type = color_type;
    info.bit_depth = bit_depth;
    info.icc_profile = picture.profile.as_deref().map(Into::into);
    info.exif_metadata = metadata.exif.as_deref().map(Into::into);
    info.pixel_dims = metadata.resolution.map(|resolution| {
        let (xppu, yppu) = resolution.to_metre();
        PixelDimensions { xppu, yppu, unit: Unit::Meter }
    });
    let mut encoder = Encoder::with_info(file, info)?;
    write_texts(&mut encoder, metadata)?;
    let mut writer = encoder.write_header()?;
    match bit_depth {
        BitDepth::Sixteen => {
            let samples = picture.image.as_bytes().as_chunks::<2>().0;
            // The file has the high byte first.
            let bytes: Vec<u8> = samples.iter().flat_map(|bytes| u16::from_ne_bytes(*bytes).to_be_bytes()).collect();
            writer.write_image_data(&bytes)?;
        }
        _ => writer.write_image_data(picture.image.as_bytes())?,
    }
    Ok(writer.finish()?)
}

fn write_texts<W: Write>(encoder: &mut Encoder<'_, W>, metadata: &Metadata) -> anyhow::Result<()> {
    for (keyword, text) in &metadata.texts {
        // A keyword has up to 79 letters of Latin.
        let sound =
            (1..=79).contains(&keyword.chars().count()) && keyword.chars().all(|letter| (' '..='~').contains(&letter));
        let keyword = if sound { keyword.clone() } else { "Comment".to_owned() };
        // A zero would end the text early.
        let text = text.replace('\0', " ");
        if text.is_ascii() { encoder.add_text_chunk(keyword, text)? } else { encoder.add_itxt_chunk(keyword, text)? }
    }
    if let Some(packet) = metadata.xmp.as_deref().and_then(|packet| std::str::from_utf8(packet).ok()) {
        encoder.add_itxt_chunk(xmp::PNG_KEYWORD.to_owned(), packet.replace('\0', " "))?;
    }
    if let Some(records) = &metadata.iptc {
        encoder.add_ztxt_chunk(iptc::PNG_KEYWORD.to_owned(), iptc::to_png(records))?;
    }
    Ok(())
}
