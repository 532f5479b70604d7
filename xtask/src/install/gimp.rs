//! Making the GIMPs of this user find the plug-ins of an installation.
//!
//! GIMP looks in its plug-ins folder for a folder that holds a program of the same name. That program is a launcher of the
//! one in the prefix, which finds `../lib/libkds.so` from where it lies: so libtorch is there once, not once for
//! each GIMP.

use super::launcher;
use anyhow::{Context, Result};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The package that is built for it.
pub const PACKAGE: &str = "kds-plugin-gimp";
/// The plug-in's name: that of its folder, and of the program in it.
pub const NAME: &str = "kds";
/// The programs, by the first number of GIMP's version.
pub const PROGRAMS: [(u32, &str); 2] = [(2, "kds-gimp2"), (3, "kds-gimp3")];
/// A text in every version of the programs: GIMP may have made a copy of one, where an earlier KDS had put a link.
const SIGNATURE: &str = "plug-in-kds-restore";
/// Names that distributions give to GIMP.
const COMMANDS: [&str; 6] = ["gimp", "gimp-2.10", "gimp-3.0", "gimp-3.2", "gimp-console", "gimp-console-3.0"];

/// A GIMP of this user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gimp {
    /// Such as `2.10` or `3.0`: the name of its folder of settings.
    pub version: String,
    /// Its folder of plug-ins.
    pub plug_ins: PathBuf,
}

/// Folders of this user's programs.
#[derive(Debug, Clone)]
pub struct Home {
    /// `$XDG_CONFIG_HOME`, usually `~/.config`.
    pub configuration: PathBuf,
    /// `$XDG_DATA_HOME`, usually `~/.local/share`.
    pub data: PathBuf,
    /// Settings of GIMP 2 and 3 that are elsewhere, by `$GIMP2_DIRECTORY` and `$GIMP3_DIRECTORY`.
    pub elsewhere: [Option<PathBuf>; 2],
}

impl Home {
    /// By the environment variables.
    pub fn from_environment() -> Result<Self> {
        let path = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME").context("HOME is not set, so it is unknown where GIMP keeps its plug-ins")?;
        Ok(Self {
            configuration: path("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
            data: path("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share")),
            elsewhere: ["GIMP2_DIRECTORY", "GIMP3_DIRECTORY"].map(path),
        })
    }

    /// Prefix of KDS when none is given.
    pub fn prefix(&self) -> PathBuf {
        self.data.join("kds")
    }

    /// The GIMP of this version, such as `2.10`.
    pub fn gimp(&self, version: &str) -> Gimp {
        let elsewhere = match version.split('.').next() {
            Some("2") => &self.elsewhere[0],
            _ => &self.elsewhere[1],
        };
        let settings = elsewhere.clone().unwrap_or_else(|| self.configuration.join("GIMP").join(version));
        Gimp { version: version.to_owned(), plug_ins: settings.join("plug-ins") }
    }

    /// The GIMPs that there are: as commands on the `PATH`, or because they have left a folder of settings, as those
    /// from Flatpak and AppImage do.
    pub fn gimps(&self) -> Vec<Gimp> {
        let mut versions: Vec<String> = COMMANDS.iter().filter_map(|command| version_of(command)).collect();
        let settings = fs::read_dir(self.configuration.join("GIMP")).into_iter().flatten().flatten();
        versions.extend(settings.filter_map(|entry| known(&entry.file_name().to_string_lossy())));
        versions.sort();
        versions.dedup();
        versions.iter().map(|version| self.gimp(version)).collect()
    }
}

