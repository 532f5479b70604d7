//! The levels of U-Nets and autoencoders: residual blocks, each followed by attention or not, and a change of resolution
//! (diffusers: models/unets/unet_2d_blocks.py).

use tch::Tensor;

use super::resnet::ResnetShape;
use super::transformer::TransformerShape;
use super::{Conv2d, ImageAttention, ResnetBlock, Scope, Transformer2d};
use crate::Result;

/// Layers after each residual block of a level.
#[derive(Debug, Clone, Copy)]
pub enum Mixing {
    /// Nothing: `DownBlock2D`, `UpBlock2D`, `DownEncoderBlock2D`, `UpDecoderBlock2D`.
    None,
    /// Self-attention: `AttnDownBlock2D`, `AttnUpBlock2D`.
    SelfAttention {
        /// Channels of one head; `None` means a single head.
        head_dim: Option<i64>,
        /// Groups of the normalisation before it; `None` means no normalisation.
        groups: Option<i64>,
    },
    /// A transformer that also sees the text: `CrossAttnDownBlock2D`, `CrossAttnUpBlock2D`.
    CrossAttention {
        /// Sizes of the transformer.
        shape: TransformerShape,
        /// Channels of the image context that a second transformer after the first sees (SeeSR's `image_attentions`);
        /// `None` means there is no second transformer.
        image_channels: Option<i64>,
    },
}

/// Inputs of every layer beside the feature map. Autoencoders see nothing else: the default.
#[derive(Clone, Copy, Default)]
pub struct Inputs<'a> {
    /// SiLU of the timestep embedding, `1 x embedding`.
    pub embedding: Option<&'a Tensor>,
    /// The text, `N x S x cross_attention_dim`.
    pub context: Option<&'a Tensor>,
    /// Embeddings of an image, `N x S x image_channels`.
    pub image_context: Option<&'a Tensor>,
}

enum Mixer {
    None,
    SelfAttention(ImageAttention),
    CrossAttention { text: Transformer2d, image: Option<Transformer2d> },
}

impl Mixer {
    /// The `index`th of the scope's `attentions`, and of its `image_attentions`.
    fn new(parent: &Scope, index: usize, channels: i64, mixing: Mixing, shape: ResnetShape) -> Result<Self> {
        let scope = parent.child(format_args!("attentions.{index}"));
        Ok(match mixing {
            Mixing::None => Self::None,
            Mixing::SelfAttention { head_dim, groups } => {
                let (eps, factor) = (shape.eps, shape.output_scale_factor);
                Self::SelfAttention(ImageAttention::new(&scope, channels, head_dim, groups, eps, factor)?)
            }
            Mixing::CrossAttention { shape, image_channels } => {
                let image = |cross_attention_dim| {
                    let scope = parent.child(format_args!("image_attentions.{index}"));
                    Transformer2d::new(&scope, channels, TransformerShape { cross_attention_dim, ..shape })
                };
                Self::CrossAttention {
                    text: Transformer2d::new(&scope, channels, shape)?,
                    image: image_channels.map(image).transpose()?,
                }
            }
        })
    }

    fn forward(&self, x: Tensor, inputs: Inputs) -> Result<Tensor> {
        match self {
            Self::None => Ok(x),
            Self::SelfAttention(attention) => attention.forward(&x),
            Self::CrossAttention { text, image } => {
                let x = text.forward(&x, inputs.context)?;
                match image {
                    Some(image) => image.forward(&x, inputs.image_context),
                    None => Ok(x),
                }
            }
        }
    }
}

/// A residual block and what follows it.
struct Layer {
    resnet: ResnetBlock,
    mixer: Mixer,
}

impl Layer {
    fn new(
        scope: &Scope,
        index: usize,
        (inputs, outputs): (i64, i64),
        mixing: Mixing,
        shape: ResnetShape,
    ) -> Result<Self> {
        let resnet = ResnetBlock::new(&scope.child(format_args!("resnets.{index}")), inputs, outputs, shape)?;
        Ok(Self { resnet, mixer: Mixer::new(scope, index, outputs, mixing, shape)? })
    }

    fn forward(&self, x: &Tensor, inputs: Inputs) -> Result<Tensor> {
        self.mixer.forward(self.resnet.forward(x, inputs.embedding)?, inputs)
    }
}

/// Halves the resolution: a convolution of stride 2, padded around by 1, or below and right only for padding 0.
struct Downsample {
    conv: Conv2d,
    padding: i64,
}

