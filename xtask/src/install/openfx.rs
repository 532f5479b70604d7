//! The bundle of OpenFX plug-ins, and making the hosts of this user find it.
//!
//! Hosts look in a folder of the system, `/usr/OFX/Plugins`, and in those that the environment variable `OFX_PLUGIN_PATH` names. So
//! a user without root's rights has a file that sets the variable for the session, where systemd's sessions look for such
//! files.

use super::gimp::Home;
use super::tree::{Entry, Tree};
use crate::partial::{remove_file, sibling};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The package that is built for it.
pub const PACKAGE: &str = "kds-plugin-openfx";
/// The plug-ins, as cargo builds them.
pub const LIBRARY: &str = "libkds_openfx.so";
/// The folder of the bundle below a prefix.
pub const FOLDER: &str = "lib/OFX";
/// The bundle in it.
const BUNDLE: &str = "kds.ofx.bundle";
/// The standard's name of this machine.
const MACHINE: &str = if cfg!(target_arch = "aarch64") { "Linux-aarch64" } else { "Linux-x86-64" };
/// The beginning of the file with the variable, by which it is known to be ours.
const MARK: &str = "# Written by 'cargo xtask install --nodes' of KDS";

/// Adds the bundle of this library to a tree.
pub fn add(tree: &mut Tree, library: Vec<u8>) {
    let contents = Path::new(FOLDER).join(BUNDLE).join("Contents");
    tree.add(contents.join(MACHINE).join("kds.ofx"), Entry::File(library));
    let information = include_str!("Info.plist.in").replace("@VERSION@", super::VERSION);
    tree.add(contents.join("Info.plist"), Entry::File(information.into_bytes()));
    // The icon that hosts look for under the name of a plug-in.
    for plugin in ["restore", "inpaint"] {
        let name = format!("io.github.kds-restore.{plugin}.svg");
        tree.add(contents.join("Resources").join(name), Entry::File(include_bytes!("kds.svg").to_vec()));
    }
}

/// The file that names the folder of the bundle to the sessions of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session(PathBuf);

impl Session {
    /// The sessions of this user.
    pub fn of(home: &Home) -> Self {
        Self(home.configuration.join("environment.d/kds-openfx.conf"))
    }

    /// Names the bundle below the prefix to the sessions that begin from now on. Returns the file.
    ///
    /// # Errors
    /// Where another file is at its place, the folder cannot be written, or the path of the prefix has characters that mean
    /// something in such a file.
    pub fn link(&self, prefix: &Path) -> Result<PathBuf> {
        self.check()?;
        let folder = fs::canonicalize(prefix.join(FOLDER))
            .with_context(|| format!("cannot find {}", prefix.join(FOLDER).display()))?;
        let folder = folder.to_str().filter(|path| !path.contains(['"', '\\', '$', '`', ':', '\n']));
        let Some(folder) = folder else {
            bail!(
                "{} cannot be written into a list of folders: choose another --prefix, or link its {FOLDER}/{BUNDLE} into \
                 /usr/OFX/Plugins",
                prefix.display()
            );
        };
        let text = format!("{MARK}\nOFX_PLUGIN_PATH=\"{folder}${{OFX_PLUGIN_PATH:+:$OFX_PLUGIN_PATH}}\"\n");
        let failed = || format!("cannot write {}", self.0.display());
        fs::create_dir_all(self.0.parent().unwrap_or(Path::new("."))).with_context(failed)?;
        let new = sibling(&self.0, "partial");
        fs::write(&new, text).with_context(failed)?;
        fs::rename(&new, &self.0).with_context(failed)?;
        Ok(self.0.clone())
    }

    /// Undoes [`Session::link`]; true where there was anything to undo.
    ///
    /// # Errors
    /// Where another file is at its place, or it cannot be removed.
    pub fn unlink(&self) -> Result<bool> {
        let is_there = self.check()?;
        remove_file(&self.0)?;
        Ok(is_there)
    }

    /// True where our file is there; an error where it is that of somebody else.
    fn check(&self) -> Result<bool> {
        match fs::read_to_string(&self.0) {
            Ok(text) if text.starts_with(MARK) => Ok(true),
            Ok(_) => bail!("{} is a file that this command did not put there: remove it first", self.0.display()),
            Err(failure) if failure.kind() == ErrorKind::NotFound => Ok(false),
            Err(failure) => Err(failure).with_context(|| format!("cannot read {}", self.0.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn sessions_find_the_bundle_besides_others() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("with spaces");
        fs::create_dir_all(prefix.join(FOLDER)).unwrap();
        let home = Home { configuration: folder.path().join("config"), data: PathBuf::new(), elsewhere: [None, None] };
        let session = Session::of(&home);
        assert!(!session.unlink().unwrap());
        let file = session.link(&prefix).unwrap();
        // What is written is what a shell reads too.
        let read = |before: Option<&str>| {
            let mut shell = Command::new("sh");
            shell.args(["-c", ". \"$0\"; printf %s \"$OFX_PLUGIN_PATH\""]).arg(&file).env_remove("OFX_PLUGIN_PATH");
            let output = shell.envs(before.map(|before| ("OFX_PLUGIN_PATH", before))).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let ours = fs::canonicalize(prefix.join(FOLDER)).unwrap().display().to_string();
        assert_eq!(read(None), ours);
        assert_eq!(read(Some("/opt/ofx")), format!("{ours}:/opt/ofx"));
        assert!(session.unlink().unwrap() && !file.exists());

        fs::write(&file, "OFX_PLUGIN_PATH=/opt/ofx\n").unwrap();
        assert!(session.link(&prefix).is_err() && session.unlink().is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "OFX_PLUGIN_PATH=/opt/ofx\n");
        fs::remove_file(&file).unwrap();
        let strange = folder.path().join("of:two");
        fs::create_dir_all(strange.join(FOLDER)).unwrap();
        assert!(session.link(&strange).unwrap_err().to_string().contains("--prefix"));
        assert!(!file.exists());
    }
}
