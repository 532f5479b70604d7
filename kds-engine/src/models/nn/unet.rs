//! The parts that all U-Nets of diffusers share: the way down, the middle, the way up. A control branch has the first two.

use tch::Tensor;

use super::blocks::{DownBlock, Inputs, MidBlock, Mixing, UpBlock};
use super::resnet::ResnetShape;
use super::{Conv2d, GroupNorm, Scope, TimeEmbedding, TimeScaleShift};
use crate::{Error, Result};

/// Conditioning of a U-Net beside the state and the timestep.
#[derive(Clone, Copy, Default)]
pub struct Extras<'a> {
    /// The text, `N x S x cross_attention_dim`.
    pub text: Option<&'a Tensor>,
    /// Embeddings of an image, `N x S x image_cross_attention_dim`.
    pub image: Option<&'a Tensor>,
    /// Output of a control branch of the same levels.
    pub control: Option<&'a Residuals>,
}

/// Feature maps that a control branch adds to those of a U-Net.
pub struct Residuals {
    /// For every feature map that the way up takes from the way down, in the order of the way down.
    pub down: Vec<Tensor>,
    /// For the output of the middle.
    pub middle: Tensor,
}

/// One resolution of a U-Net.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    /// Channels.
    pub channels: i64,
    /// Residual blocks on the way down; one more on the way up.
    pub layers: usize,
    /// Layers after each residual block on the way down.
    pub down: Mixing,
    /// Layers after each residual block on the way up.
    pub up: Mixing,
}

/// A U-Net's configuration, checked.
#[derive(Debug, Clone)]
pub(crate) struct UNetShape {
    pub in_channels: i64,
    pub out_channels: i64,
    /// At least one, finest first.
    pub levels: Vec<Level>,
    pub middle: Mixing,
    pub mid_block_scale_factor: f64,
    pub norm_num_groups: i64,
    pub norm_eps: f64,
    pub resnet_time_scale_shift: TimeScaleShift,
    pub downsample_padding: i64,
    pub flip_sin_to_cos: bool,
    pub freq_shift: f64,
    pub center_input_sample: bool,
}

/// The way down and the middle of a U-Net.
pub(crate) struct Encoder {
    center_input_sample: bool,
    conv_in: Conv2d,
    time_embedding: TimeEmbedding,
    down_blocks: Vec<DownBlock>,
    mid_block: MidBlock,
    /// Channels of every feature map that the way up takes from the way down.
    skip_channels: Vec<i64>,
}

/// Output of an [`Encoder`].
pub(crate) struct Encoded {
    /// Output of the middle.
    pub middle: Tensor,
    /// Feature maps of the way down.
    pub skips: Vec<Tensor>,
    /// SiLU of the timestep embedding, `1 x embedding`.
    pub embedding: Tensor,
}

impl Encoder {
    /// Takes its weights from the scope.
    pub fn new(scope: &Scope, unet: &UNetShape) -> Result<Self> {
        let levels = &unet.levels;
        let (first, last) = (levels[0].channels, levels[levels.len() - 1].channels);
        let shape = unet.resnet();
        let mut down_blocks = Vec::new();
        let mut skip_channels = vec![first];
        let mut inputs = first;
        for (index, level) in levels.iter().enumerate() {
            let scope = scope.child(format_args!("down_blocks.{index}"));
            let downsample = (index + 1 < levels.len()).then_some(unet.downsample_padding);
            let channels = (inputs, level.channels);
            down_blocks.push(DownBlock::new(&scope, channels, level.layers, level.down, shape, downsample)?);
            skip_channels.extend(std::iter::repeat_n(level.channels, level.layers + usize::from(downsample.is_some())));
            inputs = level.channels;
        }
        let mid_shape = ResnetShape { output_scale_factor: unet.mid_block_scale_factor, ..shape };
        let time = scope.child("time_embedding");
        Ok(Self {
            center_input_sample: unet.center_input_sample,
            conv_in: Conv2d::new(&scope.child("conv_in"), unet.in_channels, first, 3, 1, 1)?,
            time_embedding: TimeEmbedding::new(&time, first, unet.flip_sin_to_cos, unet.freq_shift)?,
            down_blocks,
            mid_block: MidBlock::new(&scope.child("mid_block"), last, unet.middle, mid_shape)?,
            skip_channels,
        })
    }