impl Downsample {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self.padding {
            0 => self.conv.forward(&x.f_constant_pad_nd([0, 1, 0, 1])?),
            _ => self.conv.forward(x),
        }
    }
}

/// A level on the way down.
pub struct DownBlock {
    layers: Vec<Layer>,
    downsampler: Option<Downsample>,
}

impl DownBlock {
    /// `layers` residual blocks from `inputs` to `outputs` channels; `downsample` is the padding of the convolution that
    /// halves the resolution at the end, where there is one.
    pub fn new(
        scope: &Scope,
        (inputs, outputs): (i64, i64),
        layers: usize,
        mixing: Mixing,
        shape: ResnetShape,
        downsample: Option<i64>,
    ) -> Result<Self> {
        let layer =
            |index| Layer::new(scope, index, (if index == 0 { inputs } else { outputs }, outputs), mixing, shape);
        let downsampler = |padding| -> Result<Downsample> {
            let scope = scope.child("downsamplers.0.conv");
            Ok(Downsample { conv: Conv2d::new(&scope, outputs, outputs, 3, 2, padding)?, padding })
        };
        Ok(Self {
            layers: (0..layers).map(layer).collect::<Result<_>>()?,
            downsampler: downsample.map(downsampler).transpose()?,
        })
    }

    /// `N x inputs x H x W` to `N x outputs x H' x W'`; `skip` is told of every feature map that the way up will want.
    pub fn forward(&self, x: Tensor, inputs: Inputs, mut skip: impl FnMut(&Tensor)) -> Result<Tensor> {
        let mut h = x;
        for layer in &self.layers {
            h = layer.forward(&h, inputs)?;
            skip(&h);
        }
        if let Some(downsampler) = &self.downsampler {
            h = downsampler.forward(&h)?;
            skip(&h);
        }
        Ok(h)
    }
}

/// The middle: a residual block, then attention (or none) and a residual block.
pub struct MidBlock {
    first: ResnetBlock,
    mixer: Mixer,
    second: ResnetBlock,
}

impl MidBlock {
    /// `channels` in and out.
    pub fn new(scope: &Scope, channels: i64, mixing: Mixing, shape: ResnetShape) -> Result<Self> {
        let resnet = |name| ResnetBlock::new(&scope.child(name), channels, channels, shape);
        Ok(Self {
            first: resnet("resnets.0")?,
            mixer: Mixer::new(scope, 0, channels, mixing, shape)?,
            second: resnet("resnets.1")?,
        })
    }

    /// Shape unchanged.
    pub fn forward(&self, x: &Tensor, inputs: Inputs) -> Result<Tensor> {
        let h = self.mixer.forward(self.first.forward(x, inputs.embedding)?, inputs)?;
        self.second.forward(&h, inputs.embedding)
    }
}

/// A level on the way up.
pub struct UpBlock {
    layers: Vec<Layer>,
    upsampler: Option<Conv2d>,
}

impl UpBlock {
    /// One residual block for each entry of `skips`, the channels of the feature map that it takes from the way down (0
    /// for autoencoders, which take none); `upsample` doubles the resolution at the end.
    pub fn new(
        scope: &Scope,
        (inputs, outputs): (i64, i64),
        skips: &[i64],
        mixing: Mixing,
        shape: ResnetShape,
        upsample: bool,
    ) -> Result<Self> {
        let layer = |(index, skip): (usize, &i64)| {
            let inputs = if index == 0 { inputs } else { outputs } + skip;
            Layer::new(scope, index, (inputs, outputs), mixing, shape)
        };
        let upsampler = || Conv2d::new(&scope.child("upsamplers.0.conv"), outputs, outputs, 3, 1, 1);
        Ok(Self {
            layers: skips.iter().enumerate().map(layer).collect::<Result<_>>()?,
            upsampler: upsample.then(upsampler).transpose()?,
        })
    }

    /// `N x inputs x H x W` to `N x outputs x H' x W'`; the layers take their skips from the end of `skips`.
    pub fn forward(&self, x: Tensor, inputs: Inputs, skips: &mut Vec<Tensor>) -> Result<Tensor> {
        let mut h = x;
        for layer in &self.layers {
            if let Some(skip) = skips.pop() {
                h = Tensor::f_cat(&[h, skip], 1)?;
            }
            h = layer.forward(&h, inputs)?;
        }
        if let Some(convolution) = &self.upsampler {
            let (_, _, height, width) = h.size4()?;
            h = convolution.forward(&h.f_upsample_nearest2d([2 * height, 2 * width], None::<f64>, None::<f64>)?)?;
        }
        Ok(h)
    }
}
