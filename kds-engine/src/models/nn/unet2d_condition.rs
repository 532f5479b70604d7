//! The U-Net that sees a text (diffusers: models/unets/unet_2d_condition.py `UNet2DConditionModel`), as in Stable
//! Diffusion 1.x and 2.x, read from its `config.json`.

use serde::Deserialize;
use tch::Tensor;

use super::blocks::Mixing;
use super::config::{self, NetworkConfig, OnlyPositional, OnlySilu, PerLevel, Unsupported};
use super::transformer::TransformerShape;
use super::unet::{Extras, Level, UNet, UNetShape};
use super::{Scope, TimeScaleShift};
use crate::Result;

/// The part of `unet/config.json` that decides the computation. Keys that would change it in a way that is not offered
/// are refused; all others are ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct UNet2dConditionConfig {
    /// Its way down and middle.
    #[serde(flatten)]
    pub encoder: ConditionedEncoderConfig,
    /// Channels of the output.
    pub out_channels: i64,
    /// Kind of each block on the way up.
    pub up_block_types: Vec<CrossUpBlockType>,
    /// Latent pixels along a side of what the network was trained with.
    #[serde(default)]
    pub sample_size: Option<PerLevel<usize>>,
}

/// The keys that a U-Net which sees a text and its control branch have in common.
#[derive(Debug, Clone, Deserialize)]
pub struct ConditionedEncoderConfig {
    /// Channels of the input.
    pub in_channels: i64,
    /// Channels of each resolution, finest first.
    pub block_out_channels: Vec<i64>,
    /// Residual blocks at each resolution on the way down; a U-Net has one more on the way up.
    #[serde(default = "two")]
    pub layers_per_block: PerLevel<usize>,
    /// Kind of each block on the way down.
    pub down_block_types: Vec<CrossDownBlockType>,
    /// Kind of the block in the middle.
    #[serde(default)]
    pub mid_block_type: CrossMidBlockType,
    /// Groups of every group normalisation.
    #[serde(default = "config::groups")]
    pub norm_num_groups: i64,
    /// Added to the variance in the group normalisations of the residual blocks.
    #[serde(default = "config::eps")]
    pub norm_eps: f64,
    /// Channels of the text.
    #[serde(default = "widest_text")]
    pub cross_attention_dim: PerLevel<i64>,
    /// The number of attention heads at each level: the reference calls it so by an old mistake that all checkpoints
    /// share.
    #[serde(default = "eight")]
    pub attention_head_dim: PerLevel<i64>,
    /// Transformer blocks after each residual block.
    #[serde(default = "one")]
    pub transformer_layers_per_block: PerLevel<usize>,
    /// True where the projections around the transformers are linear layers rather than 1x1 convolutions.
    #[serde(default)]
    pub use_linear_projection: bool,
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
    /// True where a second transformer, which sees embeddings of an image, follows each that sees the text (SeeSR).
    #[serde(default)]
    pub use_image_cross_attention: bool,
    /// Channels of these embeddings.
    #[serde(default = "image_channels")]
    pub image_cross_attention_dim: i64,
    /// Two attentions to a context: not offered.
    #[serde(default)]
    pub dual_cross_attention: bool,
    /// No self-attention: not offered.
    #[serde(default = "no")]
    pub only_cross_attention: PerLevel<bool>,
    /// Embedding of a class: not offered.
    #[serde(default)]
    pub class_embed_type: Option<Unsupported>,
    /// Embedding of a class: not offered.
    #[serde(default)]
    pub num_class_embeds: Option<Unsupported>,
    /// More embeddings beside the timestep: not offered.
    #[serde(default)]
    pub addition_embed_type: Option<Unsupported>,
    /// A projection of the text: not offered.
    #[serde(default)]
    pub encoder_hid_dim_type: Option<Unsupported>,
    /// Guidance as an embedding: not offered.
    #[serde(default)]
    pub time_cond_proj_dim: Option<Unsupported>,
}

/// Kinds of blocks on the way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum CrossDownBlockType {
    /// Residual blocks only.
    DownBlock2D,
    /// Residual blocks, each followed by a transformer that sees the text.
    CrossAttnDownBlock2D,
}

/// Kinds of blocks in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum CrossMidBlockType {
    /// Residual block, transformer that sees the text, residual block.
    #[default]
    UNetMidBlock2DCrossAttn,
}

/// Kinds of blocks on the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum CrossUpBlockType {
    /// Residual blocks only.
    UpBlock2D,
    /// Residual blocks, each followed by a transformer that sees the text.
    CrossAttnUpBlock2D,
}

fn one() -> PerLevel<usize> {
    PerLevel::Same(1)
}
fn two() -> PerLevel<usize> {
    PerLevel::Same(2)
}
fn eight() -> PerLevel<i64> {
    PerLevel::Same(8)
}
fn widest_text() -> PerLevel<i64> {
    PerLevel::Same(1280)
}
/// Channels of the embeddings of RAM, which SeeSR's code has as a constant.
fn image_channels() -> i64 {
    512
}
fn no() -> PerLevel<bool> {
    PerLevel::Same(false)
}

