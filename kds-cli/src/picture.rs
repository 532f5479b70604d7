//! Reading pictures: upright pixels, profile and EXIF data, or one line on why not.

use std::{
    io::{Cursor, ErrorKind},
    path::Path,
};

use anyhow::{Context, anyhow, bail};
use image::{
    DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, error::LimitErrorKind,
    metadata::Orientation,
};
use kds_host::{Channels, Depth, Format, ImageRef, Samples, icc};

use crate::{exif, load::load, shown, tiff_file, webp_file};

/// Most bytes that a decoded picture may take. A crafted file of a few bytes can claim any size; this holds more than
/// 350 megapixels of 16 bits per channel.
pub const MAX_BYTES: u64 = 2 << 30;

/// A picture with what its file says about it.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The pixels, upright.
    pub image: DynamicImage,
    /// Colour profile, which fits the channels.
    pub profile: Option<Vec<u8>>,
    /// EXIF block that says "upright".
    pub exif: Option<Vec<u8>>,
}

impl Picture {
    /// A picture of pixels alone.
    ///
    /// # Errors
    /// Only when the buffer is not of the image's own size.
    pub fn of_samples(pixels: kds_host::Image) -> anyhow::Result<Self> {
        fn buffer<P: image::Pixel>(
            width: u32,
            height: u32,
            samples: Vec<P::Subpixel>,
            wrap: fn(ImageBuffer<P, Vec<P::Subpixel>>) -> DynamicImage,
        ) -> Option<DynamicImage> {
            ImageBuffer::from_raw(width, height, samples).map(wrap)
        }
        use DynamicImage::*;
        let (width, height, channels) = (pixels.width(), pixels.height(), pixels.format().channels);
        let image = match (pixels.into_samples(), channels) {
            (Samples::U8(samples), Channels::Gray) => buffer(width, height, samples, ImageLuma8),
            (Samples::U8(samples), Channels::GrayAlpha) => buffer(width, height, samples, ImageLumaA8),
            (Samples::U8(samples), Channels::Rgb) => buffer(width, height, samples, ImageRgb8),
            (Samples::U8(samples), Channels::RgbAlpha) => buffer(width, height, samples, ImageRgba8),
            (Samples::U16(samples), Channels::Gray) => buffer(width, height, samples, ImageLuma16),
            (Samples::U16(samples), Channels::GrayAlpha) => buffer(width, height, samples, ImageLumaA16),
            (Samples::U16(samples), Channels::Rgb) => buffer(width, height, samples, ImageRgb16),
            (Samples::U16(samples), Channels::RgbAlpha) => buffer(width, height, samples, ImageRgba16),
            (Samples::F32(samples), Channels::Rgb) => buffer(width, height, samples, ImageRgb32F),
            (Samples::F32(samples), Channels::RgbAlpha) => buffer(width, height, samples, ImageRgba32F),
            // The other layouts of 32 bits are neither read nor written.
            (Samples::F32(_), _) => None,
        };
        let image = image.ok_or_else(|| anyhow!("the restored pixels do not make a picture; please report this"))?;
        Ok(Self { image, profile: None, exif: None })
    }

