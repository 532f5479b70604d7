//! The two kinds of files that `torch.save` writes: where the pickle is, and where the numbers are.

use std::collections::HashMap;

use rawzip::{CompressionMethod, ZipArchive};

use super::machine::{self, Id, Values};
use super::tensor::Storage;

/// A file that `torch.save` wrote.
pub(super) struct Container<'a> {
    pub values: Values<'a>,
    /// The object that was saved.
    pub root: Id,
    pub storages: Storages<'a>,
}

/// The bytes of each storage, by its key.
pub(super) struct Storages<'a>(HashMap<String, &'a [u8]>);

impl<'a> Storages<'a> {
    pub fn get(&self, storage: &Storage) -> Result<&'a [u8], String> {
        let missing = || format!("its storage '{}' is missing; fetch the file again", storage.key);
        self.0.get(storage.key).copied().ok_or_else(missing)
    }
}

/// A file of an archive.
struct Part<'a> {
    name: String,
    /// Neither compressed nor encrypted.
    stored: bool,
    content: &'a [u8],
    /// CRC-32.
    sum: u32,
}

impl<'a> Part<'a> {
    fn plain(&self) -> Result<&'a [u8], String> {
        let name = &self.name;
        let wrong =
            || format!("its part '{name}' is compressed, which torch.save never does; save it again with torch");
        self.stored.then_some(self.content).ok_or_else(wrong)
    }
}

/// The first object of a file of torch before 1.6, as a pickle.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

impl<'a> Container<'a> {
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.starts_with(b"PK") { Self::of_zip(bytes) } else { Self::legacy(bytes) }
    }

    fn of_zip(bytes: &'a [u8]) -> Result<Self, String> {
        let broken = |error: &dyn std::fmt::Display| {
            format!("it is a zip archive that cannot be read, or not all of one ({error}); fetch it again")
        };
        let archive = ZipArchive::from_slice(bytes).map_err(|error| broken(&error))?;
        let mut parts = Vec::new();
        let mut entries = archive.entries();
        while let Some(entry) = entries.next_entry().map_err(|error| broken(&error))? {
            let name = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
            let stored = entry.compression_method() == CompressionMethod::STORE && !entry.flags().is_encrypted();
            let (start, end) =
                archive.get_entry(entry.wayfinder()).map_err(|error| broken(&error))?.compressed_data_range();
            let content = bytes.get(start as usize..end as usize).unwrap_or_default();
            parts.push(Part { name, stored, content, sum: entry.crc32() });
        }
        let pickles: Vec<&str> = parts.iter().filter_map(|part| part.name.strip_suffix("data.pkl")).collect();
        let &[folder] = &pickles[..] else {
            return Err(
                "it is a zip archive, but not one of torch.save: there is not one file data.pkl in it".to_owned()
            );
        };
        let mut pickle: &[u8] = &[];
        let mut storages = HashMap::new();
        for part in &parts {
            let Some(name) = part.name.strip_prefix(folder) else { continue };
            match (name, name.strip_prefix("data/")) {
                ("constants.pkl", _) => {
                    return Err("it is a TorchScript file: its backbone is 'torchscript'".to_owned());
                }
                ("byteorder", _) if part.content != b"little" => return Err("its numbers are big-endian".to_owned()),
                // What describes the tensors must be whole.
                ("data.pkl", _) if crc32fast::hash(part.content) != part.sum => {
                    return Err(broken(&"the checksum of data.pkl is another"));
                }
                ("data.pkl", _) => pickle = part.plain()?,
                (_, Some(key)) => drop(storages.insert(key.to_owned(), part.plain()?)),
                _ => {}
            }
        }
        let (values, root, _) = machine::run(pickle)?;
        Ok(Self { values, root, storages: Storages(storages) })
    }

    /// A magic number, a version, a description of the machine, the object, the keys of its storages in order: a pickle
    /// each. Then the storages, each after its number of elements.
    fn legacy(bytes: &'a [u8]) -> Result<Self, String> {
        let start = if bytes.get(..2) == Some(b"\x80\x02") { 2 } else { 0 };
        let Some(rest) = bytes.get(start..).and_then(|rest| rest.strip_prefix(MAGIC)) else {
            return Err(match machine::run(bytes) {
                Ok((values, root, _)) => {
                    format!("it is a pickle, but not one of torch.save: it holds {}", values.describe(root))
                }
                Err(reason) => reason,
            });
        };
        let (_, _, rest) = machine::run(rest)?;
        let (_, _, rest) = machine::run(rest)?;
        let (values, root, rest) = machine::run(rest)?;
        let (names, keys, mut rest) = machine::run(rest)?;
        let sizes: HashMap<&str, usize> = values.storages().map(|storage| (storage.key, storage.dtype.size)).collect();
        let mut storages = HashMap::new();
        for key in names.list(keys).unwrap_or_default() {
            let key = names.text(*key).ok_or("the list of its storages is broken; fetch it again")?;
            let cut = || format!("its storage '{key}' is cut off; fetch the file again");
            let (count, after) = rest.split_first_chunk().ok_or_else(cut)?;
            let size = sizes.get(key).ok_or_else(|| format!("its storage '{key}' is of no tensor"))?;
            let length = usize::try_from(i64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(*size));
            let (content, after) = length.and_then(|length| after.split_at_checked(length)).ok_or_else(cut)?;
            storages.insert(key.to_owned(), content);
            rest = after;
        }
        Ok(Self { values, root, storages: Storages(storages) })
    }
}
