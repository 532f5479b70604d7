//! Transformer blocks on feature maps (diffusers: models/transformers/transformer_2d.py, models/attention.py).

use tch::Tensor;

use super::attention::{to_image, to_tokens};
use super::{Attention, Conv2d, GroupNorm, LayerNorm, Linear, Scope};
use crate::Result;

/// Sizes shared by the transformers of one level of a network.
#[derive(Debug, Clone, Copy)]
pub struct TransformerShape {
    /// Attention heads.
    pub heads: i64,
    /// Channels of the context, such as the text.
    pub cross_attention_dim: i64,
    /// Basic blocks, one after the other.
    pub layers: usize,
    /// True where the projections into and out of the transformer are linear layers rather than 1x1 convolutions.
    pub use_linear_projection: bool,
    /// Groups of the normalisation at the entrance.
    pub groups: i64,
}

/// `Transformer2DModel`: group norm, projection, basic blocks over the pixels as tokens, projection, plus the input.
pub struct Transformer2d {
    norm: GroupNorm,
    proj_in: Projection,
    transformer_blocks: Vec<BasicTransformerBlock>,
    proj_out: Projection,
}

enum Projection {
    Linear(Linear),
    Convolution(Conv2d),
}

impl Projection {
    fn new(scope: &Scope, channels: i64, linear: bool) -> Result<Self> {
        if linear {
            return Ok(Self::Linear(Linear::new(scope, channels, channels)?));
        }
        Ok(Self::Convolution(Conv2d::new(scope, channels, channels, 1, 1, 0)?))
    }
}

impl Transformer2d {
    /// On feature maps of `channels` channels. Takes all weights from the scope.
    pub fn new(scope: &Scope, channels: i64, shape: TransformerShape) -> Result<Self> {
        let block = |index| {
            let scope = scope.child(format_args!("transformer_blocks.{index}"));
            BasicTransformerBlock::new(&scope, channels, shape.cross_attention_dim, shape.heads)
        };
        Ok(Self {
            // The reference has this number as a constant, whatever the configuration says of the other norms.
            norm: GroupNorm::new(&scope.child("norm"), channels, shape.groups, 1e-6)?,
            proj_in: Projection::new(&scope.child("proj_in"), channels, shape.use_linear_projection)?,
            transformer_blocks: (0..shape.layers).map(block).collect::<Result<_>>()?,
            proj_out: Projection::new(&scope.child("proj_out"), channels, shape.use_linear_projection)?,
        })
    }

    /// `x`: `N x C x H x W`, returned in the same shape; `context`: `N x S x cross_attention_dim`.
    pub fn forward(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        let normed = self.norm.forward(x)?;
        let mut tokens = match &self.proj_in {
            Projection::Linear(linear) => linear.forward(&to_tokens(&normed)?)?,
            Projection::Convolution(convolution) => to_tokens(&convolution.forward(&normed)?)?,
        };
        for block in &self.transformer_blocks {
            tokens = block.forward(tokens, context)?;
        }
        let image = match &self.proj_out {
            Projection::Linear(linear) => to_image(&linear.forward(&tokens)?, x)?,
            Projection::Convolution(convolution) => convolution.forward(&to_image(&tokens, x)?)?,
        };
        Ok(image.f_add(x)?)
    }
}

/// Self-attention, attention to the context, feed-forward network, each normalised first and added to its input.
pub struct BasicTransformerBlock {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    ff: FeedForward,
}

impl BasicTransformerBlock {
    /// Tokens of `channels` channels, context of `cross_attention_dim`.
    pub fn new(scope: &Scope, channels: i64, cross_attention_dim: i64, heads: i64) -> Result<Self> {
        let norm = |name| LayerNorm::new(&scope.child(name), channels, 1e-5);
        Ok(Self {
            norm1: norm("norm1")?,
            attn1: Attention::new(&scope.child("attn1"), channels, channels, heads)?,
            norm2: norm("norm2")?,
            attn2: Attention::new(&scope.child("attn2"), channels, cross_attention_dim, heads)?,
            norm3: norm("norm3")?,
            ff: FeedForward::new(&scope.child("ff"), channels)?,
        })
    }

    /// `tokens`: `N x T x channels`, returned in the same shape; `context`: `N x S x cross_attention_dim`, by default the
    /// tokens themselves.
    pub fn forward(&self, tokens: Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        let tokens = self.attn1.forward(&self.norm1.forward(&tokens)?, None)?.f_add_(&tokens)?;
        let tokens = self.attn2.forward(&self.norm2.forward(&tokens)?, context)?.f_add_(&tokens)?;
        Ok(self.ff.forward(&self.norm3.forward(&tokens)?)?.f_add_(&tokens)?)
    }
}

/// Linear layer gated by a GELU of its other half (GEGLU, Shazeer, arXiv 2002.05202), then a linear layer.
struct FeedForward {
    proj: Linear,
    out: Linear,
}

impl FeedForward {
    fn new(scope: &Scope, channels: i64) -> Result<Self> {
        let hidden = 4 * channels;
        Ok(Self {
            proj: Linear::new(&scope.child("net.0.proj"), channels, 2 * hidden)?,
            out: Linear::new(&scope.child("net.2"), hidden, channels)?,
        })
    }

    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let halves = self.proj.forward(tokens)?.f_chunk(2, -1)?;
        self.out.forward(&halves[1].f_gelu("none")?.f_mul_(&halves[0])?)
    }
}
