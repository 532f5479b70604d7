//! The `kds` command on odd and broken input: the right picture, or one clear line and nothing left behind.

mod common;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Folder, QUICK, Run};
use image::{ColorType, DynamicImage, ImageFormat, Rgb, RgbImage, RgbaImage};
use kds_tests::bicubic;
use kds_tests::png_file::with_size;

/// The least PSNR(Y) in dB between a smooth picture restored in a single step and its enlargement: the same picture.
const SAME_PICTURE: f64 = 20.0;
/// Enlargement of the default model.
const SCALE: u32 = 4;

/// A smooth picture.
fn smooth(width: u32, height: u32) -> RgbImage {
    let level = |at: u32, of: u32| (40 + 170 * at / of) as u8;
    RgbImage::from_fn(width, height, |x, y| Rgb([level(x, width), level(y, height), level(x + y, width + height)]))
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn data(file: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(file)).unwrap()
}

#[test]
fn unusual_pictures_are_restored_in_their_own_format() {
    let picture = DynamicImage::from(smooth(24, 20));
    let mut alpha: RgbaImage = picture.to_rgba8();
    alpha.enumerate_pixels_mut().for_each(|(x, _, pixel)| pixel.0[3] = 255 - 4 * x as u8);
    let cases: &[(&str, &str, Vec<u8>, ColorType)] = &[
        ("8 bits", "in.png", png(picture.clone()), ColorType::Rgb8),
        ("1 x 1", "in.png", png(smooth(1, 1)), ColorType::Rgb8),
        ("3 x 5000", "in.png", png(smooth(3, 5000)), ColorType::Rgb8),
        ("16 bits", "in.png", png(picture.to_rgb16()), ColorType::Rgb16),
        ("grey", "in.png", png(picture.to_luma8()), ColorType::L8),
        ("grey of 16 bits", "in.png", png(picture.to_luma16()), ColorType::L16),
        ("grey and alpha", "in.png", png(picture.to_luma_alpha8()), ColorType::La8),
        ("alpha", "in.png", png(alpha), ColorType::Rgba8),
        ("palette", "in.png", data("palette.png"), ColorType::Rgb8),
        ("CMYK", "in.jpg", data("cmyk.jpg"), ColorType::Rgb8),
    ];
    for (case, input, bytes, colour) in cases {
        let folder = Folder::new();
        let source = image::open(folder.write(input, bytes)).unwrap();
        folder.restore(input, "out.png", &QUICK).succeeded(case);
        let restored = image::open(folder.path("out.png")).unwrap();
        assert_eq!(restored.color(), *colour, "{case}");
        assert_same_picture(case, &source.to_rgb8(), &restored.to_rgb8());
        let opacity = |image: &DynamicImage| DynamicImage::from(grey_of_alpha(&image.to_rgba8())).to_rgb8();
        assert_same_picture(case, &opacity(&source), &opacity(&restored));
        assert_eq!(folder.files(), BTreeSet::from([(*input).to_owned(), "out.png".to_owned()]), "{case}");
    }
}

fn grey_of_alpha(image: &RgbaImage) -> image::GrayImage {
    image::GrayImage::from_fn(image.width(), image.height(), |x, y| image::Luma([image.get_pixel(x, y).0[3]]))
}

fn assert_same_picture(case: &str, source: &RgbImage, restored: &RgbImage) {
    let enlarged = bicubic::enlarge(source, SCALE).unwrap();
    assert_eq!(restored.dimensions(), enlarged.dimensions(), "{case}");
    if restored.width().min(restored.height()) > 2 * kds_metrics::BORDER {
        let psnr = kds_metrics::psnr_luma(restored, &enlarged).unwrap();
        assert!(psnr >= SAME_PICTURE, "{case}: PSNR {psnr} dB");
    }
}

#[test]
fn broken_files_are_refused() {
    let whole = png(smooth(24, 20));
    let cases: &[(&str, Option<Vec<u8>>)] = &[
        ("missing", None),
        ("not an image", Some(b"Dear diary, today I took no photograph.\n".to_vec())),
        ("zero bytes", Some(Vec::new())),
        ("cut before its first row", Some(whole[..50].to_vec())),
        ("only a header", Some(whole[..40].to_vec())),
        ("claims 2 billion by 2 billion pixels", Some(with_size(&whole, u32::MAX >> 1, u32::MAX >> 1))),
        ("claims more pixels than there is memory for", Some(with_size(&whole, 1_000_000, 1_000_000))),
    ];
    for (case, bytes) in cases {
        let folder = Folder::new();
        if let Some(bytes) = bytes {
            folder.write("in.png", bytes);
        }
        let before = folder.files();
        folder.restore("in.png", "out.png", &QUICK).refused(case, "in.png");
        assert_eq!(folder.files(), before, "{case}");
    }
}

#[test]
fn memory_is_asked_for_before_a_large_picture_is_decoded() {
    let folder = Folder::new();
    // Decoding it would find that most of the pixels are not there.
    folder.write("in.png", &with_size(&png(smooth(24, 20)), 4000, 4000));
    folder.restore("in.png", "out.png", &[&QUICK[..], &["--memory", "64MiB"]].concat()).refused("large", "memory");
    folder.write("in.png", &with_size(&png(smooth(24, 20)), 5000, 4000));
    folder.restore("in.png", "out.webp", &QUICK).refused("too wide for the format", "at most 16384 pixels a side");
}

