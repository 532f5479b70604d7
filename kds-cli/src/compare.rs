//! The comparison: what plain enlargement gives on the left, the restoration on the right.

use image::{DynamicImage, Rgb, RgbImage, imageops};

/// Width of the divider as a share of the picture's: thin, but seen when the whole is scaled to a screen.
const DIVIDER: f64 = 0.004;

/// Bicubic enlargement of the input, a thin white divider, and the restored picture; 8 bits, without alpha.
pub fn side_by_side(input: &DynamicImage, restored: &DynamicImage) -> DynamicImage {
    let (width, height) = (restored.width(), restored.height());
    let enlarged = input.resize_exact(width, height, imageops::FilterType::CatmullRom);
    let mut sheet = RgbImage::from_pixel(sheet_width(width), height, Rgb([255; 3]));
    imageops::replace(&mut sheet, &enlarged.to_rgb8(), 0, 0);
    imageops::replace(&mut sheet, &restored.to_rgb8(), i64::from(width + divider(width)), 0);
    sheet.into()
}

/// Width of the comparison of a picture of this width.
pub fn sheet_width(width: u32) -> u32 {
    width.saturating_mul(2).saturating_add(divider(width))
}

fn divider(width: u32) -> u32 {
    ((f64::from(width) * DIVIDER).round() as u32).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enlargement_divider_restoration() {
        let input = DynamicImage::ImageRgb8(RgbImage::from_pixel(8, 4, Rgb([10, 20, 30])));
        let restored = DynamicImage::ImageRgb8(RgbImage::from_pixel(32, 16, Rgb([200, 100, 50])));
        let sheet = side_by_side(&input, &restored).to_rgb8();
        assert_eq!(sheet.dimensions(), (32 + 2 + 32, 16));
        assert_eq!(sheet.get_pixel(31, 15).0, [10, 20, 30]);
        assert_eq!(sheet.get_pixel(32, 8).0, [255; 3]);
        assert_eq!(sheet.get_pixel(33, 8).0, [255; 3]);
        assert_eq!(sheet.get_pixel(34, 0).0, [200, 100, 50]);
    }
}
