//! A tensor as it lies in a file, and the formats that files of tensors have.

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tch::{Kind, Tensor};

use super::pickle;
use crate::Result;

/// A tensor as it lies in a file: nothing is copied before a layer takes it.
#[derive(Debug, Clone)]
pub(crate) struct Stored<'a> {
    /// The number format, where it is a float, or else its name.
    pub kind: std::result::Result<Kind, String>,
    pub shape: Vec<i64>,
    /// Elements between neighbours along each axis; `None` where they lie one after the other.
    pub strides: Option<Vec<i64>>,
    /// From its first element to its last, little-endian.
    pub bytes: &'a [u8],
}

impl<'a> Stored<'a> {
    fn of(view: &TensorView<'a>) -> Self {
        let kind = match view.dtype() {
            Dtype::F16 => Ok(Kind::Half),
            Dtype::BF16 => Ok(Kind::BFloat16),
            Dtype::F32 => Ok(Kind::Float),
            Dtype::F64 => Ok(Kind::Double),
            other => Err(format!("{other:?}")),
        };
        let shape = view.shape().iter().map(|side| *side as i64).collect();
        Self { kind, shape, strides: None, bytes: view.data() }
    }

    /// A copy with these numbers, of this number format.
    pub fn tensor(&self, kind: Kind) -> Result<Tensor> {
        let Some(strides) = &self.strides else { return Ok(Tensor::f_from_data_size(self.bytes, &self.shape, kind)?) };
        let count = (self.bytes.len() / kind.elt_size_in_bytes()) as i64;
        let line = Tensor::f_from_data_size(self.bytes, &[count], kind)?;
        Ok(line.f_as_strided(&self.shape, strides, 0)?.f_contiguous()?)
    }
}

/// All tensors of a file, by name. What it is, its first bytes tell: the ends of names are no help, people rename files.
pub(crate) fn read(bytes: &[u8]) -> std::result::Result<BTreeMap<String, Stored<'_>>, String> {
    // A safetensors file begins with a length, which can look like anything, and then its header.
    if bytes.get(8) != Some(&b'{') && pickle::is_pickle(bytes) {
        return pickle::read(bytes);
    }
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| format!("not a safetensors file, or not all of one: {error}; fetch it again"))?;
    let tensors = file.tensors().into_iter();
    Ok(tensors.map(|(name, view)| (name, Stored::of(&view))).collect())
}
