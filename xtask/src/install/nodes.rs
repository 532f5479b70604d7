//! Making the programs of this user that have graphs find the nodes of an installation.
//!
//! Each looks in a folder of its own; there a link leads to the node in the prefix, which finds `../../bin/kds` from where it
//! really lies.

use super::gimp::Home;
use super::link;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The packages that are built for them.
pub const PACKAGES: [&str; 2] = ["kds-plugin-vapoursynth", "kds-plugin-gegl"];
/// The plug-in for VapourSynth, as cargo builds it and as VapourSynth finds it.
pub const VAPOURSYNTH: &str = "libkds_vapoursynth.so";
/// The same for GEGL.
pub const GEGL: &str = "libkds_gegl.so";

/// The folder of the plug-in for VapourSynth below a prefix.
pub const FOLDER: &str = "lib/vapoursynth";
/// The same for GEGL.
pub const GEGL_FOLDER: &str = "lib/gegl-0.4";

/// A program that loads nodes from a folder of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    plugins: PathBuf,
    node: &'static str,
    /// Folder of the node below a prefix.
    folder: &'static str,
}

impl Host {
    /// VapourSynth in the environment of a Python.
    ///
    /// # Errors
    /// Where that Python has none.
    pub fn vapoursynth(python: &Path) -> Result<Self> {
        let shown = python.display();
        let advice = "install it there (pip install vapoursynth), or name the Python that has it by --python";
        let output = Command::new(python)
            .args(["-c", "import vapoursynth; print(vapoursynth.get_plugin_dir())"])
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {shown}; {advice}"))?;
        let told = String::from_utf8_lossy(&output.stdout);
        let plugins = PathBuf::from(told.trim());
        if !output.status.success() || !plugins.is_absolute() {
            let errors = String::from_utf8_lossy(&output.stderr);
            let reason = errors.trim().lines().last().unwrap_or("it names no folder for plug-ins").to_owned();
            bail!("{shown} has no VapourSynth that plug-ins can be installed into ({reason}); {advice}");
        }
        Ok(Self { plugins, node: VAPOURSYNTH, folder: FOLDER })
    }

    /// GEGL of this user, which is that of the command `gegl`, of GIMP and of others. Its folder need not be there yet.
    pub fn gegl(home: &Home) -> Self {
        Self { plugins: home.data.join("gegl-0.4/plug-ins"), node: GEGL, folder: GEGL_FOLDER }
    }

    /// Lets it find the node that is installed below the prefix. Returns the link.
    ///
    /// # Errors
    /// Where another file is at its place, or the folder cannot be written.
    pub fn link(&self, prefix: &Path) -> Result<PathBuf> {
        let place = self.plugins.join(self.node);
        link::make(&place, &prefix.join(self.folder).join(self.node))?;
        Ok(place)
    }

    /// Undoes [`Host::link`]; true where there was anything to undo.
    ///
    /// # Errors
    /// Where another file is at its place, or the folder cannot be written.
    pub fn unlink(&self) -> Result<bool> {
        link::remove(&self.plugins.join(self.node))
    }
}
