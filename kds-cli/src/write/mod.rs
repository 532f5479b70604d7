//! Writing pictures in each format: pixels, colour space and metadata, as far as the format can hold them.

mod exr;
mod jpeg;
mod png;
mod tiff;
mod webp;

use std::io::{Seek, Write};

use image::DynamicImage;
use kds_host::{Channels, Depth};

use crate::{colour, file_kind::FileKind, metadata::exif, picture::Picture};

/// The picture as the format can hold it, and what was left out.
///
/// # Errors
/// When its colours cannot be converted.
pub fn adapt(picture: &Picture, kind: FileKind) -> anyhow::Result<(Picture, Vec<String>)> {
    let mut notes = Vec::new();
    let mut picture = picture.clone();
    let format = picture.format();
    let depth = kind.depth(format.depth);
    if kind == FileKind::Exr {
        picture.image = colour::in_linear(&picture)?;
        picture.profile = None;
    } else {
        picture.image = pixels(picture.image, kind, format.channels, depth, &mut notes);
    }
    // A WebP file is always RGB.
    let stored = if kind == FileKind::WebP { Channels::Rgb } else { picture.format().channels };
    if picture.profile.as_ref().is_some_and(|profile| !colour::fits(profile, stored)) {
        picture.image = colour::in_srgb(&picture).map_or(picture.image, |image| with_depth(image, depth));
        picture.profile = None;
        notes
            .push("the colour profile is not for these channels, so that the colours are converted to sRGB".to_owned());
    }
    let (width, height) = (picture.image.width(), picture.image.height());
    picture.metadata.describe(width, height);
    leave_out(&mut picture, kind, &mut notes);
    Ok((picture, notes))
}

/// Writes a picture that fits the format; the mark goes to the beginning where a format has room for it in its structures.
///
/// # Errors
/// When it cannot be written.
pub fn encode(
    picture: &Picture,
    kind: FileKind,
    quality: u8,
    mark: &str,
    file: &mut (impl Write + Seek),
) -> anyhow::Result<()> {
    match kind {
        FileKind::Png => png::write(picture, file),
        FileKind::Jpeg => jpeg::write(picture, quality, file),
        FileKind::WebP => webp::write(picture, file),
        FileKind::Tiff => tiff::write(picture, mark, file),
        FileKind::Exr => exr::write(picture, mark, file),
    }
}

fn pixels(
    image: DynamicImage,
    kind: FileKind,
    channels: Channels,
    depth: Depth,
    notes: &mut Vec<String>,
) -> DynamicImage {
    if kind == FileKind::Jpeg && channels.has_alpha() {
        notes.push("JPEG has no transparency, so it is left out; write PNG, WebP or TIFF to keep it".to_owned());
    }
    let image = match (kind, channels) {
        (FileKind::Jpeg, Channels::GrayAlpha) => without_alpha(image),
        (FileKind::Jpeg, Channels::RgbAlpha) => without_alpha(image),
        _ => image,
    };
    with_depth(image, depth)
}

fn without_alpha(image: DynamicImage) -> DynamicImage {
    use DynamicImage::{ImageLumaA8, ImageLumaA16, ImageRgba8, ImageRgba16, ImageRgba32F};
    match image {
        ImageLumaA8(_) => image.into_luma8().into(),
        ImageLumaA16(_) => image.into_luma16().into(),
        ImageRgba8(_) => image.into_rgb8().into(),
        ImageRgba16(_) => image.into_rgb16().into(),
        ImageRgba32F(_) => image.into_rgb32f().into(),
        _ => image,
    }
}

fn with_depth(image: DynamicImage, depth: Depth) -> DynamicImage {
    let color = image.color();
    match (depth, color.has_color(), color.has_alpha()) {
        (Depth::U8, false, false) => image.into_luma8().into(),
        (Depth::U8, false, true) => image.into_luma_alpha8().into(),
        (Depth::U8, true, false) => image.into_rgb8().into(),
        (Depth::U8, true, true) => image.into_rgba8().into(),
        (Depth::U16, false, false) => image.into_luma16().into(),
        (Depth::U16, false, true) => image.into_luma_alpha16().into(),
        (Depth::U16, true, false) => image.into_rgb16().into(),
        (Depth::U16, true, true) => image.into_rgba16().into(),
        // Only floating-point pictures are written in floating point.
        (Depth::F32, ..) => image,
    }
}

/// Leaves out what the format cannot hold, and says so.
fn leave_out(picture: &mut Picture, kind: FileKind, notes: &mut Vec<String>) {
    let metadata = &mut picture.metadata;
    let mut left_out = |what: &str, keep: &str| notes.push(format!("{what} left out; write {keep} to keep them"));
    let too_long = |bytes: &Option<Vec<u8>>, most: usize| bytes.as_ref().is_some_and(|bytes| bytes.len() > most);
    if kind == FileKind::Jpeg {
        if too_long(&metadata.exif, jpeg::MOST_EXIF) {
            metadata.exif = None;
            left_out("the EXIF data are too long for JPEG and are", "PNG, WebP or TIFF");
        }
        if too_long(&metadata.xmp, jpeg::MOST_XMP) {
            metadata.xmp = None;
            left_out("the XMP data are too long for JPEG and are", "PNG, WebP or TIFF");
        }
        if too_long(&metadata.iptc, jpeg::MOST_IPTC) {
            metadata.iptc = None;
            left_out("the IPTC data are too long for JPEG and are", "PNG or TIFF");
        }
    }
    if kind == FileKind::Tiff && metadata.exif.as_ref().is_some_and(|block| exif::fields_for_tiff(block).is_none()) {
        metadata.exif = None;
        left_out("the EXIF data are damaged and are", "PNG, WebP or JPEG");
    }
    if kind == FileKind::WebP && (metadata.iptc.take().is_some() | !std::mem::take(&mut metadata.texts).is_empty()) {
        left_out("WebP has no place for IPTC data and texts, so that they are", "PNG, JPEG or TIFF");
    }
    if kind == FileKind::Exr
        && (metadata.exif.take().is_some()
            | metadata.xmp.take().is_some()
            | metadata.iptc.take().is_some()
            | !std::mem::take(&mut metadata.texts).is_empty())
    {
        left_out("OpenEXR has no place for EXIF, XMP, IPTC data and texts, so that they are", "TIFF");
    }
}
