//! `cargo xtask setup` as a user meets it, with a stand-in for pip (`fake/python3`) that fetches nothing.

mod common;

use common::make_libtorch;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CPU: &str = "libtorch-2.11.0-cpu";
const CUDA: &str = "libtorch-2.11.0-cuda";

/// A clone of the repository and a cache folder, both empty.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(place.root().join("xtask")).unwrap();
        place
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("clone")
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("installs")
    }

    /// What pip was asked to install, one line each time.
    fn installs(&self) -> Vec<String> {
        fs::read_to_string(self.log()).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Names in the cache folder, without the lock files, which stay.
    fn cached(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.cache()) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.ends_with(".lock")).collect();
        names.sort();
        names
    }

    fn command(&self, pip: &str, arguments: &[&str]) -> Command {
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake");
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .arg("setup")
            .args(arguments)
            .env("CARGO_MANIFEST_DIR", self.root().join("xtask"))
            .env("KDS_CACHE", self.cache())
            .env("PATH", format!("{}:{}", fake.display(), std::env::var("PATH").unwrap()))
            .env("FAKE_PIP", pip)
            .env("FAKE_PIP_LOG", self.log())
            // As cargo sets it.
            .env("LIBTORCH", self.root().join(".libtorch"));
        command
    }

    fn run(&self, pip: &str, arguments: &[&str]) -> Output {
        self.command(pip, arguments).output().unwrap()
    }

    /// Starts a set-up and returns when its pip is in the middle of its work.
    fn start_waiting(&self) -> Child {
        let child = self.command("waiting", &["--cpu"]).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        while self.installs().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(30), "pip was not started");
            std::thread::sleep(Duration::from_millis(10));
        }
        child
    }

    fn linked(&self) -> Option<PathBuf> {
        fs::read_link(self.root().join(".libtorch")).ok()
    }
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

fn failed_with(output: &Output, words: &[&str]) {
    assert!(!output.status.success());
    for word in words {
        assert!(stderr(output).contains(word), "no '{word}' in: {}", stderr(output));
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn fetches_once_says_so_beforehand_and_links() {
    let place = Place::new();
    let output = place.run("complete", &["--cpu"]);
    succeeded(&output);
    assert!(stderr(&output).contains("0.55 GB") && stderr(&output).contains("1.2 GB"), "{}", stderr(&output));
    assert_eq!(place.installs(), ["--require-hashes --no-deps nvidia-cuda-cupti nvidia-cuda-runtime torch"]);
    assert_eq!(place.cached(), [CPU]);
    assert_eq!(place.linked(), Some(place.cache().join(CPU).join("torch")));

    // Again: nothing to do, with the variant named or not.
    for arguments in [&["--cpu"][..], &[]] {
        succeeded(&place.run("failing", arguments));
    }
    // A second clone: only the link.
    fs::remove_file(place.root().join(".libtorch")).unwrap();
    succeeded(&place.run("failing", &["--cpu"]));
    assert!(place.linked().is_some());
    assert_eq!(place.installs().len(), 1);
}

#[test]
fn the_other_variant_is_fetched_beside_and_replaces_the_link() {
    let place = Place::new();
    succeeded(&place.run("complete", &["--cpu"]));
    succeeded(&place.run("complete", &["--cuda"]));
    let cuda = &place.installs()[1];
    assert!(cuda.starts_with("--require-hashes --no-deps ") && cuda.contains(" torch triton "), "{cuda}");
    assert_eq!(place.cached(), [CPU, CUDA]);
    assert_eq!(place.linked(), Some(place.cache().join(CUDA).join("torch")));
    // Unasked, the choice stays.
    succeeded(&place.run("failing", &[]));
    assert_eq!(place.linked(), Some(place.cache().join(CUDA).join("torch")));
}

#[test]
fn a_failure_leaves_nothing_and_the_next_start_succeeds() {
    let place = Place::new();
    for pip in ["failing", "incomplete"] {
        let output = place.run(pip, &["--cpu"]);
        failed_with(&output, &["pip"]);
        assert_eq!(place.cached(), [""; 0], "{pip}");
        assert_eq!(place.linked(), None, "{pip}");
    }
    succeeded(&place.run("complete", &["--cpu"]));
    assert_eq!(place.cached(), [CPU]);
}

#[test]
fn an_interrupt_leaves_nothing() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let place = Place::new();
        let child = place.start_waiting();
        assert_eq!(place.cached(), [format!("{CPU}.partial")]);
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        failed_with(&child.wait_with_output().unwrap(), &["interrupted"]);
        assert_eq!(place.cached(), [""; 0]);
        assert_eq!(place.linked(), None);
    }
}

