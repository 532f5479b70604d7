//! The residual block of the U-Nets and autoencoders (diffusers: models/resnet.py `ResnetBlock2D`).

use tch::Tensor;

use super::{Conv2d, GroupNorm, Linear, Scope};
use crate::Result;

/// How the timestep embedding enters a residual block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeScaleShift {
    /// Added before the second normalisation.
    #[default]
    Default,
    /// Scales and shifts after the second normalisation.
    ScaleShift,
}

/// norm1, SiLU, conv1, time embedding, norm2, SiLU, conv2, plus the input.
pub struct ResnetBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
    time_scale_shift: TimeScaleShift,
    output_scale_factor: f64,
}

/// Sizes shared by the residual blocks of one network.
#[derive(Debug, Clone, Copy)]
pub struct ResnetShape {
    /// Channels of the timestep embedding; autoencoders have none.
    pub embedding: Option<i64>,
    /// Groups of the normalisations.
    pub groups: i64,
    /// Added to the variance in the normalisations.
    pub eps: f64,
    /// How the timestep enters.
    pub time_scale_shift: TimeScaleShift,
    /// Divisor of the sum at the end.
    pub output_scale_factor: f64,
}

impl ResnetBlock {
    /// From `inputs` to `outputs` channels. Takes all weights from the scope.
    pub fn new(scope: &Scope, inputs: i64, outputs: i64, shape: ResnetShape) -> Result<Self> {
        let projected = match shape.time_scale_shift {
            TimeScaleShift::Default => outputs,
            TimeScaleShift::ScaleShift => 2 * outputs,
        };
        let time = |embedding| Linear::new(&scope.child("time_emb_proj"), embedding, projected);
        let shortcut = || Conv2d::new(&scope.child("conv_shortcut"), inputs, outputs, 1, 1, 0);
        Ok(Self {
            norm1: GroupNorm::new(&scope.child("norm1"), inputs, shape.groups, shape.eps)?,
            conv1: Conv2d::new(&scope.child("conv1"), inputs, outputs, 3, 1, 1)?,
            time_emb_proj: shape.embedding.map(time).transpose()?,
            norm2: GroupNorm::new(&scope.child("norm2"), outputs, shape.groups, shape.eps)?,
            conv2: Conv2d::new(&scope.child("conv2"), outputs, outputs, 3, 1, 1)?,
            conv_shortcut: (inputs != outputs).then(shortcut).transpose()?,
            time_scale_shift: shape.time_scale_shift,
            output_scale_factor: shape.output_scale_factor,
        })
    }

    /// `x`: `N x inputs x H x W`; `activated_embedding`: SiLU of the timestep embedding, `1 x embedding`, for a block that
    /// has one.
    pub fn forward(&self, x: &Tensor, activated_embedding: Option<&Tensor>) -> Result<Tensor> {
        let mut h = self.conv1.forward(&self.norm1.forward(x)?.f_silu_()?)?;
        let time = match (&self.time_emb_proj, activated_embedding) {
            (Some(projection), Some(embedding)) => {
                Some(projection.forward(embedding)?.f_unsqueeze(-1)?.f_unsqueeze(-1)?)
            }
            _ => None,
        };
        h = match (time, self.time_scale_shift) {
            (None, _) => self.norm2.forward(&h)?,
            (Some(time), TimeScaleShift::Default) => self.norm2.forward(&h.f_add_(&time)?)?,
            (Some(time), TimeScaleShift::ScaleShift) => {
                let parts = time.f_chunk(2, 1)?;
                self.norm2.forward(&h)?.f_mul_(&parts[0].f_add_scalar(1.0)?)?.f_add_(&parts[1])?
            }
        };
        h = self.conv2.forward(&h.f_silu_()?)?;
        let sum = match &self.conv_shortcut {
            Some(shortcut) => h.f_add_(&shortcut.forward(x)?)?,
            None => h.f_add_(x)?,
        };
        if self.output_scale_factor == 1.0 { Ok(sum) } else { Ok(sum.f_div_scalar(self.output_scale_factor)?) }
    }
}
