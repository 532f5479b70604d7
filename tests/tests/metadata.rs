//! What a photograph's file says besides its pixels: kept in every format that has a place for it, true of the restored
//! picture, and read by exiftool.

#[expect(dead_code, reason = "what concerns refusals and leftovers only")]
mod common;

use std::{collections::BTreeMap, io::Cursor, process::Command};

use common::{Folder, QUICK};
use image::{ImageFormat, Rgb, RgbImage};
use kds_tests::png_file::with_chunks;

fn picture() -> RgbImage {
    RgbImage::from_fn(48, 32, |x, y| Rgb([40 + 3 * x as u8, 60 + 4 * y as u8, 90]))
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Sets tags of a file of the folder.
fn exiftool(folder: &Folder, file: &str, tags: &[&str]) {
    let output = Command::new("exiftool")
        .args(["-q", "-n", "-overwrite_original"])
        .args(tags)
        .arg(folder.path(file))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The values of these tags, with their groups where the tag has one before a colon.
fn tags(folder: &Folder, file: &str, tags: &[&str]) -> BTreeMap<String, String> {
    let arguments = tags.iter().map(|tag| format!("-{tag}"));
    let output = Command::new("exiftool").args(["-n", "-s"]).args(arguments).arg(folder.path(file)).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// All comments of a file, or what stands for them.
fn comments(folder: &Folder, file: &str) -> String {
    let mut command = Command::new("exiftool");
    let output = command.args(["-a", "-s3", "-Comment", "-ImageDescription"]).arg(folder.path(file)).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn everything_that_a_format_has_a_place_for_is_kept() {
    let folder = Folder::new();
    folder.write("in.jpg", &encoded(ImageFormat::Jpeg));
    exiftool(
        &folder,
        "in.jpg",
        &[
            "-Make=Kamera",
            "-ExposureTime=0.008",
            "-GPSLatitude=48.1",
            "-GPSLatitudeRef=N",
            "-XMP-dc:Title=Grandma 1950",
            "-XMP-xmp:Rating=5",
            "-IPTC:Keywords=family",
            "-IPTC:Caption-Abstract=at the sea",
            "-Comment=hand written",
            "-IFD0:XResolution=300",
            "-IFD0:YResolution=300",
            "-IFD0:ResolutionUnit=2",
        ],
    );
    let names =
        ["Make", "ExposureTime", "EXIF:GPSLatitude", "Title", "Rating", "Keywords", "Caption-Abstract", "XResolution"];
    let before = tags(&folder, "in.jpg", &names);
    assert_eq!(before.len(), names.len(), "{before:?}");
    for output in ["out.jpg", "out.png", "out.tif", "out.webp"] {
        let run = folder.restore("in.jpg", output, &QUICK);
        run.succeeded(output);
        let mut expected = before.clone();
        if output == "out.webp" {
            expected.remove("Keywords");
            expected.remove("Caption-Abstract");
            assert!(run.errors.contains("no place for IPTC"), "{run:?}");
        } else {
            assert!(!run.errors.contains("warning"), "{run:?}");
            assert!(comments(&folder, output).contains("hand written"), "{output}");
        }
        let mut after = tags(&folder, output, &names);
        if output == "out.png" {
            // exiftool reads IPTC data of ImageMagick's kind, which is that of everyone else, only when asked to.
            let all = tags(&folder, output, &["IPTC:all"]);
            after.extend(all.into_iter().filter(|(name, _)| names.contains(&name.as_str())));
        }
        assert_eq!(after, expected, "{output}");
    }
}

#[test]
fn strip_leaves_nothing_of_the_photograph() {
    let folder = Folder::new();
    let secrets = [
        "-Make=Kamera Geheim",
        "-GPSLatitude=48.1",
        "-XMP-dc:Title=Titel Geheim",
        "-IPTC:Caption-Abstract=Strand Geheim",
        "-IFD0:XResolution=300",
        "-IFD0:YResolution=300",
        "-IFD0:ResolutionUnit=2",
    ];
    folder.write("in.jpg", &encoded(ImageFormat::Jpeg));
    exiftool(&folder, "in.jpg", &[&secrets[..], &["-Comment=von Hand Geheim"]].concat());
    let mut tiff = Cursor::new(Vec::new());
    picture().write_to(&mut tiff, ImageFormat::Tiff).unwrap();
    folder.write("in.tif", &tiff.into_inner());
    exiftool(&folder, "in.tif", &secrets);
    let text = (b"tEXt", b"parameters\0Katze Geheim".to_vec());
    let packed = (b"iTXt", b"Author\0\0\0\0\0Zoe Geheim".to_vec());
    folder.write("in.png", &with_chunks(&encoded(ImageFormat::Png), &[text, packed], &[]));
    exiftool(&folder, "in.png", &secrets[..3]);
    for input in ["in.jpg", "in.tif", "in.png"] {
        for output in ["out.jpg", "out.png", "out.tif", "out.webp"] {
            folder.restore(input, output, &[&QUICK[..], &["--strip"]].concat()).succeeded(output);
            let all = Command::new("exiftool").args(["-a", "-G1", "-s"]).arg(folder.path(output)).output().unwrap();
            let all = String::from_utf8_lossy(&all.stdout).into_owned();
            let left = ["Geheim", "GPS", "[XMP", "[IPTC", "[ExifIFD", "Comment"];
            assert!(
                all.contains("ImageSize") && !left.iter().any(|word| all.contains(word)),
                "{input} {output}: {all}"
            );
            let bytes = std::fs::read(folder.path(output)).unwrap();
            assert!(!bytes.windows(6).any(|bytes| bytes == b"Geheim"), "{input} {output}");
        }
    }
}

#[test]
fn the_photographers_comment_is_the_first() {
    let folder = Folder::new();
    folder.write("in.jpg", &encoded(ImageFormat::Jpeg));
    exiftool(&folder, "in.jpg", &["-Comment=hand written"]);
    folder.restore("in.jpg", "out.jpg", &QUICK).succeeded("JPEG");
    assert_eq!(tags(&folder, "out.jpg", &["Comment"])["Comment"], "hand written");
    assert_eq!(comments(&folder, "out.jpg").trim(), "hand written");
}

#[test]
fn texts_of_png_are_kept() {
    let folder = Folder::new();
    let text = |text: &[u8]| (b"tEXt", text.to_vec());
    let international = (b"iTXt", "Author\0\0\0\0\0Zoë Müller".as_bytes().to_vec());
    let texts = [text(b"Title\0Grandma 1950"), text(b"parameters\0a cat, steps 20"), international];
    folder.write("in.png", &with_chunks(&encoded(ImageFormat::Png), &texts, &[]));
    folder.restore("in.png", "out.png", &QUICK).succeeded("PNG");
    let names = ["Title", "Parameters", "Author"];
    assert_eq!(tags(&folder, "out.png", &names), tags(&folder, "in.png", &names));
    assert_eq!(tags(&folder, "out.png", &names).len(), 3);
    folder.restore("in.png", "out.jpg", &QUICK).succeeded("JPEG");
    assert!(comments(&folder, "out.jpg").contains("Title: Grandma 1950"));
}

#[test]
fn exif_after_the_pixels_turns_the_picture_and_is_kept() {
    let folder = Folder::new();
    folder.write("whole.jpg", &encoded(ImageFormat::Jpeg));
    exiftool(&folder, "whole.jpg", &["-Orientation=6", "-Make=Kamera"]);
    // The block of the JPEG, without the marker, the length and the prefix.
    let jpeg = std::fs::read(folder.path("whole.jpg")).unwrap();
    let at = jpeg.windows(6).position(|bytes| bytes == b"Exif\0\0").unwrap();
    let length = usize::from(u16::from_be_bytes([jpeg[at - 2], jpeg[at - 1]]));
    let block = jpeg[at + 6..at - 2 + length].to_vec();
    folder.write("in.png", &with_chunks(&encoded(ImageFormat::Png), &[], &[(b"eXIf", block)]));
    folder.restore("in.png", "out.png", &QUICK).succeeded("eXIf after IDAT");
    let expected = [("ImageSize", "128 192"), ("Make", "Kamera"), ("Orientation", "1")];
    assert_eq!(
        tags(&folder, "out.png", &["ImageSize", "Make", "Orientation"]),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    );
}

#[test]
fn thumbnail_size_and_orientation_are_those_of_the_restored_picture() {
    let folder = Folder::new();
    folder.write("in.jpg", &encoded(ImageFormat::Jpeg));
    folder.write("thumbnail.jpg", &encoded(ImageFormat::Jpeg));
    let thumbnail = format!("-ThumbnailImage<={}", folder.path("thumbnail.jpg").display());
    exiftool(
        &folder,
        "in.jpg",
        &[
            "-Orientation=6",
            "-ExifImageWidth=48",
            "-ExifImageHeight=32",
            "-XMP-tiff:Orientation=6",
            "-XMP-exif:ExifImageWidth=48",
            &thumbnail,
        ],
    );
    for output in ["out.jpg", "out.png", "out.webp", "out.tif"] {
        folder.restore("in.jpg", output, &QUICK).succeeded(output);
        let found = tags(
            &folder,
            output,
            &["ExifIFD:ExifImageWidth", "ExifIFD:ExifImageHeight", "XMP-tiff:Orientation", "ThumbnailImage"],
        );
        let value = |name: &str| found.get(name).map(String::as_str);
        assert_eq!(value("ExifImageWidth"), Some("128"), "{output}: {found:?}");
        assert_eq!(value("ExifImageHeight"), Some("192"), "{output}: {found:?}");
        assert_eq!(value("Orientation"), Some("1"), "{output}: {found:?}");
        assert_eq!(value("ThumbnailImage"), None, "{output}");
        let packet = tags(&folder, output, &["XMP-exif:ExifImageWidth"]);
        assert_eq!(packet["ExifImageWidth"], "128", "{output}");
        let bytes = std::fs::read(folder.path(output)).unwrap();
        let starts = bytes.windows(3).filter(|bytes| *bytes == [0xff, 0xd8, 0xff]).count();
        assert_eq!(starts, usize::from(output == "out.jpg"), "{output}: no thumbnail is left in any corner");
    }
}

#[test]
fn resolution_is_kept_and_said_once() {
    let folder = Folder::new();
    folder.write("in.jpg", &encoded(ImageFormat::Jpeg));
    exiftool(&folder, "in.jpg", &["-JFIF:XResolution=300", "-JFIF:YResolution=300", "-JFIF:ResolutionUnit=1"]);
    folder.write(
        "in.png",
        &with_chunks(
            &encoded(ImageFormat::Png),
            &[(b"pHYs", [11811u32.to_be_bytes(), 11811u32.to_be_bytes()].concat().into_iter().chain([1]).collect())],
            &[],
        ),
    );
    folder.write("exif.jpg", &encoded(ImageFormat::Jpeg));
    exiftool(
        &folder,
        "exif.jpg",
        &["-IFD0:XResolution=300", "-IFD0:YResolution=300", "-IFD0:ResolutionUnit=2", "-Make=Kamera"],
    );
    for input in ["in.jpg", "in.png", "exif.jpg"] {
        for output in ["out.jpg", "out.png", "out.tif"] {
            folder.restore(input, output, &QUICK).succeeded(output);
            let output_of = Command::new("identify")
                .args(["-units", "PixelsPerInch", "-format", "%x %y"])
                .arg(folder.path(output))
                .output();
            let text = String::from_utf8(output_of.unwrap().stdout).unwrap();
            let values: Vec<f64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
            assert!(
                values.len() == 2 && values.iter().all(|value| (value - 300.0).abs() < 0.1),
                "{input} {output}: {text}"
            );
        }
        let all =
            Command::new("exiftool").args(["-a", "-n", "-s3", "-XResolution"]).arg(folder.path("out.jpg")).output();
        let text = String::from_utf8(all.unwrap().stdout).unwrap();
        assert!(text.lines().all(|line| line == "300") && !text.is_empty(), "{input}: {text}");
    }
}
