//! GIMP without a window, driven by Script-Fu: version 2.10 of this machine, and versions 3.0 and 3.2 each in a Debian of its own.
//!
//! Versions 2 and 3 have procedures of other names and arguments, so `two.scm` and `three.scm` define the words that tests
//! use, and `words.scm` builds on them. A script tells what it finds by `(tell "name" value)`.

pub mod by_keyboard;
pub mod cancelled;
pub mod meanwhile;
pub mod pixels;
pub mod places;
pub mod preview;
pub mod refusals;
pub mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use image::DynamicImage;
use xtask::install::gimp::{Gimp, Home};

use crate::debian_root::DebianRoot;
use crate::home::home;

/// Which GIMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 2.10
    Two,
    /// 3.0
    Three,
    /// 3.2
    ThreeTwo,
}

impl Version {
    /// As its programs and its folder of settings have it.
    pub fn number(self) -> &'static str {
        match self {
            Self::Two => "2.10",
            Self::Three => "3.0",
            Self::ThreeTwo => "3.2",
        }
    }

    /// Whether this is 3.0 or newer, whose procedures have other names and arguments than those of 2.10.
    pub fn is_three(self) -> bool {
        self != Self::Two
    }
}

/// Environment variables that [`Session::set`] sets.
const VARIABLES: [&str; 8] =
    ["KDS_REGISTRY", "KDS_LIBRARY", "KDS_WORKER", "DISPLAY", "XDG_DATA_HOME", "LANG", "LANGUAGE", "LOCPATH"];

/// How the names of variables begin that a worker must share with whom it computes for.
const OF_KDS: &str = "KDS_";

/// The file of a profile in which GIMP keeps what its plug-ins can do.
const PLUG_INS_LIST: &str = "pluginrc";

/// A GIMP with a profile and a folder of its own, and the plug-in installed as a person would.
pub struct Session {
    version: Version,
    debian: Option<DebianRoot>,
    name: String,
    home: &'static Path,
}

impl Session {
    /// A GIMP for the test of this name.
    pub fn new(version: Version, name: &str) -> Result<Self> {
        let home = home()?;
        let debian = match version {
            Version::Two => None,
            Version::Three => Some(DebianRoot::with("trixie", &["gimp"])?),
            Version::ThreeTwo => Some(DebianRoot::testing()?),
        };
        let name = format!("{name}-{version:?}");
        let session = Self { version, debian, name, home };
        session.clear()?;
        session.gimp().link(&home.join(".local/share/kds"))?;
        let known = session.known_plug_ins()?;
        fs::copy(known, session.folder().join("profile").join(PLUG_INS_LIST))?;
        Ok(session)
    }

    /// Empties the session's folder.
    fn clear(&self) -> Result<()> {
        match fs::remove_dir_all(self.folder()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(fs::create_dir_all(self.folder())?),
        }
    }

    /// The list of GIMP's own plug-ins, made once: a GIMP without it asks all of them, and takes three times as long. Ours
    /// is not in it.
    fn known_plug_ins(&self) -> Result<PathBuf> {
        let asking = Self { debian: self.debian.clone(), name: format!("first-{:?}", self.version), ..*self };
        let list = asking.folder().join("profile").join(PLUG_INS_LIST);
        let lock = File::create(self.home.join(format!("first-{:?}.lock", self.version)))?;
        lock.lock()?;
        if !list.exists() {
            asking.clear()?;
            let output = asking.console(&[]).output().context("cannot start GIMP")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(list.exists(), "GIMP wrote no {}; it said:\n{said}", list.display());
        }
        Ok(list)
    }

    /// Which it is.
    pub fn version(&self) -> Version {
        self.version
    }

    /// As `cargo xtask install` sees it.
    pub fn gimp(&self) -> Gimp {
        let profile = Some(self.folder().join("profile"));
        let (configuration, data) = (self.home.join(".config"), self.home.join(".local/share"));
        Home { configuration, data, elsewhere: [profile.clone(), profile] }.gimp(self.version.number())
    }

