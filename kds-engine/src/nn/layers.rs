//! The plain layers.

use tch::Tensor;

use super::Scope;
use super::weights::channels_last;
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
        let weight = scope.kernel("weight", [outputs, inputs, kernel, kernel])?;
        Ok(Self { weight, bias: scope.tensor("bias", &[outputs])?, stride, padding })
    }

    /// `N x inputs x H x W` to `N x outputs x H' x W'`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        Ok(x.f_conv2d(&self.weight, Some(&self.bias), stride, padding, [1, 1], 1)?)
    }

    /// As [`Conv2d::forward`], of a tensor in any memory order: the first layer of a network brings what follows into
    /// the order in which convolutions are fast.
    pub fn forward_first(&self, x: &Tensor) -> Result<Tensor> {
        self.forward(&channels_last(x)?)
    }
}

/// Affine map of the last axis.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Takes `weight` (`outputs x inputs`) and `bias` from the scope.
    pub fn new(scope: &Scope, inputs: i64, outputs: i64) -> Result<Self> {
        Ok(Self { bias: Some(scope.tensor("bias", &[outputs])?), ..Self::without_bias(scope, inputs, outputs)? })
    }

    /// Takes `weight` (`outputs x inputs`) from the scope.
    pub fn without_bias(scope: &Scope, inputs: i64, outputs: i64) -> Result<Self> {
        Ok(Self { weight: scope.tensor("weight", &[outputs, inputs])?, bias: None })
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
    /// Takes `weight` and `bias` from the scope. Refuses a number of `groups` that does not divide the channels.
    pub fn new(scope: &Scope, channels: i64, groups: i64, eps: f64) -> Result<Self> {
        if groups < 1 || channels % groups != 0 {
            return Err(scope.error(format!("norm_num_groups {groups} does not divide the {channels} channels")));
        }
        let weight = scope.tensor("weight", &[channels])?;
        Ok(Self { weight, bias: scope.tensor("bias", &[channels])?, groups, eps })
    }

    /// Shape unchanged.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_group_norm(self.groups, Some(&self.weight), Some(&self.bias), self.eps, false)?)
    }
}

/// Normalisation over the last axis, with scale and shift.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Takes `weight` and `bias` from the scope.
    pub fn new(scope: &Scope, channels: i64, eps: f64) -> Result<Self> {
        let weight = scope.tensor("weight", &[channels])?;
        Ok(Self { weight, bias: scope.tensor("bias", &[channels])?, eps })
    }

    /// Shape unchanged.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, false)?)
    }
}
