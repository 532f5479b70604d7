//! Colour spaces: the model gets sRGB whatever the file has, and what comes back is in the file's own space. Judged by
//! littleCMS, through ImageMagick.

#[expect(dead_code, reason = "what concerns refusals and leftovers only")]
mod common;

use std::{io::Cursor, path::Path, process::Command};

use common::{Folder, QUICK};
use image::{
    DynamicImage, ExtendedColorType, GenericImageView, ImageEncoder, Rgb, RgbImage, Rgba, RgbaImage,
    codecs::png::PngEncoder,
};
use kds_cli::read::{MOST_BYTES, decode};
use kds_tests::{icc, png_file};

fn smooth() -> RgbImage {
    RgbImage::from_fn(32, 24, |x, y| Rgb([60 + 4 * x as u8, 80 + 4 * y as u8, 120 - x as u8 - y as u8]))
}

fn png(image: &DynamicImage, profile: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(Cursor::new(&mut bytes));
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile).unwrap();
    }
    let colour: ExtendedColorType = image.color().into();
    encoder.write_image(image.as_bytes(), image.width(), image.height(), colour).unwrap();
    bytes
}

fn convert(folder: &Folder, arguments: &[&str]) {
    let output = Command::new("convert").args(arguments).current_dir(folder.path("")).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
}

fn levels(folder: &Folder, file: &str) -> RgbImage {
    image::open(folder.path(file)).unwrap().to_rgb8()
}

fn greatest_difference(a: &RgbImage, b: &RgbImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter().zip(b.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.as_raw().len() as f64
}

fn profile_of_srgb(folder: &Folder) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/srgb.icc");
    std::fs::copy(path, folder.path("srgb.icc")).unwrap();
    "srgb.icc".to_owned()
}

/// Writes `srgb.png`, `adobe.icc` and the profile of sRGB, whose name it returns.
fn write_srgb_and_adobe(folder: &Folder) -> String {
    folder.write("srgb.png", &png(&smooth().into(), None));
    folder.write("adobe.icc", &icc::rgb(icc::ADOBE_RGB, icc::ADOBE_GAMMA));
    profile_of_srgb(folder)
}

#[test]
fn the_same_picture_in_another_space_is_restored_to_the_same_picture() {
    let folder = Folder::new();
    let srgb = write_srgb_and_adobe(&folder);
    folder.write("linear.icc", &icc::rgb(icc::SRGB, 1.0));
    folder.restore("srgb.png", "srgb-out.png", &QUICK).succeeded("sRGB");
    let expected = levels(&folder, "srgb-out.png");
    for space in ["adobe", "linear"] {
        let (profile, input, output) = (format!("{space}.icc"), format!("{space}.png"), format!("{space}-out.png"));
        convert(
            &folder,
            &["srgb.png", "-depth", "16", "-profile", &srgb, "-profile", &profile, &format!("PNG48:{input}")],
        );
        assert!(greatest_difference(&levels(&folder, &input), &smooth()) > 8, "{space} differs");
        let run = folder.restore(&input, &output, &QUICK);
        run.succeeded(space);
        assert!(!run.errors.contains("warning"), "{run:?}");
        convert(&folder, &[&output, "-profile", &srgb, "back.png"]);
        let difference = greatest_difference(&levels(&folder, "back.png"), &expected);
        assert!(difference <= 2, "{space}: {difference} levels");
    }
}