    /// The session's folder.
    pub fn folder(&self) -> PathBuf {
        self.home.join(&self.name)
    }

    /// The same as GIMP sees it.
    pub fn folder_inside(&self) -> PathBuf {
        self.home_inside().join(&self.name)
    }

    /// The home folder as GIMP sees it.
    fn home_inside(&self) -> &Path {
        if self.debian.is_some() { Path::new("/mnt") } else { self.home }
    }

    /// A command of this GIMP's system.
    pub fn command(&self, program: &str) -> Command {
        let profile = self.folder_inside().join("profile");
        let mut command = match &self.debian {
            None => {
                let mut command = Command::new("env");
                command.args(["-i", "PATH=/usr/bin:/bin"]).arg(format!("HOME={}", self.home.display()));
                command
            }
            Some(debian) => {
                let mut command = debian.command(self.home, "env");
                command.arg("HOME=/mnt");
                command
            }
        };
        command.args(["LANG=C.UTF-8", "NO_AT_BRIDGE=1"]);
        command.arg(format!("GIMP2_DIRECTORY={}", profile.display()));
        command.arg(format!("GIMP3_DIRECTORY={}", profile.display()));
        for variable in VARIABLES {
            if let Some(value) = self.variable(variable) {
                command.arg(format!("{variable}={value}"));
            }
        }
        command.arg(program);
        command
    }

