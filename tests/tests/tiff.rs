//! TIFF files of every kind: read right, or refused in one line that says what to do.

#[expect(dead_code, reason = "what concerns refusals and leftovers only")]
mod common;

use std::process::Command;

use common::{Folder, QUICK};
use image::{DynamicImage, GenericImageView, Rgba};
use kds_cli::read::{MOST_BYTES, decode, decode_page};
use kds_tests::tiff_file::{Page, Value, tiff};

const WIDTH: u32 = 48;
const HEIGHT: u32 = 40;

const WHITE_IS_ZERO: u16 = 0;
const GREY: u16 = 1;
const RGB: u16 = 2;
const PALETTE: u16 = 3;
const INKS: u16 = 5;
const YCBCR: u16 = 6;
const CIE_LAB: u16 = 8;
const FILTER_ARRAY: u16 = 32803;

const SUBFILE_TYPE: u16 = 254;
const COMPRESSION: u16 = 259;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;

/// A colour for each place, none of them alike.
fn colour(x: u32, y: u32) -> [u8; 3] {
    [40 + 4 * x as u8, 30 + 5 * y as u8, 200 - 2 * (x + y) as u8]
}

/// The samples of each pixel in their order.
fn data<T: AsRef<[u8]>>(pixel: impl Fn(u32, u32) -> T) -> Vec<u8> {
    (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y).as_ref().to_vec()).collect()
}

fn page(samples: u16, photometric: u16, data: Vec<u8>) -> Page {
    Page::new(WIDTH, HEIGHT, samples, photometric, data)
}

fn rgb() -> Page {
    page(3, RGB, data(colour))
}

fn read(pages: &[Page]) -> (DynamicImage, Vec<String>) {
    let (picture, notes) = decode(&tiff(pages, true, false), MOST_BYTES).unwrap();
    (picture.image, notes)
}

fn refusal(page: Page) -> String {
    let message = format!("{:#}", decode(&tiff(&[page], true, false), MOST_BYTES).unwrap_err());
    assert!(message.contains("; ") && message.lines().count() == 1, "{message}");
    message
}

/// Asserts that the picture has these colours, to a level.
fn assert_colours(image: &DynamicImage, expected: impl Fn(u32, u32) -> [u8; 3], case: &str) {
    assert_eq!(image.dimensions(), (WIDTH, HEIGHT), "{case}");
    for (x, y, Rgba([r, g, b, _])) in image.to_rgba8().enumerate_pixels().map(|(x, y, pixel)| (x, y, *pixel)) {
        let expected = expected(x, y);
        let near = [r, g, b].iter().zip(expected).all(|(got, expected)| got.abs_diff(expected) <= 1);
        assert!(near, "{case}: {:?} in place of {expected:?} at {x}, {y}", [r, g, b]);
    }
}

#[test]
fn strips_tiles_and_planes_in_both_byte_orders_and_sizes() {
    for planar in [false, true] {
        for tiles in [None, Some((16, 16)), Some((32, 16)), Some((64, 64))] {
            for little in [true, false] {
                for big in [false, true] {
                    let page = Page { planar, tiles, ..rgb() };
                    let case = format!("planar {planar}, tiles {tiles:?}, little {little}, big {big}");
                    let (picture, notes) = decode(&tiff(&[page], little, big), MOST_BYTES)
                        .unwrap_or_else(|error| panic!("{case}: {error:#}"));
                    assert_colours(&picture.image, colour, &case);
                    assert!(notes.is_empty(), "{case}: {notes:?}");
                }
            }
        }
    }
}

#[test]
fn a_tiled_planar_tiff_does_not_take_the_batch_along() {
    let folder = Folder::new();
    for name in ["in/1.tif", "in/2.tif"] {
        folder.write(name, &tiff(&[Page { planar: true, tiles: Some((16, 16)), ..rgb() }], true, false));
    }
    folder.write("in/0.tif", b"II*\0\x08\0\0\0nonsense");
    std::fs::create_dir(folder.path("out")).unwrap();
    let run = folder.restore("in", "out", &QUICK);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(folder.path("out/1.tif").exists() && folder.path("out/2.tif").exists(), "{run:?}");
}

