//! The unconditional U-Net of diffusers (models/unets/unet_2d.py `UNet2DModel`), read from its `config.json`.

use serde::Deserialize;
use tch::Tensor;

use super::blocks::Mixing;
use super::config::{self, NetworkConfig, OnlyPositional, OnlySilu, Unsupported};
use super::unet::{Extras, Level, UNet, UNetShape};
use super::{Scope, TimeScaleShift};
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
    #[serde(default = "config::groups")]
    pub norm_num_groups: i64,
    /// Added to the variance in every group normalisation.
    #[serde(default = "config::eps")]
    pub norm_eps: f64,
    /// Groups of the normalisation before the attention in the middle; `None` means `norm_num_groups`, or no
    /// normalisation where the timestep scales and shifts.
    #[serde(default)]
    pub attn_norm_num_groups: Option<i64>,
    /// True where the middle has an attention block.
    #[serde(default = "config::yes")]
    pub add_attention: bool,
    /// Channels of one attention head; `None` means a single head.
    #[serde(default)]
    pub attention_head_dim: Option<i64>,
    /// How the timestep enters the residual blocks.
    #[serde(default)]
    pub resnet_time_scale_shift: TimeScaleShift,
    /// True where the cosines come first in the timestep embedding.
    #[serde(default = "config::yes")]
    pub flip_sin_to_cos: bool,
    /// Shift of the embedding's frequencies.
    #[serde(default)]
    pub freq_shift: f64,
    /// Padding of the downsampling convolutions; 0 pads below and right only.
    #[serde(default = "config::one")]
    pub downsample_padding: i64,
    /// Divisor of the sums in the middle block.
    #[serde(default = "config::unit")]
    pub mid_block_scale_factor: f64,
    /// True where the input is mapped from 0..1 to -1..1 first.
    #[serde(default)]
    pub center_input_sample: bool,
    /// The activation: SiLU is the only one.
    #[serde(default)]
    pub act_fn: OnlySilu,
    /// How the timestep becomes channels: by sines and cosines only.
    #[serde(default)]
    pub time_embedding_type: OnlyPositional,
    /// Embedding of a class: not offered.
    #[serde(default)]
    pub class_embed_type: Option<Unsupported>,
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

impl UNet2dConfig {
    /// Height and width of the input must be multiples of this.
    pub fn multiple(&self) -> usize {
        config::halvings(self.block_out_channels.len())
    }

    /// The checked shape, or why this configuration cannot be built.
    fn shape(&self) -> std::result::Result<UNetShape, String> {
        config::check_levels(&self.block_out_channels, &[self.down_block_types.len(), self.up_block_types.len()])?;
        config::check_channels(self.block_out_channels.iter().chain([&self.in_channels, &self.out_channels]))?;
        config::check_layers("layers_per_block", self.layers_per_block)?;
        config::check_padding(self.downsample_padding)?;
        config::check_groups(self.norm_num_groups, &self.block_out_channels)?;
        let (head_dim, groups) = (self.attention_head_dim, self.norm_num_groups);
        let attention = |wanted: bool, groups: Option<i64>| match wanted {
            true => Mixing::SelfAttention { head_dim, groups },
            false => Mixing::None,
        };
        let kinds = self.down_block_types.iter().zip(self.up_block_types.iter().rev());
        let level = |(&channels, (&down, &up)): (&i64, (&DownBlockType, &UpBlockType))| Level {
            channels,
            layers: self.layers_per_block,
            down: attention(down == DownBlockType::AttnDownBlock2D, Some(groups)),
            up: attention(up == UpBlockType::AttnUpBlock2D, Some(groups)),
        };
        let mid_groups = match self.resnet_time_scale_shift {
            TimeScaleShift::Default => Some(groups),
            TimeScaleShift::ScaleShift => None,
        };
        let levels: Vec<Level> = self.block_out_channels.iter().zip(kinds).map(level).collect();
        let middle = attention(self.add_attention, self.attn_norm_num_groups.or(mid_groups));
        let everywhere = levels.iter().flat_map(|level| [(level.channels, level.down), (level.channels, level.up)]);
        for (channels, mixing) in everywhere.chain(levels.last().map(|level| (level.channels, middle))) {
            if let Mixing::SelfAttention { head_dim, groups } = mixing {
                config::check_heads("attention_head_dim", channels, head_dim.unwrap_or(channels))?;
                config::check_heads("attn_norm_num_groups", channels, groups.unwrap_or(1))?;
            }
        }
        Ok(UNetShape {
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            levels,
            middle,
            mid_block_scale_factor: self.mid_block_scale_factor,
            norm_num_groups: groups,
            norm_eps: self.norm_eps,
            resnet_time_scale_shift: self.resnet_time_scale_shift,
            downsample_padding: self.downsample_padding,
            flip_sin_to_cos: self.flip_sin_to_cos,
            freq_shift: self.freq_shift,
            center_input_sample: self.center_input_sample,
        })
    }
}

impl NetworkConfig for UNet2dConfig {
    fn check(&self) -> std::result::Result<(), String> {
        self.shape().map(drop)
    }
}

/// The network.
pub struct UNet2d(UNet);

impl UNet2d {
    /// Takes all weights from the scope. The error says which configuration key or tensor does not fit.
    pub fn new(scope: &Scope, config: &UNet2dConfig) -> Result<Self> {
        UNet::new(scope, &config.shape().map_err(|reason| scope.error(reason))?).map(Self)
    }

    /// `x`: `N x in_channels x H x W`, H and W multiples of [`UNet2dConfig::multiple`], in the kind and on the device of
    /// the weights; one `timestep` for the whole batch. Returns `N x out_channels x H x W` in the same kind.
    pub fn forward(&self, x: &Tensor, timestep: f64) -> Result<Tensor> {
        self.0.forward(x, timestep, Extras::default())
    }
}
