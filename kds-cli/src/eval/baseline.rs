//! Baselines without a model: bicubic enlargement, and holes filled smoothly from around them.

use image::{GrayImage, Rgb, RgbImage};

/// The picture without a model: enlarged by a whole factor, or with its holes filled, or as it is.
pub fn without_model(low: &RgbImage, holes: Option<&GrayImage>, scale: u32) -> RgbImage {
    match holes {
        Some(holes) => filled(low, holes),
        None if scale == 1 => low.clone(),
        None => enlarged(low, scale),
    }
}

/// Keys' kernel with a = -0.75, pixel centres at halves, no antialiasing: as PyTorch enlarges.
fn enlarged(picture: &RgbImage, scale: u32) -> RgbImage {
    const A: f32 = -0.75;
    let weight = |x: f32| match x.abs() {
        x @ ..=1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x @ ..=2.0 => ((x - 5.0) * x + 8.0) * x * A - 4.0 * A,
        _ => 0.0,
    };
    // Of each pixel of the result along a side: its four neighbours and their weights.
    let taps = |length: u32| -> Vec<[(u32, f32); 4]> {
        let tap = |position: u32| {
            let place = (position as f32 + 0.5) / scale as f32 - 0.5;
            let first = place.floor() as i64 - 1;
            std::array::from_fn(|index| {
                let source = first + index as i64;
                (source.clamp(0, i64::from(length) - 1) as u32, weight(place - source as f32))
            })
        };
        (0..length * scale).map(tap).collect()
    };
    let (across, down) = (taps(picture.width()), taps(picture.height()));
    RgbImage::from_fn(picture.width() * scale, picture.height() * scale, |x, y| {
        let mut sums = [0f32; 3];
        for (row, row_weight) in down[y as usize] {
            for (column, weight) in across[x as usize] {
                let pixel = picture.get_pixel(column, row).0;
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += row_weight * weight * f32::from(value));
            }
        }
        Rgb(sums.map(|sum| sum.round().clamp(0.0, 255.0) as u8))
    })
}

/// Ever coarser means of what is known, each filling the holes of the finer one.
fn filled(picture: &RgbImage, holes: &GrayImage) -> RgbImage {
    let known: Vec<f32> = holes.iter().map(|hole| f32::from(u8::from(*hole == 0))).collect();
    let colours: Vec<[f32; 3]> = picture.pixels().map(|pixel| pixel.0.map(f32::from)).collect();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let filled = pyramid(&colours, &known, width, height);
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        Rgb(filled[y as usize * width + x as usize].map(|value| value.round().clamp(0.0, 255.0) as u8))
    })
}

fn pyramid(colours: &[[f32; 3]], known: &[f32], width: usize, height: usize) -> Vec<[f32; 3]> {
    if width.max(height) <= 1 || known.iter().all(|share| *share > 0.0) {
        return colours.to_vec();
    }
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut coarse = Vec::with_capacity(half_width * half_height);
    let mut coarse_known = Vec::with_capacity(half_width * half_height);
    for (y, x) in (0..half_height * half_width).map(|index| (index / half_width, index % half_width)) {
        let (mut sum, mut count) = ([0f32; 3], 0f32);
        for (row, column) in [(2 * y, 2 * x), (2 * y, 2 * x + 1), (2 * y + 1, 2 * x), (2 * y + 1, 2 * x + 1)] {
            if row < height && column < width && known[row * width + column] > 0.0 {
                sum.iter_mut().zip(colours[row * width + column]).for_each(|(sum, value)| *sum += value);
                count += 1.0;
            }
        }
        coarse.push(sum.map(|sum| sum / count.max(1.0)));
        coarse_known.push(count);
    }
    let coarse = pyramid(&coarse, &coarse_known, half_width, half_height);
    // Between the four nearest coarse pixels.
    let place = |position: usize, length: usize| {
        let place = ((position as f32 + 0.5) / 2.0 - 0.5).clamp(0.0, (length - 1) as f32);
        let first = place.floor() as usize;
        (first, (first + 1).min(length - 1), place.fract())
    };
    let fine = |index: usize| {
        if known[index] > 0.0 {
            return colours[index];
        }
        let (top, bottom, down) = place(index / width, half_height);
        let (left, right, across) = place(index % width, half_width);
        std::array::from_fn(|channel| {
            let value = |row: usize, column: usize| coarse[row * half_width + column][channel];
            let above = value(top, left) * (1.0 - across) + value(top, right) * across;
            let below = value(bottom, left) * (1.0 - across) + value(bottom, right) * across;
            above * (1.0 - down) + below * down
        })
    };
    (0..width * height).map(fine).collect()
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;

    /// The picture of `pattern` in tools/golden/lpips.py.
    fn pattern(width: u32, height: u32, curvature: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            Rgb([0, 1, 2].map(|c| (((curvature * x * x + 7 * (3 + c) * y + (c + 1) * x * y) / 5 + 50 * c) % 256) as u8))
        })
    }

    #[test]
    fn enlargement_agrees_with_pytorch() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/data/metrics_golden.json")).unwrap();
        let row = &golden["bicubic"];
        let number = |key: &str| u32::try_from(row[key].as_u64().unwrap()).unwrap();
        let low = pattern(number("width"), number("height"), number("curvature"));
        let found = without_model(&low, None, number("scale"));
        let expected: Vec<u8> = row["pixels"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u8).collect();
        assert_eq!((found.dimensions(), found.as_raw().len()), ((20, 16), expected.len()));
        // A value halfway between two grey levels may round either way in f32.
        let worst = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 1, "worst difference {worst}");
    }

    #[test]
    fn a_flat_hole_takes_the_colour_around_it_and_the_rest_stays() {
        let picture =
            RgbImage::from_fn(37, 29, |x, _| if (5..30).contains(&x) { Rgb([0; 3]) } else { Rgb([90, 100, 110]) });
        let holes = GrayImage::from_fn(37, 29, |x, _| Luma([if (5..30).contains(&x) { 255 } else { 0 }]));
        let filled = without_model(&picture, Some(&holes), 1);
        assert!(filled.pixels().all(|pixel| pixel.0 == [90, 100, 110]));
        let all = GrayImage::from_pixel(37, 29, Luma([255]));
        assert_eq!(without_model(&picture, Some(&all), 1).dimensions(), (37, 29));
    }
}
