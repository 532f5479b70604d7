//! Reading pictures: upright pixels, colour space and metadata, or one line on why not.

mod alpha;
mod exr;
mod format;
mod guard;
mod jpeg;
mod jpeg_segments;
mod jxl;
mod limits;
mod others;
mod png;
mod tiff;
mod webp;

use std::{
    io::{Cursor, ErrorKind},
    path::Path,
};

use anyhow::{Context, anyhow, bail};
use image::{DynamicImage, ImageError, error::LimitErrorKind, metadata::Orientation};
use kds_host::Depth;

use crate::{
    colour,
    load::load,
    mark,
    metadata::{self, MOST_BYTES as METADATA, Metadata},
    picture::Picture,
    shown,
};
use format::Format;
pub use limits::{Limits, MOST_BYTES};

/// Reads a picture, and what a person should know about it.
///
/// # Errors
/// When the file is not there, not a picture, broken or too large; the message names the file.
pub fn read(path: &Path) -> anyhow::Result<(Picture, Vec<String>)> {
    File::open(path)?.decode(None)
}

/// A picture's file in memory, not decoded yet.
pub struct File {
    name: String,
    bytes: Vec<u8>,
}

impl File {
    /// Reads the bytes.
    ///
    /// # Errors
    /// When there is nothing to read; the message names the file.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let name = shown::path(path);
        Ok(Self { bytes: load(path).with_context(|| name.clone())?, name })
    }

    /// Width and height that the file claims; `None` where only decoding it tells.
    ///
    /// # Errors
    /// When they are more than is read; the message names the file.
    pub fn size(&self) -> anyhow::Result<Option<(u32, u32)>> {
        let claimed = guard::guarded(|| claimed_size(&self.bytes)).ok().flatten();
        let limits = Limits { most_bytes: MOST_BYTES };
        if let Some((width, height)) = claimed {
            limits.check(width, height, 1).with_context(|| self.name.clone())?;
        }
        Ok(claimed)
    }

    /// The picture; `page`, from 1, of a file of several.
    ///
    /// # Errors
    /// When it is not a picture, broken or too large, or has no such page; the message names the file.
    pub fn decode(&self, page: Option<usize>) -> anyhow::Result<(Picture, Vec<String>)> {
        let decoded = decode_page(&self.bytes, MOST_BYTES, page).with_context(|| self.name.clone());
        let (picture, notes) = decoded?;
        Ok((picture, notes.into_iter().map(|note| format!("{}: {note}", self.name)).collect()))
    }
}

fn claimed_size(file: &[u8]) -> anyhow::Result<Option<(u32, u32)>> {
    match Format::of(file)? {
        // Its decoder unpacks the metadata first.
        Format::Png => Ok(png::size(file)),
        Format::Tiff => tiff::size(file).map(Some),
        Format::Jxl => Ok(jxl::size(file)),
        _ => {
            let mut reader = image::ImageReader::new(Cursor::new(file)).with_guessed_format()?;
            reader.limits(Limits { most_bytes: METADATA as u64 }.for_image());
            Ok(Some(reader.into_dimensions()?))
        }
    }
}

/// Reads a picture from the bytes of its file, and what a person should know about it.
///
/// # Errors
/// When the bytes are not a picture, broken, or take more than `most_bytes` once decoded.
pub fn decode(file: &[u8], most_bytes: u64) -> anyhow::Result<(Picture, Vec<String>)> {
    decode_page(file, most_bytes, None)
}

/// The same of a page, from 1, of a file of several.
///
/// # Errors
/// Those of [`decode`], and when there is no such page.
pub fn decode_page(file: &[u8], most_bytes: u64, page: Option<usize>) -> anyhow::Result<(Picture, Vec<String>)> {
    if file.is_empty() {
        bail!("is empty (0 bytes); replace it by a complete copy");
    }
    let format = Format::of(file)?;
    let limits = Limits { most_bytes };
    guard::guarded(|| finish(decode_as(format, file, limits, page)?))
}

fn decode_as(format: Format, file: &[u8], limits: Limits, page: Option<usize>) -> anyhow::Result<Decoded> {
    if let Some(page) = page.filter(|page| *page != 1)
        && format != Format::Tiff
    {
        bail!("has no page {page}: only TIFF files have several; leave --page out");
    }
    match format {
        Format::Png => png::decode(file, limits),
        Format::Jpeg => jpeg::decode(file, limits),
        Format::Tiff => tiff::decode(file, limits, page),
        Format::WebP => webp::decode(file, limits),
        Format::Exr => exr::decode(file, limits),
        Format::Jxl => jxl::decode(file, limits),
        Format::Other(format) => others::decode(file, format, limits),
    }
}

