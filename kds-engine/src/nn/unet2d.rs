//! The unconditional U-Net of diffusers (models/unets/unet_2d.py `UNet2DModel`), read from its `config.json`.

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::layers::channels_last;
use super::resnet::ResnetShape;
use super::{Attention, Conv2d, GroupNorm, Linear, ResnetBlock, Scope, TimeScaleShift, sinusoidal_embedding};
use crate::Result;

/// The part of `unet/config.json` that decides the computation; other keys of the file are ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct UNet2dConfig {
    /// Channels of the input.
    pub in_channels: i64,
    /// Channels of the output.
    pub out_channels: i64,
    /// Channels of each resolution, finest first.
    pub block_out_channels: Vec<i64>,
    /// Residual blocks at each resolution on the way down; one more on the way up.
    pub layers_per_block: usize,
    /// Kind of each block on the way down.
    pub down_block_types: Vec<DownBlockType>,
    /// Kind of each block on the way up.
    pub up_block_types: Vec<UpBlockType>,
    /// Groups of every group normalisation.
    #[serde(default = "default_groups")]
    pub norm_num_groups: i64,
    /// Added to the variance in every group normalisation.
    #[serde(default = "default_eps")]
    pub norm_eps: f64,
    /// Whether the middle has an attention block.
    #[serde(default = "default_true")]
    pub add_attention: bool,
    /// Channels of one attention head; `None` means a single head.
    #[serde(default)]
    pub attention_head_dim: Option<i64>,
    /// How the timestep enters the residual blocks.
    #[serde(default = "default_shift")]
    pub resnet_time_scale_shift: TimeScaleShift,
    /// Whether the cosines come first in the timestep embedding.
    #[serde(default = "default_true")]
    pub flip_sin_to_cos: bool,
    /// Shift of the embedding's frequencies.
    #[serde(default)]
    pub freq_shift: f64,
    /// Padding of the downsampling convolutions; 0 pads below and right only.
    #[serde(default = "default_padding")]
    pub downsample_padding: i64,
    /// Divisor of the sums in the middle block.
    #[serde(default = "default_factor")]
    pub mid_block_scale_factor: f64,
    /// Whether the input is mapped from 0..1 to -1..1 first.
    #[serde(default)]
    pub center_input_sample: bool,
}

/// Kinds of blocks on the way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum DownBlockType {
    /// Residual blocks only.
    DownBlock2D,
    /// Residual blocks, each followed by attention.
    AttnDownBlock2D,
}

/// Kinds of blocks on the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum UpBlockType {
    /// Residual blocks only.
    UpBlock2D,
    /// Residual blocks, each followed by attention.
    AttnUpBlock2D,
}

fn default_groups() -> i64 {
    32
}
fn default_eps() -> f64 {
    1e-5
}
fn default_true() -> bool {
    true
}
fn default_shift() -> TimeScaleShift {
    TimeScaleShift::Default
}
fn default_padding() -> i64 {
    1
}
fn default_factor() -> f64 {
    1.0
}

impl UNet2dConfig {
    /// Height and width of the input must be multiples of this.
    pub fn multiple(&self) -> usize {
        1 << self.block_out_channels.len().saturating_sub(1)
    }

    /// Why this configuration cannot be built, if so.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        let blocks = self.block_out_channels.len();
        if blocks == 0 || blocks > 8 {
            return Err(format!("block_out_channels has {blocks} entries; 1 to 8 are possible"));
        }
        if self.down_block_types.len() != blocks || self.up_block_types.len() != blocks {
            return Err(format!("down_block_types and up_block_types need {blocks} entries, as block_out_channels"));
        }
        let sizes = self.block_out_channels.iter().chain([&self.in_channels, &self.out_channels]);
        if sizes.into_iter().any(|size| !(1..=65_536).contains(size)) {
            return Err("channel counts must be from 1 to 65536".to_owned());
        }
        if !(1..=16).contains(&self.layers_per_block) {
            return Err(format!("layers_per_block is {}; 1 to 16 are possible", self.layers_per_block));
        }
        if !(0..=1).contains(&self.downsample_padding) {
            return Err(format!("downsample_padding is {}; 0 and 1 are possible", self.downsample_padding));
        }
        let groups = self.norm_num_groups;
        if groups < 1 || self.block_out_channels.iter().any(|channels| channels % groups != 0) {
            return Err(format!("norm_num_groups {groups} does not divide every entry of block_out_channels"));
        }
        Ok(())
    }
}

