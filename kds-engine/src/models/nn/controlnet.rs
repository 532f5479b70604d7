//! Control branches: a copy of a U-Net's way down and middle that sees a picture and adds to the U-Net's feature maps
//! (diffusers: models/controlnets/controlnet.py `ControlNetModel`; SeeSR: models/controlnet.py at cswry/SeeSR 8edecc7;
//! DiffBIR's IRControlNet: diffbir/model/controlnet.py `ControlNet` at XPixelGroup/DiffBIR 3f8b530).

use serde::Deserialize;
use tch::Tensor;

use super::config::{self, NetworkConfig, Unsupported};
use super::unet::{Encoded, Encoder, Extras, Residuals, UNetShape};
use super::unet2d_condition::ConditionedEncoderConfig;
use super::{Conv2d, Scope};
use crate::Result;

/// The part of `controlnet/config.json` that decides the computation.
#[derive(Debug, Clone, Deserialize)]
pub struct ControlNetConfig {
    /// The network itself.
    #[serde(flatten)]
    pub encoder: ConditionedEncoderConfig,
    /// Channels of the picture, or of the latent, that controls.
    #[serde(default = "three")]
    pub conditioning_channels: i64,
    /// Channels of the convolutions that bring the picture to the size of the latents. An empty list means that a latent
    /// controls (IRControlNet): it is concatenated with the input, whose `in_channels` do not count it.
    #[serde(default = "embedding")]
    pub conditioning_embedding_out_channels: Vec<i64>,
    /// Order of the picture's channels.
    #[serde(default)]
    pub controlnet_conditioning_channel_order: ChannelOrder,
    /// Means over the picture in place of feature maps: not offered.
    #[serde(default)]
    pub global_pool_conditions: bool,
    /// Another name for heads that no checkpoint uses: not offered.
    #[serde(default)]
    pub num_attention_heads: Option<Unsupported>,
}

/// Value of `controlnet_conditioning_channel_order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first.
    Bgr,
}

fn three() -> i64 {
    3
}
fn embedding() -> Vec<i64> {
    vec![16, 32, 96, 256]
}

impl ControlNetConfig {
    /// Of a branch that sees the latent of a picture, of the U-Net with this way down.
    pub fn of_latents(encoder: ConditionedEncoderConfig) -> Self {
        Self {
            conditioning_channels: encoder.in_channels,
            encoder,
            conditioning_embedding_out_channels: Vec::new(),
            controlnet_conditioning_channel_order: ChannelOrder::Rgb,
            global_pool_conditions: false,
            num_attention_heads: None,
        }
    }

    /// The checked shape, or why this configuration cannot be built.
    fn shape(&self) -> std::result::Result<UNetShape, String> {
        config::check_channels(self.conditioning_embedding_out_channels.iter().chain([&self.conditioning_channels]))?;
        if self.conditioning_embedding_out_channels.len() > 8 {
            return Err("conditioning_embedding_out_channels has more than 8 entries".to_owned());
        }
        if self.global_pool_conditions {
            return Err("global_pool_conditions is not offered".to_owned());
        }
        let mut shape = self.encoder.shape(self.encoder.in_channels, None)?;
        if self.conditioning_embedding_out_channels.is_empty() {
            shape.in_channels += self.conditioning_channels;
        }
        Ok(shape)
    }

    /// Pixels of the controlling picture per pixel of the latents, along a side.
    pub fn hint_downscale(&self) -> usize {
        config::halvings(self.conditioning_embedding_out_channels.len())
    }
}

impl NetworkConfig for ControlNetConfig {
    fn check(&self) -> std::result::Result<(), String> {
        self.shape().map(drop)
    }
}

/// The network.
pub struct ControlNet {
    encoder: Encoder,
    /// `None` where a latent is concatenated.
    embedding: Option<ConditioningEmbedding>,
    down_blocks: Vec<Conv2d>,
    mid_block: Conv2d,
    channel_order: ChannelOrder,
}

