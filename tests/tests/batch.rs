//! The `kds` command over a folder, and what it keeps of a photograph besides the pixels.

mod common;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;

use common::{Folder, QUICK, Run};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageReader, Rgb, RgbImage};

/// A dark picture, 32 x 24, that is bright in its top left quarter.
fn picture() -> RgbImage {
    RgbImage::from_fn(32, 24, |x, y| if x < 16 && y < 12 { Rgb([230, 220, 210]) } else { Rgb([20, 30, 40]) })
}

fn png(profile: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(Cursor::new(&mut bytes));
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile.to_vec()).unwrap();
    }
    picture().write_with_encoder(encoder).unwrap();
    bytes
}

/// The picture as a JPEG whose EXIF data ask for a clockwise quarter turn to be upright.
fn rotated_jpeg() -> Vec<u8> {
    const QUARTER_TURN: u8 = 6;
    let mut jpeg = Vec::new();
    picture().write_with_encoder(JpegEncoder::new_with_quality(Cursor::new(&mut jpeg), 95)).unwrap();
    let mut exif = b"\xFF\xE1\x00\x22Exif\x00\x00MM\x00\x2A\x00\x00\x00\x08\x00\x01".to_vec();
    exif.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, QUARTER_TURN, 0, 0, 0, 0, 0, 0]); // tag, type, count, value, end
    let after_start = 2;
    jpeg.splice(after_start..after_start, exif);
    jpeg
}

/// Whether each quarter (top left, top right, bottom left, bottom right) is bright.
fn bright_quarters(image: &RgbImage) -> [bool; 4] {
    let (width, height) = image.dimensions();
    let middle = |x, y| image.get_pixel(x * width / 4, y * height / 4).0[1] > 128;
    [middle(1, 1), middle(3, 1), middle(1, 3), middle(3, 3)]
}

fn decode(path: &Path) -> (DynamicImage, Orientation, Option<Vec<u8>>) {
    let mut decoder = ImageReader::open(path).unwrap().into_decoder().unwrap();
    let (orientation, profile) = (decoder.orientation().unwrap(), decoder.icc_profile().unwrap());
    (DynamicImage::from_decoder(decoder).unwrap(), orientation, profile)
}

/// Restores the pictures of the folder `in` into the folder `out`, which has to be there.
fn batch(folder: &Folder, settings: &[&str]) -> Run {
    std::fs::create_dir_all(folder.path("out")).unwrap();
    folder.restore("in", "out", &[&QUICK, settings].concat())
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn one_broken_file_does_not_stop_the_others() {
    let folder = Folder::new();
    folder.write("in/first.png", &png(None));
    folder.write("in/middle.png", b"not an image");
    folder.write("in/second.jpg", &rotated_jpeg());
    folder.write("in/notes.txt", b"not meant as an image");
    let run = batch(&folder, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.errors.lines().any(|line| line.starts_with("kds: ") && line.contains("middle.png")), "{run:?}");
    assert!(!run.errors.contains("notes.txt"), "{run:?}");
    let inputs = ["in/first.png", "in/middle.png", "in/notes.txt", "in/second.jpg"];
    assert_eq!(folder.files(), names(&[&inputs[..], &["out/first.png", "out/second.jpg"]].concat()));
    let (first, ..) = decode(&folder.path("out/first.png"));
    assert_eq!((first.width(), first.height()), (128, 96));
    assert_eq!(bright_quarters(&first.to_rgb8()), [true, false, false, false]);
}

#[test]
fn pictures_that_exist_are_skipped_unless_asked() {
    let folder = Folder::new();
    folder.write("in/first.png", &png(None));
    folder.write("in/second.png", &png(None));
    let before = png(None);
    folder.write("out/first.png", &before);
    batch(&folder, &[]).succeeded("skip what exists");
    assert_eq!(std::fs::read(folder.path("out/first.png")).unwrap(), before);
    assert_eq!(decode(&folder.path("out/second.png")).0.width(), 128);
    batch(&folder, &["--overwrite"]).succeeded("overwrite");
    assert_eq!(decode(&folder.path("out/first.png")).0.width(), 128);
}

#[test]
fn a_folder_without_pictures_is_refused() {
    let folder = Folder::new();
    folder.write("in/notes.txt", b"not meant as an image");
    batch(&folder, &[]).refused("no pictures", "in");
    assert_eq!(folder.files(), names(&["in/notes.txt"]));
}

#[test]
fn a_rotated_photograph_comes_out_upright() {
    let folder = Folder::new();
    folder.write("in.jpg", &rotated_jpeg());
    for output in ["out.jpg", "out.png", "out.tif", "out.webp"] {
        folder.restore("in.jpg", output, &QUICK).succeeded(output);
        let (image, orientation, _) = decode(&folder.path(output));
        assert_eq!((image.width(), image.height(), orientation), (96, 128, Orientation::NoTransforms), "{output}");
        assert_eq!(bright_quarters(&image.to_rgb8()), [false, true, false, false], "{output}");
    }
}

#[test]
fn the_colour_profile_is_kept() {
    let profile = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/srgb.icc")).unwrap();
    let folder = Folder::new();
    folder.write("in.png", &png(Some(&profile)));
    for output in ["out.png", "out.jpg", "out.tif", "out.webp"] {
        folder.restore("in.png", output, &QUICK).succeeded(output);
        assert_eq!(decode(&folder.path(output)).2.as_deref(), Some(&profile[..]), "{output}");
    }
}
