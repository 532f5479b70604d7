//! The Swin transformer (Liu et al., ICCV 2021): its block, which SwinIR shares, and the image encoder of RAM
//! (cswry/SeeSR 8edecc7: `ram/models/swin_transformer.py`).

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::config::{self, NetworkConfig};
use super::windows::{Windows, attend_within, check_heads, relative_bias};
use super::{Conv2d, LayerNorm, Linear, Scope};
use crate::{Error, Result};

/// Added to the variance in every normalisation.
pub(crate) const EPS: f64 = 1e-5;

/// Added to the score of tokens that a shift has brought together.
pub(crate) const HIDDEN: f64 = -100.0;

/// Self-attention within windows and a feed-forward network, each normalised first and added to its input.
pub(crate) struct SwinBlock {
    windows: Windows,
    norm1: LayerNorm,
    qkv: Linear,
    bias: Tensor,
    proj: Linear,
    heads: i64,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl SwinBlock {
    /// `hidden`: channels inside the feed-forward network. Masks and indices that old files hold are computed here.
    pub fn new(scope: &Scope, windows: Windows, channels: i64, heads: i64, hidden: i64) -> Result<Self> {
        let attention = scope.child("attn");
        check_heads(&attention, channels, heads)?;
        scope.ignore("attn_mask");
        attention.ignore("relative_position_index");
        let differences = (2 * windows.side - 1).pow(2);
        let table = attention.tensor("relative_position_bias_table", &[differences, heads])?;
        Ok(Self {
            norm1: LayerNorm::new(&scope.child("norm1"), channels, EPS)?,
            qkv: Linear::new(&attention.child("qkv"), channels, 3 * channels)?,
            bias: relative_bias(&table, windows.side)?,
            proj: Linear::new(&attention.child("proj"), channels, channels)?,
            heads,
            norm2: LayerNorm::new(&scope.child("norm2"), channels, EPS)?,
            fc1: Linear::new(&scope.child("mlp.fc1"), channels, hidden)?,
            fc2: Linear::new(&scope.child("mlp.fc2"), hidden, channels)?,
            windows,
        })
    }

    /// `B x H x W x C`, sides multiples of the window's; shape unchanged. `mask` is that of a shifted window for this size,
    /// [`Windows::mask`]; blocks without a shift do not use it.
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (_, height, width, _) = x.size4()?;
        let mask = mask.filter(|_| self.windows.shift > 0);
        let qkv = self.qkv.forward(&self.windows.cut(&self.norm1.forward(x)?)?)?;
        let mixed = self.proj.forward(&attend_within(&qkv, self.heads, &self.bias, mask)?)?;
        let x = self.windows.join(&mixed, height, width)?.f_add(x)?;
        let hidden = self.fc1.forward(&self.norm2.forward(&x)?)?.f_gelu("none")?;
        Ok(self.fc2.forward(&hidden)?.f_add_(&x)?)
    }
}

/// Sizes of the encoder; by default those of Swin-L for 384 pixels.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct SwinConfig {
    /// Height and width of the picture.
    pub image_size: i64,
    /// Pixels along a side of a token of the first stage.
    pub patch_size: i64,
    /// Channels of the first stage; each further one has twice as many.
    pub channels: i64,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Attention heads of each stage.
    pub heads: Vec<i64>,
    /// Tokens along a side of a window.
    pub window: i64,
}

impl Default for SwinConfig {
    fn default() -> Self {
        let (depths, heads) = (vec![2, 2, 18, 2], vec![6, 12, 24, 48]);
        Self { image_size: 384, patch_size: 4, channels: 192, depths, heads, window: 12 }
    }
}

impl SwinConfig {
    /// Channels of the last stage.
    pub fn width(&self) -> i64 {
        self.channels << self.depths.len().saturating_sub(1)
    }
}

impl NetworkConfig for SwinConfig {
    fn check(&self) -> std::result::Result<(), String> {
        let Self { image_size, patch_size, channels, depths, heads, window } = self;
        check_depths(depths, heads)?;
        config::check_channels([image_size, patch_size, channels, window])?;
        config::check_channels([&self.width()])?;
        let coarsest = patch_size << (depths.len() - 1);
        if image_size % coarsest != 0 {
            return Err(format!("image_size {image_size} is no multiple of the {coarsest} of the last stage's tokens"));
        }
        let ragged = |stage| {
            let side = image_size / (patch_size << stage);
            side > *window && side % window != 0
        };
        if (0..depths.len()).any(ragged) {
            return Err(format!("window {window} does not divide the sides of every stage of {image_size} pixels"));
        }
        Ok(())
    }
}

