//! `cargo xtask install`: the library, its headers, the command and what they need, below a prefix that may be moved.

mod elf;
pub mod gimp;
mod launcher;
mod libtorch;
mod link;
pub mod nodes;
pub mod openfx;
mod prefix;
mod translations;
mod tree;

pub use prefix::{install, uninstall};
pub use tree::{Entry, Tree};

use anyhow::{Context, Result};
use libtorch::Libtorch;
use std::fs;
use std::path::{Path, PathBuf};

/// The packages that an installation is built of.
pub const PACKAGES: [&str; 6] =
    ["kds-plugin-ffi", "kds-cli", gimp::PACKAGE, nodes::PACKAGES[0], nodes::PACKAGES[1], openfx::PACKAGE];
/// Version of the library and of the command.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Parts of an installation.
pub struct Source<'a> {
    /// The repository.
    pub root: &'a Path,
    /// The folder with `libkds.so` and `kds`, as cargo built them.
    pub built: &'a Path,
    /// The libtorch that they were built with.
    pub libtorch: &'a Path,
}

impl Source<'_> {
    /// Every file of the installation.
    pub fn tree(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        self.add_library(&mut tree)?;
        tree.add("bin/kds", Entry::Program(elf::stripped(&self.built.join("kds"))?));
        for (_, program) in gimp::PROGRAMS {
            tree.add(Path::new("libexec").join(program), Entry::Program(elf::stripped(&self.built.join(program))?));
        }
        for (folder, node) in [(nodes::FOLDER, nodes::VAPOURSYNTH), (nodes::GEGL_FOLDER, nodes::GEGL)] {
            tree.add(Path::new(folder).join(node), Entry::File(self.stripped(node)?));
        }
        openfx::add(&mut tree, self.stripped(openfx::LIBRARY)?);
        translations::add(&mut tree, self.root)?;
        for header in ["kds.h", "kds.hpp"] {
            tree.add(Path::new("include").join(header), Entry::Copy(self.root.join("include").join(header)));
        }
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            tree.add(Path::new("share/doc/kds").join(licence), Entry::Copy(self.root.join(licence)));
        }
        let abi = self.abi_version()?;
        let fill = |template: &str| {
            let major = VERSION.split('.').next().unwrap_or(VERSION);
            let text = template.replace("@VERSION@", VERSION).replace("@MAJOR@", major).replace("@ABI@", &abi);
            Entry::File(text.into_bytes())
        };
        tree.add("lib/pkgconfig/kds.pc", fill(include_str!("kds.pc.in")));
        tree.add("lib/cmake/kds/kdsConfig.cmake", fill(include_str!("kdsConfig.cmake.in")));
        tree.add("lib/cmake/kds/kdsConfigVersion.cmake", fill(include_str!("kdsConfigVersion.cmake.in")));
        Ok(tree)
    }

    /// The bytes of a program or library that was built, without line tables.
    pub fn stripped(&self, name: &str) -> Result<Vec<u8>> {
        elf::stripped(&self.built.join(name))
    }

    /// The bytes of `libkds.so`, which looks for libtorch in this folder.
    pub fn library(&self, search: &str) -> Result<Vec<u8>> {
        elf::renamed(&self.built.join("libkds.so"), &format!("libkds.so.{}", self.abi_version()?), search)
    }

    /// `libkds.so` by its three names, and the libraries of libtorch that it needs with their licences.
    fn add_library(&self, tree: &mut Tree) -> Result<()> {
        let library = self.built.join("libkds.so");
        let libtorch = Libtorch::new(self.libtorch)?;
        let soname = format!("libkds.so.{}", self.abi_version()?);
        let file = format!("{soname}.{VERSION}");
        let search = format!("$ORIGIN/kds/{}", libtorch.libraries().display());
        tree.add(Path::new("lib").join(&file), Entry::File(elf::renamed(&library, &soname, &search)?));
        tree.add(Path::new("lib").join(&soname), Entry::Link(file.into()));
        tree.add("lib/libkds.so", Entry::Link(soname.into()));

        let libraries = libtorch.needed_by(&library)?;
        for (name, file) in libtorch.licences(&libraries)? {
            tree.add(Path::new("share/doc/kds").join(name), Entry::Copy(file));
        }
        for path in libraries {
            tree.add(Path::new("lib/kds").join(&path), Entry::Copy(libtorch.packages().join(&path)));
        }
        Ok(())
    }

    /// The version of the C interface, from its one definition.
    fn abi_version(&self) -> Result<String> {
        let source: PathBuf = self.root.join("kds-plugin-ffi/src/lib.rs");
        let text = fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
        let number = text.lines().find_map(|line| {
            line.strip_prefix("pub const KDS_ABI_VERSION: u32 = ")?.strip_suffix(';')?.parse::<u32>().ok()
        });
        Ok(number.with_context(|| format!("{} defines no KDS_ABI_VERSION", source.display()))?.to_string())
    }
}
