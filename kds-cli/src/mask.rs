//! Masks: white is to be filled, black stays.

use std::path::Path;

use image::{DynamicImage, GrayImage, Luma};

use crate::{picture::Picture, read, shown};

/// Reads a mask, grey whatever it was, and what a person should know about it.
///
/// # Errors
/// When the file is not a picture that can be read.
pub fn read(path: &Path) -> anyhow::Result<(Picture, Vec<String>)> {
    let (picture, mut notes) = read::read(path)?;
    let (mask, note) = of_picture(&picture.image);
    notes.extend(note.map(|note| format!("{}: warning: {note}", shown::path(path))));
    Ok((Picture::plain(mask.into()), notes))
}

/// The mask that a picture means, and what a person should know.
fn of_picture(image: &DynamicImage) -> (GrayImage, Option<String>) {
    let (mut mask, painted) = opaque(image);
    let lowest = mask.iter().min().copied().unwrap_or(0);
    let highest = mask.iter().max().copied().unwrap_or(0);
    let dim = numbers_never_above_one(image);
    let note = match (lowest, highest) {
        _ if dim => {
            // Such masks come from programs that count in ones.
            mask.iter_mut().for_each(|value| *value = if *value > 0 { u8::MAX } else { 0 });
            "the mask holds nothing above 1, where white is the greatest number: its ones are taken for white"
                .to_owned()
        }
        (_, 0) => {
            "the mask is black everywhere, so that nothing is filled; paint white over what is to be filled".to_owned()
        }
        (u8::MAX, _) => {
            "the mask is white everywhere, so that the whole picture is invented; paint black over what is to stay"
                .to_owned()
        }
        _ if painted => {
            "the mask is one colour on transparency, so that what is painted is filled, whatever its colour".to_owned()
        }
        _ => return (mask, None),
    };
    (mask, Some(note))
}

/// Grey where nothing shows through. Editors export a layer as paint on transparency: if the paint is of one colour, its
/// shape is the mask, for black paint too; otherwise transparency is black.
fn opaque(image: &DynamicImage) -> (GrayImage, bool) {
    if !image.color().has_alpha() {
        return (image.to_luma8(), false);
    }
    let pixels = image.to_luma_alpha8();
    let seen = || pixels.pixels().filter(|pixel| pixel.0[1] > 0).map(|pixel| pixel.0[0]);
    let (darkest, brightest) = (seen().min().unwrap_or(0), seen().max().unwrap_or(0));
    let transparent = pixels.pixels().any(|pixel| pixel.0[1] == 0);
    let shape = transparent && darkest == brightest;
    let level = |[grey, alpha]: [u8; 2]| {
        if shape { alpha } else { (u16::from(grey) * u16::from(alpha) / u16::from(u8::MAX)) as u8 }
    };
    let mask = GrayImage::from_fn(pixels.width(), pixels.height(), |x, y| Luma([level(pixels.get_pixel(x, y).0)]));
    (mask, shape && brightest < u8::MAX)
}

/// True where some samples are 1, of 255 or 65535, and none is greater.
fn numbers_never_above_one(image: &DynamicImage) -> bool {
    let one = match image {
        DynamicImage::ImageLuma8(buffer) => buffer.iter().max() == Some(&1),
        DynamicImage::ImageRgb8(buffer) => buffer.iter().max() == Some(&1),
        DynamicImage::ImageLuma16(buffer) => buffer.iter().max() == Some(&1),
        DynamicImage::ImageRgb16(buffer) => buffer.iter().max() == Some(&1),
        _ => false,
    };
    one && image.to_luma16().iter().any(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, LumaA};

    use super::*;

    fn with_alpha(pixels: [[u8; 2]; 4]) -> DynamicImage {
        GrayAlphaImage::from_fn(4, 1, |x, _| LumaA(pixels[x as usize])).into()
    }

    fn grey(levels: [u8; 4]) -> DynamicImage {
        GrayImage::from_vec(4, 1, levels.to_vec()).unwrap().into()
    }

    #[test]
    fn paint_on_transparency_is_the_mask() {
        for (paint, told) in [(255, false), (0, true), (90, true)] {
            let (mask, note) = of_picture(&with_alpha([[paint, 255], [paint, 0], [paint, 100], [255, 0]]));
            assert_eq!(mask.as_raw(), &[255, 0, 100, 0], "{paint}");
            assert_eq!(note.is_some(), told, "{note:?}");
        }
    }

    #[test]
    fn black_and_white_count_where_they_can_be_seen() {
        let (mask, note) = of_picture(&with_alpha([[255, 255], [0, 255], [255, 0], [255, 128]]));
        assert_eq!(mask.as_raw(), &[255, 0, 0, 128]);
        assert_eq!(note, None);
        let (mask, _) = of_picture(&with_alpha([[255, 255], [0, 255], [255, 255], [0, 255]]));
        assert_eq!(mask.as_raw(), &[255, 0, 255, 0]);
    }

    #[test]
    fn masks_that_cannot_be_meant_are_told() {
        let note = |levels| of_picture(&grey(levels)).1.unwrap();
        assert!(note([0; 4]).contains("black everywhere"));
        assert!(note([255; 4]).contains("white everywhere"));
        let (mask, note) = of_picture(&grey([0, 1, 1, 0]));
        assert_eq!(mask.as_raw(), &[0, 255, 255, 0]);
        assert!(note.unwrap().contains("above 1"));
        assert_eq!(of_picture(&grey([0, 255, 7, 0])).1, None);
    }
}
