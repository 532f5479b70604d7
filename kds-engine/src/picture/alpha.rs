//! Transparency: the network sees only colour.

use tch::{Kind, Tensor};

use crate::{Result, holes, memory};

/// The picture (`1 x 3 x h x w`) with the colour of the visible pixels nearby where alpha (`1 x 1 x h x w`) is 0, so that
/// what lies hidden there does not bleed into what is seen. Visible pixels keep their colour.
pub fn fill_transparent(picture: &Tensor, alpha: &Tensor) -> Result<Tensor> {
    holes::fill(picture, &alpha.f_le(0.0)?.f_to_kind(Kind::Float)?)
}

/// Bicubic enlargement of alpha (one value per pixel) by a whole factor, within 0..1: Keys' kernel with a = -0.75 and
/// half-pixel centres, as libtorch's. Row by row, so that the enlarged alpha is never held as a whole, and nothing can fail
/// once a result is being written.
pub struct Enlarged<'a> {
    alpha: &'a [f32],
    width: usize,
    scale: usize,
    /// A row of the input's width, enlarged downwards only.
    narrow: Vec<f32>,
    row: Vec<f32>,
}

impl<'a> Enlarged<'a> {
    /// Takes `width` values per row.
    ///
    /// # Errors
    /// Where there is no memory for two rows.
    pub fn new(alpha: &'a [f32], width: usize, scale: usize) -> Result<Self> {
        Ok(Self { alpha, width, scale, narrow: memory::zeros(width)?, row: memory::zeros(width * scale)? })
    }

    /// A row of the result; `y` is less than the height times the scale.
    pub fn row(&mut self, y: usize) -> &[f32] {
        let Self { alpha, width, scale, narrow, row } = self;
        let height = alpha.len() / (*width).max(1);
        let (above, weights) = taps(y, *scale);
        for (x, narrow) in narrow.iter_mut().enumerate() {
            let values = weights.iter().zip(above..).map(|(weight, y)| weight * alpha[within(y, height) * *width + x]);
            *narrow = values.sum();
        }
        for (x, value) in row.iter_mut().enumerate() {
            let (left, weights) = taps(x, *scale);
            let sum: f32 = weights.iter().zip(left..).map(|(weight, x)| weight * narrow[within(x, *width)]).sum();
            *value = sum.clamp(0.0, 1.0);
        }
        row
    }
}

/// The first of the four input pixels that an output pixel depends on, and their weights.
fn taps(position: usize, scale: usize) -> (isize, [f32; 4]) {
    if scale == 1 {
        return (position as isize, [1.0, 0.0, 0.0, 0.0]);
    }
    const A: f32 = -0.75;
    let near = |t: f32| ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0;
    let far = |t: f32| ((A * t - 5.0 * A) * t + 8.0 * A) * t - 4.0 * A;
    let centre = (position as f32 + 0.5) / scale as f32 - 0.5;
    let t = centre - centre.floor();
    (centre.floor() as isize - 1, [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)])
}

/// Beyond the edge its pixels are repeated.
fn within(position: isize, length: usize) -> usize {
    position.clamp(0, length as isize - 1) as usize
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
    fn alpha_is_enlarged_as_libtorch_enlarges_and_stays_within_its_range() {
        let (width, height) = (7, 5);
        // Steps, so that the kernel overshoots on both sides.
        let alpha: Vec<f32> = (0..width * height).map(|index| ((index * 7 % 11) > 5) as u8 as f32).collect();
        for scale in [1, 2, 3, 4] {
            let tensor = Tensor::f_from_slice(&alpha).unwrap().f_reshape([1, 1, height as i64, width as i64]).unwrap();
            let size = [(height * scale) as i64, (width * scale) as i64];
            let expected = tensor.f_upsample_bicubic2d(size, false, None::<f64>, None::<f64>).unwrap();
            let expected: Vec<f32> = expected.clamp(0.0, 1.0).reshape([-1]).try_into().unwrap();
            let mut enlarged = Enlarged::new(&alpha, width, scale).unwrap();
            for (y, expected) in expected.chunks(width * scale).enumerate() {
                for (value, expected) in enlarged.row(y).iter().zip(expected) {
                    assert!((value - expected).abs() < 1e-5, "scale {scale}, row {y}: {value} {expected}");
                }
            }
        }
    }
}
