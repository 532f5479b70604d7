//! Tensors of a safetensors file, looked up by name and checked for shape.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use crate::{Error, Result};

/// The tensors of one safetensors file, converted to one kind on one device as they are taken.
pub struct Weights<'a> {
    tensors: SafeTensors<'a>,
    path: PathBuf,
    kind: Kind,
    device: Device,
    taken: RefCell<BTreeSet<String>>,
}

impl<'a> Weights<'a> {
    /// Reads the header of `bytes`; `path` only names the file in errors.
    pub fn new(bytes: &'a [u8], path: &Path, kind: Kind, device: Device) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| Error::Model {
            path: path.to_owned(),
            reason: format!("not a safetensors file: {error}"),
        })?;
        Ok(Self { tensors, path: path.to_owned(), kind, device, taken: RefCell::default() })
    }

    /// The scope in which names have no prefix.
    pub fn root(&self) -> Scope<'_> {
        Scope { weights: self, prefix: String::new() }
    }

    /// An error when the file holds tensors that no layer took: it belongs to another architecture.
    pub fn finish(&self) -> Result<()> {
        let taken = self.taken.borrow();
        let extra: Vec<_> = self.tensors.names().into_iter().filter(|name| !taken.contains(*name)).collect();
        match extra.first() {
            None => Ok(()),
            Some(first) => {
                Err(self.error(format!("{} tensors do not belong to this architecture, one is '{first}'", extra.len())))
            }
        }
    }

    fn error(&self, reason: String) -> Error {
        Error::Model { path: self.path.clone(), reason }
    }

    fn take(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let view = self.tensors.tensor(name).map_err(|_| self.error(format!("tensor '{name}' is missing")))?;
        let found: Vec<i64> = view.shape().iter().map(|side| *side as i64).collect();
        if found != shape {
            return Err(self.error(format!("tensor '{name}' has shape {found:?}, the architecture needs {shape:?}")));
        }
        let stored = match view.dtype() {
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            other => return Err(self.error(format!("tensor '{name}' has dtype {other:?}, a float is needed"))),
        };
        self.taken.borrow_mut().insert(name.to_owned());
        Ok(Tensor::f_from_data_size(view.data(), shape, stored)?.f_to_kind(self.kind)?.f_to_device(self.device)?)
    }
}

/// A prefix of tensor names, such as `down_blocks.0.resnets.1.`.
#[derive(Clone)]
pub struct Scope<'a> {
    weights: &'a Weights<'a>,
    prefix: String,
}

impl Scope<'_> {
    /// The scope one name further in.
    pub fn child(&self, name: impl std::fmt::Display) -> Self {
        Self { weights: self.weights, prefix: format!("{}{name}.", self.prefix) }
    }

    /// An error about the file these weights come from.
    pub(crate) fn error(&self, reason: String) -> Error {
        self.weights.error(reason)
    }

    /// The tensor `name` of this scope, of exactly this shape.
    pub fn tensor(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        self.weights.take(&format!("{}{name}", self.prefix), shape)
    }
}