    /// Channels of every feature map that the way up takes, in the order of the way down.
    pub fn skip_channels(&self) -> &[i64] {
        &self.skip_channels
    }

    /// `x`: `N x in_channels x H x W`; `hint`, `N x channels of the first level x H x W`, is added to the first feature map.
    pub fn forward(&self, x: &Tensor, timestep: f64, extras: Extras, hint: Option<&Tensor>) -> Result<Encoded> {
        let embedding = self.time_embedding.forward(timestep)?;
        let inputs = Inputs { embedding: Some(&embedding), context: extras.text, image_context: extras.image };
        let centred = self.center_input_sample.then(|| x.f_mul_scalar(2.0)?.f_sub_scalar(1.0)).transpose()?;
        let mut h = self.conv_in.forward_first(centred.as_ref().unwrap_or(x))?;
        if let Some(hint) = hint {
            h = h.f_add(hint)?;
        }
        let mut skips = vec![h.shallow_clone()];
        for block in &self.down_blocks {
            h = block.forward(h, inputs, |skip| skips.push(skip.shallow_clone()))?;
        }
        let middle = self.mid_block.forward(&h, inputs)?;
        Ok(Encoded { middle, skips, embedding })
    }
}

/// The network.
pub(crate) struct UNet {
    encoder: Encoder,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl UNet {
    /// Takes all weights from the scope.
    pub fn new(scope: &Scope, unet: &UNetShape) -> Result<Self> {
        let encoder = Encoder::new(scope, unet)?;
        let levels = &unet.levels;
        let (first, shape) = (levels[0].channels, unet.resnet());
        let mut skips = encoder.skip_channels().to_vec();
        let mut inputs = levels[levels.len() - 1].channels;
        let mut up_blocks = Vec::new();
        for (index, level) in levels.iter().rev().enumerate() {
            let scope = scope.child(format_args!("up_blocks.{index}"));
            let mut taken = skips.split_off(skips.len().saturating_sub(level.layers + 1));
            taken.reverse();
            let upsample = index + 1 < levels.len();
            up_blocks.push(UpBlock::new(&scope, (inputs, level.channels), &taken, level.up, shape, upsample)?);
            inputs = level.channels;
        }
        Ok(Self {
            encoder,
            up_blocks,
            conv_norm_out: GroupNorm::new(&scope.child("conv_norm_out"), first, shape.groups, shape.eps)?,
            conv_out: Conv2d::new(&scope.child("conv_out"), first, unet.out_channels, 3, 1, 1)?,
        })
    }

    /// `x`: `N x in_channels x H x W`.
    pub fn forward(&self, x: &Tensor, timestep: f64, extras: Extras) -> Result<Tensor> {
        let Encoded { middle: mut h, mut skips, embedding } = self.encoder.forward(x, timestep, extras, None)?;
        if let Some(control) = extras.control {
            h = h.f_add(&control.middle)?;
            control.add_to(&mut skips)?;
        }
        let inputs = Inputs { embedding: Some(&embedding), context: extras.text, image_context: extras.image };
        for block in &self.up_blocks {
            h = block.forward(h, inputs, &mut skips)?;
        }
        self.conv_out.forward(&self.conv_norm_out.forward(&h)?.f_silu_()?)
    }
}

impl UNetShape {
    /// Sizes of the residual blocks outside the middle.
    fn resnet(&self) -> ResnetShape {
        ResnetShape {
            embedding: Some(4 * self.levels[0].channels),
            groups: self.norm_num_groups,
            eps: self.norm_eps,
            time_scale_shift: self.resnet_time_scale_shift,
            output_scale_factor: 1.0,
        }
    }
}

impl Residuals {
    fn add_to(&self, skips: &mut [Tensor]) -> Result<()> {
        if self.down.len() != skips.len() {
            let (found, expected) = (self.down.len(), skips.len());
            return Err(Error::Conflict(format!(
                "the control branch gives {found} feature maps, the U-Net takes {expected}: their configurations differ"
            )));
        }
        for (skip, residual) in skips.iter_mut().zip(&self.down) {
            *skip = skip.f_add(residual)?;
        }
        Ok(())
    }
}
