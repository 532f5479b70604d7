//! The tensors of files of weights, looked up by name and checked for shape and number format.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use memmap2::{Mmap, UncheckedAdvice};
use tch::{Device, Kind, Tensor};

use super::lora::{Lora, Updates};
use super::names::{Form, Names, OwnNames, Place};
use super::stored::{self, Stored};
use crate::{Error, Result};

/// Use of the tensors of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loading {
    /// Where the network will compute.
    pub device: Device,
    /// In what it will compute.
    pub kind: Kind,
    /// True where only names, shapes and number formats are compared with the architecture. The network then holds no
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

/// A memory-mapped file of weights.
pub struct MappedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its content, never written.
    pub content: Mmap,
}

/// The tensors of a network, from one file or several, converted to one kind on one device as they are taken.
pub struct Weights<'a> {
    /// By their names in the file, with the mapping that they lie in.
    tensors: BTreeMap<String, (Stored<'a>, Option<&'a Mmap>)>,
    names: Box<dyn Names + 'a>,
    /// Prefix of all names of this network in the file.
    prefix: String,
    /// Added to the weights.
    updates: Vec<Updates<'a>>,
    /// The file, or the index of the files.
    path: PathBuf,
    loading: Loading,
    /// Shapes that were asked for, by the network's names; empty where a tensor is left out.
    taken: RefCell<BTreeMap<String, Vec<i64>>>,
    /// Names in the file that belong to the network.
    known: RefCell<BTreeSet<String>>,
    /// Problems found so far, where it does not end the loading.
    problems: RefCell<Vec<String>>,
}

/// More problems than this say no more.
const MOST_PROBLEMS: usize = 20;

impl<'a> Weights<'a> {
    /// Of a file in memory, safetensors or what `torch.save` wrote; `path` only names it in errors.
    ///
    /// # Errors
    /// [`Error::Model`] with the file, and the tensor where it is one.
    pub fn new(bytes: &'a [u8], path: &Path, loading: Loading) -> Result<Self> {
        let mut weights = Self::empty(path, loading);
        weights.add(bytes, None, path)?;
        Ok(weights)
    }

    /// As [`Weights::new`], of memory-mapped files whose tensors are one network's. Pages are given back once they are
    /// tensors: they would otherwise be in memory twice. `path` names what is missing in all of them.
    ///
    /// # Errors
    /// As [`Weights::new`]; a tensor that two files have.
    pub fn mapped(files: &'a [MappedFile], path: &Path, loading: Loading) -> Result<Self> {
        let mut weights = Self::empty(path, loading);
        for file in files {
            weights.add(&file.content, Some(&file.content), &file.path)?;
        }
        Ok(weights)
    }

    fn empty(path: &Path, loading: Loading) -> Self {
        Self {
            tensors: BTreeMap::new(),
            names: Box::new(OwnNames),
            prefix: String::new(),
            updates: Vec::new(),
            path: path.to_owned(),
            loading,
            taken: RefCell::default(),
            known: RefCell::default(),
            problems: RefCell::default(),
        }
    }

    fn add(&mut self, bytes: &'a [u8], mapped: Option<&'a Mmap>, path: &Path) -> Result<()> {
        let error = |reason| Error::Model { path: path.to_owned(), reason };
        for (name, stored) in stored::read(bytes).map_err(error)? {
            if self.tensors.contains_key(&name) {
                return Err(error(format!("tensor '{name}' is in another file of this model too")));
            }
            self.tensors.insert(name, (stored, mapped));
        }
        Ok(())
    }

    /// The same for a network whose tensors have these names in the file, after the first of `prefixes` that any name
    /// there begins with. Other tensors belong to other networks.
    ///
    /// Files of models that were trained on several GPUs have `module.` before all names.
    #[must_use]
    pub fn named(self, names: impl Names + 'a, prefixes: &[&str]) -> Self {
        const PARALLEL: &str = "module.";
        let all = self.tensors.keys().all(|name| name.starts_with(PARALLEL));
        let common = if all && !self.tensors.is_empty() { PARALLEL } else { "" };
        let begins = |prefix: &String| self.tensors.keys().any(|name| name.starts_with(prefix));
        let mut prefixes = prefixes.iter().map(|prefix| format!("{common}{prefix}"));
        let first = prefixes.clone().next().unwrap_or_else(|| common.to_owned());
        let prefix = prefixes.find(begins).unwrap_or(first);
        Self { names: Box::new(names), prefix, ..self }
    }

    /// The same with all tensors whose names contain `part` taken from other files.
    ///
    /// # Errors
    /// As [`Weights::new`].
    pub fn with_part(mut self, files: &'a [MappedFile], part: &str) -> Result<Self> {
        self.tensors.retain(|name, _| !name.contains(part));
        for file in files {
            let error = |reason| Error::Model { path: file.path.clone(), reason };
            let own = stored::read(&file.content).map_err(error)?.into_iter().filter(|(name, _)| name.contains(part));
            self.tensors.extend(own.map(|(name, stored)| (name, (stored, Some(&file.content)))));
        }
        Ok(self)
    }

    /// The same with the low-rank updates of a file in memory added to them; `path` names it in errors.
    ///
    /// # Errors
    /// [`Error::Model`] with that file.
    pub fn with_lora(mut self, bytes: &'a [u8], path: &Path, lora: Lora<'a>) -> Result<Self> {
        self.updates.push(Updates::new(bytes, path, lora)?);
        Ok(self)
    }

    /// Bytes of the network's tensors in the file.
    pub fn bytes(&self) -> u64 {
        self.own().map(|(_, stored)| stored.bytes.len() as u64).sum()
    }

