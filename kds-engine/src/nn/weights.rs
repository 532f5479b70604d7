//! The tensors of a file of weights, looked up by name and checked for shape and number format.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use memmap2::{Mmap, UncheckedAdvice};
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use crate::{Error, Result};

/// What becomes of the tensors of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loading {
    /// Where the network will compute.
    pub device: Device,
    /// In what it will compute.
    pub kind: Kind,
    /// Whether only names, shapes and number formats are compared with the architecture. The network then holds no
    /// numbers and must not be run; [`Weights::finish`] reports all that is wrong at once.
    pub check_only: bool,
}

impl Loading {
    /// Loads for computing.
    pub fn new(device: Device, kind: Kind) -> Self {
        Self { device, kind, check_only: false }
    }

    /// The same for a network that must not be rounded to 16 bits.
    pub fn in_f32(self) -> Self {
        Self { kind: Kind::Float, ..self }
    }

    /// Compares with the architecture.
    pub fn check() -> Self {
        Self { device: Device::Cpu, kind: Kind::Float, check_only: true }
    }
}

/// The tensors of one file, converted to one kind on one device as they are taken.
pub struct Weights<'a> {
    tensors: Tensors<'a>,
    /// Where the bytes are mapped from a file.
    mapped: Option<&'a Mmap>,
    path: PathBuf,
    loading: Loading,
    /// What was asked for, by name, with its shape.
    taken: RefCell<BTreeMap<String, Vec<i64>>>,
    /// What was found wrong so far, where it does not end the loading.
    problems: RefCell<Vec<String>>,
}

enum Tensors<'a> {
    Safetensors(SafeTensors<'a>),
    Pickle(BTreeMap<String, Tensor>),
}

/// More problems than this say no more.
const MOST_PROBLEMS: usize = 20;

impl<'a> Weights<'a> {
    /// Reads the header of the safetensors file `bytes`; `path` only names the file in errors.
    pub fn new(bytes: &'a [u8], path: &Path, loading: Loading) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| Error::Model {
            path: path.to_owned(),
            reason: format!("not a safetensors file, or not all of one: {error}; fetch it again"),
        })?;
        Ok(Self::of(Tensors::Safetensors(tensors), path, loading))
    }

    /// As [`Weights::new`], of a memory-mapped file, whose pages are given back once they are tensors: it would otherwise
    /// be in memory twice.
    pub fn mapped(file: &'a Mmap, path: &Path, loading: Loading) -> Result<Self> {
        Ok(Self { mapped: Some(file), ..Self::new(file, path, loading)? })
    }

    /// Reads a plain dictionary of tensors saved by `torch.save`, by libtorch's own reader, which runs no code of the file.
    /// It refuses the ordered dictionary that `state_dict()` gives: those files must be converted.
    pub fn from_pickle(path: &Path, loading: Loading) -> Result<Weights<'static>> {
        let tensors = Tensor::loadz_multi(path).map_err(|error| Error::Model {
            path: path.to_owned(),
            reason: format!(
                "libtorch cannot read this pickle ({}); convert it to safetensors in Python: \
                 save_file(torch.load(file), name) of safetensors.torch",
                error.to_string().lines().next().unwrap_or_default()
            ),
        })?;
        Ok(Weights::of(Tensors::Pickle(tensors.into_iter().collect()), path, loading))
    }

    fn of<'b>(tensors: Tensors<'b>, path: &Path, loading: Loading) -> Weights<'b> {
        let path = path.to_owned();
        Weights { tensors, mapped: None, path, loading, taken: RefCell::default(), problems: RefCell::default() }
    }

    /// The scope in which names have no prefix.
    pub fn root(&self) -> Scope<'_> {
        Scope { weights: self, prefix: String::new() }
    }

    /// Names and shapes of the tensors that layers have asked for: of a check, the whole architecture.
    pub fn asked_for(&self) -> BTreeMap<String, Vec<i64>> {
        let mut asked = self.taken.borrow().clone();
        asked.retain(|_, shape| !shape.is_empty());
        asked
    }

    /// An error when the file holds tensors that no layer took: it belongs to another architecture. After a check, an
    /// error that tells everything that is wrong with the file.
    pub fn finish(&self) -> Result<()> {
        let taken = self.taken.borrow();
        let names: Vec<String> = match &self.tensors {
            Tensors::Safetensors(tensors) => tensors.names().into_iter().map(str::to_owned).collect(),
            Tensors::Pickle(tensors) => tensors.keys().cloned().collect(),
        };
        let extra: BTreeSet<_> = names.iter().filter(|name| !taken.contains_key(*name)).collect();
        let mut problems = self.problems.borrow().clone();
        match (extra.first(), self.loading.check_only) {
            (None, _) => {}
            (Some(first), false) => {
                problems.push(format!("{} tensors do not belong to this architecture, one is '{first}'", extra.len()))
            }
            (Some(_), true) => problems
                .extend(extra.iter().map(|name| format!("tensor '{name}' does not belong to this architecture"))),
        }
        if problems.is_empty() {
            return Ok(());
        }
        let more = problems.len().saturating_sub(MOST_PROBLEMS);
        problems.truncate(MOST_PROBLEMS);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        Err(self.error(format!("{}{more}", problems.join("; "))))
    }

    fn error(&self, reason: String) -> Error {
        Error::Model { path: self.path.clone(), reason }
    }

    fn contains(&self, name: &str) -> bool {
        match &self.tensors {
            Tensors::Safetensors(tensors) => tensors.tensor(name).is_ok(),
            Tensors::Pickle(tensors) => tensors.contains_key(name),
        }
    }

    fn take(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        self.taken.borrow_mut().insert(name.to_owned(), shape.to_vec());
        match self.find(name, shape) {
            Ok(_) if self.loading.check_only => placeholder(shape),
            Ok(tensor) => Ok(tensor()?.f_to_kind(self.loading.kind)?.f_to_device(self.loading.device)?),
            Err(problem) if self.loading.check_only => {
                self.problems.borrow_mut().push(problem);
                placeholder(shape)
            }
            Err(problem) => Err(self.error(problem)),
        }
    }

    /// How to get the tensor of this name, once its shape and number format are known to fit.
    fn find(&self, name: &str, shape: &[i64]) -> std::result::Result<impl FnOnce() -> Result<Tensor>, String> {
        let missing = || format!("tensor '{name}' is missing");
        let (found, stored, data) = match &self.tensors {
            Tensors::Safetensors(tensors) => {
                let view = tensors.tensor(name).map_err(|_| missing())?;
                let stored = match view.dtype() {
                    Dtype::F16 => Kind::Half,
                    Dtype::BF16 => Kind::BFloat16,
                    Dtype::F32 => Kind::Float,
                    Dtype::F64 => Kind::Double,
                    other => return Err(format!("tensor '{name}' has dtype {other:?}, a float is needed")),
                };
                let found: Vec<i64> = view.shape().iter().map(|side| *side as i64).collect();
                (found, stored, Ok(view))
            }
            Tensors::Pickle(tensors) => {
                let tensor = tensors.get(name).ok_or_else(missing)?;
                let stored = tensor.f_kind().map_err(|error| error.to_string())?;
                if !matches!(stored, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double) {
                    return Err(format!("tensor '{name}' has dtype {stored:?}, a float is needed"));
                }
                (tensor.size(), stored, Err(tensor))
            }
        };
        if found != shape {
            return Err(format!("tensor '{name}' has shape {found:?}, the architecture needs {shape:?}"));
        }
        Ok(move || match data {
            Ok(view) => {
                let tensor = Tensor::f_from_data_size(view.data(), &found, stored)?;
                self.give_back(view.data());
                Ok(tensor)
            }
            Err(tensor) => Ok(tensor.f_detach()?),
        })
    }
}