/// A level of the U-Net: residual blocks, attention after each (or none), and the change of resolution.
struct Level {
    resnets: Vec<ResnetBlock>,
    attentions: Vec<Attention>,
    resample: Option<Conv2d>,
}

/// The network.
pub struct UNet2d {
    config: UNet2dConfig,
    conv_in: Conv2d,
    time_linear_1: Linear,
    time_linear_2: Linear,
    down: Vec<Level>,
    mid_resnets: [ResnetBlock; 2],
    mid_attention: Option<Attention>,
    up: Vec<Level>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl UNet2d {
    /// Takes all weights from the scope. The error says which configuration key or tensor does not fit.
    pub fn new(scope: &Scope, config: UNet2dConfig) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let channels = &config.block_out_channels;
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let shape = ResnetShape {
            embedding: 4 * first,
            groups: config.norm_num_groups,
            eps: config.norm_eps,
            time_scale_shift: config.resnet_time_scale_shift,
            output_scale_factor: 1.0,
        };
        let attention = |scope: &Scope, channels: i64, factor: f64| {
            Attention::new(scope, channels, config.attention_head_dim, shape.groups, shape.eps, factor)
        };

        let mut down = Vec::new();
        let mut skips = vec![first];
        let mut inputs = first;
        for (index, &outputs) in channels.iter().enumerate() {
            let scope = scope.child(format_args!("down_blocks.{index}"));
            let mut level = Level { resnets: Vec::new(), attentions: Vec::new(), resample: None };
            for layer in 0..config.layers_per_block {
                let name = scope.child(format_args!("resnets.{layer}"));
                level.resnets.push(ResnetBlock::new(&name, inputs, outputs, shape)?);
                if config.down_block_types[index] == DownBlockType::AttnDownBlock2D {
                    level.attentions.push(attention(&scope.child(format_args!("attentions.{layer}")), outputs, 1.0)?);
                }
                inputs = outputs;
                skips.push(outputs);
            }
            if index + 1 < channels.len() {
                let conv = scope.child("downsamplers.0.conv");
                level.resample = Some(Conv2d::new(&conv, outputs, outputs, 3, 2, config.downsample_padding)?);
                skips.push(outputs);
            }
            down.push(level);
        }

        let mid = scope.child("mid_block");
        let mid_shape = ResnetShape { output_scale_factor: config.mid_block_scale_factor, ..shape };
        let mid_resnet =
            |index: usize| ResnetBlock::new(&mid.child(format_args!("resnets.{index}")), last, last, mid_shape);
        let mid_resnets = [mid_resnet(0)?, mid_resnet(1)?];
        let mid_attention = || attention(&mid.child("attentions.0"), last, config.mid_block_scale_factor);
        let mid_attention = config.add_attention.then(mid_attention).transpose()?;

        let mut up = Vec::new();
        for (index, &outputs) in channels.iter().rev().enumerate() {
            let scope = scope.child(format_args!("up_blocks.{index}"));
            let mut level = Level { resnets: Vec::new(), attentions: Vec::new(), resample: None };
            for layer in 0..=config.layers_per_block {
                let skip = skips.pop().unwrap_or(first);
                let name = scope.child(format_args!("resnets.{layer}"));
                level.resnets.push(ResnetBlock::new(&name, inputs + skip, outputs, shape)?);
                if config.up_block_types[index] == UpBlockType::AttnUpBlock2D {
                    level.attentions.push(attention(&scope.child(format_args!("attentions.{layer}")), outputs, 1.0)?);
                }
                inputs = outputs;
            }
            if index + 1 < channels.len() {
                level.resample = Some(Conv2d::new(&scope.child("upsamplers.0.conv"), outputs, outputs, 3, 1, 1)?);
            }
            up.push(level);
        }

        Ok(Self {
            conv_in: Conv2d::new(&scope.child("conv_in"), config.in_channels, first, 3, 1, 1)?,
            time_linear_1: Linear::new(&scope.child("time_embedding.linear_1"), first, 4 * first)?,
            time_linear_2: Linear::new(&scope.child("time_embedding.linear_2"), 4 * first, 4 * first)?,
            down,
            mid_resnets,
            mid_attention,
            up,
            conv_norm_out: GroupNorm::new(&scope.child("conv_norm_out"), first, shape.groups, shape.eps)?,
            conv_out: Conv2d::new(&scope.child("conv_out"), first, config.out_channels, 3, 1, 1)?,
            config,
        })
    }

