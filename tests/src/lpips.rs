//! LPIPS v0.1 on AlexNet: Zhang, Isola, Efros, Shechtman and Wang, *The Unreasonable Effectiveness of Deep Features as a
//! Perceptual Metric*, CVPR 2018.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use image::RgbImage;
use tch::{Kind, TchError, Tensor, no_grad};

use crate::tensor;

/// One convolution of AlexNet: its key in the weights file, its stride and padding, and whether a maximum pooling over
/// 3 x 3 with stride 2 comes before it.
struct Layer {
    key: &'static str,
    stride: i64,
    padding: i64,
    pooled: bool,
}

const LAYERS: [Layer; 5] = [
    Layer { key: "features.0", stride: 4, padding: 2, pooled: false },
    Layer { key: "features.3", stride: 1, padding: 2, pooled: true },
    Layer { key: "features.6", stride: 1, padding: 1, pooled: true },
    Layer { key: "features.8", stride: 1, padding: 1, pooled: false },
    Layer { key: "features.10", stride: 1, padding: 1, pooled: false },
];

/// AlexNet needs this many pixels at each side to leave something after its poolings.
const SMALLEST_SIDE: u32 = 31;

/// The metric with its weights.
pub struct Lpips {
    /// Weight and bias of each layer's convolution, and the weight of each of its channels in the distance.
    layers: Vec<(Tensor, Tensor, Tensor)>,
    /// Mean and deviation of the colours that AlexNet was trained on.
    shift: Tensor,
    scale: Tensor,
}

impl Lpips {
    /// The weights that come with the tests.
    pub fn bundled() -> Result<Self> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
        Self::load(&data.join("lpips_alex.safetensors"))
    }

    /// Weights from a safetensors file with the keys that `data/README.md` describes.
    pub fn load(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mut weights: HashMap<String, Tensor> =
            Tensor::read_safetensors(path).with_context(|| format!("cannot read {shown}"))?.into_iter().collect();
        let mut take = |key: String| -> Result<Tensor> {
            let weight = weights.remove(&key).with_context(|| format!("{shown} has no tensor '{key}'"))?;
            Ok(weight.f_to_kind(Kind::Float)?)
        };
        let layers = LAYERS.iter().enumerate().map(|(index, Layer { key, .. })| {
            Ok((
                take(format!("{key}.weight"))?,
                take(format!("{key}.bias"))?,
                take(format!("lin{index}.model.1.weight"))?,
            ))
        });
        let colour = |values: [f32; 3]| Tensor::f_from_slice(&values)?.f_view([1, 3, 1, 1]);
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
            shift: colour([-0.030, -0.088, -0.188])?,
            scale: colour([0.458, 0.448, 0.450])?,
        })
    }

    /// The perceptual distance of two images of the same size: 0 is equal, 1 is very different.
    pub fn distance(&self, first: &RgbImage, second: &RgbImage) -> Result<f64> {
        let (width, height) = first.dimensions();
        ensure!(
            first.dimensions() == second.dimensions(),
            "sizes differ: {width} x {height}, {:?}",
            second.dimensions()
        );
        ensure!(
            width.min(height) >= SMALLEST_SIDE,
            "{width} x {height} is too small, LPIPS needs {SMALLEST_SIDE} pixels"
        );
        no_grad(|| {
            let first = self.features(first)?;
            let second = self.features(second)?;
            let mut distance = 0.0;
            for ((first, second), (_, _, channels)) in first.iter().zip(&second).zip(&self.layers) {
                let error = first.f_sub(second)?.f_square()?;
                let weighted =
                    error.f_mul(&channels.f_view([1, -1, 1, 1])?)?.f_sum_dim_intlist(1, false, Kind::Double)?;
                distance += f64::try_from(weighted.f_mean(Kind::Double)?)?;
            }
            Ok(distance)
        })
    }

    /// What each layer sees, with each pixel's channels scaled to unit length.
    fn features(&self, image: &RgbImage) -> Result<Vec<Tensor>, TchError> {
        let mut x = tensor::from_image(image)?.f_sub(&self.shift)?.f_div(&self.scale)?;
        LAYERS
            .iter()
            .zip(&self.layers)
            .map(|(layer, (weight, bias, _))| {
                if layer.pooled {
                    x = x.f_max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], false)?;
                }
                let (stride, padding) = ([layer.stride; 2], [layer.padding; 2]);
                x = x.f_conv2d(weight, Some(bias), stride, padding, [1, 1], 1)?.f_relu()?;
                let length = x.f_square()?.f_sum_dim_intlist(1, true, Kind::Float)?.f_add_scalar(1e-10)?.f_sqrt()?;
                x.f_div(&length)
            })
            .collect()
    }
}
