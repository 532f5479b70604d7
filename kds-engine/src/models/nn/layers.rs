//! The plain layers.

use tch::{Device, Kind, Tensor};

use super::Scope;
use super::weights::convolution_order;
use crate::Result;
use crate::computing::convolution::Convolution;

/// 2-D convolution.
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    convolution: Convolution,
}

impl Conv2d {
    /// Takes `weight` (`outputs x inputs x kernel x kernel`) and `bias` from the scope.
    pub fn new(scope: &Scope, inputs: i64, outputs: i64, kernel: i64, stride: i64, padding: i64) -> Result<Self> {
        let plain = Self::without_bias(scope, inputs, outputs, kernel, stride, padding)?;
        Ok(Self { bias: Some(scope.tensor("bias", &[outputs])?), ..plain })
    }

    /// Takes `weight` (`outputs x inputs x kernel x kernel`) from the scope.
    pub fn without_bias(
        scope: &Scope,
        inputs: i64,
        outputs: i64,
        kernel: i64,
        stride: i64,
        padding: i64,
    ) -> Result<Self> {
        let weight = scope.kernel("weight", [outputs, inputs, kernel, kernel])?;
        let convolution = Convolution { stride, padding, ..Convolution::PLAIN };
        Ok(Self { weight, bias: None, convolution })
    }

    /// `N x inputs x H x W` to `N x outputs x H' x W'`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.convolution.of(x, &self.weight, self.bias.as_ref())
    }

    /// As [`Conv2d::forward`], of a tensor in any memory order: the first layer of a network brings what follows into
    /// the order in which convolutions are fast.
    pub fn forward_first(&self, x: &Tensor) -> Result<Tensor> {
        self.forward(&convolution_order(x)?)
    }
}

/// `x` where it is positive, a fifth of it elsewhere.
pub(crate) fn leaky_relu(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_maximum(&x.f_mul_scalar(0.2)?)?)
}

/// A feature map of twice the height and width: each pixel four times.
pub(crate) fn doubled(x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.size4()?;
    Ok(x.f_upsample_nearest2d([2 * height, 2 * width], None::<f64>, None::<f64>)?)
}

/// Doubles the resolution: a transposed convolution of stride 2, each of whose pixels makes four.
pub(crate) struct Widen {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Widen {
    /// Takes `weight` (`inputs x outputs x 2 x 2`) and `bias` from the scope.
    pub fn new(scope: &Scope, inputs: i64, outputs: i64) -> Result<Self> {
        Ok(Self { bias: Some(scope.tensor("bias", &[outputs])?), ..Self::without_bias(scope, inputs, outputs)? })
    }

    /// Takes `weight` (`inputs x outputs x 2 x 2`) from the scope.
    pub fn without_bias(scope: &Scope, inputs: i64, outputs: i64) -> Result<Self> {
        Ok(Self { weight: scope.kernel("weight", [inputs, outputs, 2, 2])?, bias: None })
    }

    /// `N x inputs x H x W` to `N x outputs x 2 H x 2 W`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let each = Convolution { stride: 2, transposed: true, ..Convolution::PLAIN };
        each.of(x, &self.weight, self.bias.as_ref())
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

    /// Shape and memory order unchanged.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // On GPUs libtorch answers in the order of planes, and the convolution after it turns everything round again: seven
        // passes through memory where these operations take four.
        let (gpu, last) = (x.device() != Device::Cpu, x.dim() == 4 && x.stride()[1] == 1 && x.size()[1] > 1);
        if gpu && last && x.kind() != Kind::Float { self.in_order(x) } else { self.by_libtorch(x) }
    }

    fn by_libtorch(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_group_norm(self.groups, Some(&self.weight), Some(&self.bias), self.eps, false)?)
    }

    /// Of numbers of 16 bits, by operations that keep the memory order. Means are taken in f32, and all is rounded once, as
    /// libtorch does.
    fn in_order(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, width) = x.size4()?;
        let each = channels / self.groups;
        let grouped = x.f_permute([0, 2, 3, 1])?.f_reshape([batch, height * width, self.groups, each])?;
        let over: &[i64] = &[1, 3];
        let mean = grouped.f_mean_dim(over, true, Kind::Float)?;
        // Squared in f32 within the sum.
        let norm = grouped.f_norm_scalaropt_dim_dtype(2, over, true, Kind::Float)?;
        let squares = norm.f_square()?.f_div_scalar((height * width * each) as f64)?;
        let variance = squares.f_sub(&mean.f_square()?)?.f_clamp_min(0)?;
        let per_channel = |tensor: &Tensor| {
            Ok::<_, crate::Error>(tensor.f_to_kind(Kind::Float)?.f_view([1, 1, self.groups, each])?)
        };
        let scale = variance.f_add_scalar(self.eps)?.f_rsqrt()?.f_mul(&per_channel(&self.weight)?)?;
        let shift = per_channel(&self.bias)?.f_sub(&mean.f_mul(&scale)?)?;
        let [scale, shift] = [scale, shift].map(|tensor| tensor.f_view([batch, channels, 1, 1]));
        let result = x.f_empty_like()?;
        Ok(shift?.f_addcmul_out(&result, x, &scale?)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalisation_in_order_is_that_of_libtorch() {
        let line = |count: i64| Tensor::arange(count, (Kind::Float, Device::Cpu));
        for (kind, tolerance) in [(Kind::BFloat16, 0.04), (Kind::Half, 0.005)] {
            let parameter = |step: f64| line(12).f_mul_scalar(step).unwrap().sin().to_kind(kind);
            let norm = GroupNorm { weight: parameter(0.7), bias: parameter(1.3), groups: 4, eps: 1e-5 };
            // A mean of several deviations.
            let x = (line(2 * 12 * 5 * 7).f_mul_scalar(0.37).unwrap().sin() + 3.0).view([2, 12, 5, 7]).to_kind(kind);
            let x = convolution_order(&x).unwrap();
            let found = norm.in_order(&x).unwrap();
            assert_eq!((found.kind(), found.stride()), (kind, x.stride()));
            let exact =
                GroupNorm { weight: norm.weight.to_kind(Kind::Float), bias: norm.bias.to_kind(Kind::Float), ..norm };
            let expected = exact.by_libtorch(&x.to_kind(Kind::Float)).unwrap();
            let error = found.to_kind(Kind::Float).f_sub(&expected).unwrap().abs().max().double_value(&[]);
            assert!(error < tolerance, "{kind:?}: {error:e}");
        }
    }
}
