//! The files of a model: a folder, or the ones compiled into the library.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use serde::de::DeserializeOwned;

use super::sums::{self, Memory};
use crate::nn::names::{Names, OwnNames};
use crate::nn::{Loading, Lora, MappedFile, NetworkConfig, Scope, Weights};
use crate::{Error, Result, memory};

/// A file compiled into the library: relative path and content.
pub type BuiltInFile = (&'static str, &'static [u8]);

/// Where a model's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFiles {
    /// Compiled into the library.
    BuiltIn(&'static [BuiltInFile]),
    /// A folder.
    Folder(PathBuf),
    /// A folder whose files may also lie in folders of it.
    Tree(Tree),
}

/// A folder whose files may also lie in folders of it, or of which only the names are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    folder: PathBuf,
    /// Paths within, the preferred first; "" is the folder itself.
    places: &'static [&'static str],
    /// Names of all files, where not all of them are here.
    listed: Option<Arc<BTreeSet<String>>>,
}

impl Tree {
    fn has(&self, name: &str) -> bool {
        self.listed.as_ref().map_or_else(|| self.folder.join(name).is_file(), |listed| listed.contains(name))
    }

    /// The name of a file within the folder, by that in a model.
    fn resolve(&self, name: &str) -> Option<String> {
        let names = self.places.iter().map(|place| match *place {
            "" => name.to_owned(),
            place => format!("{place}/{name}"),
        });
        names.into_iter().find(|name| self.has(name))
    }
}

/// The names under which diffusers stores the weights of a component, the preferred first.
pub(crate) const DIFFUSERS_WEIGHTS: &[&str] = &[
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.bin",
    "diffusion_pytorch_model.bin.index.json",
    "diffusion_pytorch_model.fp16.bin",
];

/// The names under which transformers does.
pub(crate) const TRANSFORMERS_WEIGHTS: &[&str] = &[
    "model.safetensors",
    "model.safetensors.index.json",
    "model.fp16.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "pytorch_model.fp16.bin",
];

/// Extensions of files of weights, the preferred first.
const EXTENSIONS: &[&str] = &["safetensors", "pth", "pt", "ckpt", "bin"];

/// Far beyond any configuration or vocabulary.
const LARGEST_TEXT: u64 = 64 << 20;

/// Both, or what is wrong with either: who repairs a model wants to know all of it.
pub(crate) fn both<A, B>(first: Result<A>, second: Result<B>) -> Result<(A, B)> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(first), Err(second)) => Err(Error::Both(Box::new(first), Box::new(second))),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

impl ModelFiles {
    /// The files of a folder of which only the names are known, and some that are there already.
    pub fn listed(folder: &Path, names: BTreeSet<String>) -> Self {
        Self::Tree(Tree { folder: folder.to_owned(), places: &[""], listed: Some(Arc::new(names)) })
    }

