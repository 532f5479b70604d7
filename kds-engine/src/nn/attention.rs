//! Self-attention over the pixels of a feature map (diffusers: models/attention_processor.py `Attention`).

use tch::Tensor;

use super::{GroupNorm, Linear, Scope};
use crate::Result;

/// Group norm, multi-head scaled-dot-product self-attention, projection, plus the input.
pub struct Attention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: i64,
    output_scale_factor: f64,
}

impl Attention {
    /// `head_dim`: channels of one head; `None` means a single head.
    pub fn new(
        scope: &Scope,
        channels: i64,
        head_dim: Option<i64>,
        groups: i64,
        eps: f64,
        output_scale_factor: f64,
    ) -> Result<Self> {
        let head_dim = head_dim.unwrap_or(channels);
        if head_dim < 1 || channels % head_dim != 0 {
            return Err(scope.error(format!("attention_head_dim {head_dim} does not divide the {channels} channels")));
        }
        let linear = |name: &str| Linear::new(&scope.child(name), channels, channels);
        Ok(Self {
            group_norm: GroupNorm::new(&scope.child("group_norm"), channels, groups, eps)?,
            to_q: linear("to_q")?,
            to_k: linear("to_k")?,
            to_v: linear("to_v")?,
            to_out: linear("to_out.0")?,
            heads: channels / head_dim,
            output_scale_factor,
        })
    }

    /// Shape unchanged: `N x C x H x W`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, width) = x.size4()?;
        let tokens = self.group_norm.forward(x)?.f_flatten(2, 3)?.f_transpose(1, 2)?;
        let split = |linear: &Linear| -> Result<Tensor> {
            let split = linear.forward(&tokens)?.f_reshape([batch, -1, self.heads, channels / self.heads])?;
            Ok(split.f_transpose(1, 2)?)
        };
        let (query, key, value) = (split(&self.to_q)?, split(&self.to_k)?, split(&self.to_v)?);
        let mixed = Tensor::f_scaled_dot_product_attention(
            &query,
            &key,
            &value,
            None::<&Tensor>,
            0.0,
            false,
            None::<f64>,
            false,
        )?;
        let tokens = self.to_out.forward(&mixed.f_transpose(1, 2)?.f_reshape([batch, -1, channels])?)?;
        let image = tokens.f_transpose(1, 2)?.f_reshape([batch, channels, height, width])?;
        let sum = image.f_add(x)?;
        if self.output_scale_factor == 1.0 { Ok(sum) } else { Ok(sum.f_div_scalar(self.output_scale_factor)?) }
    }
}
