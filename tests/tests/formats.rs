//! Formats of files: which are read, how much of a broken one, and what is said of more than one picture.

#[expect(dead_code, reason = "what concerns refusals and leftovers only")]
mod common;

use std::io::Cursor;

use common::{Folder, QUICK};
use image::{Delay, DynamicImage, Frame, ImageFormat, Rgb, RgbImage, codecs::gif::GifEncoder};
use kds_cli::read::{MOST_BYTES, decode};
use kds_tests::png_file::with_chunks;

fn picture() -> RgbImage {
    RgbImage::from_fn(40, 30, |x, y| Rgb([40 + 4 * x as u8, 60 + 5 * y as u8, (x * y % 97) as u8]))
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let image = DynamicImage::from(picture());
    let image =
        if matches!(format, ImageFormat::OpenExr | ImageFormat::Hdr) { image.to_rgb32f().into() } else { image };
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn every_format_is_restored() {
    let formats = [
        (ImageFormat::Png, true),
        (ImageFormat::Tiff, true),
        (ImageFormat::WebP, true),
        (ImageFormat::Bmp, true),
        (ImageFormat::Qoi, true),
        (ImageFormat::Pnm, true),
        (ImageFormat::Jpeg, false),
        (ImageFormat::Gif, false),
        (ImageFormat::OpenExr, false),
        (ImageFormat::Hdr, false),
    ];
    for (format, exact) in formats {
        let (read, notes) =
            decode(&encoded(format), MOST_BYTES).unwrap_or_else(|error| panic!("{format:?}: {error:#}"));
        assert!(notes.is_empty(), "{format:?}: {notes:?}");
        assert_eq!(
            (read.image.width(), read.image.height(), read.image.color().has_alpha()),
            (40, 30, false),
            "{format:?}"
        );
        if exact {
            assert_eq!(read.image.to_rgb8(), picture(), "{format:?}");
        }
    }
    let folder = Folder::new();
    folder.write("in.bmp", &encoded(ImageFormat::Bmp));
    folder.restore("in.bmp", "out.png", &QUICK).succeeded("BMP");
    assert_eq!(image::open(folder.path("out.png")).unwrap().width(), 160);
}

fn jxl(name: &str) -> (kds_cli::picture::Picture, Vec<String>) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/jxl").join(name);
    decode(&std::fs::read(path).unwrap(), MOST_BYTES).unwrap_or_else(|error| panic!("{name}: {error:#}"))
}

/// Files of libjxl: bare and in a container, of every depth, with alpha, profiles and metadata.
#[test]
fn jpeg_xl() {
    for name in ["rgb.jxl", "container.jxl", "p3.jxl", "profile.jxl", "moving.jxl"] {
        let (read, notes) = jxl(name);
        assert_eq!(read.image, DynamicImage::from(picture()), "{name}");
        assert_eq!(read.profile.is_some(), matches!(name, "p3.jxl" | "profile.jxl"), "{name}");
        assert_eq!(notes.iter().any(|note| note.contains("animation")), name == "moving.jxl", "{notes:?}");
    }
    let (read, _) = jxl("alpha.jxl");
    let DynamicImage::ImageRgba8(image) = read.image else { panic!("{:?}", read.image.color()) };
    let alpha = |pixel: &Rgb<u8>| 255u8.saturating_sub(pixel.0[2].saturating_mul(3));
    assert!(image.pixels().zip(picture().pixels()).all(|(got, of)| got.0[..3] == of.0 && got.0[3] == alpha(of)));
    let (read, _) = jxl("grey16.jxl");
    let DynamicImage::ImageLuma16(image) = read.image else { panic!("{:?}", read.image.color()) };
    assert!(image.pixels().zip(picture().pixels()).all(|(got, of)| got.0[0] == 257 * u16::from(of.0[0])));
    let (read, _) = jxl("float.jxl");
    let DynamicImage::ImageRgb32F(image) = read.image else { panic!("{:?}", read.image.color()) };
    let same = |(got, of): (&f32, &u8)| (got - f32::from(*of) / 255.0).abs() < 1e-6;
    assert!(image.iter().zip(picture().iter()).all(same));
    let (read, _) = jxl("lossy.jxl");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/jxl");
    let reference = image::open(path.join("lossy.png")).unwrap().to_rgb8();
    let off = read.image.to_rgb8().iter().zip(reference.iter()).map(|(got, of)| got.abs_diff(*of)).max();
    assert!(off <= Some(1), "{off:?} levels from libjxl's decoder");
    // Its pixels lie on the side, which EXIF says too.
    let (read, _) = jxl("exif.jxl");
    assert_eq!(read.image, DynamicImage::from(image::imageops::rotate90(&picture())));
    let exif = read.metadata.exif.expect("there is an EXIF block");
    assert!(exif.windows(19).any(|part| part == b"Maker of the camera"));
    assert!(read.metadata.xmp.is_some_and(|packet| packet.starts_with(b"<x:xmpmeta")));

    let refusal = |bytes: &[u8]| format!("{:#}", decode(bytes, MOST_BYTES).unwrap_err());
    assert!(refusal(&std::fs::read(path.join("pq.jxl")).unwrap()).contains("PQ"));
    let whole = std::fs::read(path.join("rgb.jxl")).unwrap();
    for length in (2..whole.len()).step_by(7) {
        refusal(&whole[..length]);
    }
    // By the planes that it claims, and by what its filters take.
    let planes = 40 * 30 * 3 * 4;
    let lossy = std::fs::read(path.join("lossy.jxl")).unwrap();
    for (file, most) in [(&whole, 100), (&whole, planes - 1), (&lossy, planes)] {
        let message = format!("{:#}", decode(file, most).map(|_| ()).unwrap_err());
        assert!(message.contains("too large"), "{most}: {message}");
    }
    decode(&whole, planes).unwrap();
    let folder = Folder::new();
    folder.write("in.jxl", &whole);
    folder.restore("in.jxl", "out.png", &QUICK).succeeded("JPEG XL");
    assert_eq!(image::open(folder.path("out.png")).unwrap().width(), 160);
}