/// A decoded picture.
#[derive(Debug)]
struct Decoded {
    /// The pixels as they lie in the file.
    image: DynamicImage,
    /// Colour profile.
    profile: Option<Vec<u8>>,
    /// Metadata of the file.
    metadata: Metadata,
    /// Orientation that the container states; otherwise EXIF states it.
    orientation: Option<Orientation>,
    /// Warnings and notes for the user.
    notes: Vec<String>,
}

impl Decoded {
    fn plain(image: DynamicImage) -> Self {
        Self { image, profile: None, metadata: Metadata::default(), orientation: None, notes: Vec::new() }
    }

    /// Takes Adobe RGB from EXIF where there is no profile, as cameras state it in JPEG (DCF 2.0).
    fn complete_space(&mut self) -> anyhow::Result<()> {
        if self.lacks_profile() && self.states_adobe_rgb() {
            self.profile = Some(colour::adobe_rgb()?);
        }
        Ok(())
    }

    /// Warns of Adobe RGB that only EXIF states, for formats that cameras do not write: there the EXIF may be that of the raw
    /// file or JPEG that the picture was made from, and its pixels converted.
    fn doubt_space(&mut self, states_adobe_rgb: bool) {
        if self.lacks_profile() && states_adobe_rgb {
            self.warn(
                "its EXIF says that its colours are Adobe RGB, but it has no colour profile: they are taken for sRGB; \
                 if they look wrong, assign the profile to it",
            );
        }
    }

    fn states_adobe_rgb(&self) -> bool {
        self.metadata.exif.as_deref().is_some_and(metadata::exif::is_adobe_rgb)
    }

    fn lacks_profile(&self) -> bool {
        self.profile.is_none() && self.image.color().has_color()
    }

    fn warn(&mut self, note: impl Into<String>) {
        self.notes.push(format!("warning: {}", note.into()));
    }
}

/// Upright, with a profile that can be used, and without values that are no numbers.
fn finish(mut decoded: Decoded) -> anyhow::Result<(Picture, Vec<String>)> {
    decoded.metadata.texts.retain(|(_, text)| !mark::is_mark(text));
    let said = decoded.metadata.make_upright();
    let orientation = decoded.orientation.or(said).unwrap_or(Orientation::NoTransforms);
    decoded.image.apply_orientation(orientation);
    if turns(orientation)
        && let Some(resolution) = &mut decoded.metadata.resolution
    {
        std::mem::swap(&mut resolution.x, &mut resolution.y);
    }
    decoded.metadata.complete_resolution();
    let Decoded { mut image, profile, metadata, mut notes, .. } = decoded;
    replace_non_numbers(&mut image);
    profile.as_deref().map(colour::refuse_high_range).transpose()?;
    let mut picture = Picture { image, profile: None, metadata };
    let (profile, note) = colour::usable(profile, picture.format().channels);
    picture.profile = profile;
    notes.extend(note.map(|note| format!("warning: {note}")));
    debug_assert!(picture.format().depth != Depth::F32 || picture.image.color().has_color());
    Ok((picture, notes))
}

/// True for orientations that turn rows into columns.
fn turns(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// Floating-point pictures may hold values that are no numbers; the model knows what to do with black only.
fn replace_non_numbers(image: &mut DynamicImage) {
    let clean =
        |samples: &mut [f32]| samples.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = 0.0);
    match image {
        DynamicImage::ImageRgb32F(buffer) => clean(buffer),
        DynamicImage::ImageRgba32F(buffer) => clean(buffer),
        _ => {}
    }
}

/// One line on why a decoder of `image` refuses a file.
fn explain(error: ImageError, limits: Limits) -> anyhow::Error {
    match error {
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::InsufficientMemory => limits.exceeded(),
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => cut_short(),
        ImageError::Unsupported(error) => anyhow!("cannot be decoded: {}; convert it to PNG", plain(&error)),
        error => broken(&error),
    }
}

fn cut_short() -> anyhow::Error {
    anyhow!("is cut short; replace it by a complete copy")
}

fn broken(error: &impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot be decoded: {}; replace it by an intact copy", plain(error))
}

/// A decoder's message on one line: some of them end theirs with a line break, or quote what the file says.
fn plain(error: &impl std::fmt::Display) -> String {
    error.to_string().replace(char::is_control, " ").trim().to_owned()
}

#[cfg(test)]
mod tests;