    /// The pixels as the library takes them.
    ///
    /// # Errors
    /// For a layout that the library does not know.
    pub fn view(&self) -> anyhow::Result<ImageRef<'_>> {
        use Channels::{Gray, GrayAlpha, Rgb, RgbAlpha};
        let (width, height) = (self.image.width(), self.image.height());
        let view = match &self.image {
            DynamicImage::ImageLuma8(buffer) => ImageRef::packed(buffer.as_raw(), Gray, width, height),
            DynamicImage::ImageLumaA8(buffer) => ImageRef::packed(buffer.as_raw(), GrayAlpha, width, height),
            DynamicImage::ImageRgb8(buffer) => ImageRef::packed(buffer.as_raw(), Rgb, width, height),
            DynamicImage::ImageRgba8(buffer) => ImageRef::packed(buffer.as_raw(), RgbAlpha, width, height),
            DynamicImage::ImageLuma16(buffer) => ImageRef::packed(buffer.as_raw(), Gray, width, height),
            DynamicImage::ImageLumaA16(buffer) => ImageRef::packed(buffer.as_raw(), GrayAlpha, width, height),
            DynamicImage::ImageRgb16(buffer) => ImageRef::packed(buffer.as_raw(), Rgb, width, height),
            DynamicImage::ImageRgba16(buffer) => ImageRef::packed(buffer.as_raw(), RgbAlpha, width, height),
            DynamicImage::ImageRgb32F(buffer) => ImageRef::packed(buffer.as_raw(), Rgb, width, height),
            DynamicImage::ImageRgba32F(buffer) => ImageRef::packed(buffer.as_raw(), RgbAlpha, width, height),
            _ => bail!("has pixels of an unknown kind; convert it to PNG"),
        };
        Ok(view?)
    }

    /// Layout of the pixels.
    pub fn format(&self) -> Format {
        let color = self.image.color();
        let channels = match (color.has_color(), color.has_alpha()) {
            (false, false) => Channels::Gray,
            (false, true) => Channels::GrayAlpha,
            (true, false) => Channels::Rgb,
            (true, true) => Channels::RgbAlpha,
        };
        let depth = match color.bytes_per_pixel() / color.channel_count() {
            1 => Depth::U8,
            2 => Depth::U16,
            _ => Depth::F32,
        };
        Format { channels, depth }
    }
}

/// Reads a picture, and what a person should know about it.
///
/// # Errors
/// When the file is not there, not a picture, broken or too large; the message names the file.
pub fn read(path: &Path) -> anyhow::Result<(Picture, Vec<String>)> {
    let name = shown::path(path);
    let (picture, notes) = load(path).and_then(|file| decode(&file, MAX_BYTES)).with_context(|| name.clone())?;
    Ok((picture, notes.into_iter().map(|note| format!("{name}: {note}")).collect()))
}

/// Reads a picture from the bytes of its file, and what a person should know about it.
///
/// # Errors
/// When the bytes are not a picture, broken, or take more than `most_bytes` once decoded.
pub fn decode(file: &[u8], most_bytes: u64) -> anyhow::Result<(Picture, Vec<String>)> {
    let format = match image::guess_format(file) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Tiff)) => format,
        Ok(other) => bail!("is a picture of the format {other:?}, which is not read; convert it to PNG"),
        Err(_) => bail!("is not a picture; give a PNG, JPEG, WebP or TIFF file"),
    };
    let decoded = match decode_pixels(file, format, most_bytes) {
        // Grey with alpha is all that TIFF files hold and `image` does not read, of what we write.
        Err(ImageError::Unsupported(_)) if format == ImageFormat::Tiff && tiff_file::is_gray_alpha(file) => {
            tiff_file::read_gray_alpha(file, most_bytes)
                .map_err(|error| anyhow!("cannot be decoded: {}; replace it by an intact copy", plain(&error)))?
        }
        result => result.map_err(|error| explain(error, most_bytes))?,
    };
    let Decoded { mut image, profile, exif, orientation } = decoded;
    image.apply_orientation(orientation);
    let mut picture = Picture { image, profile, exif };
    let mut notes = Vec::new();
    if format == ImageFormat::Jpeg && jpeg_is_cut_short(file) {
        notes.push(
            "warning: the file is cut short, so that its lower part is grey; replace it by a complete copy".to_owned(),
        );
    }
    if picture.profile.as_ref().is_some_and(|profile| !icc::fits(profile, picture.format().channels)) {
        picture.profile = None;
        notes.push("warning: its colour profile is not for these channels and is left out".to_owned());
    }
    if picture.format().depth == Depth::F32 {
        notes.push("warning: its floating-point values are cut to the range from 0 to 1".to_owned());
    }
    Ok((picture, notes))
}

/// What a decoder gives.
pub struct Decoded {
    /// The pixels as they lie in the file.
    pub image: DynamicImage,
    /// Colour profile.
    pub profile: Option<Vec<u8>>,
    /// EXIF block that says "upright".
    pub exif: Option<Vec<u8>>,
    /// What makes the pixels upright.
    pub orientation: Orientation,
}

