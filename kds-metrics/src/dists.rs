//! DISTS on VGG16: Ding, Ma, Wang and Simoncelli, *Image Quality Assessment: Unifying Structure and Texture Similarity*,
//! TPAMI 2020.

use std::path::Path;

use image::RgbImage;
use rayon::prelude::*;

use crate::convolution::{Convolution, Maps};
use crate::error::{Error, Result, same_size};
use crate::weights::Weights;

/// The convolutions of each stage: their keys in torchvision's VGG16, inputs and outputs. All have a kernel of 3 x 3.
type Stage = &'static [(&'static str, usize, usize)];

const STAGES: [Stage; 5] = [
    &[("features.0", 3, 64), ("features.2", 64, 64)],
    &[("features.5", 64, 128), ("features.7", 128, 128)],
    &[("features.10", 128, 256), ("features.12", 256, 256), ("features.14", 256, 256)],
    &[("features.17", 256, 512), ("features.19", 512, 512), ("features.21", 512, 512)],
    &[("features.24", 512, 512), ("features.26", 512, 512), ("features.28", 512, 512)],
];
/// Channels that are compared: the picture and the result of each stage.
const COMPARED: usize = 3 + 64 + 128 + 256 + 512 + 512;
/// Four poolings leave a pixel.
const SMALLEST_SIDE: u32 = 16;
/// Mean and deviation of the colours that VGG was trained on, for pixels in 0..1.
const SHIFT: [f32; 3] = [0.485, 0.456, 0.406];
const SCALE: [f32; 3] = [0.229, 0.224, 0.225];
/// The authors' constant against a division by 0.
const STABLE: f64 = 1e-6;

/// The metric with its weights.
#[derive(Debug)]
pub struct Dists {
    stages: Vec<Vec<Convolution>>,
    /// Weights of the similarity of texture, the means, channel by channel; with those of structure they add up to 1.
    texture: Vec<f64>,
    /// Weights of the similarity of structure, the correlations.
    structure: Vec<f64>,
}

impl Dists {
    /// Weights from a safetensors file with the keys of torchvision's VGG16 (`features.0.weight` …) and the authors'
    /// `alpha` and `beta`.
    pub fn load(path: &Path) -> Result<Self> {
        Self::new(Weights::read(path)?)
    }

    /// The same from weights that have been read.
    pub fn new(mut weights: Weights) -> Result<Self> {
        let mut convolution = |&(key, inputs, outputs): &(&str, usize, usize)| {
            Ok(Convolution {
                inputs,
                outputs,
                side: 3,
                stride: 1,
                padding: 1,
                weights: weights.take_f32(&format!("{key}.weight"), &[outputs, inputs, 3, 3])?,
                bias: weights.take_f32(&format!("{key}.bias"), &[outputs])?,
            })
        };
        let stages = STAGES.iter().map(|stage| stage.iter().map(&mut convolution).collect()).collect::<Result<_>>()?;
        let shape = [1, COMPARED, 1, 1];
        let (mut texture, mut structure) = (weights.take("alpha", &shape)?, weights.take("beta", &shape)?);
        let sum: f64 = texture.iter().chain(&structure).sum();
        texture.iter_mut().chain(&mut structure).for_each(|weight| *weight /= sum);
        Ok(Self { stages, texture, structure })
    }

    /// The distance of two pictures of one size: 0 is equal, 1 is very different.
    pub fn distance(&self, first: &RgbImage, second: &RgbImage) -> Result<f64> {
        same_size(first, second)?;
        let (width, height) = first.dimensions();
        if width.min(height) < SMALLEST_SIDE {
            let needs = format!("{SMALLEST_SIDE} along each side");
            return Err(Error::TooSmall { metric: "DISTS", width, height, needs });
        }
        let mut weights = self.texture.iter().zip(&self.structure);
        let mut similarity = 0.0;
        let mut add = |first: &Maps, second: &Maps| {
            let planes = first.values.chunks_exact(first.pixels()).zip(second.values.chunks_exact(second.pixels()));
            for ((first, second), (texture, structure)) in planes.zip(weights.by_ref()) {
                let (of_texture, of_structure) = similarities(first, second);
                similarity += texture * of_texture + structure * of_structure;
            }
        };
        let plain = |image| Maps::of(image, [0.0; 3], [1.0; 3]);
        add(&plain(first), &plain(second));
        let mut sides = [first, second].map(|image| Maps::of(image, SHIFT, SCALE));
        for (index, stage) in self.stages.iter().enumerate() {
            for maps in &mut sides {
                if index > 0 {
                    *maps = pooled(maps);
                }
                for convolution in stage {
                    *maps = convolution.apply(maps).relu();
                }
            }
            add(&sides[0], &sides[1]);
        }
        Ok(1.0 - similarity)
    }
}

/// Similarity of two planes in mean and in correlation.
fn similarities(first: &[f32], second: &[f32]) -> (f64, f64) {
    let count = first.len() as f64;
    let mean = |plane: &[f32]| plane.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let (mean_1, mean_2) = (mean(first), mean(second));
    let (mut variance_1, mut variance_2, mut covariance) = (0.0, 0.0, 0.0);
    for (a, b) in first.iter().zip(second) {
        let (a, b) = (f64::from(*a) - mean_1, f64::from(*b) - mean_2);
        variance_1 += a * a / count;
        variance_2 += b * b / count;
        covariance += a * b / count;
    }
    (
        (2.0 * mean_1 * mean_2 + STABLE) / (mean_1 * mean_1 + mean_2 * mean_2 + STABLE),
        (2.0 * covariance + STABLE) / (variance_1 + variance_2 + STABLE),
    )
}

/// The root of the mean square under a Hanning window of 3 x 3, 2 apart; beyond the edge is 0.
fn pooled(maps: &Maps) -> Maps {
    const WINDOW: [f32; 3] = [0.25, 0.5, 0.25];
    let (height, width) = (maps.height.div_ceil(2), maps.width.div_ceil(2));
    let pool = |plane: &[f32]| {
        let mut pooled = Vec::with_capacity(height * width);
        for y in 0..height {
            for x in 0..width {
                let mut sum = 0.0;
                for (dy, row_weight) in WINDOW.iter().enumerate() {
                    for (dx, weight) in WINDOW.iter().enumerate() {
                        let (row, column) = ((2 * y + dy).checked_sub(1), (2 * x + dx).checked_sub(1));
                        let (Some(row), Some(column)) = (row, column) else { continue };
                        if row < maps.height && column < maps.width {
                            sum += row_weight * weight * plane[row * maps.width + column].powi(2);
                        }
                    }
                }
                pooled.push((sum + 1e-12).sqrt());
            }
        }
        pooled
    };
    let values = maps.values.par_chunks_exact(maps.pixels()).flat_map_iter(pool).collect();
    Maps { channels: maps.channels, height, width, values }
}
