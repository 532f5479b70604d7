//! WebP files.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, codecs::webp::WebPDecoder};

use super::{Decoded, Limits, explain};
use crate::metadata::Metadata;

/// Reads a WebP file.
///
/// # Errors
/// For a file that is broken or too large.
pub fn decode(file: &[u8], limits: Limits) -> anyhow::Result<Decoded> {
    let explain = |error| explain(error, limits);
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(explain)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height, usize::from(decoder.color_type().bytes_per_pixel()))?;
    decoder.set_limits(limits.for_image()).map_err(explain)?;
    // A damaged profile or EXIF block is no reason to refuse the photograph.
    let mut profile = None;
    let mut metadata = Metadata::default();
    if is_whole(file) {
        profile = decoder.icc_profile().unwrap_or_default();
        metadata.exif = decoder.exif_metadata().unwrap_or_default();
        metadata.xmp = decoder.xmp_metadata().unwrap_or_default();
    }
    let animated = decoder.has_animation();
    let image = DynamicImage::from_decoder(decoder).map_err(explain)?;
    let mut decoded = Decoded { profile, metadata, ..Decoded::plain(image) };
    decoded.complete_space()?;
    if animated {
        decoded
            .warn("is an animation, and only its first picture is restored; take it apart with 'webpmux' or 'ffmpeg'");
    }
    Ok(decoded)
}

/// Whether all chunks lie within the file, so that its colour profile and EXIF data may be asked for: the
/// decoder allocates what a chunk claims to hold before it looks whether the file has it, up to 4 GiB.
pub fn is_whole(file: &[u8]) -> bool {
    // "RIFF", the size of the rest and "WEBP", then chunks: a name, a size, and the data, padded to an even length.
    let mut rest = file.get(12..).unwrap_or_default();
    while let Some((header, data)) = rest.split_first_chunk::<8>() {
        let size = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if size > data.len() {
            return false;
        }
        rest = data.get(size.next_multiple_of(2)..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_claims_more_than_there_is_is_found() {
        let file = |size: u32| [b"RIFF\0\0\0\0WEBPEXIF", &size.to_le_bytes()[..], b"12345\0"].concat();
        assert!(is_whole(&file(5)) && is_whole(&file(6)));
        assert!(!is_whole(&file(7)) && !is_whole(&file(u32::MAX)));
        assert!(is_whole(b"RIFF"));
    }
}
