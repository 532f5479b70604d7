//! The halves that the autoencoders share (diffusers: models/autoencoders/vae.py `Encoder`, `Decoder`).

use serde::Deserialize;
use tch::Tensor;

use super::blocks::{DownBlock, Inputs, MidBlock, Mixing, UpBlock};
use super::config::{self, OnlySilu};
use super::resnet::ResnetShape;
use super::{Conv2d, GroupNorm, Scope, TimeScaleShift};
use crate::Result;

/// The keys of a configuration that all autoencoders have; others are ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct AutoencoderConfig {
    /// Channels of the picture that goes in.
    pub in_channels: i64,
    /// Channels of the picture that comes out.
    pub out_channels: i64,
    /// Channels of the latents.
    pub latent_channels: i64,
    /// Channels of each resolution, finest first.
    pub block_out_channels: Vec<i64>,
    /// Residual blocks at each resolution of the encoder; the decoder has one more.
    pub layers_per_block: usize,
    /// Kind of each block of the encoder.
    pub down_block_types: Vec<EncoderBlockType>,
    /// Kind of each block of the decoder.
    pub up_block_types: Vec<DecoderBlockType>,
    /// Groups of every group normalisation.
    #[serde(default = "config::groups")]
    pub norm_num_groups: i64,
    /// True where the middle of either half has an attention block.
    #[serde(default = "config::yes")]
    pub mid_block_add_attention: bool,
    /// The activation: SiLU is the only one.
    #[serde(default)]
    pub act_fn: OnlySilu,
}

/// Kinds of blocks of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum EncoderBlockType {
    /// Residual blocks only.
    DownEncoderBlock2D,
}

/// Kinds of blocks of the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum DecoderBlockType {
    /// Residual blocks only.
    UpDecoderBlock2D,
}

impl AutoencoderConfig {
    /// Pixels of the picture per pixel of the latents, along a side.
    pub fn downscale(&self) -> usize {
        config::halvings(self.block_out_channels.len())
    }

    /// Why this configuration cannot be built, if so.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        config::check_levels(&self.block_out_channels, &[self.down_block_types.len(), self.up_block_types.len()])?;
        let sizes = [&self.in_channels, &self.out_channels, &self.latent_channels];
        config::check_channels(self.block_out_channels.iter().chain(sizes))?;
        config::check_layers("layers_per_block", self.layers_per_block)?;
        config::check_groups(self.norm_num_groups, &self.block_out_channels)
    }

    fn resnet(&self) -> ResnetShape {
        ResnetShape {
            embedding: None,
            groups: self.norm_num_groups,
            // The reference has this number as a constant.
            eps: 1e-6,
            time_scale_shift: TimeScaleShift::Default,
            output_scale_factor: 1.0,
        }
    }

    fn middle(&self) -> Mixing {
        match self.mid_block_add_attention {
            true => Mixing::SelfAttention { head_dim: None, groups: Some(self.norm_num_groups) },
            false => Mixing::None,
        }
    }
}

/// From a picture to what the latents are made of.
pub struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<DownBlock>,
    mid_block: MidBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Encoder {
    /// Takes all weights from the scope; `outputs` is the number of channels it gives.
    pub fn new(scope: &Scope, config: &AutoencoderConfig, outputs: i64) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let (channels, shape) = (&config.block_out_channels, config.resnet());
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let mut inputs = first;
        let mut down_blocks = Vec::new();
        for (index, &outputs) in channels.iter().enumerate() {
            let scope = scope.child(format_args!("down_blocks.{index}"));
            let downsample = (index + 1 < channels.len()).then_some(0);
            let layers = config.layers_per_block;
            down_blocks.push(DownBlock::new(&scope, (inputs, outputs), layers, Mixing::None, shape, downsample)?);
            inputs = outputs;
        }
        Ok(Self {
            conv_in: Conv2d::new(&scope.child("conv_in"), config.in_channels, first, 3, 1, 1)?,
            down_blocks,
            mid_block: MidBlock::new(&scope.child("mid_block"), last, config.middle(), shape)?,
            conv_norm_out: GroupNorm::new(&scope.child("conv_norm_out"), last, shape.groups, shape.eps)?,
            conv_out: Conv2d::new(&scope.child("conv_out"), last, outputs, 3, 1, 1)?,
        })
    }

    /// `N x in_channels x H x W`, sides multiples of [`AutoencoderConfig::downscale`], to `N x outputs x H' x W'`.
    pub fn forward(&self, picture: &Tensor) -> Result<Tensor> {
        let mut h = self.conv_in.forward_first(picture)?;
        for block in &self.down_blocks {
            h = block.forward(h, Inputs::default(), |_| ())?;
        }
        h = self.mid_block.forward(&h, Inputs::default())?;
        self.conv_out.forward(&self.conv_norm_out.forward(&h)?.f_silu_()?)
    }
}

/// From latents to a picture.
pub struct Decoder {
    conv_in: Conv2d,
    mid_block: MidBlock,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    /// Takes all weights from the scope.
    pub fn new(scope: &Scope, config: &AutoencoderConfig) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let (channels, shape) = (&config.block_out_channels, config.resnet());
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let no_skips = vec![0; config.layers_per_block + 1];
        let mut inputs = last;
        let mut up_blocks = Vec::new();
        for (index, &outputs) in channels.iter().rev().enumerate() {
            let scope = scope.child(format_args!("up_blocks.{index}"));
            let upsample = index + 1 < channels.len();
            up_blocks.push(UpBlock::new(&scope, (inputs, outputs), &no_skips, Mixing::None, shape, upsample)?);
            inputs = outputs;
        }
        Ok(Self {
            conv_in: Conv2d::new(&scope.child("conv_in"), config.latent_channels, last, 3, 1, 1)?,
            mid_block: MidBlock::new(&scope.child("mid_block"), last, config.middle(), shape)?,
            up_blocks,
            conv_norm_out: GroupNorm::new(&scope.child("conv_norm_out"), first, shape.groups, shape.eps)?,
            conv_out: Conv2d::new(&scope.child("conv_out"), first, config.out_channels, 3, 1, 1)?,
        })
    }

    /// `N x latent_channels x H' x W'` to `N x out_channels x H x W`.
    pub fn forward(&self, latents: &Tensor) -> Result<Tensor> {
        let mut h = self.conv_in.forward_first(latents)?;
        h = self.mid_block.forward(&h, Inputs::default())?;
        for block in &self.up_blocks {
            h = block.forward(h, Inputs::default(), &mut Vec::new())?;
        }
        self.conv_out.forward(&self.conv_norm_out.forward(&h)?.f_silu_()?)
    }
}
