//! Transparency: the network sees only colour.

use tch::Tensor;

use crate::Result;
use crate::restore::Picture;

/// Gives transparent pixels the colour of the visible ones nearby, so that what lies hidden under alpha 0 does not bleed
/// into what is seen. Visible pixels keep their colour. `alpha`: one value in 0..1 per pixel.
///
/// Push-pull: ever coarser averages of the visible colours, each filling the holes of the finer one.
pub fn fill_transparent(picture: &mut Picture, alpha: &[f32]) {
    if alpha.iter().all(|alpha| *alpha > 0.0) {
        return;
    }
    let weight: Vec<f32> = alpha.iter().map(|alpha| f32::from(*alpha > 0.0)).collect();
    let pixels = picture.width * picture.height;
    for plane in picture.values.chunks_exact_mut(pixels) {
        fill(plane, &weight, picture.width, picture.height);
    }
}

/// Fills `plane` where `weight` is 0.
fn fill(plane: &mut [f32], weight: &[f32], width: usize, height: usize) {
    if width == 1 && height == 1 {
        return;
    }
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut coarse = vec![0f32; half_width * half_height];
    let mut counts = vec![0f32; half_width * half_height];
    for y in 0..height {
        for x in 0..width {
            let (fine, index) = (y * width + x, y / 2 * half_width + x / 2);
            coarse[index] += plane[fine] * weight[fine];
            counts[index] += weight[fine];
        }
    }
    for (value, count) in coarse.iter_mut().zip(&counts) {
        *value /= count.max(1.0);
    }
    let covered: Vec<f32> = counts.iter().map(|count| count.min(1.0)).collect();
    if covered.contains(&0.0) && covered.contains(&1.0) {
        fill(&mut coarse, &covered, half_width, half_height);
    }
    for y in 0..height {
        for x in 0..width {
            let fine = y * width + x;
            if weight[fine] == 0.0 {
                plane[fine] = coarse[y / 2 * half_width + x / 2];
            }
        }
    }
}

/// Bicubic enlargement of alpha (one value per pixel), within 0..1.
pub fn enlarge(alpha: &[f32], width: usize, height: usize, scale: usize) -> Result<Vec<f32>> {
    if scale == 1 {
        return Ok(alpha.to_vec());
    }
    let tensor = Tensor::f_from_slice(alpha)?.f_reshape([1, 1, height as i64, width as i64])?;
    let size = [(height * scale) as i64, (width * scale) as i64];
    let enlarged = tensor.f_upsample_bicubic2d(size, false, None::<f64>, None::<f64>)?.f_clamp(0.0, 1.0)?;
    Ok(Vec::try_from(&enlarged.f_flatten(0, -1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_colour_is_replaced_and_visible_colour_kept() {
        // The left half is visible and green; under the transparent right half lies red.
        let (width, height) = (9, 5);
        let visible = |index: usize| index % width < 4;
        let alpha: Vec<f32> = (0..45).map(|index| if visible(index) { 1.0 } else { 0.0 }).collect();
        let red = (0..45).map(|index| if visible(index) { 0.1 } else { 1.0 });
        let green = (0..45).map(|index| if visible(index) { 0.8 } else { 0.0 });
        let values = red.chain(green).chain((0..45).map(|_| 0.3)).collect();
        let mut picture = Picture { width, height, values };
        fill_transparent(&mut picture, &alpha);
        for index in 0..45 {
            assert!((picture.values[index] - 0.1).abs() < 1e-5 && (picture.values[45 + index] - 0.8).abs() < 1e-5);
        }
    }

    #[test]
    fn a_picture_with_nothing_visible_stays() {
        let mut picture = Picture { width: 2, height: 1, values: vec![0.5; 6] };
        fill_transparent(&mut picture, &[0.0, 0.0]);
        assert!(picture.values.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn alpha_stays_within_its_range() {
        let alpha = enlarge(&[0.0, 1.0, 1.0, 0.0], 2, 2, 4).unwrap();
        assert_eq!(alpha.len(), 64);
        assert!(alpha.iter().all(|alpha| (0.0..=1.0).contains(alpha)));
    }
}
