//! Low-rank updates of weights (LoRA, Hu et al., arXiv 2106.09685), merged as the weights are taken:
//! `W + scale · alpha / r · B · A`. So they cost nothing when the network runs.
//!
//! Layouts of names: peft and diffusers (`….lora_A.weight`, `….lora.down.weight`, and of attention processors
//! `….processor.to_q_lora.down.weight`), and loralib (`….lora_A`), as DAPE of SeeSR has it (cswry/SeeSR 8edecc7:
//! ram/models/swin_transformer_lora.py, ram/models/bert_lora.py).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};

use super::stored::{self, Stored};
use crate::{Error, Result};

/// Scale and names of the updates in a file.
#[derive(Debug, Clone, Copy)]
pub struct Lora<'a> {
    /// Share of the update that is added, 1 for all.
    pub scale: f64,
    /// Numerator of `alpha / r` where the file has none; `None` stands for the rank `r` itself.
    pub alpha: Option<f64>,
    /// Beginnings of this network's names in the file: the first that any does counts. Other names belong to other
    /// networks.
    pub prefixes: &'a [&'a str],
    /// In layers that are several linear layers in one (loralib: `MergedLinear`): which of them are updated.
    pub merged: &'a [bool],
    /// Layers under these names, without prefix, that the network has not and does not need.
    pub ignored: &'a [&'a str],
    /// Beginnings of names in the network, and what the file has for them.
    pub renamed: &'a [(&'a str, &'a str)],
}

impl Default for Lora<'_> {
    fn default() -> Self {
        Self { scale: 1.0, alpha: None, prefixes: &[""], merged: &[], ignored: &[], renamed: &[] }
    }
}

/// The updates of a file, by the names of the weights.
pub(super) struct Updates<'a> {
    path: PathBuf,
    lora: Lora<'a>,
    updates: BTreeMap<String, Update<'a>>,
    used: RefCell<BTreeSet<String>>,
}

/// `B · A`.
#[derive(Default)]
struct Update<'a> {
    /// A name in the file, for messages.
    name: String,
    down: Option<Stored<'a>>,
    up: Option<Stored<'a>>,
    alpha: Option<Stored<'a>>,
}

#[derive(Clone, Copy)]
enum Role {
    Down,
    Up,
    Alpha,
}

/// Ends of names, longest first where one ends another.
const ENDS: &[(&str, Role)] = &[
    (".lora_A.default.weight", Role::Down),
    (".lora_B.default.weight", Role::Up),
    (".lora_A.weight", Role::Down),
    (".lora_B.weight", Role::Up),
    (".lora.down.weight", Role::Down),
    (".lora.up.weight", Role::Up),
    ("_lora.down.weight", Role::Down),
    ("_lora.up.weight", Role::Up),
    (".lora_down.weight", Role::Down),
    (".lora_up.weight", Role::Up),
    (".lora_A", Role::Down),
    (".lora_B", Role::Up),
    (".lora.alpha", Role::Alpha),
    ("_lora.alpha", Role::Alpha),
    (".alpha", Role::Alpha),
];

/// The layer and the part of its update that a name means.
fn parse(name: &str) -> Option<(String, Role)> {
    let (layer, role) = ENDS.iter().find_map(|(end, role)| Some((name.strip_suffix(end)?, *role)))?;
    // Attention processors speak of the projections of their attention.
    let layer = layer.replace(".processor.", ".");
    let output = name.contains(".processor.") && layer.ends_with(".to_out");
    Some((if output { format!("{layer}.0") } else { layer }, role))
}

impl<'a> Updates<'a> {
    /// Of a file in memory, of any format that weights have.
    pub fn new(bytes: &'a [u8], path: &Path, lora: Lora<'a>) -> Result<Self> {
        let error = |reason| Error::Model { path: path.to_owned(), reason };
        let tensors = stored::read(bytes).map_err(error)?;
        let begins = |prefix: &&&str| tensors.keys().any(|name| name.starts_with(**prefix));
        let prefix = lora.prefixes.iter().find(begins).copied().unwrap_or_default();
        let mut updates: BTreeMap<String, Update> = BTreeMap::new();
        for (name, tensor) in tensors {
            let Some(own) = name.strip_prefix(prefix) else { continue };
            let (layer, role) =
                parse(own).ok_or_else(|| error(format!("tensor '{name}' is not of a low-rank update (LoRA)")))?;
            if lora.ignored.iter().any(|ignored| layer.starts_with(ignored)) {
                continue;
            }
            let update = updates.entry(format!("{layer}.weight")).or_default();
            match role {
                Role::Down => update.down = Some(tensor),
                Role::Up => update.up = Some(tensor),
                Role::Alpha => update.alpha = Some(tensor),
            }
            update.name = name;
        }
        if updates.is_empty() {
            return Err(error("there are no low-rank updates (LoRA) of this network in it".to_owned()));
        }
        Ok(Self { path: path.to_owned(), lora, updates, used: RefCell::default() })
    }

