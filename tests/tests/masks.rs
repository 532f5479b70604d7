//! Masks as editors and programs make them: what is painted is filled, and a mask that cannot be meant is told.

#[expect(dead_code, reason = "what concerns refusals and leftovers only")]
mod common;

use std::io::Cursor;

use common::{Folder, QUICK, Run};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};

const SIDE: u32 = 64;

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn is_hole(y: u32) -> bool {
    (29..35).contains(&y)
}

fn fill(folder: &Folder, mask: impl Into<DynamicImage>) -> Run {
    let picture =
        RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb([40 + 3 * x as u8, 40 + 3 * y as u8, (x * 31 + y * 17) as u8]));
    folder.write("in.png", &png(picture));
    folder.write("mask.png", &png(mask));
    let run =
        folder.restore("in.png", "out.png", &[&QUICK[..], &["--model", "kds-inpaint", "--mask", "mask.png"]].concat());
    run.succeeded("fill");
    run
}

/// How many pixels were changed in the hole, and outside.
fn changed(folder: &Folder) -> (usize, usize) {
    let [before, after] = ["in.png", "out.png"].map(|file| image::open(folder.path(file)).unwrap().to_rgb8());
    let count = |hole| {
        before
            .enumerate_pixels()
            .filter(|(x, y, pixel)| is_hole(*y) == hole && after.get_pixel(*x, *y) != *pixel)
            .count()
    };
    (count(true), count(false))
}

#[test]
fn a_layer_of_an_editor_is_a_mask_whatever_its_paint() {
    for paint in [255, 0] {
        let folder = Folder::new();
        let layer =
            RgbaImage::from_fn(SIDE, SIDE, |_, y| Rgba([paint, paint, paint, if is_hole(y) { 255 } else { 0 }]));
        let run = fill(&folder, layer);
        let (inside, outside) = changed(&folder);
        assert!(inside > 300 && outside == 0, "{paint}: {inside} inside, {outside} outside; {run:?}");
        assert_eq!(run.errors.contains("what is painted is filled"), paint == 0, "{run:?}");
    }
}

#[test]
fn a_mask_of_ones_is_taken_for_white_and_told() {
    let folder = Folder::new();
    let run = fill(&folder, GrayImage::from_fn(SIDE, SIDE, |_, y| Luma([u8::from(is_hole(y))])));
    let (inside, outside) = changed(&folder);
    assert!(inside > 300 && outside == 0, "{inside} inside, {outside} outside");
    assert!(run.errors.contains("above 1"), "{run:?}");
}

#[test]
fn a_mask_of_one_colour_is_told() {
    for (level, words) in [(0, "black everywhere"), (255, "white everywhere")] {
        let folder = Folder::new();
        let run = fill(&folder, GrayImage::from_pixel(SIDE, SIDE, Luma([level])));
        assert!(run.errors.contains(words), "{run:?}");
    }
}