impl Weights<'_> {
    /// Tells the system that these bytes of the file need not stay in memory.
    fn give_back(&self, bytes: &[u8]) {
        let Some(file) = self.mapped else { return };
        let offset = bytes.as_ptr() as usize - file.as_ptr() as usize;
        // SAFETY: a mapping of a file that is never written: pages that are asked for again are read from it again.
        let advised = unsafe { file.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, bytes.len()) };
        if let Err(error) = advised {
            tracing::debug!("{}: pages are not given back: {error}", self.path.display());
        }
    }
}

/// A tensor of this shape that takes the memory of one number.
fn placeholder(shape: &[i64]) -> Result<Tensor> {
    Ok(Tensor::f_zeros([1], (Kind::Float, Device::Cpu))?.f_expand(shape, false)?)
}

/// The same values in channels-last memory order: `contiguous(memory_format=channels_last)`, which tch has no name for.
pub(crate) fn channels_last(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?)
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

    /// The child `name`, or `old` where the file only has a weight of that name.
    pub fn either(&self, name: &str, old: &str) -> Self {
        if !self.child(name).contains("weight") && self.child(old).contains("weight") {
            self.child(old)
        } else {
            self.child(name)
        }
    }

    /// Whether the file has a tensor of this name in this scope.
    pub fn contains(&self, name: &str) -> bool {
        self.weights.contains(&format!("{}{name}", self.prefix))
    }

    /// Leaves out a tensor that the file may have and no computation needs.
    pub fn ignore(&self, name: &str) {
        self.weights.taken.borrow_mut().insert(format!("{}{name}", self.prefix), Vec::new());
    }

    /// Where and in what the network computes.
    pub(crate) fn loading(&self) -> Loading {
        self.weights.loading
    }

    /// An error about the file these weights come from.
    pub(crate) fn error(&self, reason: String) -> Error {
        self.weights.error(reason)
    }

    /// The tensor `name` of this scope, of exactly this shape.
    pub fn tensor(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        self.weights.take(&format!("{}{name}", self.prefix), shape)
    }

    /// As [`Scope::tensor`], the kernel of a convolution in channels-last memory order: the one in which oneDNN and cuDNN
    /// convolve without reordering.
    pub(crate) fn kernel(&self, name: &str, shape: [i64; 4]) -> Result<Tensor> {
        let kernel = self.tensor(name, &shape)?;
        if self.weights.loading.check_only { Ok(kernel) } else { channels_last(&kernel) }
    }
}
