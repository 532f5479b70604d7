//! The plain layers.

use tch::{Device, Kind, Tensor};

use super::Scope;
use crate::Result;

/// 2-D convolution with bias.
pub struct Conv2d {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv2d {
    /// Takes `weight` (`outputs x inputs x kernel x kernel`) and `bias` from the scope.
    pub fn new(scope: &Scope, inputs: i64, outputs: i64, kernel: i64, stride: i64, padding: i64) -> Result<Self> {
        let weight = scope.tensor("weight", &[outputs, inputs, kernel, kernel])?;
        let bias = scope.tensor("bias", &[outputs])?;
        // Channels last is the layout in which oneDNN and cuDNN convolve without reordering.
        let weight = weight.f_contiguous_channels_last()?;
        Ok(Self { weight, bias, stride, padding })
    }

    /// `N x inputs x H x W` to `N x outputs x H' x W'`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        Ok(x.f_conv2d(&self.weight, Some(&self.bias), stride, padding, [1, 1], 1)?)
    }
}

/// `contiguous(memory_format=channels_last)`, which tch has no name for.
trait ChannelsLast {
    fn f_contiguous_channels_last(&self) -> Result<Tensor>;
}

impl ChannelsLast for Tensor {
    fn f_contiguous_channels_last(&self) -> Result<Tensor> {
        Ok(self.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?)
    }
}

/// The same values in channels-last memory order.
pub(crate) fn channels_last(x: &Tensor) -> Result<Tensor> {
    x.f_contiguous_channels_last()
}

/// Affine map of the last axis.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Takes `weight` (`outputs x inputs`) and `bias` from the scope.
    pub fn new(scope: &Scope, inputs: i64, outputs: i64) -> Result<Self> {
        let weight = scope.tensor("weight", &[outputs, inputs])?;
        Ok(Self { weight, bias: Some(scope.tensor("bias", &[outputs])?) })
    }

    /// `... x inputs` to `... x outputs`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, self.bias.as_ref())?)
    }
}

/// Group normalisation with scale and shift per channel.
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: i64,
    eps: f64,
}

impl GroupNorm {
    /// Takes `weight` and `bias` from the scope.
    pub fn new(scope: &Scope, channels: i64, groups: i64, eps: f64) -> Result<Self> {
        let weight = scope.tensor("weight", &[channels])?;
        Ok(Self { weight, bias: scope.tensor("bias", &[channels])?, groups, eps })
    }

    /// Shape unchanged.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_group_norm(self.groups, Some(&self.weight), Some(&self.bias), self.eps, false)?)
    }
}

/// Sinusoidal embedding of one timestep, `1 x dimension` (diffusers' `get_timestep_embedding`, scale 1, period 10000).
pub fn sinusoidal_embedding(
    timestep: f64,
    dimension: i64,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    kind: Kind,
    device: Device,
) -> Result<Tensor> {
    let half = dimension / 2;
    let angles = (0..half).map(|i| timestep * (-(10000f64.ln()) * i as f64 / (half as f64 - freq_shift)).exp());
    let angles: Vec<f64> = angles.collect();
    let (sines, cosines) = (angles.iter().map(|a| a.sin()), angles.iter().map(|a| a.cos()));
    let mut values: Vec<f64> =
        if flip_sin_to_cos { cosines.chain(sines).collect() } else { sines.chain(cosines).collect() };
    values.resize(dimension as usize, 0.0); // an odd dimension ends with a zero
    Ok(Tensor::f_from_slice(&values)?.f_reshape([1, dimension])?.f_to_kind(kind)?.f_to_device(device)?)
}
