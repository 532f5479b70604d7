//! PNG files: rows as far as they go, and the metadata before and after them.

use std::io::{Cursor, ErrorKind};

use anyhow::{anyhow, bail};
use image::{DynamicImage, ImageBuffer};
use png::{BitDepth, ColorType, Decoder, DecodingError, Info, Reader, Transformations};

use super::{Decoded, Limits, broken, cut_short, plain};
use crate::{
    colour,
    metadata::{self, Metadata, Resolution, iptc, xmp},
};

/// Length of the signature.
const SIGNATURE: usize = 8;
/// Grey, for rows that are not there.
const MISSING: u8 = 0x80;

/// Width and height that the header claims.
pub fn size(file: &[u8]) -> Option<(u32, u32)> {
    let side = |at: usize| file.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    // Behind the length and the name of the first chunk.
    side(SIGNATURE + 8).zip(side(SIGNATURE + 12))
}

/// Reads a PNG file.
///
/// # Errors
/// For a file that is broken before its first row, or too large.
pub fn decode(file: &[u8], limits: Limits) -> anyhow::Result<Decoded> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(file), png::Limits { bytes: metadata::MOST_BYTES });
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(explain)?;
    limits.check(header.width, header.height, header.color_type.samples() * (header.bit_depth as usize).div_ceil(8))?;
    // The decoder counts a row among the metadata.
    let row = header.width as usize * 8;
    decoder.set_limits(png::Limits { bytes: metadata::MOST_BYTES.saturating_add(row) });
    let mut reader = decoder.read_info().map_err(explain)?;
    // With the colours of a palette, and with alpha where a colour is transparent.
    if reader.output_buffer_size().is_none_or(|bytes| bytes as u64 > limits.most_bytes) {
        return Err(limits.exceeded());
    }
    // Deflate packs 1032 bytes into one at most, so that memory is only taken for rows that can be there.
    const MOST_PACKED: u64 = 1032;
    let unpacked = reader.info().raw_row_length() as u64 * u64::from(reader.info().height);
    if unpacked / MOST_PACKED > file.len() as u64 {
        return Err(cut_short());
    }
    let (image, end) = rows(&mut reader)?;
    let trailer = if end.is_none() { reader.finish().err() } else { None };
    let info = reader.info();
    let mut decoded = Decoded { metadata: metadata_of(info), ..Decoded::plain(image) };
    match end {
        Some(End { row, rows }) => decoded.warn(format!(
            "the file is cut short or damaged: of its {rows} rows only the first {row} could be read, and the rest is grey; \
             replace it by a complete copy"
        )),
        None if trailer.is_some() => {
            decoded.warn("the file is cut short after its pixels: they are complete, but what may have followed is lost");
        }
        None => {}
    }
    if let Some(animation) = info.animation_control.filter(|animation| animation.num_frames > 1) {
        decoded.warn(format!(
            "is an animation of {} pictures, and only the first is restored; take it apart with 'ffmpeg' or 'apngdis'",
            animation.num_frames
        ));
    }
    match profile(info)? {
        Some(profile) => decoded.profile = Some(profile),
        None if has_profile(file) => decoded.warn("its colour profile is damaged or far too large, and is left out"),
        None if info.srgb.is_none() && info.gama_chunk.is_none() => {
            let stated = decoded.states_adobe_rgb();
            decoded.doubt_space(stated);
        }
        None => {}
    }
    Ok(decoded)
}

/// End of the rows in a file that is cut short.
struct End {
    row: usize,
    rows: usize,
}

fn rows(reader: &mut Reader<Cursor<&[u8]>>) -> anyhow::Result<(DynamicImage, Option<End>)> {
    let (colour, depth) = reader.output_color_type();
    let (width, height, interlaced) = (reader.info().width, reader.info().height, reader.info().interlaced);
    let row_bytes = reader.output_line_size(width).ok_or_else(cut_short)?;
    let mut samples = vec![MISSING; row_bytes * height as usize];
    let mut end = None;
    if interlaced {
        // Coarse rows come first, so that there is no last one.
        if let Err(error) = reader.next_frame(&mut samples) {
            end = Some((error, height as usize / 2));
        }
    } else {
        for (number, row) in samples.chunks_exact_mut(row_bytes).enumerate() {
            if let Err(error) = reader.read_row(row) {
                end = Some((error, number));
                break;
            }
        }
    }
    let end = match end {
        Some((error, 0)) => return Err(explain(error)),
        Some((_, row)) => Some(End { row, rows: height as usize }),
        None => None,
    };
    let image = match (colour, depth) {
        (ColorType::Grayscale, BitDepth::Eight) => buffer(width, height, samples).map(DynamicImage::ImageLuma8),
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => buffer(width, height, samples).map(DynamicImage::ImageLumaA8),
        (ColorType::Rgb, BitDepth::Eight) => buffer(width, height, samples).map(DynamicImage::ImageRgb8),
        (ColorType::Rgba, BitDepth::Eight) => buffer(width, height, samples).map(DynamicImage::ImageRgba8),
        (ColorType::Grayscale, BitDepth::Sixteen) => {
            buffer(width, height, wide(&samples)).map(DynamicImage::ImageLuma16)
        }
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => {
            buffer(width, height, wide(&samples)).map(DynamicImage::ImageLumaA16)
        }
        (ColorType::Rgb, BitDepth::Sixteen) => buffer(width, height, wide(&samples)).map(DynamicImage::ImageRgb16),
        (ColorType::Rgba, BitDepth::Sixteen) => buffer(width, height, wide(&samples)).map(DynamicImage::ImageRgba16),
        _ => None,
    };
    Ok((image.ok_or_else(|| broken(&"its rows are of an unknown kind"))?, end))
}

