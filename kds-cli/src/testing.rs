//! Pictures and options that tests of several modules use.

use std::{ffi::OsString, fs, path::PathBuf};

use image::{DynamicImage, ImageBuffer};

use crate::options::{Library, Restore};

/// Options with nothing named.
pub fn restore_options() -> Restore {
    Restore {
        inputs: Vec::new(),
        output: PathBuf::new(),
        model: "kds-photo-x4".to_owned(),
        device: None,
        dtype: None,
        library: Library { registry: None, threads: 0, log_level: kds_host::LogLevel::Warn },
        settings: Vec::new(),
        page: None,
        mask: None,
        confidence: None,
        compare: None,
        overwrite: false,
        recursive: false,
        format: None,
        suffix: OsString::new(),
        strip: false,
        quiet: false,
        json: false,
        quality: 92,
    }
}

/// A folder with these files, of one byte each.
pub fn folder_with(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    folder
}

/// A picture of each channel layout and bit depth, smooth enough for JPEG to come close.
pub fn pictures(width: u32, height: u32) -> Vec<DynamicImage> {
    let ramp = move |x: u32, y: u32, c: u32| (x * 100 / width + y * 100 / height + c * 20) as u16;
    // 8-bit values stand in both bytes, so that a loss of depth shows in the low one.
    let fine = move |x: u32, y: u32, c: u32| ramp(x, y, c) * 257 + 3;
    let coarse = move |x: u32, y: u32, c: u32| ramp(x, y, c) as u8;
    vec![
        DynamicImage::ImageLuma8(ImageBuffer::from_fn(width, height, |x, y| [coarse(x, y, 0)].into())),
        DynamicImage::ImageLumaA8(ImageBuffer::from_fn(width, height, |x, y| {
            [coarse(x, y, 0), coarse(x, y, 2)].into()
        })),
        DynamicImage::ImageRgb8(ImageBuffer::from_fn(width, height, |x, y| [0, 1, 2].map(|c| coarse(x, y, c)).into())),
        DynamicImage::ImageRgba8(ImageBuffer::from_fn(width, height, |x, y| {
            [0, 1, 2, 0].map(|c| coarse(x, y, c)).into()
        })),
        DynamicImage::ImageLuma16(ImageBuffer::from_fn(width, height, |x, y| [fine(x, y, 0)].into())),
        DynamicImage::ImageLumaA16(ImageBuffer::from_fn(width, height, |x, y| [fine(x, y, 0), fine(x, y, 2)].into())),
        DynamicImage::ImageRgb16(ImageBuffer::from_fn(width, height, |x, y| [0, 1, 2].map(|c| fine(x, y, c)).into())),
        DynamicImage::ImageRgba16(ImageBuffer::from_fn(width, height, |x, y| {
            [0, 1, 2, 0].map(|c| fine(x, y, c)).into()
        })),
    ]
}

/// A profile that is not sRGB, of this colour space.
pub fn profile(space: &[u8; 4]) -> Vec<u8> {
    use moxcms::ColorProfile;
    let profile =
        if space == b"GRAY" { ColorProfile::new_gray_with_gamma(1.8) } else { ColorProfile::new_display_p3() };
    profile.encode().unwrap()
}

/// EXIF data with an orientation, the camera's maker, and an exposure time in the Exif directory.
pub fn exif(orientation: u16) -> Vec<u8> {
    use exif::{Field, In, Rational, Tag, Value, experimental::Writer};
    let field = |tag, value| Field { tag, ifd_num: In::PRIMARY, value };
    let fields = [
        field(Tag::Make, Value::Ascii(vec![b"Kamera".to_vec()])),
        field(Tag::Orientation, Value::Short(vec![orientation])),
        field(Tag::ExposureTime, Value::Rational(vec![Rational { num: 1, denom: 125 }])),
        field(Tag::GPSLatitudeRef, Value::Ascii(vec![b"N".to_vec()])),
    ];
    let mut writer = Writer::new();
    for field in &fields {
        writer.push_field(field);
    }
    let mut data = std::io::Cursor::new(Vec::new());
    writer.write(&mut data, true).unwrap();
    data.into_inner()
}