#[test]
fn remains_of_a_killed_set_up_are_cleared_away() {
    let place = Place::new();
    let remains = place.cache().join(format!("{CPU}.partial/packages/torch/lib"));
    fs::create_dir_all(&remains).unwrap();
    File::create(remains.join("old")).unwrap();
    succeeded(&place.run("complete", &["--cpu"]));
    assert_eq!(place.cached(), [CPU]);
    assert!(!place.cache().join(CPU).join("torch/lib/old").exists());
}

#[test]
fn a_damaged_libtorch_is_fetched_again() {
    let place = Place::new();
    succeeded(&place.run("complete", &["--cpu"]));
    let library = place.cache().join(CPU).join("torch/lib/libtorch_cpu.so");
    fs::remove_file(&library).unwrap();
    succeeded(&place.run("complete", &["--cpu"]));
    assert!(library.exists());
    assert_eq!(place.installs().len(), 2);
}

#[test]
fn a_second_set_up_waits_for_the_first() {
    let place = Place::new();
    let first = place.start_waiting();
    let mut second = place.command("complete", &["--cpu"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(second.stderr.take().unwrap());
    let mut line = String::new();
    messages.read_line(&mut line).unwrap();
    assert!(line.contains("waiting"), "{line}");
    assert!(second.try_wait().unwrap().is_none());

    File::create(place.log().with_extension("go")).unwrap();
    succeeded(&first.wait_with_output().unwrap());
    messages.read_to_string(&mut line).unwrap();
    assert!(second.wait().unwrap().success(), "{line}");
    assert_eq!(place.installs().len(), 1);
    assert_eq!(place.cached(), [CPU]);
}

#[test]
fn an_own_libtorch_is_checked_and_nothing_is_fetched() {
    let place = Place::new();
    let own = place.folder.path().join("own");
    let run = |arguments: &[&str]| place.command("complete", arguments).env("LIBTORCH", &own).output().unwrap();

    failed_with(&run(&[]), &["LIBTORCH", "own does not exist"]);
    fs::create_dir_all(own.join("lib")).unwrap();
    failed_with(&run(&[]), &["LIBTORCH", "has no lib/libtorch_cpu.so"]);
    make_libtorch(&own, 10);
    failed_with(&run(&[]), &["LIBTORCH", "libtorch 2.10.0, but 2.11.0 is needed"]);
    assert_eq!(place.linked(), None);
    make_libtorch(&own, 11);
    succeeded(&run(&[]));
    assert_eq!(place.linked(), Some(fs::canonicalize(&own).unwrap()));
    failed_with(&run(&["--cuda"]), &["unset LIBTORCH"]);
    assert_eq!(place.installs(), [""; 0]);
    assert_eq!(place.cached(), [""; 0]);
}

#[test]
fn an_empty_libtorch_counts_as_none() {
    let place = Place::new();
    succeeded(&place.command("complete", &["--cpu"]).env("LIBTORCH", "").output().unwrap());
    assert_eq!(place.linked(), Some(place.cache().join(CPU).join("torch")));
}

#[test]
fn a_missing_python_or_pip_says_what_to_install() {
    let place = Place::new();
    failed_with(&place.run("missing", &["--cpu"]), &["has no pip", "python3-pip", "LIBTORCH"]);
    let output = place.command("complete", &["--cpu"]).env("PATH", place.folder.path()).output().unwrap();
    failed_with(&output, &["cannot start python3", "python3-pip", "LIBTORCH"]);
    assert_eq!(place.cached(), [""; 0]);
}

#[test]
fn a_folder_in_the_place_of_the_link_is_not_removed() {
    let place = Place::new();
    fs::create_dir(place.root().join(".libtorch")).unwrap();
    let output = place.run("complete", &["--cpu"]);
    failed_with(&output, &["cannot replace", "remove it"]);
    let names: Vec<_> = fs::read_dir(place.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}
