//! Transparency: the network sees only colour.

use tch::{Kind, Tensor};

use crate::{Result, holes};

/// The picture (`1 x 3 x h x w`) with the colour of the visible pixels nearby where alpha (`1 x 1 x h x w`) is 0, so that
/// what lies hidden there does not bleed into what is seen. Visible pixels keep their colour.
pub fn fill_transparent(picture: &Tensor, alpha: &Tensor) -> Result<Tensor> {
    holes::fill(picture, &alpha.f_le(0.0)?.f_to_kind(Kind::Float)?)
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
        let (width, height) = (9i64, 5);
        let visible = |index: i64| index % width < 4;
        let alpha: Vec<f32> = (0..45).map(|index| if visible(index) { 1.0 } else { 0.0 }).collect();
        let red = (0..45).map(|index| if visible(index) { 0.1 } else { 1.0 });
        let green = (0..45).map(|index| if visible(index) { 0.8 } else { 0.0 });
        let values: Vec<f32> = red.chain(green).chain((0..45).map(|_| 0.3)).collect();
        let planes = |values: &[f32], count| Tensor::f_from_slice(values)?.f_reshape([1, count, height, width]);
        let picture = planes(&values, 3).unwrap();
        let filled = fill_transparent(&picture, &planes(&alpha, 1).unwrap()).unwrap();
        let filled: Vec<f32> = filled.reshape([-1]).try_into().unwrap();
        for index in 0..45 {
            assert!((filled[index] - 0.1).abs() < 1e-5 && (filled[45 + index] - 0.8).abs() < 1e-5);
        }
    }

    #[test]
    fn alpha_stays_within_its_range() {
        let alpha = enlarge(&[0.0, 1.0, 1.0, 0.0], 2, 2, 4).unwrap();
        assert_eq!(alpha.len(), 64);
        assert!(alpha.iter().all(|alpha| (0.0..=1.0).contains(alpha)));
    }
}
