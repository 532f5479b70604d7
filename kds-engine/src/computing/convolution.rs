//! Convolutions whose memory is known.

use tch::{Device, Kind, Tensor};

use crate::Result;

/// Of f32 on a GPU, convolutions with at most so many bytes of columns are libtorch's own, patches times weights, and not
/// cuDNN's: without TF32 cuDNN takes algorithms for small maps of many channels whose workspace is tens of GiB
/// (docs/performance.md), which no plan can count.
const MOST_COLUMNS: i64 = 256 << 20;

/// A 2-D convolution without groups, alike along both axes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Convolution {
    pub stride: i64,
    pub padding: i64,
    pub dilation: i64,
    /// Of inputs over the input: `outputs x inputs x h x w` weights become `inputs x outputs x h x w`.
    pub transposed: bool,
}

impl Convolution {
    /// Every place, without padding.
    pub const PLAIN: Self = Self { stride: 1, padding: 0, dilation: 1, transposed: false };

    /// `x` is `N x inputs x H x W`; `bias` has a value for each output.
    pub fn of(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let [stride, padding, dilation] = [self.stride, self.padding, self.dilation].map(|along| [along; 2]);
        let transposed = self.transposed;
        // `conv2d` and `conv_transpose2d` without cuDNN.
        let gpu = x.device() != Device::Cpu;
        let own = gpu && x.kind() == Kind::Float && self.columns(x, weight)? <= MOST_COLUMNS;
        let (none, groups, benchmark, deterministic, cudnn, tf32) = ([0, 0], 1, false, false, !own, false);
        match (own, transposed) {
            (true, _) => Ok(x.f_internal_convolution(
                weight,
                bias,
                stride,
                padding,
                dilation,
                transposed,
                none,
                groups,
                benchmark,
                deterministic,
                cudnn,
                tf32,
            )?),
            (false, true) => Ok(x.f_conv_transpose2d(weight, bias, stride, padding, none, groups, dilation)?),
            (false, false) => Ok(x.f_conv2d(weight, bias, stride, padding, dilation, groups)?),
        }
    }

    /// Bytes of the patches under the kernel at every place of one feature map, which libtorch's own convolution on GPUs
    /// writes down and multiplies with the weights.
    fn columns(&self, x: &Tensor, weight: &Tensor) -> Result<i64> {
        let (_, _, height, width) = x.size4()?;
        let (_, depth, kernel_height, kernel_width) = weight.size4()?;
        let places = |side: i64, kernel: i64| match self.transposed {
            true => side,
            false => (side + 2 * self.padding - self.dilation * (kernel - 1) - 1) / self.stride + 1,
        };
        Ok(4 * depth * kernel_height * kernel_width * places(height, kernel_height) * places(width, kernel_width))
    }
}