fn decode_pixels(file: &[u8], format: ImageFormat, most_bytes: u64) -> Result<Decoded, ImageError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(most_bytes);
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    // A damaged profile or EXIF block is no reason to refuse the photograph.
    let whole = format != ImageFormat::WebP || webp_file::is_whole(file);
    let profile = match format {
        ImageFormat::Tiff => tiff_file::profile(file),
        _ if whole => decoder.icc_profile().unwrap_or_default(),
        _ => None,
    };
    let block = if whole { decoder.exif_metadata().unwrap_or_default() } else { None };
    let (exif, orientation) = match (format, block) {
        (ImageFormat::Tiff, _) => (exif::of_tiff(file), decoder.orientation().ok()),
        (_, Some(block)) => {
            let (block, orientation) = exif::make_upright(block);
            (Some(block), orientation)
        }
        (_, None) => (None, None),
    };
    let image = DynamicImage::from_decoder(decoder)?;
    Ok(Decoded { image, profile, exif, orientation: orientation.unwrap_or(Orientation::NoTransforms) })
}

fn explain(error: ImageError, most_bytes: u64) -> anyhow::Error {
    match error {
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::InsufficientMemory => {
            anyhow!("is too large: its pixels take more than {} MiB; cut it into parts", most_bytes >> 20)
        }
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            anyhow!("is cut short; replace it by a complete copy")
        }
        ImageError::Unsupported(error) => anyhow!("cannot be decoded: {}; convert it to PNG", plain(&error)),
        error => anyhow!("cannot be decoded: {}; replace it by an intact copy", plain(&error)),
    }
}

/// A decoder's message on one line: some of them end theirs with a line break, or quote what the file says.
fn plain(error: &impl std::fmt::Display) -> String {
    error.to_string().replace(char::is_control, " ").trim().to_owned()
}

