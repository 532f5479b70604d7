//! SCUNet, a U-Net whose blocks convolve one half of the channels and attend within windows in the other, as DiffBIR
//! denoises photographs (XPixelGroup/DiffBIR 3f8b530: `diffbir/model/scunet.py`, `configs/inference/scunet.yaml`; tensors
//! are named as in `scunet_color_real_psnr.pth`).

use serde::Deserialize;
use tch::Tensor;

use super::config::{self, NetworkConfig};
use super::layers::Widen;
use super::windows::{Windows, attend_within, check_heads, relative_bias};
use super::{Conv2d, LayerNorm, Linear, Scope};
use crate::Result;

/// Sizes of the network; by default those of DiffBIR.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct ScuNetConfig {
    /// Channels of the finest level; each further one has twice as many.
    pub channels: i64,
    /// Blocks: three levels down, the middle, three levels up.
    pub depths: [usize; 7],
}

impl Default for ScuNetConfig {
    fn default() -> Self {
        Self { channels: 64, depths: [4; 7] }
    }
}

impl NetworkConfig for ScuNetConfig {
    fn check(&self) -> std::result::Result<(), String> {
        config::check_channels([&self.channels, &(8 * self.channels)])?;
        if self.channels % (2 * HEAD) != 0 {
            return Err(format!("channels is {}; multiples of {} are possible", self.channels, 2 * HEAD));
        }
        if self.depths.iter().any(|depth| !(1..=64).contains(depth)) {
            return Err(format!("depths is {:?}; each may be 1 to 64", self.depths));
        }
        Ok(())
    }
}

/// Channels of an attention head.
const HEAD: i64 = 32;
/// Tokens along a side of a window.
const WINDOW: i64 = 8;
/// Sides of the picture inside the network are multiples of this: a window of the coarsest level.
const MULTIPLE: i64 = 64;
/// Added to the variance in every normalisation.
const EPS: f64 = 1e-5;

/// The network.
pub struct ScuNet {
    head: Conv2d,
    down: Vec<(Vec<Block>, Conv2d)>,
    middle: Vec<Block>,
    up: Vec<(Widen, Vec<Block>)>,
    tail: Conv2d,
}

impl ScuNet {
    /// Takes all weights from the scope. The error says which tensor does not fit.
    pub fn new(scope: &Scope, config: &ScuNetConfig) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let ScuNetConfig { channels, depths } = *config;
        let blocks = |scope: &Scope, first: usize, depth: usize, channels| {
            let block = |index| Block::new(&scope.child(first + index), channels, index % 2 == 1);
            (0..depth).map(block).collect::<Result<Vec<_>>>()
        };
        let down = |level: usize| {
            let (scope, channels) = (scope.child(format_args!("m_down{}", level + 1)), channels << level);
            let narrow = scope.child(depths[level]);
            let narrow = Conv2d::without_bias(&narrow, channels, 2 * channels, 2, 2, 0)?;
            Ok((blocks(&scope, 0, depths[level], channels)?, narrow))
        };
        let up = |level: usize| {
            let (scope, channels) = (scope.child(format_args!("m_up{}", level + 1)), channels << level);
            let widen = Widen::without_bias(&scope.child(0), 2 * channels, channels)?;
            Ok((widen, blocks(&scope, 1, depths[6 - level], channels)?))
        };
        let conv = |name, inputs, outputs| Conv2d::without_bias(&scope.child(name), inputs, outputs, 3, 1, 1);
        Ok(Self {
            head: conv("m_head.0", 3, channels)?,
            down: (0..3).map(down).collect::<Result<_>>()?,
            middle: blocks(&scope.child("m_body"), 0, depths[3], 8 * channels)?,
            up: (0..3).rev().map(up).collect::<Result<_>>()?,
            tail: conv("m_tail.0", channels, 3)?,
        })
    }

    /// The cleaned picture of `N x 3 x H x W` in 0..1, of any size, in the number format of the weights; shape unchanged.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.size4()?;
        let missing = |side: i64| (MULTIPLE - side % MULTIPLE) % MULTIPLE;
        let padded = x.f_replication_pad2d([0, missing(width), 0, missing(height)])?;
        let first = self.head.forward_first(&padded)?;
        let (mut x, mut skips) = (first.shallow_clone(), Vec::new());
        for (blocks, narrow) in &self.down {
            x = narrow.forward(&through(blocks, x)?)?;
            skips.push(x.shallow_clone());
        }
        x = through(&self.middle, x)?;
        for ((widen, blocks), skip) in self.up.iter().zip(skips.into_iter().rev()) {
            x = through(blocks, widen.forward(&x.f_add(&skip)?)?)?;
        }
        let x = self.tail.forward(&x.f_add(&first)?)?;
        Ok(x.f_narrow(2, 0, height)?.f_narrow(3, 0, width)?)
    }
}

