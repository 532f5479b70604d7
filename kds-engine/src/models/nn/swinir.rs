//! SwinIR with pixels folded into channels, as DiffBIR cleans photographs (XPixelGroup/DiffBIR 3f8b530:
//! `diffbir/model/swinir.py`, `configs/inference/swinir.yaml`; tensors are named as in `general_swinir_v1.ckpt`).

use serde::Deserialize;
use tch::Tensor;

use super::config::{self, NetworkConfig};
use super::layers::{doubled, leaky_relu};
use super::swin::{EPS, HIDDEN, SwinBlock, check_depths};
use super::windows::Windows;
use super::{Conv2d, LayerNorm, Scope};
use crate::Result;

/// Sizes of the network; by default those of DiffBIR.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct SwinIrConfig {
    /// Channels of the tokens.
    pub channels: i64,
    /// Blocks of each group.
    pub depths: Vec<usize>,
    /// Attention heads of each group.
    pub heads: Vec<i64>,
    /// Tokens along a side of a window.
    pub window: i64,
    /// Channels inside a feed-forward network, per channel of the tokens.
    pub mlp_ratio: i64,
    /// Pixels along a side of a token, 4 or 8; the result has the size of the input.
    pub unshuffle: i64,
}

impl Default for SwinIrConfig {
    fn default() -> Self {
        Self { channels: 180, depths: vec![6; 8], heads: vec![6; 8], window: 8, mlp_ratio: 2, unshuffle: 8 }
    }
}

impl SwinIrConfig {
    /// Height and width of the input must be multiples of this.
    pub fn multiple(&self) -> usize {
        (self.window * self.unshuffle).unsigned_abs() as usize
    }
}

impl NetworkConfig for SwinIrConfig {
    fn check(&self) -> std::result::Result<(), String> {
        check_depths(&self.depths, &self.heads)?;
        config::check_channels([&self.channels, &self.window, &self.mlp_ratio])?;
        if ![4, 8].contains(&self.unshuffle) {
            return Err(format!("unshuffle is {}; 4 and 8 are possible", self.unshuffle));
        }
        Ok(())
    }
}

/// Channels of the layers that enlarge.
const FEATURES: i64 = 64;

/// Mean colour of the photographs that it was trained with.
const MEAN: [f32; 3] = [0.4488, 0.4371, 0.4040];

/// The network.
pub struct SwinIr {
    unshuffle: i64,
    shifted: Windows,
    mean: Tensor,
    conv_first: Conv2d,
    patch_norm: LayerNorm,
    groups: Vec<(Vec<SwinBlock>, Conv2d)>,
    norm: LayerNorm,
    conv_after_body: Conv2d,
    conv_before_upsample: Conv2d,
    enlarging: Vec<Conv2d>,
    conv_hr: Conv2d,
    conv_last: Conv2d,
}

impl SwinIr {
    /// Takes all weights from the scope. The error says which tensor does not fit.
    pub fn new(scope: &Scope, config: &SwinIrConfig) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let SwinIrConfig { channels, window, mlp_ratio, unshuffle, .. } = *config;
        let conv = |scope: &Scope, name, inputs, outputs| Conv2d::new(&scope.child(name), inputs, outputs, 3, 1, 1);
        let group = |(index, (&depth, &heads)): (usize, (&usize, &i64))| {
            let group = scope.child(format_args!("layers.{index}"));
            let block = |number: usize| {
                let windows = Windows { side: window, shift: if number % 2 == 1 { window / 2 } else { 0 } };
                let block = group.child(format_args!("residual_group.blocks.{number}"));
                SwinBlock::new(&block, windows, channels, heads, mlp_ratio * channels)
            };
            let blocks = (0..depth).map(block).collect::<Result<_>>()?;
            Ok((blocks, conv(&group, "conv", channels, channels)?))
        };
        let enlarging =
            if unshuffle == 8 { &["conv_up1", "conv_up2", "conv_up3"][..] } else { &["conv_up1", "conv_up2"] };
        let enlarging = enlarging.iter().map(|name| conv(scope, name, FEATURES, FEATURES));
        let loading = scope.loading();
        let mean = Tensor::f_from_slice(&MEAN)?.f_view([1, 3, 1, 1])?;
        Ok(Self {
            unshuffle,
            shifted: Windows { side: window, shift: window / 2 },
            mean: mean.f_to_kind(loading.kind)?.f_to_device(loading.device)?,
            conv_first: conv(scope, "conv_first.1", 3 * unshuffle * unshuffle, channels)?,
            patch_norm: LayerNorm::new(&scope.child("patch_embed.norm"), channels, EPS)?,
            groups: config.depths.iter().zip(&config.heads).enumerate().map(group).collect::<Result<_>>()?,
            norm: LayerNorm::new(&scope.child("norm"), channels, EPS)?,
            conv_after_body: conv(scope, "conv_after_body", channels, channels)?,
            conv_before_upsample: conv(scope, "conv_before_upsample.0", channels, FEATURES)?,
            enlarging: enlarging.collect::<Result<_>>()?,
            conv_hr: conv(scope, "conv_hr", FEATURES, FEATURES)?,
            conv_last: conv(scope, "conv_last", FEATURES, 3)?,
        })
    }

    /// The cleaned picture of `N x 3 x H x W` in 0..1, sides multiples of [`SwinIrConfig::multiple`], in the number format
    /// of the weights; shape unchanged.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let folded = x.f_sub(&self.mean)?.f_pixel_unshuffle(self.unshuffle)?;
        let first = self.conv_first.forward_first(&folded)?;
        let tokens = self.norm.forward(&self.groups(self.patch_norm.forward(&to_last(&first)?)?)?)?;
        let x = self.conv_after_body.forward(&from_last(&tokens)?)?.f_add_(&first)?;
        // 0.01 of what is negative.
        let mut x = self.conv_before_upsample.forward(&x)?.f_leaky_relu_()?;
        for conv in &self.enlarging {
            x = leaky_relu(&conv.forward(&doubled(&x)?)?)?;
        }
        let x = self.conv_last.forward(&leaky_relu(&self.conv_hr.forward(&x)?)?)?;
        Ok(x.f_add(&self.mean)?)
    }

    /// `B x h x w x C`, shape unchanged.
    fn groups(&self, mut x: Tensor) -> Result<Tensor> {
        let (_, height, width, _) = x.size4()?;
        let mask = self.shifted.mask(height, width, HIDDEN, (x.kind(), x.device()))?;
        for (blocks, conv) in &self.groups {
            let mut h = x.shallow_clone();
            for block in blocks {
                h = block.forward(&h, mask.as_ref())?;
            }
            x = to_last(&conv.forward(&from_last(&h)?)?)?.f_add(&x)?;
        }
        Ok(x)
    }
}

/// A feature map as tokens, `N x C x H x W` to `N x H x W x C`: the same memory, where it is channels-last.
fn to_last(image: &Tensor) -> Result<Tensor> {
    Ok(image.f_permute([0, 2, 3, 1])?)
}

/// The inverse of [`to_last`].
fn from_last(tokens: &Tensor) -> Result<Tensor> {
    Ok(tokens.f_permute([0, 3, 1, 2])?)
}