/// Cameras embed no profile and write into EXIF: uncalibrated, and rule R03 of DCF.
#[test]
fn adobe_rgb_that_only_exif_tells_of_is_converted() {
    let folder = Folder::new();
    let srgb = write_srgb_and_adobe(&folder);
    let best = ["-quality", "100", "-sampling-factor", "1x1"];
    for input in ["camera.jpg", "camera.webp", "converted.tif", "converted.png"] {
        let how = if input.ends_with("webp") { &["-define", "webp:lossless=true"][..] } else { &best[..] };
        let to_adobe = ["srgb.png", "-profile", &srgb, "-profile", "adobe.icc", "-strip"];
        convert(&folder, &[&to_adobe[..], how, &[input]].concat());
        let unconverted = mean_difference(&levels(&folder, input), &smooth());
        assert!(unconverted > 3.0, "{unconverted} levels");
    }
    let tell = |file: &str, space: &str, rule: &str| {
        let output = Command::new("exiftool")
            .args(["-overwrite_original", &format!("-ColorSpace={space}"), &format!("-InteropIndex={rule}"), file])
            .current_dir(folder.path(""))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    folder.restore("srgb.png", "srgb-out.png", &QUICK).succeeded("sRGB");
    let expected = levels(&folder, "srgb-out.png");
    for input in ["camera.jpg", "camera.webp"] {
        tell(input, "Uncalibrated", "R03 - DCF option file (Adobe RGB)");
        folder.restore(input, "out.png", &QUICK).succeeded(input);
        convert(&folder, &["out.png", "-profile", &srgb, "back.png"]);
        // JPEG's errors are large in single pixels and small in the mean; a wrong colour space shows in both.
        let difference = mean_difference(&levels(&folder, "back.png"), &expected);
        assert!(difference <= 1.5, "{input}: {difference} levels");
        // Of sRGB the same tells nothing.
        tell(input, "Uncalibrated", "R98 - DCF basic file (sRGB)");
        assert_eq!(decode(&std::fs::read(folder.path(input)).unwrap(), MOST_BYTES).unwrap().0.profile, None);
    }
    // Cameras write neither; the EXIF may be that of the file it was made from. So it is told, and the pixels are taken as they are.
    for input in ["converted.tif", "converted.png"] {
        for (space, rule, told) in [
            ("sRGB", "R98 - DCF basic file (sRGB)", false),
            // As exiftool writes it where nothing else is said.
            ("Uncalibrated", "R98 - DCF basic file (sRGB)", false),
            ("Uncalibrated", "R03 - DCF option file (Adobe RGB)", true),
        ] {
            tell(input, space, rule);
            let (picture, notes) = decode(&std::fs::read(folder.path(input)).unwrap(), MOST_BYTES).unwrap();
            assert_eq!(picture.profile, None);
            assert_eq!(
                notes.iter().any(|note| note.contains("Adobe RGB")),
                told,
                "{input}, {space}, {rule}: {notes:?}"
            );
        }
    }
}

#[test]
fn colours_beyond_srgb_stay() {
    let folder = Folder::new();
    let green = Rgb([0u8, 255, 0]);
    let image = RgbImage::from_fn(32, 24, |x, _| if x < 16 { green } else { Rgb([128; 3]) });
    folder.write("in.png", &png(&image.into(), Some(icc::rgb(icc::ADOBE_RGB, icc::ADOBE_GAMMA))));
    folder.restore("in.png", "out.png", &QUICK).succeeded("Adobe RGB");
    let pixel = levels(&folder, "out.png").get_pixel(24, 48).0;
    // In sRGB alone the red of such a green would be above 140.
    assert!(pixel[0] < 40 && pixel[1] > 230 && pixel[2] < 40, "{pixel:?}");
}

#[test]
fn grey_of_another_curve_stays_grey() {
    let folder = Folder::new();
    let grey = DynamicImage::from(smooth()).to_luma8();
    folder.write("in.png", &png(&grey.into(), Some(icc::grey(1.0))));
    folder.restore("in.png", "out.png", &QUICK).succeeded("grey");
    let (before, after) = (image::open(folder.path("in.png")).unwrap(), image::open(folder.path("out.png")).unwrap());
    assert!(!after.color().has_color());
    let mean = |image: &DynamicImage| {
        let values = image.to_luma8();
        values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64
    };
    assert!((mean(&before) - mean(&after)).abs() < 6.0, "{} {}", mean(&before), mean(&after));
}

#[test]
fn png_names_spaces_without_profiles() {
    let plain = png(&smooth().into(), None);
    let profile = |chunks: &[(&[u8; 4], Vec<u8>)]| {
        let (picture, notes) = decode(&png_file::with_chunks(&plain, chunks, &[]), MOST_BYTES).unwrap();
        assert!(notes.is_empty(), "{notes:?}");
        picture.profile
    };
    let gamma = |value: u32| (b"gAMA", value.to_be_bytes().to_vec());
    let primaries = |points: [u32; 8]| (b"cHRM", points.map(u32::to_be_bytes).concat());
    let srgb = primaries([31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]);
    let p3 = primaries([31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000]);
    assert_eq!(profile(&[gamma(45455), srgb]), None);
    assert_eq!(profile(&[(b"sRGB", vec![0]), gamma(45455)]), None);
    assert_eq!(profile(&[(b"cICP", vec![1, 13, 0, 1])]), None);
    assert!(profile(&[gamma(100_000)]).is_some());
    assert!(profile(&[p3]).is_some());
    assert!(profile(&[(b"cICP", vec![12, 13, 0, 1])]).is_some());
    // libpng ignores a profile whose tags or length are no multiples of four, and so does every program that uses it.
    for transfer in [1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 17] {
        let profile = profile(&[(b"cICP", vec![9, transfer, 0, 1])]).unwrap();
        let number = |at: usize| u32::from_be_bytes(profile[at..at + 4].try_into().unwrap()) as usize;
        let places: Vec<usize> = (0..number(128)).map(|tag| number(132 + 12 * tag + 4)).collect();
        assert!(places.iter().chain([&profile.len()]).all(|place| place % 4 == 0), "{transfer}: {places:?}");
        assert_eq!(number(0), profile.len());
    }
    let hdr = png_file::with_chunks(&plain, &[(b"cICP", vec![9, 16, 0, 1])], &[]);
    assert!(format!("{:#}", decode(&hdr, MOST_BYTES).unwrap_err()).contains("high dynamic range (PQ)"));
    let narrow = png_file::with_chunks(&plain, &[(b"cICP", vec![1, 13, 0, 0])], &[]);
    assert!(format!("{:#}", decode(&narrow, MOST_BYTES).unwrap_err()).contains("narrow range"));
}

#[test]
fn the_space_that_gamma_names_is_that_of_the_profile_in_the_output() {
    let folder = Folder::new();
    let srgb = profile_of_srgb(&folder);
    folder.write("srgb.png", &png(&smooth().into(), None));
    folder.write("linear.icc", &icc::rgb(icc::SRGB, 1.0));
    convert(
        &folder,
        &["srgb.png", "-depth", "16", "-profile", &srgb, "-profile", "linear.icc", "-strip", "PNG48:stripped.png"],
    );
    let stripped = png(&image::open(folder.path("stripped.png")).unwrap(), None);
    folder.write("in.png", &png_file::with_chunks(&stripped, &[(b"gAMA", 100_000u32.to_be_bytes().to_vec())], &[]));
    folder.restore("in.png", "out.png", &QUICK).succeeded("gAMA 1");
    folder.restore("srgb.png", "srgb-out.png", &QUICK).succeeded("sRGB");
    convert(&folder, &["out.png", "-profile", &srgb, "back.png"]);
    let difference = greatest_difference(&levels(&folder, "back.png"), &levels(&folder, "srgb-out.png"));
    assert!(difference <= 3, "{difference} levels");
}

#[test]
fn inks_are_converted_by_their_profile() {
    const PROFILE: &str = "/usr/share/color/icc/ghostscript/default_cmyk.icc";
    let folder = Folder::new();
    let srgb = profile_of_srgb(&folder);
    folder.write("rgb.png", &png(&smooth().into(), None));
    for input in ["in.jpg", "in.tif"] {
        convert(
            &folder,
            &["rgb.png", "-profile", &srgb, "-profile", PROFILE, "-quality", "100", "-sampling-factor", "1x1", input],
        );
        convert(&folder, &[input, "-intent", "Perceptual", "-profile", &srgb, "expected.png"]);
        let (picture, notes) = decode(&std::fs::read(folder.path(input)).unwrap(), MOST_BYTES).unwrap();
        assert!(notes[0].contains("converted to sRGB by their colour profile"), "{notes:?}");
        assert!(picture.profile.is_none());
        let difference = greatest_difference(&picture.image.to_rgb8(), &levels(&folder, "expected.png"));
        assert!(difference <= 6, "{input}: {difference} levels");
    }
}

#[test]
fn a_profile_that_unpacks_to_gigabytes_is_left_out() {
    // Zeros are packed a thousandfold.
    let bomb = png(&smooth().into(), Some(vec![0; 64 << 20]));
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let (picture, notes) = decode(&bomb, MOST_BYTES).unwrap();
    assert!(picture.profile.is_none() && notes[0].contains("far too large"), "{notes:?}");
    assert_eq!(picture.image.to_rgb8(), smooth());
}

#[test]
fn a_picture_of_gigapixels_is_refused_before_memory_is_taken() {
    let grey = DynamicImage::from(smooth()).to_luma8();
    let giant = png_file::with_size(&png(&grey.into(), None), 46_000, 46_000);
    let message = format!("{:#}", decode(&giant, MOST_BYTES).unwrap_err());
    assert!(message.contains("46000x46000") && message.contains("too large"), "{message}");
}

#[test]
fn colours_under_full_transparency_stay() {
    let folder = Folder::new();
    let image = RgbaImage::from_fn(32, 24, |x, y| Rgba([200, 100, 4 * y as u8, if x < 16 { 0 } else { 255 }]));
    folder.write("in.png", &png(&image.into(), None));
    folder.restore("in.png", "out.png", &QUICK).succeeded("hidden");
    let after = image::open(folder.path("out.png")).unwrap();
    let Rgba([r, g, b, a]) = after.get_pixel(20, 48);
    assert!(r.abs_diff(200) <= 1 && g.abs_diff(100) <= 1 && b.abs_diff(48) <= 3 && a == 0, "{:?}", [r, g, b, a]);
}

#[test]
fn bits_that_the_format_cannot_hold_are_told() {
    let folder = Folder::new();
    let image = DynamicImage::from(smooth()).to_rgb16();
    folder.write("in.png", &png(&image.into(), None));
    for output in ["out.jpg", "out.webp"] {
        let run = folder.restore("in.png", output, &QUICK);
        run.succeeded(output);
        assert!(run.errors.contains("16 bits are cut to the 8"), "{run:?}");
    }
    let run = folder.restore("in.png", "out.tif", &QUICK);
    run.succeeded("TIFF");
    assert!(!run.errors.contains("warning"), "{run:?}");
}
