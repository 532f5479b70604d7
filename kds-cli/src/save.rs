//! Writing pictures: the format by the file's name, profile and EXIF data along, all or nothing.

use std::{
    fs::File,
    io::{self, Seek, Write, stdout},
    path::Path,
};

use anyhow::Context;

use crate::{
    file_kind::FileKind,
    mark::{self, Marked, Role},
    partial::Partial,
    picture::Picture,
    place::{folder_of, resolve},
    replace::{Snapshot, replace},
    write as encoders,
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
    let (picture, notes) = encoders::adapt(picture, kind)?;
    let mut marked = Marked::new(file, kind, role);
    encoders::encode(&picture, kind, quality, &mark::blank(role), &mut marked)?;
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

#[cfg(test)]
mod tests {
    use std::fs;

    use image::DynamicImage;
    use kds_host::Depth;

    use super::*;
    use crate::{read, testing};

    fn round_trip(picture: &Picture, name: &str) -> (Picture, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let notes = save(picture, &path, 92).unwrap();
        let (picture, read_notes) = read::read(&path).unwrap();
        assert!(read_notes.is_empty(), "{read_notes:?}");
        (picture, notes)
    }

    fn plain(image: DynamicImage) -> Picture {
        Picture::plain(image)
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
                let mut picture = Picture::plain(image.clone());
                picture.profile = Some(testing::profile(space));
                picture.metadata.exif = Some(testing::exif(1));
                let (read, notes) = round_trip(&picture, name);
                if name == "x.webp" && space == b"GRAY" {
                    assert!(read.profile.is_none() && notes[0].contains("profile"), "{notes:?}");
                } else {
                    assert_eq!(read.profile, picture.profile, "{name}");
                }
                let fields = |picture: &Picture| {
                    let fields =
                        crate::metadata::exif::fields_for_tiff(picture.metadata.exif.as_ref().unwrap()).unwrap();
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
        picture.metadata.exif = Some([testing::exif(1), vec![0; 70_000]].concat());
        let (read, notes) = round_trip(&picture, "x.jpg");
        assert!(read.metadata.exif.is_none() && notes[0].contains("EXIF"), "{notes:?}");
        assert_eq!(round_trip(&picture, "x.png").0.metadata.exif, picture.metadata.exif);
    }

    #[test]
    fn damaged_exif_is_left_out_of_tiff_and_said() {
        let mut picture = plain(testing::pictures(8, 8).swap_remove(2));
        picture.metadata.exif = Some(b"nonsense".to_vec());
        let (read, notes) = round_trip(&picture, "x.tif");
        assert!(read.metadata.exif.is_none() && notes[0].contains("EXIF"), "{notes:?}");
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        fs::write(&path, "the old one").unwrap();
        save(&plain(testing::pictures(4, 4).swap_remove(0)), &path, 92).unwrap();
        assert_eq!(read::read(&path).unwrap().0.image.width(), 4);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