impl ControlNet {
    /// Takes all weights from the scope. The error says which configuration key or tensor does not fit.
    pub fn new(scope: &Scope, config: &ControlNetConfig) -> Result<Self> {
        let shape = config.shape().map_err(|reason| scope.error(reason))?;
        let encoder = Encoder::new(scope, &shape)?;
        let (first, last) = (shape.levels[0].channels, shape.levels[shape.levels.len() - 1].channels);
        let pointwise = |name: String, channels| Conv2d::new(&scope.child(name), channels, channels, 1, 1, 0);
        let channels = encoder.skip_channels().iter().enumerate();
        let down_blocks =
            channels.map(|(index, channels)| pointwise(format!("controlnet_down_blocks.{index}"), *channels));
        let widths = &config.conditioning_embedding_out_channels;
        let embedding = (!widths.is_empty()).then(|| {
            let scope = scope.child("controlnet_cond_embedding");
            ConditioningEmbedding::new(&scope, config.conditioning_channels, widths, first)
        });
        Ok(Self {
            down_blocks: down_blocks.collect::<Result<_>>()?,
            mid_block: pointwise("controlnet_mid_block".to_owned(), last)?,
            embedding: embedding.transpose()?,
            channel_order: config.controlnet_conditioning_channel_order,
            encoder,
        })
    }

    /// Features of the picture that controls, the same for every step: `hint` is `1 x conditioning_channels x H x W`, a
    /// picture in 0..1 or a latent, in the kind and on the device of the weights.
    pub fn condition(&self, hint: &Tensor) -> Result<Tensor> {
        let turned = (self.channel_order == ChannelOrder::Bgr).then(|| hint.f_flip([1])).transpose()?;
        let hint = turned.as_ref().unwrap_or(hint);
        self.embedding.as_ref().map_or_else(|| Ok(hint.shallow_clone()), |embedding| embedding.forward(hint))
    }

    /// `x`: `N x in_channels x h x w`; `condition` is that of [`Self::condition`], `1 x C x h x w` or one for each of the
    /// batch; [`Extras::control`] is not read. `strength` multiplies all that is returned.
    pub fn forward(
        &self,
        x: &Tensor,
        timestep: f64,
        condition: &Tensor,
        extras: Extras,
        strength: f64,
    ) -> Result<Residuals> {
        let (batch, ..) = x.size4()?;
        let (_, _, height, width) = condition.size4()?;
        let condition = condition.f_expand([batch, -1, height, width], false)?;
        let Encoded { middle, skips, .. } = match &self.embedding {
            Some(_) => self.encoder.forward(x, timestep, extras, Some(&condition))?,
            None => self.encoder.forward(&Tensor::f_cat(&[x, &condition], 1)?, timestep, extras, None)?,
        };
        let scaled = |convolution: &Conv2d, x: &Tensor| -> Result<Tensor> {
            let mut residual = convolution.forward(x)?;
            if strength != 1.0 {
                residual = residual.f_mul_scalar(strength)?;
            }
            Ok(residual)
        };
        let down = self.down_blocks.iter().zip(&skips).map(|(convolution, skip)| scaled(convolution, skip));
        Ok(Residuals { down: down.collect::<Result<_>>()?, middle: scaled(&self.mid_block, &middle)? })
    }
}

/// Convolutions from a picture to the first feature map, each but the last followed by SiLU.
struct ConditioningEmbedding {
    conv_in: Conv2d,
    blocks: Vec<Conv2d>,
    conv_out: Conv2d,
}

impl ConditioningEmbedding {
    /// `widths`, at least one, are the channels of each resolution, finest first.
    fn new(scope: &Scope, inputs: i64, widths: &[i64], outputs: i64) -> Result<Self> {
        let mut blocks = Vec::new();
        for pair in widths.windows(2) {
            for (to, stride) in [(pair[0], 1), (pair[1], 2)] {
                let scope = scope.child(format_args!("blocks.{}", blocks.len()));
                blocks.push(Conv2d::new(&scope, pair[0], to, 3, stride, 1)?);
            }
        }
        Ok(Self {
            conv_in: Conv2d::new(&scope.child("conv_in"), inputs, widths[0], 3, 1, 1)?,
            blocks,
            conv_out: Conv2d::new(&scope.child("conv_out"), widths[widths.len() - 1], outputs, 3, 1, 1)?,
        })
    }

    fn forward(&self, picture: &Tensor) -> Result<Tensor> {
        let mut h = self.conv_in.forward_first(picture)?.f_silu_()?;
        for convolution in &self.blocks {
            h = convolution.forward(&h)?.f_silu_()?;
        }
        self.conv_out.forward(&h)
    }
}