    /// The update of the weight `name`, marked as used.
    fn of(&self, name: &str) -> Option<&Update<'a>> {
        let others = self
            .lora
            .renamed
            .iter()
            .filter_map(|(network, file)| name.strip_prefix(network).map(|rest| format!("{file}{rest}")));
        let (name, update) =
            std::iter::once(name.to_owned()).chain(others).find_map(|name| self.updates.get_key_value(&name))?;
        self.used.borrow_mut().insert(name.clone());
        Some(update)
    }

    /// The weight `name`, of this shape, with its update, where there is one. The error says which does not fit.
    pub fn merge(&self, name: &str, shape: &[i64], weight: Tensor) -> Result<Tensor> {
        let Some(update) = self.of(name) else { return Ok(weight) };
        let delta = self.delta(update, shape)?;
        Ok(weight.f_to_kind(Kind::Float)?.f_add(&delta)?)
    }

    /// As [`Self::merge`] of names and shapes only.
    pub fn check(&self, name: &str, shape: &[i64]) -> std::result::Result<(), String> {
        let Some(update) = self.of(name) else { return Ok(()) };
        update.fit(shape, self.lora.merged).map(drop).map_err(|reason| format!("{}: {reason}", self.path.display()))
    }

    fn delta(&self, update: &Update, shape: &[i64]) -> Result<Tensor> {
        let error = |reason| Error::Model { path: self.path.clone(), reason };
        let Fit { down, up, rank, groups, whole } = update.fit(shape, self.lora.merged).map_err(error)?;
        let alpha = match &update.alpha {
            Some(alpha) => Some(alpha.tensor(update.kind(alpha).map_err(error)?)?.f_double_value(&[])?),
            None => self.lora.alpha,
        };
        let scale = self.lora.scale * alpha.map_or(1.0, |alpha| alpha / rank as f64);
        let matrix = |stored: &Stored| -> Result<Tensor> {
            let tensor = stored.tensor(update.kind(stored).map_err(error)?)?.f_to_kind(Kind::Float)?;
            Ok(tensor.f_reshape([groups, stored.shape[0] / groups, -1])?)
        };
        let products = matrix(up)?.f_matmul(&matrix(down)?)?.f_mul_scalar(scale)?;
        if whole {
            return Ok(products.f_reshape(shape)?);
        }
        // The parts that are not updated stay as they are.
        let mut products = products.f_unbind(0)?.into_iter();
        let mut parts = Vec::new();
        for updated in self.lora.merged {
            let rows = shape[0] / self.lora.merged.len() as i64;
            let columns = shape[1..].iter().product::<i64>();
            let part = if *updated { products.next() } else { None };
            let zeros = || Tensor::f_zeros([rows, columns], (Kind::Float, tch::Device::Cpu));
            parts.push(part.map_or_else(zeros, Ok)?);
        }
        Ok(Tensor::f_cat(&parts, 0)?.f_reshape(shape)?)
    }

    /// Problems of the file, known once a network has taken all of its weights.
    pub fn problems(&self) -> Vec<String> {
        let used = self.used.borrow();
        let unused = self.updates.iter().filter(|(name, _)| !used.contains(*name));
        let path = self.path.display();
        unused
            .map(|(_, update)| format!("{path}: the update '{}' meets no layer of the network", update.name))
            .collect()
    }
}

/// An update that fits its weight.
struct Fit<'u, 'a> {
    down: &'u Stored<'a>,
    up: &'u Stored<'a>,
    rank: i64,
    /// Linear layers that are updated, of those that the weight is made of.
    groups: i64,
    /// True where the weight is that of one linear layer.
    whole: bool,
}

impl<'a> Update<'a> {
    fn fit(&self, shape: &[i64], merged: &[bool]) -> std::result::Result<Fit<'_, 'a>, String> {
        let name = &self.name;
        let (Some(down), Some(up)) = (&self.down, &self.up) else {
            return Err(format!("one half of the update '{name}' is missing"));
        };
        let wrong = || {
            let (down, up) = (&down.shape, &up.shape);
            Err(format!("the update '{name}' of {up:?} by {down:?} does not fit a weight of {shape:?}"))
        };
        let count = |shape: &[i64]| shape.iter().try_fold(1i64, |product, side| product.checked_mul(*side));
        let (&[down_rows, ..], &[up_rows, rank, ref behind @ ..], &[rows, ref columns @ ..]) =
            (&down.shape[..], &up.shape[..], shape)
        else {
            return wrong();
        };
        let whole = (down_rows, up_rows) == (rank, rows);
        let (groups, parts) =
            if whole { (1, 1) } else { (merged.iter().filter(|part| **part).count() as i64, merged.len() as i64) };
        let fits = rank > 0
            && groups > 0
            && Some(down_rows) == rank.checked_mul(groups)
            && rows % parts == 0
            && up_rows == rows / parts * groups
            && count(&down.shape[1..]) == count(columns)
            && behind.iter().all(|side| *side == 1);
        if !fits {
            return wrong();
        }
        for stored in [down, up].into_iter().chain(&self.alpha) {
            self.kind(stored)?;
        }
        Ok(Fit { down, up, rank, groups, whole })
    }

    fn kind(&self, stored: &Stored) -> std::result::Result<Kind, String> {
        stored.kind.clone().map_err(|other| format!("the update '{}' has dtype {other}, a float is needed", self.name))
    }
}