    fn variable(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder().join(name)).ok()
    }

    /// Sets an environment variable of the plug-in from now on.
    pub fn set(&self, variable: &str, value: &str) -> Result<()> {
        Ok(fs::write(self.folder().join(variable), value)?)
    }

    /// From now on in German. gettext translates in no locale that is called C, and the Debian roots have no other: this is
    /// theirs, by another name.
    pub fn speak_german(&self) -> Result<()> {
        let root = self.debian.as_ref().map_or(Path::new("/"), DebianRoot::path);
        let (from, locales) = (root.join("usr/lib/locale/C.utf8"), self.folder().join("locales"));
        fs::create_dir_all(&locales)?;
        let status = Command::new("cp").arg("-r").arg(&from).arg(locales.join("de_DE.UTF-8")).status();
        ensure!(status.context("cannot start cp")?.success(), "cannot copy {}", from.display());
        self.set("LOCPATH", &self.folder_inside().join("locales").display().to_string())?;
        self.set("LANG", "de_DE.UTF-8")?;
        self.set("LANGUAGE", "de")
    }

    /// A GIMP without a window that evaluates these scripts, one after the other.
    pub fn console(&self, scripts: &[&str]) -> Command {
        let mut command = self.command(&format!("gimp-console-{}", self.version.number()));
        command.args(["-i", "-d", "-f"]);
        if self.version.is_three() {
            command.args(["--quit", "--batch-interpreter=plug-in-script-fu-eval"]);
        }
        for script in scripts {
            command.arg("-b").arg(script);
        }
        if !self.version.is_three() {
            command.args(["-b", "(gimp-quit 1)"]);
        }
        command
    }

    /// Writes the words into the folder, and returns the file as GIMP sees it.
    pub fn write_words(&self) -> Result<PathBuf> {
        let words = self.vocabulary();
        let inside = self.folder_inside();
        let folder = inside.display();
        let places = format!("(define folder \"{folder}\")\n(define facts-file \"{folder}/facts\")\n");
        fs::write(self.folder().join("words.scm"), [&places, words, include_str!("words.scm")].concat())?;
        Ok(inside.join("words.scm"))
    }

    /// Writes the words of this version alone, for scripts that tell nothing: `vocabulary.scm` in the folder.
    pub fn write_vocabulary(&self) -> Result<()> {
        Ok(fs::write(self.folder().join("vocabulary.scm"), self.vocabulary())?)
    }

    fn vocabulary(&self) -> &'static str {
        if self.version.is_three() { include_str!("three.scm") } else { include_str!("two.scm") }
    }

    /// Evaluates a script of the words above, and returns what it tells.
    pub fn run(&self, script: &str) -> Result<BTreeMap<String, String>> {
        let folder = self.folder_inside();
        let folder = folder.display();
        let words = self.write_words()?.display().to_string();
        let whole = format!("(load \"{words}\")\n{script}\n(tell \"finished\" 1)\n(close-output-port facts)\n");
        fs::write(self.folder().join("test.scm"), whole)?;
        let output = self.console(&[&format!("(load \"{folder}/test.scm\")")]).output().context("cannot start GIMP")?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let facts = fs::read_to_string(self.folder().join("facts")).unwrap_or_default();
        let facts: BTreeMap<_, _> = facts.lines().filter_map(fact).collect();
        ensure!(
            facts.contains_key("finished"),
            "the script did not come to its end; it told {facts:?}, GIMP said:\n{said}"
        );
        Ok(facts)
    }

    /// The process of the plug-in, where it is at work.
    pub fn plug_in(&self) -> Result<Option<u32>> {
        let profile = format!("GIMP3_DIRECTORY={}", self.folder_inside().join("profile").display());
        self.process(|name| name.starts_with("kds-gimp"), |environment| environment.contains(&profile.as_str()))
    }

    /// The worker that computes for this session, if there is one. Sessions with other variables of KDS have another.
    pub fn worker(&self) -> Result<Option<u32>> {
        let home = format!("HOME={}", self.home_inside().display());
        let of_kds = VARIABLES.iter().filter(|name| name.starts_with(OF_KDS));
        let mine: BTreeSet<_> = of_kds.filter_map(|name| Some(format!("{name}={}", self.variable(name)?))).collect();
        self.process(
            |name| name == "kds",
            |environment| {
                let its = environment.iter().filter(|variable| variable.starts_with(OF_KDS));
                environment.contains(&home.as_str())
                    && its.map(|variable| variable.to_string()).collect::<BTreeSet<_>>() == mine
            },
        )
    }

    /// A process of a program of such a name, with such an environment and this home folder. The home folder of another
    /// build's tests is `/mnt` too, so that only what lies there tells whose process it is.
    fn process(&self, program: impl Fn(&str) -> bool, environment: impl Fn(&[&str]) -> bool) -> Result<Option<u32>> {
        let home = identity(self.home)?;
        let inside = self.home_inside().strip_prefix("/")?;
        for process in fs::read_dir("/proc")?.flatten() {
            let name = fs::read_link(process.path().join("exe")).unwrap_or_default();
            let variables = fs::read(process.path().join("environ")).unwrap_or_default();
            let variables = String::from_utf8_lossy(&variables);
            let is_it = name.file_name().is_some_and(|name| program(&name.to_string_lossy()))
                && environment(&variables.split('\0').collect::<Vec<_>>())
                && identity(&process.path().join("root").join(inside)).is_ok_and(|found| found == home);
            if is_it {
                return Ok(process.file_name().to_string_lossy().parse().ok());
            }
        }
        Ok(None)
    }

    /// Writes a picture into the folder.
    pub fn write(&self, file: &str, picture: impl Into<DynamicImage>) -> Result<()> {
        Ok(picture.into().save(self.folder().join(file))?)
    }

    /// Reads a picture from the folder.
    pub fn read(&self, file: &str) -> Result<DynamicImage> {
        let path = self.folder().join(file);
        image::open(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// Device and inode of a folder, the same by all its paths.
fn identity(folder: &Path) -> Result<(u64, u64)> {
    let metadata = fs::metadata(folder).with_context(|| format!("cannot look at {}", folder.display()))?;
    Ok((metadata.dev(), metadata.ino()))
}

/// From `("name" value)` to its two parts; texts lose their quotation marks.
fn fact(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("(\"")?.strip_suffix(')')?.split_once("\" ")?;
    Some((name.to_owned(), value.trim_matches('"').to_owned()))
}