impl ConditionedEncoderConfig {
    /// Height and width of the input must be multiples of this.
    pub fn multiple(&self) -> usize {
        config::halvings(self.block_out_channels.len())
    }

    /// Channels of the text that the network sees, where they are the same at every level.
    pub fn text_channels(&self) -> Option<i64> {
        let all = self.cross_attention_dim.expand("", self.block_out_channels.len()).ok()?;
        all.first().copied().filter(|first| all.iter().all(|other| other == first))
    }

    /// Channels of the image context, where the network sees one.
    pub fn image_channels(&self) -> Option<i64> {
        self.use_image_cross_attention.then_some(self.image_cross_attention_dim)
    }

    /// The checked shape, or why this configuration cannot be built. `up_block_types` are those of a U-Net; a control
    /// branch has none.
    pub(crate) fn shape(
        &self,
        out_channels: i64,
        up_block_types: Option<&[CrossUpBlockType]>,
    ) -> std::result::Result<UNetShape, String> {
        let channels = &self.block_out_channels;
        let count = channels.len();
        let lengths: Vec<usize> =
            [self.down_block_types.len()].into_iter().chain(up_block_types.map(<[_]>::len)).collect();
        config::check_levels(channels, &lengths)?;
        config::check_channels(channels.iter().chain([&self.in_channels, &out_channels]))?;
        config::check_padding(self.downsample_padding)?;
        config::check_groups(self.norm_num_groups, channels)?;
        let only_cross = self.only_cross_attention.expand("only_cross_attention", count)?;
        if self.dual_cross_attention || only_cross.contains(&true) {
            return Err("dual_cross_attention and only_cross_attention are not offered".to_owned());
        }
        let layers = self.layers_per_block.expand("layers_per_block", count)?;
        let transformers = self.transformers(count)?;
        let image_channels = self.image_channels();
        config::check_channels(image_channels.iter())?;
        let cross = |wanted: bool, index: usize| match wanted {
            true => Mixing::CrossAttention { shape: transformers[index], image_channels },
            false => Mixing::None,
        };
        let level = |index: usize| {
            config::check_layers("layers_per_block", layers[index])?;
            let up = up_block_types.map(|types| types[count - 1 - index]);
            Ok(Level {
                channels: channels[index],
                layers: layers[index],
                down: cross(self.down_block_types[index] == CrossDownBlockType::CrossAttnDownBlock2D, index),
                up: cross(up == Some(CrossUpBlockType::CrossAttnUpBlock2D), index),
            })
        };
        Ok(UNetShape {
            in_channels: self.in_channels,
            out_channels,
            levels: (0..count).map(level).collect::<std::result::Result<_, String>>()?,
            middle: cross(self.mid_block_type == CrossMidBlockType::UNetMidBlock2DCrossAttn, count - 1),
            mid_block_scale_factor: self.mid_block_scale_factor,
            norm_num_groups: self.norm_num_groups,
            norm_eps: self.norm_eps,
            resnet_time_scale_shift: self.resnet_time_scale_shift,
            downsample_padding: self.downsample_padding,
            flip_sin_to_cos: self.flip_sin_to_cos,
            freq_shift: self.freq_shift,
            center_input_sample: self.center_input_sample,
        })
    }

    /// The transformers of `count` levels.
    fn transformers(&self, count: usize) -> std::result::Result<Vec<TransformerShape>, String> {
        let heads = self.attention_head_dim.expand("attention_head_dim", count)?;
        let text = self.cross_attention_dim.expand("cross_attention_dim", count)?;
        let layers = self.transformer_layers_per_block.expand("transformer_layers_per_block", count)?;
        config::check_channels(&text)?;
        let shape = |index: usize| {
            config::check_layers("transformer_layers_per_block", layers[index])?;
            config::check_heads("attention_head_dim", self.block_out_channels[index], heads[index])?;
            Ok(TransformerShape {
                heads: heads[index],
                cross_attention_dim: text[index],
                layers: layers[index],
                use_linear_projection: self.use_linear_projection,
                groups: self.norm_num_groups,
            })
        };
        (0..count).map(shape).collect()
    }
}

impl UNet2dConditionConfig {
    fn shape(&self) -> std::result::Result<UNetShape, String> {
        self.encoder.shape(self.out_channels, Some(&self.up_block_types))
    }
}

impl NetworkConfig for UNet2dConditionConfig {
    fn check(&self) -> std::result::Result<(), String> {
        self.shape().map(drop)
    }
}

/// The network.
pub struct UNet2dCondition(UNet);

impl UNet2dCondition {
    /// Takes all weights from the scope. The error says which configuration key or tensor does not fit.
    pub fn new(scope: &Scope, config: &UNet2dConditionConfig) -> Result<Self> {
        UNet::new(scope, &config.shape().map_err(|reason| scope.error(reason))?).map(Self)
    }

    /// `x`: `N x in_channels x H x W`, H and W multiples of [`ConditionedEncoderConfig::multiple`]; all tensors in the kind
    /// and on the device of the weights; one `timestep` for the whole batch. Returns `N x out_channels x H x W` in the
    /// same kind.
    pub fn forward(&self, x: &Tensor, timestep: f64, extras: Extras) -> Result<Tensor> {
        self.0.forward(x, timestep, extras)
    }
}
