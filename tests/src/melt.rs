//! melt, the command of MLT, in a Debian of its own, with the installation of the tests' home folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;
use xtask::install::openfx;

use crate::debian_root::DebianRoot;
use crate::home::home;

/// melt, and a folder for its files and the socket of a worker that ends soon.
pub struct Melt {
    debian: DebianRoot,
    folder: TempDir,
}

impl Melt {
    /// For pictures of this width and height.
    pub fn new(size: (u32, u32)) -> Result<Self> {
        let melt = Self { debian: DebianRoot::testing()?, folder: tempfile::tempdir_in(home()?)? };
        melt.set_size(size)?;
        Ok(melt)
    }

    /// Where [`Melt::command`] runs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file there.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Sets the size of its pictures.
    pub fn set_size(&self, (width, height): (u32, u32)) -> Result<()> {
        let profile = format!(
            "description=test\nframe_rate_num=25\nframe_rate_den=1\nwidth={width}\nheight={height}\nprogressive=1\n\
             sample_aspect_num=1\nsample_aspect_den=1\ndisplay_aspect_num={width}\ndisplay_aspect_den={height}\n\
             colorspace=709\n"
        );
        fs::write(self.path("profile"), profile).context("cannot write melt's profile")
    }

    /// melt with that size; more arguments may follow.
    pub fn command(&self) -> Result<Command> {
        let mut command = self.debian.command(home()?, "env");
        let folder = Path::new("/mnt").join(self.folder().file_name().context("the folder has no name")?);
        command.arg("-C").arg(&folder).arg(format!("XDG_RUNTIME_DIR={}", folder.display()));
        command.args(["HOME=/mnt", "KDS_WORKER_IDLE=10", "LANG=C.UTF-8"]);
        command.arg(format!("OFX_PLUGIN_PATH=/mnt/.local/share/kds/{}", openfx::FOLDER));
        command.args(["melt", "-profile", "profile"]);
        Ok(command)
    }
}