    /// The same where files may also lie in these folders within, the preferred first.
    pub(crate) fn within(&self, places: &'static [&'static str]) -> Self {
        match self {
            Self::BuiltIn(_) => self.clone(),
            Self::Folder(folder) => Self::Tree(Tree { folder: folder.clone(), places, listed: None }),
            Self::Tree(tree) => Self::Tree(Tree { places, ..tree.clone() }),
        }
    }

    /// The name of a file in the folder, by that in the model: where it lies; `None` where there is none.
    pub(crate) fn resolve(&self, name: &str) -> Option<String> {
        match self {
            Self::Tree(tree) => tree.resolve(name),
            _ => self.contains(name).then(|| name.to_owned()),
        }
    }

    /// The path of a file; with no name, that of a model that is one file.
    pub fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::BuiltIn(_) => Path::new("(built-in)").join(name),
            Self::Folder(file) | Self::Tree(Tree { folder: file, .. }) if name.is_empty() => file.clone(),
            Self::Folder(folder) => folder.join(name),
            Self::Tree(tree) => tree.folder.join(tree.resolve(name).unwrap_or_else(|| name.to_owned())),
        }
    }

    /// An error about a file.
    pub(crate) fn error(&self, name: &str, reason: String) -> Error {
        Error::Model { path: self.path(name), reason }
    }

    /// True where there is such a file.
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::BuiltIn(files) => files.iter().any(|(path, _)| *path == name),
            Self::Folder(folder) => folder.join(name).is_file(),
            Self::Tree(tree) => tree.resolve(name).is_some(),
        }
    }

    /// The first file of weights with one of these names, in any of the formats that they come in.
    pub(crate) fn find(&self, stems: &[&str]) -> Option<String> {
        let names = stems.iter().flat_map(|stem| EXTENSIONS.iter().map(move |extension| format!("{stem}.{extension}")));
        names.into_iter().find(|name| self.contains(name))
    }

    /// The content of a text file: a configuration, a vocabulary.
    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>> {
        if let Self::BuiltIn(_) = self {
            return self.built_in(name).map(Cow::Borrowed);
        }
        let path = self.path(name);
        let wrong = |error: std::io::Error| self.error(name, format!("cannot be read: {error}"));
        // A device or a pipe may never end.
        let metadata = std::fs::metadata(&path).map_err(wrong)?;
        if !metadata.is_file() || metadata.len() > LARGEST_TEXT {
            return Err(self.error(name, format!("not a file of at most {} MiB", LARGEST_TEXT >> 20)));
        }
        std::fs::read(&path).map(Cow::Owned).map_err(wrong)
    }

    fn built_in(&self, name: &str) -> Result<&'static [u8]> {
        let Self::BuiltIn(files) = self else { return Err(self.error(name, "no such file".to_owned())) };
        let file = files.iter().find(|(path, _)| *path == name);
        file.map(|(_, content)| *content).ok_or_else(|| self.error(name, "no such file".to_owned()))
    }

    /// SHA-256 of a file of any size, in lower-case hexadecimal digits.
    pub fn sha256(&self, name: &str, memory: Memory) -> Result<String> {
        match self {
            Self::BuiltIn(_) => self.built_in(name).map(sums::of_bytes),
            Self::Folder(_) | Self::Tree(_) => sums::of_file(&self.path(name), memory),
        }
    }

    /// The content of a JSON file.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_slice(&self.read(name)?).map_err(|error| self.error(name, error.to_string()))
    }

    /// The network in the folder `component`: its `config.json`, and its weights by one of these `names`.
    pub(crate) fn network<C: NetworkConfig, N>(
        &self,
        component: &str,
        names: &[&str],
        loading: Loading,
        build: impl FnOnce(&Scope, &C) -> Result<N>,
    ) -> Result<(C, N)> {
        let config_name = format!("{component}/config.json");
        let config: C = self.read_json(&config_name)?;
        config.check().map_err(|reason| self.error(&config_name, reason))?;
        let name = self.weights_name(component, names)?;
        let network = self.open(&name, OwnNames, &[""], loading, |scope| build(scope, &config))?;
        Ok((config, network))
    }

    /// As [`Self::network`], where another folder holds a part of the network: the tensors whose names contain `part` come
    /// from there. `change` is what the part changes in the configuration.
    pub(crate) fn network_with_part<C: NetworkConfig, N>(
        &self,
        (other, part): (&Self, &str),
        component: &str,
        names: &[&str],
        loading: Loading,
        change: impl FnOnce(&mut C),
        build: impl FnOnce(&Scope, &C) -> Result<N>,
    ) -> Result<(C, N)> {
        let config_name = format!("{component}/config.json");
        let mut config: C = self.read_json(&config_name)?;
        change(&mut config);
        config.check().map_err(|reason| self.error(&config_name, reason))?;
        let name = self.weights_name(component, names)?;
        let (files, others) = (self.map_all(&name)?, other.map_all(&other.weights_name(component, names)?)?);
        let weights = Weights::mapped(&files, &self.path(&name), loading)?.with_part(&others, part)?;
        let network = built(weights, loading, |scope| build(scope, &config))?;
        Ok((config, network))
    }

    /// The first of these names of weights that a component has.
    fn weights_name(&self, component: &str, names: &[&str]) -> Result<String> {
        let mut candidates = names.iter().map(|name| format!("{component}/{name}"));
        candidates.find(|name| self.contains(name)).ok_or_else(|| {
            let first = names.first().copied().unwrap_or_default();
            let reason = format!("there are no weights: looked for {}", names.join(", "));
            self.error(&format!("{component}/{first}"), reason)
        })
    }

    /// A network from one file, which may hold others too, or from the files that an index names: its tensors have these
    /// `names` there, after the first of `prefixes` that there is. `build` must take all of them.
    ///
    /// # Errors
    /// [`Error::Model`] with the file, and the tensor that does not fit.
    pub fn open<N>(
        &self,
        name: &str,
        names: impl Names,
        prefixes: &[&str],
        loading: Loading,
        build: impl FnOnce(&Scope) -> Result<N>,
    ) -> Result<N> {
        self.open_with_lora(name, names, prefixes, &[], loading, build)
    }

    /// As [`Self::open`], with the low-rank updates of other files added to the weights.
    ///
    /// # Errors
    /// As [`Self::open`]; an update that fits no layer.
    pub fn open_with_lora<N>(
        &self,
        name: &str,
        names: impl Names,
        prefixes: &[&str],
        lora: &[(&str, Lora)],
        loading: Loading,
        build: impl FnOnce(&Scope) -> Result<N>,
    ) -> Result<N> {
        let updates = lora.iter().map(|(name, lora)| Ok((self.map(name)?, *lora))).collect::<Result<Vec<_>>>()?;
        let take = |weights: Weights| -> Result<N> {
            let mut weights = weights.named(names, prefixes);
            for (file, lora) in &updates {
                weights = weights.with_lora(&file.content, &file.path, *lora)?;
            }
            built(weights, loading, build)
        };
        let path = self.path(name);
        if let Self::BuiltIn(_) = self {
            return take(Weights::new(self.built_in(name)?, &path, loading)?);
        }
        take(Weights::mapped(&self.map_all(name)?, &path, loading)?)
    }

    /// A file of weights, or those that an index names.
    fn map_all(&self, name: &str) -> Result<Vec<MappedFile>> {
        let files = if is_index(name) { self.shards(name)? } else { vec![name.to_owned()] };
        files.iter().map(|name| self.map(name)).collect()
    }

    /// The files that an index names.
    pub(crate) fn shards(&self, index: &str) -> Result<Vec<String>> {
        #[derive(serde::Deserialize)]
        struct Index {
            /// File of each tensor.
            weight_map: BTreeMap<String, String>,
        }
        let Index { weight_map } = self.read_json(index)?;
        let names: BTreeSet<String> = weight_map.into_values().collect();
        let folder = index.rfind('/').map_or("", |end| &index[..=end]);
        let inside = |name: &String| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
        match names.iter().find(|name| !inside(name)) {
            Some(name) => Err(self.error(index, format!("'{name}' is not a file beside it"))),
            None => Ok(names.into_iter().map(|name| format!("{folder}{name}")).collect()),
        }
    }

    fn map(&self, name: &str) -> Result<MappedFile> {
        let path = self.path(name);
        let wrong = |error: std::io::Error| self.error(name, format!("cannot be read: {error}"));
        let file = File::open(&path).map_err(wrong)?;
        let bytes = file.metadata().map_err(wrong)?.len();
        // SAFETY: the bytes are only read, and copied into tensors before the mapping ends. Whoever shortens the file
        // meanwhile ends the process, as with every memory-mapped file.
        let content = unsafe { Mmap::map(&file) }.map_err(|error| match error.kind() {
            std::io::ErrorKind::OutOfMemory => memory::refused(bytes),
            _ => wrong(error),
        })?;
        Ok(MappedFile { path, content })
    }
}

/// The network that `build` makes of weights, of which it must take all.
fn built<N>(weights: Weights, loading: Loading, build: impl FnOnce(&Scope) -> Result<N>) -> Result<N> {
    if !loading.check_only {
        // They become tensors of about that size.
        memory::check(weights.bytes())?;
    }
    let network = build(&weights.root())?;
    weights.finish()?;
    Ok(network)
}

/// An index of shards, told by its name.
fn is_index(name: &str) -> bool {
    name.ends_with(".json")
}