/// The colour at x, y.
type Colours = fn(u32, u32) -> [u8; 3];

#[test]
fn samples_of_every_kind() {
    let grey = |x: u32, y: u32| [colour(x, y)[0]; 3];
    let level = |x: u32, y: u32| colour(x, y)[0];
    let float = |value: u8| f32::from(value) / 255.0;
    let unsigned = |bits: u16, bytes: fn(u8) -> Vec<u8>| page(1, GREY, data(move |x, y| bytes(level(x, y)))).bits(bits);
    let cases: Vec<(&str, Page, Colours)> = vec![
        ("8", page(1, GREY, data(|x, y| [level(x, y)])), grey),
        ("16", unsigned(16, |value| (u16::from(value) * 257).to_le_bytes().to_vec()), grey),
        ("32", unsigned(32, |value| (u32::from(value) * 0x0101_0101).to_le_bytes().to_vec()), grey),
        ("64", unsigned(64, |value| (u64::from(value) * 0x0101_0101_0101_0101).to_le_bytes().to_vec()), grey),
        ("signed 8", unsigned(8, |value| vec![value ^ 0x80]).field(SAMPLE_FORMAT, Value::Short(vec![2])), grey),
        (
            "signed 16",
            unsigned(16, |value| (i32::from(value) * 257 - 32768).to_le_bytes()[..2].to_vec())
                .field(SAMPLE_FORMAT, Value::Short(vec![2])),
            grey,
        ),
        (
            "grey float",
            page(1, GREY, data(|x, y| float(level(x, y)).to_le_bytes()))
                .bits(32)
                .field(SAMPLE_FORMAT, Value::Short(vec![3])),
            grey,
        ),
        (
            "double",
            page(3, RGB, data(|x, y| colour(x, y).map(|value| f64::from(float(value)).to_le_bytes()).concat()))
                .bits(64)
                .field(SAMPLE_FORMAT, Value::Short(vec![3; 3])),
            colour,
        ),
        (
            "half",
            page(
                3,
                RGB,
                data(|x, y| colour(x, y).map(|value| half::f16::from_f32(float(value)).to_le_bytes()).concat()),
            )
            .bits(16)
            .field(SAMPLE_FORMAT, Value::Short(vec![3; 3])),
            colour,
        ),
        (
            "12",
            // Two samples in three bytes.
            page(
                1,
                GREY,
                (0..HEIGHT)
                    .flat_map(|y| {
                        (0..WIDTH / 2).flat_map(move |pair| {
                            let [a, b] =
                                [2 * pair, 2 * pair + 1].map(|x| (u32::from(colour(x, y)[0]) * 4095 + 127) / 255);
                            [(a >> 4) as u8, ((a & 15) << 4 | b >> 8) as u8, b as u8]
                        })
                    })
                    .collect(),
            )
            .bits(12),
            grey,
        ),
        ("white is zero", page(1, WHITE_IS_ZERO, data(|x, y| [255 - level(x, y)])), grey),
        (
            "YCbCr",
            page(
                3,
                YCBCR,
                data(|x, y| {
                    let [r, g, b] = colour(x, y).map(f32::from);
                    let luma = 0.299 * r + 0.587 * g + 0.114 * b;
                    [luma, 128.0 + (b - luma) / 1.772, 128.0 + (r - luma) / 1.402].map(|value| value.round() as u8)
                }),
            )
            .field(530, Value::Short(vec![1, 1])),
            colour,
        ),
        (
            "Lab",
            // Lightness of neutral greys, by the definition of Lab over that of sRGB.
            page(
                3,
                CIE_LAB,
                data(|x, y| {
                    let value = float(level(x, y));
                    let light = if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
                    let lightness = if light > 0.008856 { 116.0 * light.cbrt() - 16.0 } else { 903.3 * light };
                    [(lightness * 2.55).round() as u8, 0, 0]
                }),
            ),
            grey,
        ),
    ];
    for (case, page, expected) in cases {
        let (image, _) = read(&[page]);
        if case == "Lab" {
            // A level of lightness is up to two of sRGB.
            for (x, y, pixel) in image.to_rgba8().enumerate_pixels() {
                assert!(pixel.0[..3].iter().all(|value| value.abs_diff(expected(x, y)[0]) <= 2), "{pixel:?}");
            }
        } else {
            assert_colours(&image, expected, case);
        }
    }
}

