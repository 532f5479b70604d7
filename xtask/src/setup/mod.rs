//! libtorch: found or fetched once, then named by the link `.libtorch` in the repository root, which
//! `.cargo/config.toml` gives to every build.

mod install;
mod libtorch;
mod recipe;

pub use libtorch::VERSION;
pub use recipe::{Recipe, Variant};

use crate::cargo;
use crate::partial::remove_file;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

const LINK: &str = ".libtorch";

/// Folders on this machine.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The repository root, which gets the link.
    pub root: PathBuf,
    /// The folder that keeps fetched libtorch folders, shared by all clones of this user.
    pub cache: PathBuf,
    /// The libtorch that the user named by `LIBTORCH`; nothing is fetched then.
    pub own: Option<PathBuf>,
    /// The Python that has pip.
    pub python: PathBuf,
}

impl Setup {
    /// Reads the environment: `LIBTORCH`, `KDS_CACHE`, `XDG_CACHE_HOME`, `HOME`.
    pub fn from_environment() -> Result<Self> {
        let root = cargo::repository_root()?;
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let own = variable("LIBTORCH").map(PathBuf::from).filter(|named| !is_link_of(&root, named));
        let cache = if let Some(cache) = variable("KDS_CACHE") {
            std::path::absolute(&cache).with_context(|| format!("KDS_CACHE={} is no path", cache.display()))?
        } else if let Some(caches) = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
            caches.join("kds")
        } else if let Some(home) = variable("HOME") {
            Path::new(&home).join(".cache/kds")
        } else {
            bail!("neither KDS_CACHE nor HOME is set, so there is no place for libtorch: set KDS_CACHE to a folder")
        };
        Ok(Self { root, cache, own, python: "python3".into() })
    }

    /// Makes sure that the link leads to a complete libtorch, and returns the folder it leads to. Without `wanted`,
    /// whatever complete libtorch the link leads to is kept, and otherwise the variant that suits this machine is
    /// fetched.
    pub fn run(&self, wanted: Option<Variant>) -> Result<PathBuf> {
        if let Some(own) = &self.own {
            return self.use_own(own, wanted);
        }
        if wanted.is_none()
            && let Ok(linked) = fs::canonicalize(self.root.join(LINK))
            && libtorch::check(&linked).is_ok()
        {
            return Ok(linked);
        }
        let recipe = wanted.unwrap_or_else(Variant::of_this_machine).recipe();
        let folder = self.cache.join(&recipe.name);
        if libtorch::check(&folder.join("torch")).is_err() {
            install::install(&recipe, &folder, &self.python)?;
        }
        self.link_to(folder.join("torch"))
    }

    fn use_own(&self, own: &Path, wanted: Option<Variant>) -> Result<PathBuf> {
        let named = format!("LIBTORCH={}", own.display());
        if wanted.is_some() {
            bail!("{named} is set, so there is no variant to choose: unset LIBTORCH to have one fetched");
        }
        let own = fs::canonicalize(own).with_context(|| format!("{named} does not exist; correct or unset it"))?;
        libtorch::check(&own).with_context(|| format!("{named} cannot be used; correct or unset it"))?;
        self.link_to(own)
    }

    /// Points the link at `torch` in one step: it leads to the old or to the new folder, never nowhere.
    fn link_to(&self, torch: PathBuf) -> Result<PathBuf> {
        let link = self.root.join(LINK);
        if fs::read_link(&link).is_ok_and(|current| current == torch) {
            return Ok(torch);
        }
        let new = self.root.join(format!("{LINK}-{}.partial", std::process::id()));
        remove_file(&new)?;
        std::os::unix::fs::symlink(&torch, &new).with_context(|| format!("cannot create {}", new.display()))?;
        if let Err(failure) = fs::rename(&new, &link) {
            remove_file(&new)?;
            return Err(failure).with_context(|| {
                format!("cannot replace {}: remove it if it is not a link, then try again", link.display())
            });
        }
        Ok(torch)
    }
}

/// Whether this value of `LIBTORCH` is the one that `.cargo/config.toml` sets, and not the user's. The last component
/// is compared by name, since the link itself may not exist yet.
fn is_link_of(root: &Path, named: &Path) -> bool {
    let folder = |path: &Path| fs::canonicalize(path).ok();
    named.file_name() == Some(OsStr::new(LINK))
        && named.parent().and_then(folder).is_some_and(|parent| Some(parent) == folder(root))
}
