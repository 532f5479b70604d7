//! Tensors of files that `torch.save` wrote (`.pth`, `.pt`, `.ckpt`, `.bin`), read without running anything: a zip archive
//! since torch 1.6 (torch: torch/serialization.py `_save`), a sequence of pickles before (`_legacy_save`).
//!
//! A state dictionary may be the whole file or stand in it under the name that training frameworks give it, beside whatever
//! else they store. Only its tensors are looked at; they stay where they are in the file until a layer takes them.

mod container;
mod globals;
mod machine;
mod tensor;

use std::collections::BTreeMap;

use container::{Container, Storages};
use machine::{Id, Value, Values};

use super::stored::Stored;

/// True where a file begins as one that `torch.save` wrote.
pub(crate) fn is_pickle(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK") || bytes.starts_with(&[0x80])
}

/// All tensors of the state dictionary in a file, by name; the error says what is wrong, with the tensor where it is one.
pub(crate) fn read(bytes: &[u8]) -> Result<BTreeMap<String, Stored<'_>>, String> {
    let Container { values, root, storages } = Container::open(bytes)?;
    let mut tensors = BTreeMap::new();
    for (name, value) in state_dict(&values, root)? {
        if let Some(stored) =
            stored(&values, &storages, value).map_err(|reason| format!("tensor '{name}': {reason}"))?
        {
            tensors.insert(name.to_owned(), stored);
        }
    }
    Ok(tensors)
}

/// Under these names training frameworks store a state dictionary, the preferred first: BasicSR the averaged one and the
/// other, Lightning, and the authors of many models.
const NESTED: &[&str] = &["params_ema", "params", "state_dict", "model"];

/// Names and values of the state dictionary.
fn state_dict<'a>(values: &Values<'a>, root: Id) -> Result<Vec<(&'a str, Id)>, String> {
    let Some(entries) = entries(values, root) else {
        return Err(format!(
            "it holds {}, not a dictionary of tensors; in Python, save what its state_dict() gives",
            values.describe(root)
        ));
    };
    let nested = NESTED.iter().filter_map(|wanted| entries.iter().rfind(|(name, _)| name == wanted));
    let nested = nested.filter_map(|(_, value)| self::entries(values, *value));
    let mut candidates = nested.chain([entries.clone()]);
    candidates
        .find(|entries| entries.iter().any(|(_, value)| matches!(values.get(*value), Value::Tensor(_))))
        .ok_or_else(|| {
            let names: Vec<_> = entries.iter().take(8).map(|(name, _)| format!("'{name}'")).collect();
            format!("there are no tensors in it, nor under {}; it holds {}", NESTED.join(", "), names.join(", "))
        })
}

/// The entries of a dictionary whose keys are texts.
fn entries<'a>(values: &Values<'a>, id: Id) -> Option<Vec<(&'a str, Id)>> {
    let Value::Dictionary(pairs) = values.get(id) else { return None };
    Some(pairs.iter().filter_map(|(key, value)| Some((values.text(*key)?, *value))).collect())
}

/// An entry of a state dictionary; `None` for a number, a text or another thing without weights.
fn stored<'a>(values: &Values<'a>, storages: &Storages<'a>, id: Id) -> Result<Option<Stored<'a>>, String> {
    let tensor = match values.get(id) {
        Value::Tensor(tensor) => tensor.as_ref().map_err(Clone::clone)?,
        // Quantised and sparse tensors and other descriptions that only torch can follow.
        Value::Opaque(class) if class.starts_with("torch._utils.") || class.starts_with("torch._tensor.") => {
            return Err(format!("{class} makes no plain tensor"));
        }
        _ => return Ok(None),
    };
    let size = tensor.storage.dtype.size as u64;
    let bytes = storages.get(&tensor.storage)?;
    let range = |elements: u64| usize::try_from(elements.checked_mul(size)?).ok();
    let bytes = range(tensor.offset)
        .zip(range(tensor.offset + tensor.extent))
        .and_then(|(start, end)| bytes.get(start..end))
        .ok_or("its storage is shorter than the file says; fetch the file again")?;
    Ok(Some(Stored {
        kind: tensor.storage.dtype.kind.map_err(str::to_owned),
        shape: tensor.shape.clone(),
        strides: (!tensor.is_contiguous()).then(|| tensor.strides.clone()),
        bytes,
    }))
}