/// Whether the end-of-image marker is missing after the last scan. The decoder fills such pictures with grey. In the data
/// of a scan, a zero follows every byte 0xFF, so the marker cannot stand there by chance.
fn jpeg_is_cut_short(file: &[u8]) -> bool {
    let last = |marker: [u8; 2]| file.windows(2).rposition(|bytes| bytes == marker);
    match (last([0xff, 0xda]), last([0xff, 0xd9])) {
        (Some(scan), Some(end)) => end < scan,
        (_, end) => end.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::ImageEncoder;

    use super::*;
    use crate::{save, testing};

    fn decode(file: &[u8]) -> anyhow::Result<(Picture, Vec<String>)> {
        super::decode(file, MAX_BYTES)
    }

    fn bytes_of(picture: &Picture, name: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        save::save(picture, &path, 92).unwrap();
        fs::read(path).unwrap()
    }

    fn rgb(width: u32, height: u32) -> Picture {
        Picture { image: testing::pictures(width, height).swap_remove(2), profile: None, exif: None }
    }

    fn refusal(file: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        fs::write(&path, file).unwrap();
        let message = format!("{:#}", read(&path).unwrap_err());
        assert!(message.starts_with(&format!("{}: ", path.display())) && message.contains("; "), "{message}");
        assert!(!message.contains('\n'), "{message}");
        message
    }

    #[test]
    fn what_is_not_a_picture_is_refused_in_one_line() {
        assert!(refusal(b"").contains("empty"));
        assert!(refusal(b"plain text").contains("not a picture"));
        assert!(refusal(b"GIF89a\x01\0\x01\0").contains("Gif"));
        let png = bytes_of(&rgb(40, 30), "x.png");
        assert!(refusal(&png[..png.len() / 2]).contains("cut short"), "{}", refusal(&png[..png.len() / 2]));
        assert!(refusal(&png[..20]).contains("replace it"));
        let tiff = bytes_of(&rgb(40, 30), "x.tif");
        assert!(refusal(&tiff[..tiff.len() / 2]).contains("replace it"));
        let webp = bytes_of(&rgb(40, 30), "x.webp");
        assert!(refusal(&webp[..webp.len() / 2]).contains("replace it"));
    }

    #[test]
    fn paths_that_are_no_files_are_refused() {
        let message = |path: &str| format!("{:#}", read(Path::new(path)).unwrap_err());
        assert_eq!(message("/nowhere/x.png"), "/nowhere/x.png: there is no such file; check the path");
        assert!(message("/").contains("is a folder"));
        assert!(message("/dev/null").contains("not a regular file"));
    }

    #[test]
    fn a_claim_of_a_giant_picture_allocates_nothing() {
        let mut png = bytes_of(&rgb(2, 2), "x.png");
        // Width and height in the header, and the header's checksum.
        png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        let checksum = png_checksum(&png[12..29]);
        png[29..33].copy_from_slice(&checksum.to_be_bytes());
        assert!(refusal(&png).contains("too large"), "{}", refusal(&png));
    }

    fn png_checksum(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 })
        })
    }

    #[test]
    fn a_jpeg_that_is_cut_short_is_read_with_a_warning() {
        let jpeg = bytes_of(&rgb(64, 64), "x.jpg");
        let (picture, notes) = decode(&jpeg).unwrap();
        assert!(notes.is_empty() && picture.image.width() == 64, "{notes:?}");
        let (_, notes) = decode(&jpeg[..jpeg.len() * 3 / 4]).unwrap();
        assert!(notes[0].contains("cut short"), "{notes:?}");
    }

    #[test]
    fn photographs_are_turned_upright() {
        let upright = rgb(6, 4);
        for orientation in 1..=8u16 {
            let stored = Orientation::from_exif(orientation as u8).unwrap();
            // The stored pixels are such that the orientation makes them upright again.
            let mut lying = upright.clone();
            let inverse = match stored {
                Orientation::Rotate90 => Orientation::Rotate270,
                Orientation::Rotate270 => Orientation::Rotate90,
                other => other,
            };
            lying.image.apply_orientation(inverse);
            lying.exif = Some(testing::exif(orientation));
            for name in ["x.png", "x.webp"] {
                let (picture, notes) = decode(&bytes_of(&lying, name)).unwrap();
                assert_eq!(picture.image, upright.image, "{orientation} {name}");
                assert_eq!(Orientation::from_exif_chunk(&picture.exif.unwrap()), Some(Orientation::NoTransforms));
                assert!(notes.is_empty(), "{notes:?}");
            }
            let (picture, _) = decode(&bytes_of(&lying, "x.jpg")).unwrap();
            assert_eq!((picture.image.width(), picture.image.height()), (6, 4), "{orientation}");
        }
    }

    #[test]
    fn palette_pictures_become_rgb() {
        // Two pixels, red and green, of one bit each.
        let palette = include_bytes!("../testdata/palette.png");
        let (picture, _) = decode(palette).unwrap();
        assert_eq!(picture.image.to_rgb8().as_raw(), &[255, 0, 0, 0, 255, 0]);
        assert_eq!(picture.format().channels, Channels::Rgb);
    }

    #[test]
    fn cmyk_photographs_become_rgb_without_their_profile() {
        // Pure red, 8x8, in the inverted CMYK of Adobe, with a CMYK profile.
        let (picture, notes) = decode(include_bytes!("../testdata/cmyk.jpg")).unwrap();
        let pixel = picture.image.to_rgb8().get_pixel(4, 4).0;
        assert!(pixel[0] > 240 && pixel[1] < 15 && pixel[2] < 15, "{pixel:?}");
        assert!(picture.profile.is_none() && notes[0].contains("profile"), "{notes:?}");
    }

    #[test]
    fn a_profile_for_other_channels_is_left_out() {
        let mut png = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        encoder.set_icc_profile(testing::profile(b"GRAY")).unwrap();
        encoder.write_image(&[1, 2, 3], 1, 1, image::ExtendedColorType::Rgb8).unwrap();
        let (picture, notes) = decode(&png).unwrap();
        assert!(picture.profile.is_none() && notes[0].contains("profile"), "{notes:?}");
    }
}
