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

/// VapourSynth in the environment of a Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VapourSynth {
    plugins: PathBuf,
}

impl VapourSynth {
    /// Folder of this Python.
    pub fn of(python: &Path) -> Result<Self> {
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
        Ok(Self { plugins })
    }

    /// Lets it find the plug-in that is installed below the prefix. Returns the link.
    pub fn link(&self, prefix: &Path) -> Result<PathBuf> {
        let place = self.plugins.join(VAPOURSYNTH);
        link::make(&place, &prefix.join(FOLDER).join(VAPOURSYNTH))?;
        Ok(place)
    }

    /// Undoes [`VapourSynth::link`]; whether there was anything to undo.
    pub fn unlink(&self) -> Result<bool> {
        link::remove(&self.plugins.join(VAPOURSYNTH))
    }
}

/// GEGL of this user, which is that of the command `gegl`, of GIMP and of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gegl {
    plugins: PathBuf,
}

impl Gegl {
    /// Folder of this user; it need not be there yet.
    pub fn of(home: &Home) -> Self {
        Self { plugins: home.data.join("gegl-0.4/plug-ins") }
    }

    /// Lets it find the operations that are installed below the prefix. Returns the link.
    pub fn link(&self, prefix: &Path) -> Result<PathBuf> {
        let place = self.plugins.join(GEGL);
        link::make(&place, &prefix.join(GEGL_FOLDER).join(GEGL))?;
        Ok(place)
    }

    /// Undoes [`Gegl::link`]; whether there was anything to undo.
    pub fn unlink(&self) -> Result<bool> {
        link::remove(&self.plugins.join(GEGL))
    }
}