    /// `x`: `N x in_channels x H x W`, H and W multiples of [`UNet2dConfig::multiple`], in the kind and on the device of
    /// the weights; one `timestep` for the whole batch. Returns `N x out_channels x H x W` in the same kind.
    pub fn forward(&self, x: &Tensor, timestep: f64) -> Result<Tensor> {
        let embedding = self.embed(timestep, x.f_kind()?, x)?;
        let centred = self.config.center_input_sample.then(|| x.f_mul_scalar(2.0)?.f_sub_scalar(1.0)).transpose()?;
        let mut h = self.conv_in.forward(&channels_last(centred.as_ref().unwrap_or(x))?)?;
        let mut skips = vec![h.shallow_clone()];
        for level in &self.down {
            for (layer, resnet) in level.resnets.iter().enumerate() {
                h = resnet.forward(&h, &embedding)?;
                if let Some(attention) = level.attentions.get(layer) {
                    h = attention.forward(&h)?;
                }
                skips.push(h.shallow_clone());
            }
            if let Some(conv) = &level.resample {
                // diffusers pads below and right when the convolution itself has no padding.
                h = match self.config.downsample_padding {
                    0 => conv.forward(&h.f_constant_pad_nd([0, 1, 0, 1])?)?,
                    _ => conv.forward(&h)?,
                };
                skips.push(h.shallow_clone());
            }
        }
        h = self.mid_resnets[0].forward(&h, &embedding)?;
        if let Some(attention) = &self.mid_attention {
            h = attention.forward(&h)?;
        }
        h = self.mid_resnets[1].forward(&h, &embedding)?;
        for level in &self.up {
            for (layer, resnet) in level.resnets.iter().enumerate() {
                if let Some(skip) = skips.pop() {
                    h = Tensor::f_cat(&[h, skip], 1)?;
                }
                h = resnet.forward(&h, &embedding)?;
                if let Some(attention) = level.attentions.get(layer) {
                    h = attention.forward(&h)?;
                }
            }
            if let Some(conv) = &level.resample {
                let (_, _, height, width) = h.size4()?;
                h = conv.forward(&h.f_upsample_nearest2d([2 * height, 2 * width], None::<f64>, None::<f64>)?)?;
            }
        }
        self.conv_out.forward(&self.conv_norm_out.forward(&h)?.f_silu_()?)
    }

    /// SiLU of the timestep embedding: every residual block applies it first, so it is applied once here.
    fn embed(&self, timestep: f64, kind: Kind, like: &Tensor) -> Result<Tensor> {
        let UNet2dConfig { flip_sin_to_cos, freq_shift, .. } = self.config;
        let dimension = self.config.block_out_channels[0];
        let sines = sinusoidal_embedding(timestep, dimension, flip_sin_to_cos, freq_shift, kind, like.device())?;
        let hidden = self.time_linear_1.forward(&sines)?.f_silu_()?;
        Ok(self.time_linear_2.forward(&hidden)?.f_silu_()?)
    }
}