fn buffer<P: image::Pixel>(
    width: u32,
    height: u32,
    samples: Vec<P::Subpixel>,
) -> Option<ImageBuffer<P, Vec<P::Subpixel>>> {
    ImageBuffer::from_raw(width, height, samples)
}

fn wide(samples: &[u8]) -> Vec<u16> {
    samples.as_chunks().0.iter().map(|bytes| u16::from_be_bytes(*bytes)).collect()
}

fn explain(error: DecodingError) -> anyhow::Error {
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => cut_short(),
        DecodingError::LimitsExceeded => {
            anyhow!("is too large: its metadata take more than {} MiB; remove them", metadata::MOST_BYTES >> 20)
        }
        error => anyhow!("cannot be decoded: {}; replace it by an intact copy", plain(&error)),
    }
}

fn metadata_of(info: &Info) -> Metadata {
    let latin = info.uncompressed_latin1_text.iter().map(|chunk| (chunk.keyword.clone(), Some(chunk.text.clone())));
    let packed = info.compressed_latin1_text.iter().map(|chunk| {
        let mut chunk = chunk.clone();
        // Limited; then there is nothing left to unpack.
        let text = chunk.decompress_text().and_then(|()| chunk.get_text()).ok();
        (chunk.keyword, text)
    });
    let unicode = info.utf8_text.iter().map(|chunk| {
        let mut chunk = chunk.clone();
        let text = chunk.decompress_text().and_then(|()| chunk.get_text()).ok();
        (chunk.keyword, text)
    });
    let mut metadata = Metadata {
        exif: info.exif_metadata.as_ref().map(|block| block.to_vec()),
        resolution: info
            .pixel_dims
            .filter(|dims| dims.unit == png::Unit::Meter)
            .and_then(|dims| Resolution::per_metre(dims.xppu.into(), dims.yppu.into())),
        ..Metadata::default()
    };
    for (keyword, text) in latin.chain(packed).chain(unicode) {
        let Some(text) = text else { continue };
        match keyword.as_str() {
            xmp::PNG_KEYWORD => metadata.xmp = Some(text.into_bytes()),
            iptc::PNG_KEYWORD => metadata.iptc = iptc::of_png(&text),
            // Describe the file, or hold once more what has a place of its own.
            "Raw profile type exif" | "Raw profile type APP1" | "Raw profile type icc" | "Raw profile type xmp" => {}
            _ => metadata.texts.push((keyword, text)),
        }
    }
    metadata
}

/// The colour space, as a profile: code points before a profile, that before sRGB, that before gamma and primaries
/// (PNG, third edition, section 4.3).
fn profile(info: &Info) -> anyhow::Result<Option<Vec<u8>>> {
    let grey = matches!(info.color_type, ColorType::Grayscale | ColorType::GrayscaleAlpha);
    if let Some(points) = info.coding_independent_code_points {
        if !points.is_video_full_range_image {
            bail!(
                "has levels of narrow range (its cICP chunk says so), which is not treated; convert it to full range"
            );
        }
        return colour::of_code_points(points.color_primaries, points.transfer_function, grey);
    }
    if let Some(profile) = &info.icc_profile {
        return Ok(Some(profile.to_vec()));
    }
    if info.srgb.is_some() {
        return Ok(None);
    }
    let gamma = info.gama_chunk.map(|gamma| gamma.into_value());
    let primaries = info.chrm_chunk.map(|points| {
        [points.white, points.red, points.green, points.blue].map(|(x, y)| (x.into_value(), y.into_value()))
    });
    colour::of_gamma_and_primaries(gamma, primaries, grey)
}

/// True for a file with a colour profile of any kind.
fn has_profile(file: &[u8]) -> bool {
    let mut rest = file.get(SIGNATURE..).unwrap_or_default();
    // A length, a name, the data, and a checksum.
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        match after.get(..4) {
            Some(b"iCCP") => return true,
            Some(b"IDAT") | None => return false,
            Some(_) => rest = after.get(u32::from_be_bytes(*length) as usize + 8..).unwrap_or_default(),
        }
    }
    false
}