/// The numbers of blocks and of heads are possible, and as many.
pub(crate) fn check_depths(depths: &[usize], heads: &[i64]) -> std::result::Result<(), String> {
    if depths.is_empty() || depths.len() > 16 || depths.len() != heads.len() {
        return Err(format!("depths has {} entries and heads {}; 1 to 16 of both", depths.len(), heads.len()));
    }
    if depths.iter().any(|depth| !(1..=64).contains(depth)) {
        return Err(format!("depths is {depths:?}; each may be 1 to 64"));
    }
    Ok(())
}

/// The encoder.
pub struct Swin {
    image_size: i64,
    patches: Conv2d,
    patch_norm: LayerNorm,
    stages: Vec<Stage>,
    norm: LayerNorm,
}

impl Swin {
    /// Takes all weights from the scope. The error says which tensor does not fit.
    pub fn new(scope: &Scope, config: &SwinConfig) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let SwinConfig { image_size, patch_size, channels, .. } = *config;
        let patches = scope.child("patch_embed");
        let stage = |index| Stage::new(&scope.child(format_args!("layers.{index}")), config, index);
        Ok(Self {
            image_size,
            patches: Conv2d::new(&patches.child("proj"), 3, channels, patch_size, patch_size, 0)?,
            patch_norm: LayerNorm::new(&patches.child("norm"), channels, EPS)?,
            stages: (0..config.depths.len()).map(stage).collect::<Result<_>>()?,
            norm: LayerNorm::new(&scope.child("norm"), config.width(), EPS)?,
        })
    }

    /// `N x 3 x S x S`, normalised, S being [`SwinConfig::image_size`], in the number format of the weights, to tokens
    /// `N x (1 + T) x width`: their mean, then those of the last stage, rows first.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.size4()?;
        if (height, width) != (self.image_size, self.image_size) {
            let size = self.image_size;
            return Err(Error::Conflict(format!(
                "the image encoder takes {size} x {size} pixels, not {width} x {height}"
            )));
        }
        let tokens = self.patches.forward_first(x)?.f_permute([0, 2, 3, 1])?;
        let mut x = self.patch_norm.forward(&tokens)?;
        for stage in &self.stages {
            x = stage.forward(x)?;
        }
        let tokens = self.norm.forward(&x)?.f_flatten(1, 2)?;
        let over: &[i64] = &[1];
        Ok(Tensor::f_cat(&[tokens.f_mean_dim(over, true, None::<Kind>)?, tokens], 1)?)
    }
}

/// Blocks, every second one shifted, and a halving of the resolution after all but the last stage.
struct Stage {
    windows: Windows,
    blocks: Vec<SwinBlock>,
    merging: Option<(LayerNorm, Linear)>,
}

impl Stage {
    fn new(scope: &Scope, config: &SwinConfig, index: usize) -> Result<Self> {
        let (channels, side) = (config.channels << index, config.image_size / (config.patch_size << index));
        // One window that holds all has nothing to be shifted to.
        let (window, shift) = if side <= config.window { (side, 0) } else { (config.window, config.window / 2) };
        let block = |number: usize| {
            let windows = Windows { side: window, shift: if number % 2 == 1 { shift } else { 0 } };
            let block = scope.child(format_args!("blocks.{number}"));
            SwinBlock::new(&block, windows, channels, config.heads[index], 4 * channels)
        };
        let merging = || {
            let merging = scope.child("downsample");
            let norm = LayerNorm::new(&merging.child("norm"), 4 * channels, EPS)?;
            Ok::<_, Error>((norm, Linear::without_bias(&merging.child("reduction"), 4 * channels, 2 * channels)?))
        };
        Ok(Self {
            windows: Windows { side: window, shift },
            blocks: (0..config.depths[index]).map(block).collect::<Result<_>>()?,
            merging: (index + 1 < config.depths.len()).then(merging).transpose()?,
        })
    }

    fn forward(&self, mut x: Tensor) -> Result<Tensor> {
        let (batch, height, width, channels) = x.size4()?;
        let mask = self.windows.mask(height, width, HIDDEN, (x.kind(), x.device()))?;
        for block in &self.blocks {
            x = block.forward(&x, mask.as_ref())?;
        }
        let Some((norm, reduction)) = &self.merging else { return Ok(x) };
        // The four tokens of a new one, columns first.
        let pairs = x.f_reshape([batch, height / 2, 2, width / 2, 2, channels])?.f_permute([0, 1, 3, 4, 2, 5])?;
        reduction.forward(&norm.forward(&pairs.f_reshape([batch, height / 2, width / 2, 4 * channels])?)?)
    }
}
