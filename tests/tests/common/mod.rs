//! What the tests of the `kds` command share: a folder to work in, runs, and what a run has to leave behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use kds_tests::command::kds;
use tempfile::TempDir;

/// Settings that make a run quick where its picture does not matter.
pub const QUICK: [&str; 4] = ["--particles", "1", "--steps", "1"];

/// A folder of its own for one run, removed at the end.
pub struct Folder {
    path: TempDir,
}

impl Folder {
    pub fn new() -> Self {
        Self { path: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.path.path().join(file)
    }

    pub fn write(&self, file: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The files in the folder and below, relative to it.
    pub fn files(&self) -> BTreeSet<String> {
        fn collect(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    collect(root, &path, found);
                } else {
                    found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let mut found = BTreeSet::new();
        collect(self.path.path(), self.path.path(), &mut found);
        found
    }

    /// `kds` with these arguments, working in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = kds().unwrap();
        command.args(arguments).current_dir(self.path.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Restores one file of this folder into another.
    pub fn restore(&self, input: &str, output: &str, settings: &[&str]) -> Run {
        Run::of(self.command(&[&["restore", input, "--output", output], settings].concat()).output().unwrap())
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` when a signal ended the process.
    pub code: Option<i32>,
    pub errors: String,
}

impl Run {
    pub fn of(output: Output) -> Self {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!errors.contains("panicked"), "{errors}");
        Self { code: output.status.code(), errors }
    }

    /// Asserts that the run succeeded.
    pub fn succeeded(&self, case: &str) {
        assert_eq!(self.code, Some(0), "{case}: {}", self.errors);
    }

    /// Asserts that the run failed of itself, with one line that says why and has this in it.
    pub fn refused(&self, case: &str, reason: &str) {
        assert!(self.code.is_some_and(|code| code != 0), "{case}: {self:?}");
        // A run that takes long tells its progress before it fails.
        let says = |line: &&str| !line.trim().is_empty() && !line.starts_with("kds: picture ");
        let lines: Vec<_> = self.errors.lines().filter(says).collect();
        assert!(lines.len() == 1 && lines[0].starts_with("kds: "), "{case}: {}", self.errors);
        assert!(lines[0].contains(reason), "{case}: no '{reason}' in: {}", lines[0]);
    }
}