/// Version message of a command; nothing if there is none.
fn version_of(command: &str) -> Option<String> {
    let output = Command::new(command).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// From `GNU Image Manipulation Program version 2.10.34` to `2.10`.
fn parse(text: &str) -> Option<String> {
    let full = text.lines().next()?.rsplit(' ').next()?;
    let mut numbers = full.split('.').map(|number| number.parse::<u32>().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    // A development version keeps its settings where the stable one after it will.
    known(&format!("{major}.{}", minor + minor % 2))
}

/// The version, if there is a plug-in for it.
fn known(version: &str) -> Option<String> {
    let (major, minor) = version.split_once('.')?;
    let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    (major == 3 || (major, minor) == (2, 10)).then(|| version.to_owned())
}

impl Gimp {
    /// The folder of the plug-in.
    fn folder(&self) -> PathBuf {
        self.plug_ins.join(NAME)
    }

    /// False before this GIMP was started for the first time. A folder of settings that somebody else makes keeps it from
    /// taking over brushes and settings of an older GIMP.
    pub fn was_started(&self) -> bool {
        self.plug_ins.parent().is_some_and(Path::exists)
    }

    /// Lets this GIMP find the plug-in that is installed below the prefix. Returns the launcher.
    pub fn link(&self, prefix: &Path) -> Result<PathBuf> {
        let program = PROGRAMS.iter().find(|(major, _)| self.version.starts_with(&format!("{major}.")));
        let (_, program) = program.with_context(|| format!("there is no plug-in for GIMP {}", self.version))?;
        let folder = self.folder();
        let place = folder.join(NAME);
        launcher::make(&place, &prefix.join("libexec").join(program), SIGNATURE)?;
        Ok(place)
    }

    /// Undoes [`Gimp::link`]; whether there was anything to undo.
    pub fn unlink(&self) -> Result<bool> {
        let folder = self.folder();
        let removed = launcher::remove(&folder.join(NAME), SIGNATURE)?;
        match fs::remove_dir(&folder) {
            // A folder with something of the user's in it stays.
            Err(failure) if !matches!(failure.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
                Err(failure).with_context(|| format!("cannot remove {}", folder.display()))
            }
            _ => Ok(removed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(folder: &Path) -> Home {
        Home { configuration: folder.join("config"), data: folder.join("data"), elsewhere: [None, None] }
    }

    #[test]
    fn versions_are_those_of_the_folders_of_settings() {
        assert_eq!(parse("GNU Image Manipulation Program version 2.10.34\n").as_deref(), Some("2.10"));
        assert_eq!(parse("GNU Image Manipulation Program version 3.0.4\n").as_deref(), Some("3.0"));
        assert_eq!(parse("GNU Image Manipulation Program version 3.1.2\n").as_deref(), Some("3.2"));
        assert_eq!(parse("GNU Image Manipulation Program version 2.8.22\n"), None);
        assert_eq!(parse("command not found"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_gimp_that_has_left_settings_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path());
        for name in ["2.8", "2.10", "3.0", "notes"] {
            fs::create_dir_all(home.configuration.join("GIMP").join(name)).unwrap();
        }
        let found: Vec<_> = home.gimps().into_iter().map(|gimp| gimp.version).collect();
        assert!(["2.10", "3.0"].iter().all(|version| found.iter().any(|found| found == version)), "{found:?}");
        assert!(!found.iter().any(|found| found == "2.8" || found == "notes"), "{found:?}");
    }

    #[test]
    fn settings_elsewhere_are_respected() {
        let folder = tempfile::tempdir().unwrap();
        let mut home = home(folder.path());
        home.elsewhere[1] = Some("/elsewhere".into());
        assert_eq!(home.gimp("3.0").plug_ins, Path::new("/elsewhere/plug-ins"));
        assert_eq!(home.gimp("2.10").plug_ins, folder.path().join("config/GIMP/2.10/plug-ins"));
    }

    #[test]
    fn the_plug_in_is_found_after_all_has_moved_and_goes_away_alone() {
        let folder = tempfile::tempdir().unwrap();
        let before = home(&folder.path().join("before"));
        let program = before.prefix().join("libexec/kds-gimp3");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "#!/bin/sh\necho started\n").unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert!(!before.gimp("3.0").was_started());
        // Twice, as when a newer version is installed.
        before.gimp("3.0").link(&before.prefix()).unwrap();
        before.gimp("3.0").link(&before.prefix()).unwrap();
        fs::rename(folder.path().join("before"), folder.path().join("after")).unwrap();

        let gimp = home(&folder.path().join("after")).gimp("3.0");
        assert!(gimp.was_started());
        let output = Command::new("sh").arg(gimp.plug_ins.join("kds/kds")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "started\n");
        assert!(gimp.unlink().unwrap());
        assert!(gimp.plug_ins.exists() && !gimp.plug_ins.join("kds").exists());
        assert!(!gimp.unlink().unwrap());
    }

    #[test]
    fn a_file_of_somebody_else_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path());
        let gimp = home.gimp("2.10");
        fs::create_dir_all(gimp.plug_ins.join("kds")).unwrap();
        fs::write(gimp.plug_ins.join("kds/kds"), "theirs").unwrap();
        fs::create_dir_all(home.prefix().join("libexec")).unwrap();
        fs::write(home.prefix().join("libexec/kds-gimp2"), "").unwrap();
        assert!(gimp.link(&home.prefix()).unwrap_err().to_string().contains("remove it first"));
        assert!(gimp.unlink().is_err());
        assert_eq!(fs::read_to_string(gimp.plug_ins.join("kds/kds")).unwrap(), "theirs");
    }
}