/// Light in OpenEXR comes back as light, and as sRGB elsewhere.
#[test]
fn openexr_is_linear() {
    let folder = Folder::new();
    const LIGHT: f32 = 0.2140;
    let image = image::Rgb32FImage::from_pixel(40, 30, Rgb([LIGHT; 3]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(image).write_to(&mut bytes, ImageFormat::OpenExr).unwrap();
    folder.write("in.exr", bytes.get_ref());
    folder.restore("in.exr", "out.exr", &QUICK).succeeded("OpenEXR");
    let mean = |file: &str| {
        let image = image::open(folder.path(file)).unwrap().to_rgb32f();
        image.iter().sum::<f32>() / image.len() as f32
    };
    assert!((mean("out.exr") - LIGHT).abs() < 0.02, "{}", mean("out.exr"));
    folder.restore("in.exr", "out.png", &QUICK).succeeded("PNG");
    assert!((mean("out.png") - 0.5).abs() < 0.02, "{}", mean("out.png"));
    folder.restore("out.png", "again.exr", &QUICK).succeeded("PNG to OpenEXR");
    assert!((mean("again.exr") - LIGHT).abs() < 0.03, "{}", mean("again.exr"));
}

fn gif(frames: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    let frame =
        || Frame::from_parts(DynamicImage::from(picture()).to_rgba8(), 0, 0, Delay::from_numer_denom_ms(100, 1));
    (0..frames).for_each(|_| encoder.encode_frame(frame()).unwrap());
    drop(encoder);
    bytes
}

#[test]
fn animations_are_told() {
    let animation = (b"acTL", [3u32.to_be_bytes(), 0u32.to_be_bytes()].concat());
    let apng = with_chunks(&encoded(ImageFormat::Png), &[animation], &[]);
    for (case, bytes) in [("APNG", apng), ("GIF", gif(2)), ("WebP", animated_webp())] {
        let (_, notes) = decode(&bytes, MOST_BYTES).unwrap_or_else(|error| panic!("{case}: {error:#}"));
        assert!(notes.len() == 1 && notes[0].contains("only") && notes[0].contains("first"), "{case}: {notes:?}");
    }
    assert!(decode(&gif(1), MOST_BYTES).unwrap().1.is_empty());
}

/// Two frames of the same picture, put into the chunks of an animation.
fn animated_webp() -> Vec<u8> {
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let mut chunk = [name, (data.len() as u32).to_le_bytes().as_slice(), data].concat();
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    };
    let plain = encoded(ImageFormat::WebP);
    // After the header of the file comes the one chunk of pixels.
    let pixels = &plain[12..];
    let size = |value: u32| value.to_le_bytes()[..3].to_vec();
    let frame = [size(0), size(0), size(39), size(29), size(100), vec![0], pixels.to_vec()].concat();
    let extended = [vec![0b10, 0, 0, 0], size(39), size(29)].concat();
    let body =
        [chunk(b"VP8X", &extended), chunk(b"ANIM", &[0; 6]), chunk(b"ANMF", &frame), chunk(b"ANMF", &frame)].concat();
    [b"RIFF".as_slice(), &(body.len() as u32 + 4).to_le_bytes(), b"WEBP", &body].concat()
}

#[test]
fn cut_files_are_restored_as_far_as_they_go() {
    let folder = Folder::new();
    let png = encoded(ImageFormat::Png);
    folder.write("cut.png", &png[..png.len() * 8 / 10]);
    folder.write("unended.png", &png[..png.len() - 12]);
    let jpeg = encoded(ImageFormat::Jpeg);
    folder.write("cut.jpg", &jpeg[..jpeg.len() * 8 / 10]);
    for input in ["cut.png", "unended.png", "cut.jpg"] {
        let run = folder.restore(input, "out.png", &QUICK);
        run.succeeded(input);
        assert!(run.errors.contains("cut short"), "{run:?}");
    }
}

#[test]
fn formats_that_are_not_read_are_named() {
    let folder = Folder::new();
    for (name, bytes, words) in [
        ("in.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf".as_slice(), "avifdec"),
        ("in.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heif-convert"),
        ("in.raf", b"FUJIFILMCCD-RAW 0201FF383501", "darktable"),
    ] {
        folder.write(name, bytes);
        folder.restore(name, "out.png", &QUICK).refused(name, words);
    }
}
