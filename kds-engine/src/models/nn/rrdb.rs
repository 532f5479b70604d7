//! RRDBNet, the network of BSRNet and of ESRGAN: dense blocks within residual blocks, then nearest-neighbour enlargement
//! and convolutions (XPixelGroup/DiffBIR 3f8b530: `diffbir/model/bsrnet.py`, `configs/inference/bsrnet.yaml`; tensors are
//! named as in `BSRNet.pth`).

use serde::Deserialize;
use tch::Tensor;

use super::config::{self, NetworkConfig};
use super::layers::{doubled, leaky_relu};
use super::{Conv2d, Scope};
use crate::Result;

/// Sizes of the network; by default those of BSRNet.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct RrdbConfig {
    /// Channels of the features.
    pub channels: i64,
    /// Residual blocks, of three dense blocks each.
    pub blocks: usize,
    /// Channels that each convolution of a dense block adds.
    pub growth: i64,
    /// Enlargement: 2 or 4.
    pub scale: i64,
}

impl Default for RrdbConfig {
    fn default() -> Self {
        Self { channels: 64, blocks: 23, growth: 32, scale: 4 }
    }
}

impl NetworkConfig for RrdbConfig {
    fn check(&self) -> std::result::Result<(), String> {
        config::check_channels([&self.channels, &self.growth])?;
        if !(1..=256).contains(&self.blocks) {
            return Err(format!("blocks is {}; 1 to 256 are possible", self.blocks));
        }
        if ![2, 4].contains(&self.scale) {
            return Err(format!("scale is {}; 2 and 4 are possible", self.scale));
        }
        Ok(())
    }
}

/// Share of what a block computes that is added to its input.
const RESIDUAL_SCALE: f64 = 0.2;

/// The network.
pub struct Rrdb {
    conv_first: Conv2d,
    trunk: Vec<[DenseBlock; 3]>,
    trunk_conv: Conv2d,
    enlarging: Vec<Conv2d>,
    hr_conv: Conv2d,
    conv_last: Conv2d,
}

impl Rrdb {
    /// Takes all weights from the scope. The error says which tensor does not fit.
    pub fn new(scope: &Scope, config: &RrdbConfig) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let RrdbConfig { channels, blocks, growth, scale } = *config;
        let conv = |name, inputs, outputs| Conv2d::new(&scope.child(name), inputs, outputs, 3, 1, 1);
        let block = |index| {
            let block = scope.child(format_args!("RRDB_trunk.{index}"));
            let dense = |name| DenseBlock::new(&block.child(name), channels, growth);
            Ok([dense("RDB1")?, dense("RDB2")?, dense("RDB3")?])
        };
        let enlarging = if scale == 4 { &["upconv1", "upconv2"][..] } else { &["upconv1"] };
        Ok(Self {
            conv_first: conv("conv_first", 3, channels)?,
            trunk: (0..blocks).map(block).collect::<Result<_>>()?,
            trunk_conv: conv("trunk_conv", channels, channels)?,
            enlarging: enlarging.iter().map(|name| conv(name, channels, channels)).collect::<Result<_>>()?,
            hr_conv: conv("HRconv", channels, channels)?,
            conv_last: conv("conv_last", channels, 3)?,
        })
    }

    /// The enlarged picture of `N x 3 x H x W` in 0..1, of any size, in the number format of the weights: `N x 3 x sH x sW`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let first = self.conv_first.forward_first(x)?;
        let mut x = first.shallow_clone();
        for block in &self.trunk {
            let mut h = x.shallow_clone();
            for dense in block {
                h = dense.forward(&h)?;
            }
            x = h.f_mul_scalar_(RESIDUAL_SCALE)?.f_add_(&x)?;
        }
        x = self.trunk_conv.forward(&x)?.f_add_(&first)?;
        for conv in &self.enlarging {
            x = leaky_relu(&conv.forward(&doubled(&x)?)?)?;
        }
        self.conv_last.forward(&leaky_relu(&self.hr_conv.forward(&x)?)?)
    }
}

/// Five convolutions, each of which sees the input and what all before it made.
struct DenseBlock {
    growing: Vec<Conv2d>,
    last: Conv2d,
}

impl DenseBlock {
    fn new(scope: &Scope, channels: i64, growth: i64) -> Result<Self> {
        let conv = |index: i64, outputs| {
            let inputs = channels + (index - 1) * growth;
            Conv2d::new(&scope.child(format_args!("conv{index}")), inputs, outputs, 3, 1, 1)
        };
        let growing = (1..=4).map(|index| conv(index, growth)).collect::<Result<_>>()?;
        Ok(Self { growing, last: conv(5, channels)? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut all = x.shallow_clone();
        for conv in &self.growing {
            let grown = leaky_relu(&conv.forward(&all)?)?;
            all = Tensor::f_cat(&[&all, &grown], 1)?;
        }
        Ok(self.last.forward(&all)?.f_mul_scalar_(RESIDUAL_SCALE)?.f_add_(x)?)
    }
}