    /// The network's tensors, by their names in the file.
    fn own(&self) -> impl Iterator<Item = (&str, &Stored<'a>)> {
        let own = self.tensors.iter().filter(|(name, _)| name.starts_with(&self.prefix));
        own.map(|(name, (stored, _))| (&name[..], stored))
    }

    /// Names and shapes of the network's tensors, as the file has them.
    pub fn shapes(&self) -> BTreeMap<String, Vec<i64>> {
        self.own().map(|(name, stored)| (name.to_owned(), stored.shape.clone())).collect()
    }

    /// Where the network's tensor `name` is.
    fn place(&self, name: &str) -> Place {
        let place = self.names.place(name);
        Place { name: format!("{}{}", self.prefix, place.name), ..place }
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
        let known = self.known.borrow();
        let ignored = |name: &str| self.names.ignores(name.strip_prefix(&self.prefix).unwrap_or(name));
        let extra: Vec<&str> =
            self.own().map(|(name, _)| name).filter(|name| !known.contains(*name) && !ignored(name)).collect();
        let mut problems = self.problems.borrow().clone();
        problems.extend(self.updates.iter().flat_map(Updates::problems));
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
        self.tensors.contains_key(&self.place(name).name)
    }

    fn take(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        self.taken.borrow_mut().insert(name.to_owned(), shape.to_vec());
        let place = self.place(name);
        self.known.borrow_mut().insert(place.name.clone());
        match self.find(&place, shape) {
            Ok(_) if self.loading.check_only => {
                let problems = self.updates.iter().filter_map(|updates| updates.check(name, shape).err());
                self.problems.borrow_mut().extend(problems);
                placeholder(shape)
            }
            Ok((stored, kind, mapped)) => {
                let mut tensor = match place.form {
                    Form::Same => stored.tensor(kind)?,
                    Form::Part(part, count) => stored.tensor(kind)?.f_chunk(count, 0)?.swap_remove(part as usize),
                    Form::Kernel => stored.tensor(kind)?.f_reshape(shape)?,
                };
                for updates in &self.updates {
                    tensor = updates.merge(name, shape, tensor)?;
                }
                let tensor = tensor.f_to_kind(self.loading.kind)?.f_to_device(self.loading.device)?;
                self.give_back(stored.bytes, mapped);
                Ok(tensor)
            }
            Err(problem) if self.loading.check_only => {
                let mut problems = self.problems.borrow_mut();
                // One tensor of the file may be several of the network.
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
                placeholder(shape)
            }
            Err(problem) => Err(self.error(problem)),
        }
    }

    /// The tensor in this place, its number format and its mapping, once both fit.
    fn find(&self, place: &Place, shape: &[i64]) -> std::result::Result<(&Stored<'a>, Kind, Option<&'a Mmap>), String> {
        let name = &place.name;
        let (stored, mapped) = self.tensors.get(name).ok_or_else(|| format!("tensor '{name}' is missing"))?;
        let kind = match &stored.kind {
            Ok(kind) => *kind,
            Err(other) => return Err(format!("tensor '{name}' has dtype {other}, a float is needed")),
        };
        let mut needed = shape.to_vec();
        match (place.form, needed.first_mut()) {
            (Form::Part(_, count), Some(first)) => *first *= count,
            (Form::Kernel, _) if stored.shape.len() == shape.len() + 2 => needed.extend([1, 1]),
            _ => {}
        }
        let found = &stored.shape;
        if *found != needed {
            return Err(format!("tensor '{name}' has shape {found:?}, the architecture needs {needed:?}"));
        }
        Ok((stored, kind, *mapped))
    }

    /// Tells the system that these bytes of a file need not stay in memory.
    fn give_back(&self, bytes: &[u8], mapped: Option<&Mmap>) {
        let Some(file) = mapped else { return };
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

/// The same values in the memory order in which convolutions are fast: channels-last
/// (`contiguous(memory_format=channels_last)`, which tch has no name for), since oneDNN and cuDNN convolve it without
/// reordering. In f32 on a GPU it is the order of planes: there cuDNN's kernels of channels-last need TF32, and what it
/// takes without them needed 21 GiB of workspace and five times the time (docs/performance.md).
pub(crate) fn convolution_order(x: &Tensor) -> Result<Tensor> {
    if x.device() != Device::Cpu && x.kind() == Kind::Float {
        return Ok(x.f_contiguous()?);
    }
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

    /// True where the file has a tensor of this name in this scope.
    pub fn contains(&self, name: &str) -> bool {
        self.weights.contains(&format!("{}{name}", self.prefix))
    }

    /// Leaves out a tensor that the file may have and no computation needs.
    pub fn ignore(&self, name: &str) {
        let name = format!("{}{name}", self.prefix);
        self.weights.known.borrow_mut().insert(self.weights.place(&name).name);
        self.weights.taken.borrow_mut().insert(name, Vec::new());
    }

    /// Leaves out whatever the file has in this scope, of a network under its own names.
    pub fn ignore_all(&self) {
        let prefix = self.weights.place(&self.prefix).name;
        let own = self.weights.own().map(|(name, _)| name).filter(|name| name.starts_with(&prefix));
        self.weights.known.borrow_mut().extend(own.map(str::to_owned));
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

    /// As [`Scope::tensor`], the kernel of a convolution in [`convolution_order`].
    pub(crate) fn kernel(&self, name: &str, shape: [i64; 4]) -> Result<Tensor> {
        let kernel = self.tensor(name, &shape)?;
        if self.weights.loading.check_only { Ok(kernel) } else { convolution_order(&kernel) }
    }
}
