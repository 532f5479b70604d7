//! The network that restores a photograph in one pass, before diffusion refines it (`tools/train/predictor.py`): a U-Net of
//! residual blocks whose normalisation is local, so that what it does at one place depends on nothing far away.

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::config::{self, NetworkConfig};
use super::layers::Widen;
use super::{Conv2d, LayerNorm, Scope};
use crate::Result;

/// `predictor/config.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct PredictorConfig {
    /// Pixels of the photograph along a side of a pixel of the finest level.
    pub shuffle: i64,
    /// Channels of each resolution, finest first.
    pub block_out_channels: Vec<i64>,
    /// Residual blocks at each resolution but the coarsest, on the way down and on the way up.
    pub layers_per_block: usize,
    /// Residual blocks at the coarsest resolution.
    pub middle_layers: usize,
}

impl PredictorConfig {
    /// Height and width of the input must be multiples of this.
    pub fn multiple(&self) -> usize {
        self.shuffle.unsigned_abs() as usize * config::halvings(self.block_out_channels.len())
    }
}

impl NetworkConfig for PredictorConfig {
    fn check(&self) -> std::result::Result<(), String> {
        if !(1..=16).contains(&self.shuffle) {
            return Err(format!("shuffle is {}; 1 to 16 are possible", self.shuffle));
        }
        config::check_levels(&self.block_out_channels, &[])?;
        config::check_channels(&self.block_out_channels)?;
        config::check_layers("layers_per_block", self.layers_per_block)?;
        config::check_layers("middle_layers", self.middle_layers)
    }
}

/// Side of the local mean from which the detail of the photograph is measured, in pixels, and what that is multiplied by.
const DETAIL_WINDOW: i64 = 5;
const DETAIL_GAIN: f64 = 8.0;
/// Added to the variance in every normalisation.
const EPS: f64 = 1e-5;

/// The network.
pub struct Predictor {
    shuffle: i64,
    conv_in: Conv2d,
    down: Vec<(Blocks, Conv2d)>,
    middle: Blocks,
    up: Vec<(Widen, Blocks)>,
    conv_out: Conv2d,
}

impl Predictor {
    /// Takes all weights from the scope. The error says which tensor does not fit.
    pub fn new(scope: &Scope, config: &PredictorConfig) -> Result<Self> {
        let PredictorConfig { shuffle, block_out_channels, layers_per_block, middle_layers } = config;
        let pixels = shuffle * shuffle;
        let conv = |name, inputs, outputs| Conv2d::new(&scope.child(name), inputs, outputs, 3, 1, 1);
        let Some((&coarsest, finer)) = block_out_channels.split_last() else {
            return Err(scope.error("block_out_channels is empty".to_owned()));
        };
        let finest = block_out_channels[0];
        let steps = finer.iter().zip(&block_out_channels[1..]);
        let down = |(index, (&fine, &coarse)): (usize, (&i64, &i64))| {
            let level = scope.child(format_args!("down.{index}"));
            let narrow = Conv2d::new(&level.child("resample"), fine, coarse, 2, 2, 0)?;
            Ok((Blocks::new(&level, fine, *layers_per_block)?, narrow))
        };
        let up = |(index, (&fine, &coarse)): (usize, (&i64, &i64))| {
            let level = scope.child(format_args!("up.{index}"));
            let widen = Widen::new(&level.child("resample"), coarse, fine)?;
            Ok((widen, Blocks::new(&level, fine, *layers_per_block)?))
        };
        Ok(Self {
            shuffle: *shuffle,
            conv_in: conv("conv_in", 7 * pixels, finest)?,
            down: steps.clone().enumerate().map(down).collect::<Result<_>>()?,
            middle: Blocks::new(&scope.child("middle"), coarsest, *middle_layers)?,
            up: steps.rev().enumerate().map(up).collect::<Result<_>>()?,
            conv_out: conv("conv_out", finest, 3 * pixels)?,
        })
    }

    /// The restored photograph: `picture` is `N x 3 x H x W`, its holes filled, `hole` is `N x 1 x H x W`, 1 in holes and 0
    /// elsewhere, both f32 and on the device of the weights; H and W are multiples of [`PredictorConfig::multiple`]. `kind`
    /// is that of the weights; what comes out is f32.
    pub fn forward(&self, picture: &Tensor, hole: &Tensor, kind: Kind) -> Result<Tensor> {
        let (window, around) = ([DETAIL_WINDOW; 2], [DETAIL_WINDOW / 2; 2]);
        let mean = picture.f_avg_pool2d(window, [1, 1], around, false, false, None)?;
        let detail = picture.f_sub(&mean)?.f_mul_scalar(DETAIL_GAIN)?;
        let input = Tensor::f_cat(&[picture, hole, &detail], 1)?.f_pixel_unshuffle(self.shuffle)?.f_to_kind(kind)?;
        let mut x = self.conv_in.forward_first(&input)?;
        let mut skips = Vec::new();
        for (blocks, narrow) in &self.down {
            let level = blocks.forward(x)?;
            x = narrow.forward(&level)?;
            skips.push(level);
        }
        x = self.middle.forward(x)?;
        for ((widen, blocks), skip) in self.up.iter().zip(skips.into_iter().rev()) {
            x = blocks.forward(widen.forward(&x)?.f_add(&skip)?)?;
        }
        let change = self.conv_out.forward(&x)?.f_pixel_shuffle(self.shuffle)?;
        Ok(change.f_to_kind(Kind::Float)?.f_add(picture)?)
    }
}

/// Residual blocks of two convolutions.
struct Blocks(Vec<Block>);

impl Blocks {
    fn new(scope: &Scope, channels: i64, layers: usize) -> Result<Self> {
        let block = |index| Block::new(&scope.child(format_args!("blocks.{index}")), channels);
        Ok(Self((0..layers).map(block).collect::<Result<_>>()?))
    }

    fn forward(&self, x: Tensor) -> Result<Tensor> {
        self.0.iter().try_fold(x, |x, block| block.forward(&x))
    }
}

/// `x + conv2(silu(conv1(norm(x))))`, the normalisation over the channels of each pixel.
struct Block {
    norm: LayerNorm,
    conv1: Conv2d,
    conv2: Conv2d,
}

impl Block {
    fn new(scope: &Scope, channels: i64) -> Result<Self> {
        let conv = |name| Conv2d::new(&scope.child(name), channels, channels, 3, 1, 1);
        let norm = LayerNorm::new(&scope.child("norm"), channels, EPS)?;
        Ok(Self { norm, conv1: conv("conv1")?, conv2: conv("conv2")? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // In channels-last memory these are the last axis already.
        let normed = self.norm.forward(&x.f_permute([0, 2, 3, 1])?)?.f_permute([0, 3, 1, 2])?;
        Ok(self.conv2.forward(&self.conv1.forward(&normed)?.f_silu_()?)?.f_add_(x)?)
    }
}
