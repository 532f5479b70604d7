//! Layers of the metrics' networks, on planes of f32.

use rayon::prelude::*;

/// Feature maps: `channels x height x width`, in the order of C.
#[derive(Debug, Clone)]
pub(crate) struct Maps {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub values: Vec<f32>,
}

impl Maps {
    /// A picture from 0 to 1, each channel less `shift` and divided by `scale`.
    pub fn of(image: &image::RgbImage, shift: [f32; 3], scale: [f32; 3]) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let channel = |channel: usize| {
            let value =
                move |pixel: &image::Rgb<u8>| (f32::from(pixel.0[channel]) / 255.0 - shift[channel]) / scale[channel];
            image.pixels().map(value)
        };
        Self { channels: 3, height, width, values: (0..3).flat_map(channel).collect() }
    }

    pub fn pixels(&self) -> usize {
        self.width * self.height
    }

    pub fn relu(mut self) -> Self {
        self.values.iter_mut().for_each(|value| *value = value.max(0.0));
        self
    }

    /// The largest of every 3 x 3 values, 2 apart.
    pub fn max_pooled(&self) -> Self {
        let (height, width) = ((self.height - 3) / 2 + 1, (self.width - 3) / 2 + 1);
        let pool = |plane: &[f32]| {
            let mut pooled = Vec::with_capacity(height * width);
            for y in 0..height {
                for x in 0..width {
                    let rows = (0..3).flat_map(|row| &plane[(2 * y + row) * self.width + 2 * x..][..3]);
                    pooled.push(rows.copied().fold(f32::NEG_INFINITY, f32::max));
                }
            }
            pooled
        };
        let values = self.values.par_chunks_exact(self.pixels()).flat_map_iter(pool).collect();
        Self { channels: self.channels, height, width, values }
    }
}

/// A convolution with a bias.
#[derive(Debug)]
pub(crate) struct Convolution {
    pub inputs: usize,
    pub outputs: usize,
    /// Side of the kernel.
    pub side: usize,
    pub stride: usize,
    pub padding: usize,
    /// `outputs x inputs x side x side`.
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
}

/// Numbers in the matrix of one band of rows: what stays in a cache of the second level.
const BAND: usize = 1 << 18;

impl Convolution {
    /// The maps that it makes of `maps`, which must have as many channels as it has inputs and be at least as large, with
    /// the padding, as its kernel.
    ///
    /// A matrix product, band by band of rows of the result: each pixel's neighbourhood is a column.
    pub fn apply(&self, maps: &Maps) -> Maps {
        let size = |length: usize| (length + 2 * self.padding - self.side) / self.stride + 1;
        let (height, width) = (size(maps.height), size(maps.width));
        let depth = self.inputs * self.side * self.side;
        let rows = (BAND / (depth * width)).clamp(1, height);
        let bands: Vec<usize> = (0..height).step_by(rows).collect();
        let computed: Vec<Vec<f32>> =
            bands.par_iter().map(|top| self.band(maps, *top, rows.min(height - top), width, depth)).collect();
        let mut values = vec![0f32; self.outputs * height * width];
        for (top, band) in bands.iter().zip(&computed) {
            let length = band.len() / self.outputs;
            for (plane, part) in values.chunks_exact_mut(height * width).zip(band.chunks_exact(length)) {
                plane[top * width..][..length].copy_from_slice(part);
            }
        }
        Maps { channels: self.outputs, height, width, values }
    }

    fn band(&self, maps: &Maps, top: usize, rows: usize, width: usize, depth: usize) -> Vec<f32> {
        let pixels = rows * width;
        let mut matrix = vec![0f32; depth * pixels];
        let mut lines = matrix.chunks_exact_mut(pixels);
        for plane in maps.values.chunks_exact(maps.pixels()) {
            for (dy, dx) in (0..self.side * self.side).map(|index| (index / self.side, index % self.side)) {
                let Some(line) = lines.next() else { break };
                for (y, row) in line.chunks_exact_mut(width).enumerate() {
                    let Some(source) = ((top + y) * self.stride + dy).checked_sub(self.padding) else { continue };
                    let Some(source) = plane.chunks_exact(maps.width).nth(source) else { continue };
                    for (x, value) in row.iter_mut().enumerate() {
                        if let Some(found) =
                            (x * self.stride + dx).checked_sub(self.padding).and_then(|x| source.get(x))
                        {
                            *value = *found;
                        }
                    }
                }
            }
        }
        let mut result: Vec<f32> = self.bias.iter().flat_map(|bias| std::iter::repeat_n(*bias, pixels)).collect();
        // SAFETY: the three slices hold outputs x depth, depth x pixels and outputs x pixels numbers, row by row.
        unsafe {
            matrixmultiply::sgemm(
                self.outputs,
                depth,
                pixels,
                1.0,
                self.weights.as_ptr(),
                depth as isize,
                1,
                matrix.as_ptr(),
                pixels as isize,
                1,
                1.0,
                result.as_mut_ptr(),
                pixels as isize,
                1,
            );
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the definition has it.
    fn obvious(convolution: &Convolution, maps: &Maps) -> Vec<f32> {
        let Convolution { inputs, outputs, side, stride, padding, weights, bias } = convolution;
        let size = |length: usize| (length + 2 * padding - side) / stride + 1;
        let (height, width) = (size(maps.height), size(maps.width));
        let mut values = Vec::new();
        for output in 0..*outputs {
            for (y, x) in (0..height * width).map(|index| (index / width, index % width)) {
                let mut sum = f64::from(bias[output]);
                for input in 0..*inputs {
                    for (dy, dx) in (0..side * side).map(|index| (index / side, index % side)) {
                        let (row, column) = ((y * stride + dy) as isize, (x * stride + dx) as isize);
                        let (row, column) = (row - *padding as isize, column - *padding as isize);
                        if (0..maps.height as isize).contains(&row) && (0..maps.width as isize).contains(&column) {
                            let value =
                                maps.values[(input * maps.height + row as usize) * maps.width + column as usize];
                            let weight = weights[((output * inputs + input) * side + dy) * side + dx];
                            sum += f64::from(value) * f64::from(weight);
                        }
                    }
                }
                values.push(sum as f32);
            }
        }
        values
    }

    #[test]
    fn bands_of_products_are_the_convolution() {
        let number = |index: usize| ((index * 7919 % 1013) as f32 / 1013.0) - 0.5;
        // The last is cut into several bands.
        for (inputs, outputs, side, stride, padding, height, width) in
            [(3, 5, 11, 4, 2, 31, 47), (4, 3, 3, 1, 1, 1, 6), (2, 2, 5, 2, 0, 9, 8), (64, 3, 3, 1, 1, 40, 33)]
        {
            let convolution = Convolution {
                inputs,
                outputs,
                side,
                stride,
                padding,
                weights: (0..outputs * inputs * side * side).map(number).collect(),
                bias: (0..outputs).map(number).collect(),
            };
            let values = (0..inputs * height * width).map(|index| number(index + 31)).collect();
            let maps = Maps { channels: inputs, height, width, values };
            let (found, expected) = (convolution.apply(&maps), obvious(&convolution, &maps));
            assert_eq!(found.values.len(), expected.len());
            for (found, expected) in found.values.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-4, "{found} {expected}");
            }
        }
    }
}