#[test]
fn settings_out_of_range_are_refused() {
    // The setting, and a word that has to be in the message.
    let cases: &[(&[&str], &str)] = &[
        (&["--strength", "NaN"], "strength"),
        (&["--strength", "inf"], "strength"),
        (&["--strength", "1.5"], "strength"),
        (&["--particles", "0"], "particles"),
        (&["--particles", "65"], "particles"),
        (&["--particles", "many"], "particles"),
        (&["--particles", "99999999999999999999"], "particles"),
        (&["--steps", "1001"], "steps"),
        (&["--seed=-1"], "seed"),
        (&["--sampler", "none"], "sampler"),
        (&["--bandwidth", "0"], "bandwidth"),
        (&["--patch", "4", "--stride", "5"], "stride"),
        (&["--from", "0.2", "--to", "0.6"], "from"),
        (&["--particles", "4", "--selection", "index:4"], "index"),
        (&["--memory", "1KiB"], "memory"),
        (&["--device", "gpu"], "device"),
        (&["--device", "cuda:200"], "cuda"),
        (&["--dtype", "f64"], "dtype"),
        (&["--model", "nonesuch"], "nonesuch"),
        (&["--particle-count", "4"], "particle-count"),
        (&["--quality", "0"], "quality"),
        (&["--threads", "many"], "threads"),
        (&["--mask", "missing-mask.png"], "mask"),
        (&["--registry", "missing.toml"], "missing.toml"),
        (&["--registry", "broken.toml"], "broken.toml"),
        (&["--registry", "mistyped.toml"], "mistyped.toml"),
    ];
    let folder = Folder::new();
    folder.write("in.png", &png(smooth(24, 20)));
    folder.write("broken.toml", b"[[model]\nid = ");
    folder.write("mistyped.toml", b"[[model]]\nid = \"mine\"\ntitle = 4\n");
    let before = folder.files();
    for (settings, word) in cases {
        folder.restore("in.png", "out.png", settings).refused(&settings.join(" "), word);
        assert_eq!(folder.files(), before, "{settings:?}");
    }
}

#[test]
fn an_output_of_unknown_format_is_refused_before_the_work() {
    let folder = Folder::new();
    folder.write("in.png", &png(smooth(24, 20)));
    let start = Instant::now();
    folder.restore("in.png", "out.xyz", &["--particles", "64", "--steps", "1000"]).refused("out.xyz", "out.xyz");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(folder.files(), BTreeSet::from(["in.png".to_owned()]));
}

#[test]
fn a_full_disk_leaves_no_partial_picture() {
    let folder = Folder::new();
    folder.write("in.png", &png(smooth(64, 64)));
    let settings = ["restore", "in.png", "--output", "out.png", "--particles", "1", "--steps", "1"];
    let mut command = folder.command(&settings);
    // SAFETY: setrlimit and signal may be called between fork and exec; they touch nothing of this process.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: 1024, rlim_max: 1024 };
            // Ignored, the signal becomes an error of the write, as on a full disk.
            if libc::setrlimit(libc::RLIMIT_FSIZE, &limit) != 0
                || libc::signal(libc::SIGXFSZ, libc::SIG_IGN) == libc::SIG_ERR
            {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
    Run::of(command.output().unwrap()).refused("full disk", "out.png");
    assert_eq!(folder.files(), BTreeSet::from(["in.png".to_owned()]));
}

#[test]
fn an_existing_picture_survives_a_failed_restoration() {
    let folder = Folder::new();
    folder.write("in.png", b"not an image");
    folder.write("out.png", b"precious");
    folder.restore("in.png", "out.png", &QUICK).refused("not an image", "in.png");
    assert_eq!(std::fs::read(folder.path("out.png")).unwrap(), b"precious");
}

#[test]
fn an_interrupt_stops_the_work_and_leaves_nothing() {
    let folder = Folder::new();
    folder.write("in.png", &png(smooth(24, 20)));
    let arguments = ["restore", "in.png", "--output", "out.png", "--particles", "64", "--steps", "1000"];
    let mut child = folder.command(&arguments).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(4));
    assert!(child.try_wait().unwrap().is_none(), "64000 evaluations of the network were done in 4 seconds");
    let start = Instant::now();
    // SAFETY: the process was started here and not waited for, so the number is still its own.
    assert_eq!(unsafe { libc::kill(child.id().cast_signed(), libc::SIGINT) }, 0);
    let run = Run::of(child.wait_with_output().unwrap());
    let waited = start.elapsed();
    assert_eq!(run.code, Some(130), "{run:?}");
    assert!(run.errors.lines().all(|line| line.starts_with("kds: ")), "{run:?}");
    assert!(waited < Duration::from_secs(15), "{waited:?}");
    assert_eq!(folder.files(), BTreeSet::from(["in.png".to_owned()]));
}

#[test]
fn a_reader_that_goes_away_causes_no_panic() {
    for arguments in [&["models"][..], &["doctor"], &["restore", "--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let folder = Folder::new();
        let mut command = folder.command(arguments);
        command.stdout(writer);
        // Fails the test where "panicked" is among the errors.
        Run::of(command.output().unwrap());
    }
}
