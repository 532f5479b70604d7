//! Habits of the command line: folders in folders, pipes, formats and suffixes, silence, and output for programs.

#[expect(dead_code, reason = "a part of the shared helpers is enough")]
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::symlink;
use std::process::{Output, Stdio};

use common::{Folder, QUICK, Run};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Rgb, RgbImage};
use serde_json::Value;

fn picture() -> RgbImage {
    RgbImage::from_fn(16, 12, |x, y| Rgb([16 * x as u8, 20 * y as u8, 90]))
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The objects of a run that succeeded.
fn objects(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn folders_are_mirrored_and_each_picture_is_an_object() {
    let folder = Folder::new();
    let png = encoded(ImageFormat::Png);
    for name in ["1990/0001.png", "1990/a/0002.png", "1991/0001.png", "1991/.thumbs/0001.png"] {
        folder.write(name, &png);
    }
    fs::create_dir(folder.path("out")).unwrap();
    let arguments = ["restore", "1990", "1991", "-o", "out", "--recursive", "--json"];
    let output = folder.command(&[&arguments[..], &QUICK].concat()).output().unwrap();
    let objects = objects(&output);
    let outputs: Vec<_> = objects.iter().map(|object| object["output"].as_str().unwrap()).collect();
    assert_eq!(outputs, ["out/1990/0001.png", "out/1990/a/0002.png", "out/1991/0001.png"]);
    for object in &objects {
        assert_eq!((object["status"].as_str(), object["width"].as_u64()), (Some("restored"), Some(64)), "{object}");
        assert!(folder.path(object["output"].as_str().unwrap()).exists());
    }
    // Without a terminal the progress is in lines.
    let errors = String::from_utf8(output.stderr).unwrap();
    for line in ["picture 1 of 3, 0001.png: restored", "picture 3 of 3, 0001.png: restored"] {
        assert!(errors.contains(line), "{errors}");
    }
}

#[test]
fn formats_and_suffixes_are_chosen_for_all_and_what_the_camera_wrote_is_left_out_in_silence() {
    let folder = Folder::new();
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new(Cursor::new(&mut jpeg));
    let exif = b"MM\x00\x2A\x00\x00\x00\x08\x00\x01\x01\x0F\x00\x02\x00\x00\x00\x04Cam\x00\x00\x00\x00\x00".to_vec();
    encoder.set_exif_metadata(exif).unwrap();
    picture().write_with_encoder(encoder).unwrap();
    folder.write("in/a.jpg", &jpeg);
    folder.write("in/a.png", &encoded(ImageFormat::Png));
    fs::create_dir(folder.path("out")).unwrap();
    let has_exif = |name: &str| {
        let mut decoder = ImageReader::open(folder.path(name)).unwrap().into_decoder().unwrap();
        decoder.exif_metadata().unwrap().is_some()
    };
    assert!(has_exif("in/a.jpg"));
    let settings = ["--format", "webp", "--suffix", "-new", "--strip", "--quiet"];
    let arguments = [&["restore", "in", "-o", "out"], &settings[..], &QUICK].concat();
    let output = folder.command(&arguments).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(folder.files(), names(&["in/a.jpg", "in/a.png", "out/a.jpg-new.webp", "out/a.png-new.webp"]));
    assert!(!has_exif("out/a.jpg-new.webp"));
}

#[test]
fn pictures_come_from_pipes_and_go_into_them() {
    let folder = Folder::new();
    for (input, output) in [("-", "-"), ("/dev/stdin", "out.png")] {
        let mut command = folder.command(&[&["restore", input, "-o", output], &QUICK[..]].concat());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&encoded(ImageFormat::Jpeg)).unwrap();
        let result = child.wait_with_output().unwrap();
        assert!(result.status.success(), "{result:?}");
        let bytes = if output == "-" { result.stdout } else { fs::read(folder.path(output)).unwrap() };
        let restored = image::load_from_memory_with_format(&bytes, ImageFormat::Png).unwrap();
        assert_eq!((restored.width(), restored.height()), (64, 48));
    }
}

#[test]
fn a_folder_leaves_out_nothing_without_a_word() {
    let folder = Folder::new();
    folder.write("in/a.jfif", &encoded(ImageFormat::Jpeg));
    folder.write("in/g.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    folder.write("in/notes.txt", b"not meant as an image");
    folder.write("in/deep/f.png", &encoded(ImageFormat::Png));
    symlink("gone.jpg", folder.path("in/h.jpg")).unwrap();
    fs::create_dir(folder.path("out")).unwrap();
    let run = folder.restore("in", "out", &QUICK);
    assert_eq!(run.code, Some(1), "{run:?}");
    for part in [
        "g.heic",
        "h.jpg: is a link to a file that is not there",
        "1 file that is not named as a picture",
        "--recursive",
    ] {
        assert!(run.errors.contains(part), "{part}: {run:?}");
    }
    assert_eq!(image::load_from_memory(&fs::read(folder.path("out/a.jfif")).unwrap()).unwrap().width(), 64);
}

#[test]
fn names_of_files_do_not_reach_the_terminal_as_commands() {
    let folder = Folder::new();
    for name in ["in/new\nline.png", "in/x\rkds: all good\x1b[K.png", "in/bell\x07.png"] {
        folder.write(name, b"no picture");
    }
    fs::create_dir(folder.path("out")).unwrap();
    let output = folder.command(&["restore", "in", "-o", "out"]).output().unwrap();
    let table = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(table.lines().count(), 4, "{table}");
    let run = Run::of(output);
    assert!(run.errors.lines().all(|line| line.starts_with("kds: ")), "{run:?}");
    let shown = table + &run.errors;
    assert!(!shown.chars().any(|character| character.is_control() && character != '\n'), "{shown:?}");
    assert!(shown.contains("new\\nline.png"), "{shown}");
}
