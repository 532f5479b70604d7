//! Attention (diffusers: models/attention_processor.py `Attention` with `AttnProcessor2_0`).

use tch::Tensor;

use super::{GroupNorm, Linear, Scope};
use crate::Result;

/// Multi-head scaled-dot-product attention of tokens to themselves, or to the tokens of a context.
pub struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: i64,
}

impl Attention {
    /// Self-attention whose projections have biases, as it stands beside residual blocks. Old checkpoints call the
    /// projections `query`, `key`, `value` and `proj_attn`; both names are read.
    pub fn with_bias(scope: &Scope, channels: i64, heads: i64) -> Result<Self> {
        let linear = |name, old| Linear::new(&scope.either(name, old), channels, channels);
        Ok(Self {
            to_q: linear("to_q", "query")?,
            to_k: linear("to_k", "key")?,
            to_v: linear("to_v", "value")?,
            to_out: linear("to_out.0", "proj_attn")?,
            heads: check_heads(scope, channels, heads)?,
        })
    }

    /// Attention of tokens with `channels` channels to a context with `context_channels` (for self-attention the same),
    /// as it stands in transformer blocks.
    pub fn new(scope: &Scope, channels: i64, context_channels: i64, heads: i64) -> Result<Self> {
        let linear = |name, inputs| Linear::without_bias(&scope.child(name), inputs, channels);
        Ok(Self {
            to_q: linear("to_q", channels)?,
            to_k: linear("to_k", context_channels)?,
            to_v: linear("to_v", context_channels)?,
            to_out: Linear::new(&scope.child("to_out.0"), channels, channels)?,
            heads: check_heads(scope, channels, heads)?,
        })
    }

    /// `tokens`: `N x T x channels`; `context`: `N x S x context_channels`, or `None` for self-attention. Returns the
    /// shape of `tokens`.
    pub fn forward(&self, tokens: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        let context = context.unwrap_or(tokens);
        let (query, key, value) =
            (self.to_q.forward(tokens)?, self.to_k.forward(context)?, self.to_v.forward(context)?);
        self.to_out.forward(&attend(&query, &key, &value, self.heads, false)?)
    }
}

fn check_heads(scope: &Scope, channels: i64, heads: i64) -> Result<i64> {
    if heads < 1 || channels % heads != 0 {
        return Err(scope.error(format!("{channels} channels cannot be divided among {heads} attention heads")));
    }
    Ok(heads)
}

/// Scaled-dot-product attention of projected tokens, `N x T x channels`, by `heads` heads; `causal` lets each token see
/// only itself and those before it.
pub(crate) fn attend(query: &Tensor, key: &Tensor, value: &Tensor, heads: i64, causal: bool) -> Result<Tensor> {
    let (batch, _, channels) = query.size3()?;
    let split = |tensor: &Tensor| tensor.f_reshape([batch, -1, heads, channels / heads])?.f_transpose(1, 2);
    let (query, key, value) = (split(query)?, split(key)?, split(value)?);
    let (no_mask, no_scale) = (None::<&Tensor>, None::<f64>);
    let mixed = Tensor::f_scaled_dot_product_attention(&query, &key, &value, no_mask, 0.0, causal, no_scale, false)?;
    Ok(mixed.f_transpose(1, 2)?.f_reshape([batch, -1, channels])?)
}

/// Group norm (or none) and self-attention over the pixels of a feature map, plus the input.
pub struct ImageAttention {
    group_norm: Option<GroupNorm>,
    attention: Attention,
    output_scale_factor: f64,
}

impl ImageAttention {
    /// `head_dim`: channels of one head, `None` for a single head; `groups`: groups of the norm, `None` for no norm.
    pub fn new(
        scope: &Scope,
        channels: i64,
        head_dim: Option<i64>,
        groups: Option<i64>,
        eps: f64,
        output_scale_factor: f64,
    ) -> Result<Self> {
        let head_dim = head_dim.unwrap_or(channels);
        if head_dim < 1 || channels % head_dim != 0 {
            return Err(scope.error(format!("attention_head_dim {head_dim} does not divide the {channels} channels")));
        }
        let norm = |groups| GroupNorm::new(&scope.child("group_norm"), channels, groups, eps);
        Ok(Self {
            group_norm: groups.map(norm).transpose()?,
            attention: Attention::with_bias(scope, channels, channels / head_dim)?,
            output_scale_factor,
        })
    }

    /// Shape unchanged: `N x C x H x W`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let normed = self.group_norm.as_ref().map(|norm| norm.forward(x)).transpose()?;
        let tokens = to_tokens(normed.as_ref().unwrap_or(x))?;
        let sum = to_image(&self.attention.forward(&tokens, None)?, x)?.f_add(x)?;
        if self.output_scale_factor == 1.0 { Ok(sum) } else { Ok(sum.f_div_scalar(self.output_scale_factor)?) }
    }
}

/// The pixels of a feature map as tokens: `N x C x H x W` to `N x HW x C`.
pub(crate) fn to_tokens(image: &Tensor) -> Result<Tensor> {
    Ok(image.f_flatten(2, 3)?.f_transpose(1, 2)?)
}

/// The inverse of [`to_tokens`], for a feature map of the height and width of `like`.
pub(crate) fn to_image(tokens: &Tensor, like: &Tensor) -> Result<Tensor> {
    let ((batch, _, height, width), (_, _, channels)) = (like.size4()?, tokens.size3()?);
    Ok(tokens.f_transpose(1, 2)?.f_reshape([batch, channels, height, width])?)
}
