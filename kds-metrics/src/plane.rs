//! Planes of numbers.

use image::{Rgb, RgbImage};

/// One channel of a picture, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f64>,
}

impl Plane {
    /// The luma of ITU-R BT.601 in studio range, 16 to 235, not rounded.
    pub fn luma(image: &RgbImage) -> Self {
        Self::of(image, |Rgb([red, green, blue])| {
            16.0 + (65.481 * f64::from(*red) + 128.553 * f64::from(*green) + 24.966 * f64::from(*blue)) / 255.0
        })
    }

    /// Channel 0, 1 or 2, from 0 to 255.
    pub fn channel(image: &RgbImage, channel: usize) -> Self {
        Self::of(image, |Rgb(values)| f64::from(values[channel]))
    }

    fn of(image: &RgbImage, value: impl Fn(&Rgb<u8>) -> f64) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        Self { width, height, values: image.pixels().map(value).collect() }
    }

    /// The rectangle whose upper left corner is at `left`, `top`.
    pub fn cut(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let row = |y: usize| &self.values[(top + y) * self.width + left..][..width];
        Self { width, height, values: (0..height).flat_map(row).copied().collect() }
    }

    /// Without so many pixels at each side; `None` where nothing would be left.
    pub fn without_border(&self, border: usize) -> Option<Self> {
        let (width, height) = (self.width.checked_sub(2 * border)?, self.height.checked_sub(2 * border)?);
        (width > 0 && height > 0).then(|| self.cut(border, border, width, height))
    }

    pub fn map(&self, value: impl Fn(f64) -> f64) -> Self {
        Self { values: self.values.iter().map(|x| value(*x)).collect(), ..*self }
    }

    /// The same place of both at once; planes of one size.
    pub fn zip(&self, other: &Self, value: impl Fn(f64, f64) -> f64) -> Self {
        Self { values: self.values.iter().zip(&other.values).map(|(a, b)| value(*a, *b)).collect(), ..*self }
    }

    /// The convolution with `kernel` along rows and then along columns; beyond the edge the nearest pixel counts.
    pub fn filtered(&self, kernel: &[f64]) -> Self {
        let along_rows = self.filtered_rows(kernel);
        along_rows.transposed().filtered_rows(kernel).transposed()
    }

    fn filtered_rows(&self, kernel: &[f64]) -> Self {
        let (reach, last) = (kernel.len() as isize / 2, self.width as isize - 1);
        let mut values = Vec::with_capacity(self.values.len());
        for row in self.values.chunks_exact(self.width) {
            for x in 0..self.width as isize {
                let taps =
                    kernel.iter().zip(-reach..).map(|(weight, step)| weight * row[(x + step).clamp(0, last) as usize]);
                values.push(taps.sum());
            }
        }
        Self { values, ..*self }
    }

    pub fn transposed(&self) -> Self {
        let columns = (0..self.width).flat_map(|x| self.values.iter().skip(x).step_by(self.width)).copied().collect();
        Self { width: self.height, height: self.width, values: columns }
    }
}

/// A Gaussian over `2 * reach + 1` pixels whose weights add up to 1.
pub(crate) fn gaussian(reach: isize, sigma: f64) -> Vec<f64> {
    let weights: Vec<f64> = (-reach..=reach).map(|x| (-((x * x) as f64) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}