fn through(blocks: &[Block], x: Tensor) -> Result<Tensor> {
    blocks.iter().try_fold(x, |x, block| block.forward(&x))
}

/// Convolutions of one half of the channels and window attention in the other, mixed, and added to the input.
struct Block {
    mix_in: Conv2d,
    conv1: Conv2d,
    conv2: Conv2d,
    attention: WindowBlock,
    mix_out: Conv2d,
}

impl Block {
    fn new(scope: &Scope, channels: i64, shifted: bool) -> Result<Self> {
        let half = channels / 2;
        let mix = |name| Conv2d::new(&scope.child(name), channels, channels, 1, 1, 0);
        let conv = |name| Conv2d::without_bias(&scope.child(name), half, half, 3, 1, 1);
        Ok(Self {
            mix_in: mix("conv1_1")?,
            conv1: conv("conv_block.0")?,
            conv2: conv("conv_block.2")?,
            attention: WindowBlock::new(&scope.child("trans_block"), half, shifted)?,
            mix_out: mix("conv1_2")?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mixed = self.mix_in.forward(x)?;
        let half = mixed.size()[1] / 2;
        let (convolved, tokens) = (mixed.f_narrow(1, 0, half)?, mixed.f_narrow(1, half, half)?);
        let convolved = self.conv2.forward(&self.conv1.forward(&convolved)?.f_relu_()?)?.f_add_(&convolved)?;
        let tokens = self.attention.forward(&tokens.f_permute([0, 2, 3, 1])?)?.f_permute([0, 3, 1, 2])?;
        Ok(self.mix_out.forward(&Tensor::f_cat(&[convolved, tokens], 1)?)?.f_add_(x)?)
    }
}

/// Self-attention within windows and a feed-forward network, each normalised first and added to its input.
struct WindowBlock {
    windows: Windows,
    ln1: LayerNorm,
    embedding_layer: Linear,
    bias: Tensor,
    linear: Linear,
    heads: i64,
    ln2: LayerNorm,
    mlp1: Linear,
    mlp2: Linear,
}

impl WindowBlock {
    fn new(scope: &Scope, channels: i64, shifted: bool) -> Result<Self> {
        let (attention, heads) = (scope.child("msa"), channels / HEAD);
        check_heads(&attention, channels, heads)?;
        let differences = 2 * WINDOW - 1;
        let table = attention.tensor("relative_position_params", &[heads, differences, differences])?;
        Ok(Self {
            windows: Windows { side: WINDOW, shift: if shifted { WINDOW / 2 } else { 0 } },
            ln1: LayerNorm::new(&scope.child("ln1"), channels, EPS)?,
            embedding_layer: Linear::new(&attention.child("embedding_layer"), channels, 3 * channels)?,
            bias: relative_bias(&table.f_reshape([heads, -1])?.f_transpose(0, 1)?, WINDOW)?,
            linear: Linear::new(&attention.child("linear"), channels, channels)?,
            heads,
            ln2: LayerNorm::new(&scope.child("ln2"), channels, EPS)?,
            mlp1: Linear::new(&scope.child("mlp.0"), channels, 4 * channels)?,
            mlp2: Linear::new(&scope.child("mlp.2"), 4 * channels, channels)?,
        })
    }

    /// `B x H x W x C`, sides multiples of the window's; shape unchanged.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, height, width, _) = x.size4()?;
        let mask = self.windows.mask(height, width, f64::NEG_INFINITY, (x.kind(), x.device()))?;
        let qkv = self.embedding_layer.forward(&self.windows.cut(&self.ln1.forward(x)?)?)?;
        let mixed = self.linear.forward(&attend_within(&qkv, self.heads, &self.bias, mask.as_ref())?)?;
        let x = self.windows.join(&mixed, height, width)?.f_add(x)?;
        let hidden = self.mlp1.forward(&self.ln2.forward(&x)?)?.f_gelu("none")?;
        Ok(self.mlp2.forward(&hidden)?.f_add_(&x)?)
    }
}
