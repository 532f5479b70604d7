//! Formats of which the pixels are read, and little else: GIF, BMP, Radiance HDR, QOI and PNM.

use std::io::Cursor;

use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat, ImageReader, codecs::gif::GifDecoder};

use super::{Decoded, Limits, explain};
use crate::{colour, metadata::Resolution};

/// Reads a file of one of these formats.
///
/// # Errors
/// For a file that is broken or too large.
pub fn decode(file: &[u8], format: ImageFormat, limits: Limits) -> anyhow::Result<Decoded> {
    let explain = |error| explain(error, limits);
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(limits.for_image());
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height, usize::from(decoder.color_type().bytes_per_pixel()))?;
    let profile = decoder.icc_profile().unwrap_or_default();
    let mut decoded = Decoded { profile, ..Decoded::plain(DynamicImage::from_decoder(decoder).map_err(explain)?) };
    match format {
        ImageFormat::Gif => {
            decoded.image = without_idle_alpha(decoded.image);
            if pictures_of_gif(file) > 1 {
                decoded.warn("is an animation, and only its first picture is restored; take it apart with 'ffmpeg' or 'gifsicle --explode'");
            }
        }
        ImageFormat::Bmp => {
            let per_metre = |at| file.get(at..)?.first_chunk().map(|bytes| f64::from(i32::from_le_bytes(*bytes)));
            decoded.metadata.resolution =
                per_metre(38).zip(per_metre(42)).and_then(|(x, y)| Resolution::per_metre(x, y));
        }
        ImageFormat::Hdr => decoded.profile = Some(colour::linear_srgb()?),
        _ => {}
    }
    Ok(decoded)
}

/// Two where there are several.
fn pictures_of_gif(file: &[u8]) -> usize {
    let Ok(decoder) = GifDecoder::new(Cursor::new(file)) else { return 1 };
    decoder.into_frames().take(2).filter(Result::is_ok).count()
}

/// The decoder gives every picture an alpha channel, needed or not.
fn without_idle_alpha(image: DynamicImage) -> DynamicImage {
    match &image {
        DynamicImage::ImageRgba8(buffer) if buffer.pixels().all(|pixel| pixel.0[3] == u8::MAX) => {
            image.into_rgb8().into()
        }
        _ => image,
    }
}
