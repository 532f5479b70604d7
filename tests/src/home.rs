//! A home folder that belongs to the tests, for programs that use an installation as a person's do.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;
use xtask::install;

use crate::command::build_folder;

/// The folder, with an installation of what was built last below `.local/share/kds`. In a Debian of its own it is `/mnt`.
pub fn home() -> Result<&'static Path> {
    static HOME: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let home = HOME.get_or_init(|| install_once().map_err(|error| format!("{error:#}")));
    home.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn install_once() -> Result<PathBuf> {
    let built = build_folder()?;
    let home = built.join("home");
    fs::create_dir_all(&home)?;
    // Tests of the other version may be installing it.
    let lock = File::create(home.join("lock"))?;
    lock.lock()?;
    let prefix = home.join(".local/share/kds");
    if is_current(&built, &prefix).unwrap_or(false) {
        return Ok(home);
    }
    let root = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))?;
    let libtorch = std::env::var_os("LIBTORCH").map_or_else(|| root.join(".libtorch"), PathBuf::from);
    let tree = install::Source { root: &root, built: &built, libtorch: &libtorch }.tree()?;
    install::install(&tree, &prefix)?;
    Ok(home)
}

/// Whether nothing was built since the installation, which copies half a gigabyte.
fn is_current(built: &Path, prefix: &Path) -> std::io::Result<bool> {
    let installed = fs::metadata(prefix.join("share/kds/installed.txt"))?.modified()?;
    let programs = install::gimp::PROGRAMS.map(|(_, program)| program);
    let programs = programs.iter().chain(&["kds", "libkds.so", install::nodes::GEGL, install::openfx::LIBRARY]);
    let catalogues = ["de", "fr"]
        .map(|language| Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../kds-plugin-gimp/po/{language}.po")));
    for file in programs.map(|file| built.join(file)).chain(catalogues) {
        if fs::metadata(file)?.modified()? >= installed {
            return Ok(false);
        }
    }
    Ok(true)
}
