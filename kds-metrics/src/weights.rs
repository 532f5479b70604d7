//! Weights of networks from safetensors files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};

/// Largest file that is read: the largest network here takes 60 MB.
const LARGEST_FILE: u64 = 1 << 30;

/// Numbers with their shape, in the order of C.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<f64>,
}

/// Tensors by name, and where they are from.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    /// Reads all tensors of a safetensors file that are of f16, f32 or f64.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |reason: String| Error::Weights { path: path.to_owned(), reason };
        let metadata = std::fs::metadata(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        if !metadata.is_file() || metadata.len() > LARGEST_FILE {
            return Err(wrong("is not a file of at most 1 GiB".to_owned()));
        }
        let bytes = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        Self::of(path, &bytes)
    }

    /// The same from the contents of a file; `path` is for messages.
    pub(crate) fn of(path: &Path, bytes: &[u8]) -> Result<Self> {
        let wrong = |reason: String| Error::Weights { path: path.to_owned(), reason };
        let file =
            SafeTensors::deserialize(bytes).map_err(|error| wrong(format!("is no safetensors file: {error}")))?;
        let read = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            let data = view.data();
            let values: Vec<f64> = match view.dtype() {
                Dtype::F16 => numbers(data, |bytes| f16::from_le_bytes(bytes).to_f64()),
                Dtype::F32 => numbers(data, |bytes| f64::from(f32::from_le_bytes(bytes))),
                Dtype::F64 => numbers(data, f64::from_le_bytes),
                other => return Err(wrong(format!("tensor '{name}' is of {other:?}; f16, f32 and f64 are read"))),
            };
            if values.iter().any(|value| !value.is_finite()) {
                return Err(wrong(format!("tensor '{name}' holds numbers that are not finite")));
            }
            Ok((name, Tensor { shape: view.shape().to_vec(), values }))
        };
        Ok(Self { path: path.to_owned(), tensors: file.tensors().into_iter().map(read).collect::<Result<_>>()? })
    }

    /// Weights that are not from a file; `path` is for messages.
    pub fn made(path: &Path, tensors: HashMap<String, Tensor>) -> Self {
        Self { path: path.to_owned(), tensors }
    }

    /// The tensor of this name, which must have this many numbers in this shape.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let wrong = |reason: String| Error::Weights { path: self.path.clone(), reason };
        let tensor = self.tensors.remove(name).ok_or_else(|| wrong(format!("has no tensor '{name}'")))?;
        if tensor.shape != shape || tensor.values.len() != shape.iter().product::<usize>() {
            return Err(wrong(format!("tensor '{name}' has the shape {:?}; it must be {shape:?}", tensor.shape)));
        }
        Ok(tensor.values)
    }

    /// The same in single precision.
    pub(crate) fn take_f32(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(self.take(name, shape)?.into_iter().map(|value| value as f32).collect())
    }
}

fn numbers<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    data.chunks_exact(N)
        .map(|chunk| {
            let mut bytes = [0; N];
            bytes.copy_from_slice(chunk);
            number(bytes)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_weights_are_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "no weights").unwrap();
        for path in [file.path(), Path::new("/nowhere/w.safetensors"), Path::new("/")] {
            let message = Weights::read(path).unwrap_err().to_string();
            assert!(message.starts_with(&path.display().to_string()) && message.contains("convert.py"), "{message}");
        }
    }

    #[test]
    fn a_tensor_of_another_shape_is_named() {
        let tensor = Tensor { shape: vec![2], values: vec![1.0, 2.0] };
        let mut weights = Weights::made(Path::new("w"), HashMap::from([("a".to_owned(), tensor)]));
        assert!(weights.take("b", &[2]).unwrap_err().to_string().contains("'b'"));
        assert!(weights.take("a", &[3]).unwrap_err().to_string().contains("[2]; it must be [3]"));
    }
}