#[test]
fn bits_and_palettes() {
    // Eight pixels to a byte.
    let bits: Vec<u8> = (0..HEIGHT).flat_map(|_| [0b1010_1100; WIDTH as usize / 8]).collect();
    let black_and_white = |x: u32, _| [if [0, 2, 4, 5].contains(&(x % 8)) { 255 } else { 0 }; 3];
    assert_colours(&read(&[page(1, GREY, bits.clone()).bits(1)]).0, black_and_white, "one bit");
    let map: Vec<u16> = (0..3).flat_map(|channel| [0x1000 * (channel + 1), 0xf000]).collect();
    let palette = page(1, PALETTE, bits).bits(1).field(320, Value::Short(map));
    let coloured = |x: u32, y: u32| if black_and_white(x, y)[0] > 0 { [0xf0; 3] } else { [0x10, 0x20, 0x30] };
    assert_colours(&read(&[palette]).0, coloured, "palette of two");
    let map: Vec<u16> =
        (0..3).flat_map(|channel| (0..256).map(move |index| ((index * (channel + 1)) % 256 * 256) as u16)).collect();
    let palette = page(1, PALETTE, data(|x, y| [(x + y) as u8])).field(320, Value::Short(map));
    assert_colours(&read(&[palette]).0, |x, y| [1, 2, 3].map(|times| ((x + y) * times) as u8), "palette of 256");
    assert!(refusal(page(1, PALETTE, data(|_, _| [0]))).contains("palette"));
}

#[test]
fn alpha_that_is_multiplied_into_the_colours_is_taken_out() {
    let half_red = data(|_, _| [128, 0, 0, 128]);
    let alpha = |kind| page(4, RGB, half_red.clone()).field(EXTRA_SAMPLES, Value::Short(vec![kind]));
    assert_eq!(read(&[alpha(1)]).0.get_pixel(5, 5), Rgba([255, 0, 0, 128]));
    assert_eq!(read(&[alpha(2)]).0.get_pixel(5, 5), Rgba([128, 0, 0, 128]));
    // An infrared channel is no alpha, and is told.
    let (image, notes) = read(&[alpha(0)]);
    assert!(!image.color().has_alpha() && notes[0].contains("left out"), "{notes:?}");
    let grey = page(2, GREY, data(|_, _| [64, 128])).field(EXTRA_SAMPLES, Value::Short(vec![1]));
    assert_eq!(read(&[grey]).0.get_pixel(5, 5), Rgba([128, 128, 128, 128]));
}

#[test]
fn associated_alpha_is_written_as_every_reader_understands_it() {
    let folder = Folder::new();
    let page = page(4, RGB, data(|_, _| [128, 0, 0, 128])).field(EXTRA_SAMPLES, Value::Short(vec![1]));
    folder.write("in.tif", &tiff(&[page], true, false));
    for output in ["out.png", "out.tif"] {
        folder.restore("in.tif", output, &QUICK).succeeded(output);
        let wanted = "%[fx:u.p{90,60}.r] %[fx:u.p{90,60}.a]";
        let mut command = Command::new("convert");
        let text = output_of(command.arg(folder.path(output)).args(["-depth", "8", "-format", wanted, "info:"]));
        let values: Vec<f64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert!(values[0] > 0.95 && (values[1] - 0.5).abs() < 0.02, "{output}: {text}");
    }
}

fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn pages_and_thumbnails() {
    let other = page(3, RGB, data(|_, _| [1, 2, 3]));
    let (image, notes) = read(&[rgb(), other.clone(), other.clone()]);
    assert_colours(&image, colour, "the first page");
    assert!(notes.len() == 1 && notes[0].contains("3 pages"), "{notes:?}");
    let album = tiff(&[rgb(), other.clone(), rgb()], true, false);
    let (chosen, notes) = decode_page(&album, MOST_BYTES, Some(2)).unwrap();
    assert_colours(&chosen.image, |_, _| [1, 2, 3], "the second page");
    assert!(notes.is_empty(), "{notes:?}");
    let refused = decode_page(&album, MOST_BYTES, Some(4)).unwrap_err().to_string();
    assert!(refused.contains("3 pages, and no page 4"), "{refused}");
    // A thumbnail first, and smaller copies, are no pages.
    let thumbnail = Page::new(4, 4, 1, GREY, vec![0; 16]).field(SUBFILE_TYPE, Value::Long(vec![1]));
    for pages in [vec![thumbnail.clone(), rgb()], vec![rgb(), thumbnail.clone()]] {
        let (image, notes) = read(&pages);
        assert_colours(&image, colour, "not the thumbnail");
        assert!(notes.is_empty(), "{notes:?}");
    }
    let mut above = thumbnail;
    above.below = vec![rgb()];
    assert_colours(&read(&[above]).0, colour, "below the thumbnail");
}

#[test]
fn raw_files_are_refused_and_not_their_thumbnails_restored() {
    let raw = page(1, FILTER_ARRAY, data(|_, _| [0, 0])).bits(16).field(SUBFILE_TYPE, Value::Long(vec![0]));
    let thumbnail = Page::new(4, 4, 3, RGB, vec![0; 48])
        .field(SUBFILE_TYPE, Value::Long(vec![1]))
        .field(271, Value::Text("NIKON CORPORATION"));
    let mut nef = thumbnail.clone();
    nef.below = vec![raw.clone()];
    let message = refusal(nef);
    assert!(message.contains("raw file (NIKON CORPORATION)") && message.contains("develop it"), "{message}");
    assert!(refusal(thumbnail.field(50706, Value::Bytes(vec![1, 4, 0, 0]))).contains("raw file"));
    assert!(refusal(raw).contains("raw file"));
}

#[test]
fn four_inks() {
    let (image, notes) = read(&[page(4, INKS, data(|_, _| [0, 255, 255, 0]))]);
    assert_eq!(image.get_pixel(3, 3), Rgba([255, 0, 0, 255]));
    assert!(notes[0].contains("no colour profile"), "{notes:?}");
    assert!(refusal(page(4, INKS, data(|_, _| [0; 4])).field(332, Value::Short(vec![2]))).contains("inks"));
}

/// In units of `across` x `down` pixels of one colour, of uneven numbers of pixels where the sides are.
fn ycbcr(across: u32, down: u32) -> Page {
    let mut packed = Vec::new();
    for y in (0..HEIGHT).step_by(down as usize) {
        for x in (0..WIDTH).step_by(across as usize) {
            for (inner_y, inner_x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
                packed.push(luma(x + inner_x, y + inner_y));
            }
            packed.extend(chroma(x / across, y / down));
        }
    }
    page(3, YCBCR, packed).field(530, Value::Short(vec![across as u16, down as u16]))
}

fn luma(x: u32, y: u32) -> u8 {
    60 + 2 * x as u8 + y as u8
}

fn chroma(x: u32, y: u32) -> [u8; 2] {
    [118 + x as u8 % 20, 140 - y as u8 % 20]
}

#[test]
fn subsampled_colours_without_jpeg() {
    for (across, down) in [(2, 2), (2, 1), (4, 2), (1, 2), (4, 4)] {
        let (image, notes) = read(&[ycbcr(across, down)]);
        assert!(notes.is_empty(), "{notes:?}");
        let expected = |x, y| {
            let y_prime = f64::from(luma(x, y));
            let [cb, cr] = chroma(x / across, y / down).map(|value| f64::from(value) - 128.0);
            [y_prime + 1.402 * cr, y_prime - 0.344_136 * cb - 0.714_136 * cr, y_prime + 1.772 * cb]
                .map(|value| value.round() as u8)
        };
        assert_colours(&image, expected, &format!("{across} x {down}"));
    }
}

