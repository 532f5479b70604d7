//! LPIPS v0.1 on AlexNet: Zhang, Isola, Efros, Shechtman and Wang, *The Unreasonable Effectiveness of Deep Features as a
//! Perceptual Metric*, CVPR 2018.

use std::path::Path;

use image::RgbImage;

use crate::convolution::{Convolution, Maps};
use crate::error::{Error, Result, same_size};
use crate::weights::Weights;

/// One convolution of AlexNet: its key in the file, its channels, kernel, stride and padding, and whether a maximum pooling
/// over 3 x 3 with stride 2 comes before it.
struct Layer {
    key: &'static str,
    inputs: usize,
    outputs: usize,
    side: usize,
    stride: usize,
    padding: usize,
    pooled: bool,
}

#[rustfmt::skip]
const LAYERS: [Layer; 5] = [
    Layer { key: "features.0", inputs: 3, outputs: 64, side: 11, stride: 4, padding: 2, pooled: false },
    Layer { key: "features.3", inputs: 64, outputs: 192, side: 5, stride: 1, padding: 2, pooled: true },
    Layer { key: "features.6", inputs: 192, outputs: 384, side: 3, stride: 1, padding: 1, pooled: true },
    Layer { key: "features.8", inputs: 384, outputs: 256, side: 3, stride: 1, padding: 1, pooled: false },
    Layer { key: "features.10", inputs: 256, outputs: 256, side: 3, stride: 1, padding: 1, pooled: false },
];

/// AlexNet needs this many pixels at each side to leave something after its poolings.
const SMALLEST_SIDE: u32 = 31;
/// Mean and deviation of the colours that AlexNet was trained on, for pixels in 0..1.
const SHIFT: [f32; 3] = [0.485, 0.456, 0.406];
const SCALE: [f32; 3] = [0.229, 0.224, 0.225];

/// The metric with its weights.
#[derive(Debug)]
pub struct Lpips {
    /// Each layer's convolution, and the weight of each of its channels in the distance.
    layers: Vec<(Convolution, Vec<f32>)>,
}

impl Lpips {
    /// Weights from a safetensors file with the keys of torchvision's AlexNet (`features.0.weight` …) and of LPIPS
    /// (`lin0.model.1.weight` …).
    pub fn load(path: &Path) -> Result<Self> {
        let mut weights = Weights::read(path)?;
        let layer = |(index, layer): (usize, &Layer)| {
            let Layer { key, inputs, outputs, side, stride, padding, .. } = *layer;
            let convolution = Convolution {
                inputs,
                outputs,
                side,
                stride,
                padding,
                weights: weights.take_f32(&format!("{key}.weight"), &[outputs, inputs, side, side])?,
                bias: weights.take_f32(&format!("{key}.bias"), &[outputs])?,
            };
            Ok((convolution, weights.take_f32(&format!("lin{index}.model.1.weight"), &[1, outputs, 1, 1])?))
        };
        Ok(Self { layers: LAYERS.iter().enumerate().map(layer).collect::<Result<_>>()? })
    }

    /// The perceptual distance of two pictures of one size: 0 is equal, 1 is very different.
    pub fn distance(&self, first: &RgbImage, second: &RgbImage) -> Result<f64> {
        same_size(first, second)?;
        let (width, height) = first.dimensions();
        if width.min(height) < SMALLEST_SIDE {
            let needs = format!("{SMALLEST_SIDE} along each side");
            return Err(Error::TooSmall { metric: "LPIPS", width, height, needs });
        }
        let mut sides = [first, second].map(|image| Maps::of(image, SHIFT, SCALE));
        let mut distance = 0.0;
        for (layer, (convolution, channels)) in LAYERS.iter().zip(&self.layers) {
            for maps in &mut sides {
                let input = if layer.pooled { maps.max_pooled() } else { maps.clone() };
                *maps = convolution.apply(&input).relu();
            }
            let [first, second] = &sides;
            distance += between(first, second, channels);
        }
        Ok(distance)
    }
}

/// The mean over the pixels of the weighted squared difference of their channels, scaled to unit length.
fn between(first: &Maps, second: &Maps, weights: &[f32]) -> f64 {
    let pixels = first.pixels();
    let lengths = |maps: &Maps| {
        let mut sums = vec![1e-10f64; pixels];
        for plane in maps.values.chunks_exact(pixels) {
            sums.iter_mut().zip(plane).for_each(|(sum, value)| *sum += f64::from(*value).powi(2));
        }
        sums.iter_mut().for_each(|sum| *sum = sum.sqrt());
        sums
    };
    let (first_lengths, second_lengths) = (lengths(first), lengths(second));
    let mut sum = 0.0;
    for ((first, second), weight) in
        first.values.chunks_exact(pixels).zip(second.values.chunks_exact(pixels)).zip(weights)
    {
        let pixel = |index: usize| {
            (f64::from(first[index]) / first_lengths[index] - f64::from(second[index]) / second_lengths[index]).powi(2)
        };
        sum += f64::from(*weight) * (0..pixels).map(pixel).sum::<f64>();
    }
    sum / pixels as f64
}
