//! OpenEXR files: linear light in floating point, alpha multiplied into the colours.

use std::io::Cursor;

use anyhow::bail;
use exr::meta::MetaData;
use image::{DynamicImage, ImageDecoder, codecs::openexr::OpenExrDecoder};

use super::{Decoded, Limits, alpha::straight, explain};
use crate::colour;

/// Reads the first layer of colours of an OpenEXR file.
///
/// # Errors
/// For a file that is broken or too large, or holds no colours.
pub fn decode(file: &[u8], limits: Limits) -> anyhow::Result<Decoded> {
    let explain = |error| explain(error, limits);
    let mut decoder = OpenExrDecoder::new(Cursor::new(file)).map_err(explain)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height, 16)?;
    decoder.set_limits(limits.for_image()).map_err(explain)?;
    let mut decoded = Decoded::plain(DynamicImage::from_decoder(decoder).map_err(explain)?);
    straight(&mut decoded.image);
    let meta = MetaData::read_from_buffered(Cursor::new(file), false).ok();
    if let Some(meta) = &meta
        && meta.headers.len() > 1
    {
        decoded.warn(format!("holds {} layers, and only the first with colours is restored", meta.headers.len()));
    }
    let primaries = meta.and_then(|meta| meta.headers.first()?.shared_attributes.chromaticities);
    let points = primaries
        .map(|points| [points.white, points.red, points.green, points.blue].map(|point| (point.x(), point.y())));
    let Some(profile) = colour::of_gamma_and_primaries(Some(1.0), points, false)? else {
        bail!("has primaries that make no colours; convert it to PNG");
    };
    decoded.profile = Some(profile);
    Ok(decoded)
}
