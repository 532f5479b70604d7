//! The numbers of a tensor, where the host can read them.

use tch::{Device, Kind, Tensor};

use crate::Result;

/// A tensor's values as f32 in the host's memory, in order.
pub(crate) struct Values(Tensor);

impl Values {
    /// Copies only where the tensor lies elsewhere, or in another format or order.
    pub fn of(tensor: &Tensor) -> Result<Self> {
        Ok(Self(tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?))
    }

    /// All of them.
    pub fn as_slice(&self) -> &[f32] {
        let count = self.0.numel();
        if count == 0 {
            return &[];
        }
        // SAFETY: a contiguous f32 tensor on the CPU that lives as long as this and has no other writer.
        unsafe { std::slice::from_raw_parts(self.0.data_ptr().cast::<f32>(), count) }
    }
}