#[test]
fn bits_in_reverse_order() {
    let reversed = |page: Page| Page { data: page.data.iter().map(|byte| byte.reverse_bits()).collect(), ..page };
    let (image, _) = read(&[reversed(rgb()).field(266, Value::Short(vec![2]))]);
    assert_colours(&image, colour, "8 bits");
    let deep =
        page(3, RGB, data(|x, y| colour(x, y).map(|value| u16::from(value) * 257).map(u16::to_le_bytes).concat()));
    let (image, _) = read(&[reversed(Page { bits: 16, ..deep }).field(266, Value::Short(vec![2]))]);
    assert_colours(&image, colour, "16 bits");
}

/// Written by libtiff.
#[test]
fn zstandard() {
    let (picture, notes) = decode(include_bytes!("../data/zstd.tif"), MOST_BYTES).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    assert_colours(&picture.image, colour, "Zstandard");
}

#[test]
fn kinds_that_are_not_read_are_named() {
    for (page, words) in [
        (rgb().field(COMPRESSION, Value::Short(vec![34925])), "LZMA"),
        (rgb().field(COMPRESSION, Value::Short(vec![3])), "Group 3 fax"),
        (rgb().field(258, Value::Short(vec![5, 6, 5])), "different bits"),
        (rgb().field(262, Value::Short(vec![32845])), "LogLuv"),
        (page(3, YCBCR, data(colour)).field(530, Value::Short(vec![2, 3])), "subsampled by [2, 3]"),
        (ycbcr(2, 2).field(317, Value::Short(vec![2])), "subsampled colours with"),
        (rgb().field(256, Value::Long(vec![0])), "no pixels"),
        (rgb().field(256, Value::Long(vec![1 << 20])).field(257, Value::Long(vec![1 << 20])), "too large"),
        (rgb().field(256, Value::Long(vec![4000])), "cut short"),
    ] {
        let message = refusal(page);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn floating_point_is_kept_where_the_format_has_it() {
    let folder = Folder::new();
    let bright = data(|x, y| colour(x, y).map(|value| (f32::from(value) / 50.0).to_le_bytes()).concat());
    let page = page(3, RGB, bright).bits(32).field(SAMPLE_FORMAT, Value::Short(vec![3; 3]));
    folder.write("in.tif", &tiff(&[page], true, false));
    let before = image::open(folder.path("in.tif")).unwrap().to_rgb32f();
    let most = |image: &image::Rgb32FImage| image.iter().copied().fold(0.0, f32::max);
    for output in ["out.tif", "out.exr"] {
        folder.restore("in.tif", output, &QUICK).succeeded(output);
        let after = image::open(folder.path(output)).unwrap().to_rgb32f();
        assert!(most(&before) > 4.0 && most(&after) > 4.0, "{output}: {}", most(&after));
    }
    let run = folder.restore("in.tif", "out.png", &QUICK);
    run.succeeded("PNG");
    assert!(run.errors.contains("cut to the range from 0 to 1"), "{run:?}");
}

#[test]
fn floating_point_grey_is_kept_too() {
    let folder = Folder::new();
    let bright = data(|x, y| (f32::from(colour(x, y)[0]) / 50.0).to_le_bytes());
    let page = page(1, GREY, bright).bits(32).field(SAMPLE_FORMAT, Value::Short(vec![3]));
    folder.write("in.tif", &tiff(&[page], true, false));
    for output in ["out.tif", "out.png", "out.exr"] {
        let run = folder.restore("in.tif", output, &QUICK);
        run.succeeded(output);
        assert_eq!(run.errors.contains("cut to the range from 0 to 1"), output == "out.png", "{run:?}");
        if output != "out.exr" {
            let identified =
                Command::new("identify").args(["-format", "%[channels]"]).arg(folder.path(output)).output();
            assert_eq!(String::from_utf8(identified.unwrap().stdout).unwrap(), "gray", "{output}");
        }
    }
    let (picture, _) = decode(&std::fs::read(folder.path("out.tif")).unwrap(), MOST_BYTES).unwrap();
    let most = picture.image.to_rgb32f().iter().copied().fold(0.0, f32::max);
    assert!(most > 4.0, "{most}");
}
