//! Writing pictures: the format by the file's name, profile and EXIF data along, all or nothing.

use std::{
    fs::File,
    io::{self, Seek, Write, stdout},
    path::Path,
};

use anyhow::Context;
use image::{DynamicImage, ImageEncoder, ImageResult, codecs};
use kds_host::{Channels, Depth, icc};

use crate::{
    file_kind::FileKind,
    mark::{Marked, Role},
    partial::Partial,
    picture::Picture,
    place::{folder_of, resolve},
    replace::{Snapshot, replace},
    tiff_file,
};

/// Writes a picture into the file, whole or not at all, over whatever is there. Gives what a person should know.
///
/// # Errors
/// When the folder cannot be written, the disk is full, or the picture does not fit the format; nothing is left then.
pub fn save(picture: &Picture, path: &Path, quality: u8) -> anyhow::Result<Vec<String>> {
    let kind = FileKind::of(path)?;
    let target = resolve(path);
    let mut partial = Partial::new(folder_of(&target))?;
    let notes = write(picture, kind, Role::Restored, quality, partial.file())?;
    partial.file().sync_all()?;
    replace(partial, &target, Snapshot::of(&target)?)?;
    Ok(notes)
}

/// Writes a picture into an open, empty file, with the mark of its role. Gives what was left out.
///
/// # Errors
/// When the file cannot be written, or the picture does not fit the format.
pub fn write(
    picture: &Picture,
    kind: FileKind,
    role: Role,
    quality: u8,
    file: &mut File,
) -> anyhow::Result<Vec<String>> {
    let (picture, notes) = adapt(picture, kind);
    let mut marked = Marked::new(file, kind, role);
    encode(&picture, kind, quality, &mut marked)?;
    marked.finish()?;
    Ok(notes)
}

/// Writes a picture to standard output, once it is encoded whole: some formats are not written from front to back. Gives
/// what was left out.
///
/// # Errors
/// When it cannot be encoded, or standard output cannot be written.
pub fn to_standard_output(picture: &Picture, kind: FileKind, quality: u8) -> anyhow::Result<Vec<String>> {
    let mut file = tempfile::tempfile().context("cannot make a temporary file")?;
    let notes = write(picture, kind, Role::Restored, quality, &mut file)?;
    file.rewind()?;
    let mut out = stdout().lock();
    io::copy(&mut file, &mut out).and_then(|_| out.flush()).context("cannot write to standard output")?;
    Ok(notes)
}

