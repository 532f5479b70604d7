//! EDSR on the low-resolution grid, without its upsampler (Lim et al., CVPRW 2017; `tools/train/predictor_x4.py`): a guess of
//! the latents of an enlarged photograph in one pass, and the features behind it.

use serde::Deserialize;
use tch::Tensor;

use super::config::{self, NetworkConfig};
use super::{Conv2d, Scope};
use crate::Result;

/// `predictor/config.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct EdsrConfig {
    /// Channels of every layer, and of the features.
    pub channels: i64,
    /// Residual blocks.
    pub layers: usize,
}

impl NetworkConfig for EdsrConfig {
    fn check(&self) -> std::result::Result<(), String> {
        config::check_channels([&self.channels])?;
        if !(1..=256).contains(&self.layers) {
            return Err(format!("layers is {}; 1 to 256 are possible", self.layers));
        }
        Ok(())
    }
}

/// The network.
pub struct Edsr {
    conv_in: Conv2d,
    blocks: Vec<(Conv2d, Conv2d)>,
    conv_features: Conv2d,
    conv_out: Conv2d,
}

impl Edsr {
    /// Takes all weights from the scope, for `inputs` and `outputs` channels. The error says which tensor does not fit.
    pub fn new(scope: &Scope, config: &EdsrConfig, inputs: i64, outputs: i64) -> Result<Self> {
        let EdsrConfig { channels, layers } = *config;
        let conv = |scope: &Scope, name, inputs, outputs| Conv2d::new(&scope.child(name), inputs, outputs, 3, 1, 1);
        let block = |index| {
            let block = scope.child(format_args!("blocks.{index}"));
            Ok((conv(&block, "conv1", channels, channels)?, conv(&block, "conv2", channels, channels)?))
        };
        Ok(Self {
            conv_in: conv(scope, "conv_in", inputs, channels)?,
            blocks: (0..layers).map(block).collect::<Result<_>>()?,
            conv_features: conv(scope, "conv_features", channels, channels)?,
            conv_out: conv(scope, "conv_out", channels, outputs)?,
        })
    }

    /// `N x inputs x h x w`, in the number format of the weights, to `N x outputs x h x w` and the features,
    /// `N x channels x h x w`, in the same.
    pub fn forward(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let first = self.conv_in.forward_first(x)?;
        let mut x = first.shallow_clone();
        for (conv1, conv2) in &self.blocks {
            x = conv2.forward(&conv1.forward(&x)?.f_relu_()?)?.f_add_(&x)?;
        }
        let features = self.conv_features.forward(&x)?.f_add_(&first)?;
        Ok((self.conv_out.forward(&features)?, features))
    }
}
