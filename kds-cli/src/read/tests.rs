//! Whole and broken files of each format.

use std::fs;

use image::ImageEncoder;
use kds_host::Channels;

use super::*;
use crate::{save, testing};

fn decode(file: &[u8]) -> anyhow::Result<(Picture, Vec<String>)> {
    super::decode(file, MOST_BYTES)
}

fn bytes_of(picture: &Picture, name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    save::save(picture, &path, 92).unwrap();
    fs::read(path).unwrap()
}

fn rgb(width: u32, height: u32) -> Picture {
    Picture::plain(testing::pictures(width, height).swap_remove(2))
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
    let png = bytes_of(&rgb(40, 30), "x.png");
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
        lying.metadata.exif = Some(testing::exif(orientation));
        for name in ["x.png", "x.webp"] {
            let (picture, notes) = decode(&bytes_of(&lying, name)).unwrap();
            assert_eq!(picture.image, upright.image, "{orientation} {name}");
            assert_eq!(Orientation::from_exif_chunk(&picture.metadata.exif.unwrap()), Some(Orientation::NoTransforms));
            assert!(notes.is_empty(), "{notes:?}");
        }
        let (picture, _) = decode(&bytes_of(&lying, "x.jpg")).unwrap();
        assert_eq!((picture.image.width(), picture.image.height()), (6, 4), "{orientation}");
    }
}

#[test]
fn palette_pictures_become_rgb() {
    // Two pixels, red and green, of one bit each.
    let palette = include_bytes!("../../testdata/palette.png");
    let (picture, _) = decode(palette).unwrap();
    assert_eq!(picture.image.to_rgb8().as_raw(), &[255, 0, 0, 0, 255, 0]);
    assert_eq!(picture.format().channels, Channels::Rgb);
}

#[test]
fn cmyk_photographs_become_rgb_without_their_profile() {
    // Pure red, 8x8, in the inverted CMYK of Adobe, with the header of a CMYK profile.
    let (picture, notes) = decode(include_bytes!("../../testdata/cmyk.jpg")).unwrap();
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

#[test]
fn a_jpeg_is_whole_or_cut_by_its_pixels_and_not_by_its_last_bytes() {
    let jpeg = bytes_of(&rgb(64, 64), "x.jpg");
    let end = jpeg.len() - 2;
    let told = |file: &[u8]| decode(file).unwrap().1;
    // Cameras and editors append what they like, and some forget the end.
    assert_eq!(told(&[&jpeg[..], b"a tail \xff\xda\xff\xd8 of something"].concat()), [""; 0]);
    assert_eq!(told(&[&jpeg[..], &[0; 4096]].concat()), [""; 0]);
    assert_eq!(told(&jpeg[..end]), [""; 0]);
    let scan = jpeg.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    for kept in [(scan + end) / 2, end - (end - scan) / 5] {
        assert!(told(&jpeg[..kept])[0].contains("cut short"), "{kept} of {end}");
        assert!(told(&[&jpeg[..kept], b"\xff\xd9"].concat())[0].contains("cut short"), "{kept} of {end}, with an end");
    }
}

/// Pictures of libjpeg with 16 x 8 pixels between restarts, and with ten scans.
#[test]
fn bits_that_lack_between_restarts_and_scans_that_lack_are_told() {
    let told = |file: &[u8]| decode(file).unwrap().1;
    let restarts = include_bytes!("../../testdata/restarts.jpg");
    assert_eq!(told(restarts), [""; 0]);
    let second = restarts.windows(2).position(|pair| pair == [0xff, 0xd1]).unwrap();
    let lost = [&restarts[..second - 20], &restarts[second..]].concat();
    assert!(told(&lost)[0].contains("damaged or cut short"), "{:?}", told(&lost));

    let scans = include_bytes!("../../testdata/scans.jpg");
    assert_eq!(told(scans), [""; 0]);
    let starts: Vec<usize> = (0..scans.len() - 1).filter(|at| scans[*at..].starts_with(b"\xff\xda")).collect();
    assert_eq!(starts.len(), 10);
    // Before a scan come its tables.
    let tables = |scan: usize| scans[..scan].windows(2).rposition(|pair| pair == [0xff, 0xc4]).unwrap();
    for cut in [tables(starts[9]), starts[9] + 3, tables(starts[4]), starts[1] + 3] {
        for end in [b"".as_slice(), b"\xff\xd9"] {
            let notes = told(&[&scans[..cut], end].concat());
            assert!(notes.len() == 1 && notes[0].contains("complete copy"), "{cut}: {notes:?}");
            assert!(cut < starts[8] || notes[0].contains("lacks its last scans"), "{cut}: {notes:?}");
        }
    }
}

#[test]
fn a_frame_of_motion_jpeg_has_no_tables() {
    let jpeg = bytes_of(&rgb(64, 64), "x.jpg");
    let mut frame = jpeg.clone();
    while let Some(at) = frame.windows(2).position(|pair| pair == [0xff, 0xc4]) {
        let length = usize::from(u16::from_be_bytes([frame[at + 2], frame[at + 3]]));
        frame.drain(at..at + 2 + length);
    }
    assert!(frame.len() < jpeg.len());
    let (picture, notes) = decode(&frame).unwrap();
    assert_eq!(picture.image, decode(&jpeg).unwrap().0.image);
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn a_png_is_read_as_far_as_it_goes() {
    // Noise, which is not packed into a few bytes.
    let noise = |x: u32, y: u32| [x, y, x * y].map(|seed| (seed.wrapping_mul(2_654_435_761) >> 24) as u8);
    let whole = Picture::plain(image::RgbImage::from_fn(40, 30, |x, y| image::Rgb(noise(x + 31, y + 17))).into());
    let png = bytes_of(&whole, "x.png");
    const END: usize = 12;
    let (picture, notes) = decode(&png[..png.len() - END]).unwrap();
    assert_eq!(picture.image, whole.image);
    assert!(notes[0].contains("after its pixels"), "{notes:?}");
    let (picture, notes) = decode(&png[..png.len() * 9 / 10]).unwrap();
    assert!(notes[0].contains("cut short") && notes[0].contains("of its 30 rows"), "{notes:?}");
    assert_eq!(picture.image.crop_imm(0, 0, 40, 3), whole.image.crop_imm(0, 0, 40, 3));
    assert!(refusal(&png[..60]).contains("cut short"), "{}", refusal(&png[..60]));
}
