//! JPEG files: pixels as far as they go, and the metadata between the markers.

use anyhow::bail;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::{JpegDecoder, errors::DecodeErrors};

use super::{
    Decoded, Limits, broken,
    jpeg_segments::{Segment, Segments},
};
use crate::{
    colour,
    metadata::{Metadata, Resolution, exif, iptc, xmp},
};

/// Where JPEG keeps a colour profile; the number of the part and the number of parts follow.
const PROFILE_PREFIX: &[u8] = b"ICC_PROFILE\0";

/// Bits that no picture needs after its last pixel. They hold no marker, and differ from the zeros that a decoder takes
/// where bits are missing.
const BEYOND: [u8; 256] = [0x5a; 256];

/// Reads a JPEG file.
///
/// # Errors
/// For a file without a picture, and one that is too large.
pub fn decode(file: &[u8], limits: Limits) -> anyhow::Result<Decoded> {
    let segments = Segments::of(file);
    if let Some((kind, advice)) = segments.unsupported() {
        bail!("is a JPEG file of {kind}, which is not read; {advice}");
    }
    let metadata = metadata(&segments);
    let profile = profile(&segments);
    let cmyk = profile.as_deref().is_some_and(|profile| profile.get(16..20) == Some(b"CMYK"));

    let whole = segments.picture(&[]);
    let (pixels, sound) = match pixels(&whole, true, cmyk, limits)? {
        Ok(pixels) => (pixels, true),
        Err(strict) => match pixels(&whole, false, cmyk, limits)? {
            Ok(pixels) => (pixels, false),
            Err(_) => return Err(broken(&strict)),
        },
    };
    // A decoder takes zeros for missing bits and says nothing. A picture that lacks bits looks different when others
    // follow.
    let complete = sound
        && matches!(pixels_quietly(&segments.picture(&BEYOND), cmyk), Some(again) if again.samples == pixels.samples);
    let (width, height) = (pixels.width, pixels.height);
    let mut notes = Vec::new();
    let (image, profile) = match pixels.space {
        ColorSpace::Luma => (GrayImage::from_raw(width, height, pixels.samples).map(DynamicImage::from), profile),
        ColorSpace::CMYK | ColorSpace::YCCK if cmyk => {
            let inks = inks(pixels.samples, pixels.space);
            let (samples, note) = colour::cmyk_to_srgb(&inks, profile.as_deref())?;
            notes.push(format!("warning: {note}"));
            (RgbImage::from_raw(width, height, samples).map(DynamicImage::from), None)
        }
        _ => (RgbImage::from_raw(width, height, pixels.samples).map(DynamicImage::from), profile),
    };
    let image = image.ok_or_else(|| broken(&"the decoder gave another number of pixels than the file has"))?;
    let mut decoded = Decoded { profile, metadata, notes, ..Decoded::plain(image) };
    if !pixels.was_cmyk {
        decoded.complete_space()?;
    }
    if pixels.was_cmyk && !cmyk {
        decoded.warn("its four inks have no colour profile, so that their colours are a guess");
    }
    if complete && !segments.is_refined() {
        decoded
            .warn("the file lacks its last scans, so that it is less sharp than it was; replace it by a complete copy");
    }
    if !complete {
        let ended = if segments.ended { "is damaged or" } else { "is" };
        decoded
            .warn(format!("the file {ended} cut short, so that a part of it is grey; replace it by a complete copy"));
    }
    Ok(decoded)
}

/// Decoded pixels.
struct Pixels {
    samples: Vec<u8>,
    width: u32,
    height: u32,
    space: ColorSpace,
    was_cmyk: bool,
}

fn pixels(file: &[u8], strict: bool, cmyk: bool, limits: Limits) -> anyhow::Result<Result<Pixels, DecodeErrors>> {
    let options =
        DecoderOptions::default().set_strict_mode(strict).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    if let Err(error) = decoder.decode_headers() {
        return Ok(Err(error));
    }
    let (Some((width, height)), Some(space)) = (decoder.dimensions(), decoder.input_colorspace()) else {
        return Ok(Err(DecodeErrors::FormatStatic("no picture in it")));
    };
    let (width, height) = (u32::try_from(width)?, u32::try_from(height)?);
    limits.check(width, height, space.num_components())?;
    let wanted = match space {
        ColorSpace::Luma => space,
        ColorSpace::CMYK | ColorSpace::YCCK if cmyk => space,
        _ => ColorSpace::RGB,
    };
    let was_cmyk = matches!(space, ColorSpace::CMYK | ColorSpace::YCCK);
    decoder.set_options(options.jpeg_set_out_colorspace(wanted));
    Ok(decoder.decode().map(|samples| Pixels { samples, width, height, space: wanted, was_cmyk }))
}

fn pixels_quietly(file: &[u8], cmyk: bool) -> Option<Pixels> {
    // The size has been checked.
    pixels(file, true, cmyk, Limits { most_bytes: u64::MAX }).ok()?.ok()
}

/// How much of each ink: Adobe, who brought four channels to JPEG, stores how much is left out.
fn inks(mut samples: Vec<u8>, space: ColorSpace) -> Vec<u8> {
    for pixel in samples.as_chunks_mut::<4>().0 {
        if space == ColorSpace::YCCK {
            let [y, cb, cr, _] = pixel.map(f32::from);
            let (cb, cr) = (cb - 128.0, cr - 128.0);
            // As for YCbCr (JFIF 1.02); what comes out are the inks.
            let colours = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
            for (sample, colour) in pixel.iter_mut().zip(colours) {
                *sample = 255 - colour.round() as u8;
            }
        }
        *pixel = pixel.map(|sample| 255 - sample);
    }
    samples
}

fn metadata(segments: &Segments) -> Metadata {
    let find = |number, prefix| segments.iter().find_map(|segment| segment.of_application(number, prefix));
    let joined: Vec<u8> = segments
        .iter()
        .filter_map(|segment| segment.of_application(13, iptc::JPEG_PREFIX))
        .flatten()
        .copied()
        .collect();
    Metadata {
        exif: find(1, exif::PREFIX).map(<[u8]>::to_vec),
        xmp: find(1, xmp::JPEG_PREFIX).map(<[u8]>::to_vec),
        iptc: iptc::of_resources(&joined),
        texts: segments.iter().filter_map(Segment::comment).map(|text| ("Comment".to_owned(), text)).collect(),
        resolution: find(0, b"JFIF\0").and_then(resolution),
    }
}

/// The resolution in a JFIF segment: version, unit, and two numbers.
fn resolution(jfif: &[u8]) -> Option<Resolution> {
    let [_, _, unit, x1, x2, y1, y2, ..] = *jfif else { return None };
    let (x, y) = (f64::from(u16::from_be_bytes([x1, x2])), f64::from(u16::from_be_bytes([y1, y2])));
    match unit {
        1 => Resolution::per_inch(x, y),
        2 => Resolution::per_centimetre(x, y),
        _ => None,
    }
}

/// The profile, put together from its parts in their order.
fn profile(segments: &Segments) -> Option<Vec<u8>> {
    let mut parts: Vec<(u8, &[u8])> = segments
        .iter()
        .filter_map(|segment| segment.of_application(2, PROFILE_PREFIX))
        .filter_map(|part| part.split_first_chunk::<2>().map(|([number, _of], data)| (*number, data)))
        .collect();
    parts.sort_by_key(|(number, _)| *number);
    let profile: Vec<u8> = parts.into_iter().flat_map(|(_, data)| data).copied().collect();
    (!profile.is_empty()).then_some(profile)
}