/// A process that has reached its limit of file size gets an error from its write like one on a full disk, and is not
/// ended half-way.
pub fn report_large_files_as_errors() {
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// The picture as the format can hold it, and what was left out.
fn adapt(picture: &Picture, kind: FileKind) -> (Picture, Vec<String>) {
    /// What a JPEG segment holds beside its length and the prefix of EXIF data.
    const MAX_JPEG_EXIF: usize = 65_533 - 6;
    let mut notes = Vec::new();
    let mut picture = picture.clone();
    let format = picture.format();
    if kind == FileKind::Jpeg && format.channels.has_alpha() {
        notes.push("JPEG has no transparency, so it is left out; write PNG, WebP or TIFF to keep it".to_owned());
    }
    let channels = match format.channels {
        Channels::GrayAlpha if kind == FileKind::Jpeg => Channels::Gray,
        Channels::RgbAlpha if kind == FileKind::Jpeg => Channels::Rgb,
        channels => channels,
    };
    let image = picture.image;
    picture.image = match (channels, kind.depth(format.depth)) {
        (Channels::Gray, Depth::U8) => image.into_luma8().into(),
        (Channels::GrayAlpha, Depth::U8) => image.into_luma_alpha8().into(),
        (Channels::Rgb, Depth::U8) => image.into_rgb8().into(),
        (Channels::RgbAlpha, Depth::U8) => image.into_rgba8().into(),
        (Channels::Gray, _) => image.into_luma16().into(),
        (Channels::GrayAlpha, _) => image.into_luma_alpha16().into(),
        (Channels::Rgb, _) => image.into_rgb16().into(),
        (Channels::RgbAlpha, _) => image.into_rgba16().into(),
    };
    // A WebP file is always RGB.
    let stored = if kind == FileKind::WebP { Channels::Rgb } else { channels };
    if picture.profile.as_ref().is_some_and(|profile| !icc::fits(profile, stored)) {
        picture.profile = None;
        notes.push("the colour profile is not for these channels and is left out".to_owned());
    }
    if kind == FileKind::Jpeg && picture.exif.as_ref().is_some_and(|exif| exif.len() > MAX_JPEG_EXIF) {
        picture.exif = None;
        notes.push(
            "the EXIF data are too long for JPEG and are left out; write PNG, WebP or TIFF to keep them".to_owned(),
        );
    }
    if kind == FileKind::Tiff && picture.exif.as_ref().is_some_and(|exif| crate::exif::fields_for_tiff(exif).is_none())
    {
        picture.exif = None;
        notes.push("the EXIF data are damaged and are left out; write PNG, WebP or JPEG to keep them".to_owned());
    }
    (picture, notes)
}

fn encode(picture: &Picture, kind: FileKind, quality: u8, file: &mut Marked) -> anyhow::Result<()> {
    match kind {
        FileKind::Png => encode_with(picture, codecs::png::PngEncoder::new(file))?,
        FileKind::Jpeg => encode_with(picture, codecs::jpeg::JpegEncoder::new_with_quality(file, quality))?,
        FileKind::WebP => encode_with(picture, codecs::webp::WebPEncoder::new_lossless(file))?,
        FileKind::Tiff => tiff_file::write(picture, file)?,
    }
    Ok(())
}

fn encode_with(picture: &Picture, mut encoder: impl ImageEncoder) -> ImageResult<()> {
    let refused = image::ImageError::Unsupported;
    if let Some(profile) = &picture.profile {
        encoder.set_icc_profile(profile.clone()).map_err(refused)?;
    }
    if let Some(exif) = &picture.exif {
        encoder.set_exif_metadata(exif.clone()).map_err(refused)?;
    }
    let image: &DynamicImage = &picture.image;
    encoder.write_image(image.as_bytes(), image.width(), image.height(), image.color().into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{picture, testing};

    fn round_trip(picture: &Picture, name: &str) -> (Picture, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let notes = save(picture, &path, 92).unwrap();
        let (picture, read_notes) = picture::read(&path).unwrap();
        assert!(read_notes.is_empty(), "{read_notes:?}");
        (picture, notes)
    }

    fn plain(image: DynamicImage) -> Picture {
        Picture { image, profile: None, exif: None }
    }

    #[test]
    fn png_and_tiff_keep_channels_depth_and_every_value() {
        for image in testing::pictures(19, 7) {
            for name in ["x.png", "x.TIF", "x.tiff"] {
                let (read, notes) = round_trip(&plain(image.clone()), name);
                assert_eq!(read.image, image, "{name}");
                assert!(notes.is_empty(), "{notes:?}");
            }
        }
    }

    #[test]
    fn webp_keeps_eight_bits_without_loss() {
        for image in testing::pictures(19, 7) {
            let (read, _) = round_trip(&plain(image.clone()), "x.webp");
            let expected: DynamicImage =
                if image.color().has_alpha() { image.to_rgba8().into() } else { image.to_rgb8().into() };
            assert_eq!(read.image, expected);
        }
    }

    #[test]
    fn jpeg_comes_close_in_eight_bits_and_says_what_it_leaves_out() {
        for image in testing::pictures(32, 16) {
            let (read, notes) = round_trip(&plain(image.clone()), "x.jpeg");
            assert_eq!(read.image.color().has_color(), image.color().has_color());
            assert_eq!(read.format().depth, Depth::U8);
            assert_eq!(
                notes.iter().filter(|note| note.contains("transparency")).count(),
                image.color().has_alpha() as usize
            );
            for (got, expected) in read.image.to_rgb8().as_raw().iter().zip(image.to_rgb8().as_raw()) {
                assert!(got.abs_diff(*expected) < 12, "{got} {expected}");
            }
        }
    }

    #[test]
    fn quality_decides_the_size_of_a_jpeg() {
        let folder = tempfile::tempdir().unwrap();
        let picture = plain(testing::pictures(64, 64).swap_remove(2));
        let size = |quality| {
            let path = folder.path().join(format!("{quality}.jpg"));
            save(&picture, &path, quality).unwrap();
            fs::metadata(path).unwrap().len()
        };
        assert!(size(10) < size(92));
    }

    #[test]
    fn every_format_keeps_profile_and_exif() {
        for image in testing::pictures(8, 8) {
            for name in ["x.png", "x.jpg", "x.webp", "x.tif"] {
                let space = if image.color().has_color() { b"RGB " } else { b"GRAY" };
                let exif = Some(testing::exif(1));
                let picture = Picture { image: image.clone(), profile: Some(testing::profile(space)), exif };
                let (read, notes) = round_trip(&picture, name);
                if name == "x.webp" && space == b"GRAY" {
                    assert!(read.profile.is_none() && notes[0].contains("profile"), "{notes:?}");
                } else {
                    assert_eq!(read.profile, picture.profile, "{name}");
                }
                let fields = |picture: &Picture| {
                    let fields = crate::exif::fields_for_tiff(picture.exif.as_ref().unwrap()).unwrap();
                    let mut fields: Vec<_> = fields
                        .iter()
                        .map(|field| (field.tag.to_string(), field.display_value().to_string()))
                        .filter(|(tag, _)| !tag.contains("Resolution"))
                        .collect();
                    fields.sort();
                    fields
                };
                assert_eq!(fields(&read), fields(&picture), "{name}");
                assert_eq!(fields(&read).len(), 4, "{name}");
            }
        }
    }

    #[test]
    fn exif_too_long_for_jpeg_is_left_out_and_said() {
        let mut picture = plain(testing::pictures(8, 8).swap_remove(2));
        picture.exif = Some([testing::exif(1), vec![0; 70_000]].concat());
        let (read, notes) = round_trip(&picture, "x.jpg");
        assert!(read.exif.is_none() && notes[0].contains("EXIF"), "{notes:?}");
        assert_eq!(round_trip(&picture, "x.png").0.exif, picture.exif);
    }

    #[test]
    fn damaged_exif_is_left_out_of_tiff_and_said() {
        let mut picture = plain(testing::pictures(8, 8).swap_remove(2));
        picture.exif = Some(b"nonsense".to_vec());
        let (read, notes) = round_trip(&picture, "x.tif");
        assert!(read.exif.is_none() && notes[0].contains("EXIF"), "{notes:?}");
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        fs::write(&path, "the old one").unwrap();
        save(&plain(testing::pictures(4, 4).swap_remove(0)), &path, 92).unwrap();
        assert_eq!(picture::read(&path).unwrap().0.image.width(), 4);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
