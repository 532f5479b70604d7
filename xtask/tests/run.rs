//! The commands that build and run, with stand-ins for cargo and for the programs it builds (`fake/`).

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A clone with a target folder in which this program and a stand-in for `kds` lie.
struct Clone {
    folder: TempDir,
}

impl Clone {
    fn new() -> Self {
        // In the target folder, so that this program can be linked instead of copied.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let target = folder.path().join("target");
        for part in ["debug", "release"] {
            fs::create_dir_all(target.join(part)).unwrap();
        }
        // So that no test installs packages of the system.
        fs::create_dir(folder.path().join("bin")).unwrap();
        for (program, _) in xtask::checks::NEEDED {
            // This one knows every library.
            let stand_in = if *program == "pkg-config" { PathBuf::from("/bin/true") } else { fake("kds") };
            std::os::unix::fs::symlink(stand_in, folder.path().join("bin").join(program)).unwrap();
        }
        fs::create_dir(folder.path().join("xtask")).unwrap();
        fs::create_dir(folder.path().join("photos")).unwrap();
        fs::hard_link(env!("CARGO_BIN_EXE_xtask"), target.join("debug/xtask")).unwrap();
        for program in ["kds", "evaluate"] {
            std::os::unix::fs::symlink(fake("kds"), target.join("release").join(program)).unwrap();
        }
        common::make_libtorch(&folder.path().join("libtorch"), 11);
        Self { folder }
    }

    /// Runs in the folder `photos` of the clone.
    fn run(&self, arguments: &[&str], failing: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        self.run_with_path(&format!("{}:{path}", self.folder.path().join("bin").display()), arguments, failing)
    }

    fn run_with_path(&self, path: &str, arguments: &[&str], failing: &str) -> Output {
        Command::new(self.folder.path().join("target/debug/xtask"))
            .args(arguments)
            .current_dir(self.folder.path().join("photos"))
            .env("PATH", path)
            .env("CARGO", fake("cargo"))
            .env("CARGO_MANIFEST_DIR", self.folder.path().join("xtask"))
            .env("LIBTORCH", self.folder.path().join("libtorch"))
            .env("FAKE_CARGO_LOG", self.folder.path().join("log"))
            .env("FAKE_CARGO_FAILS", failing)
            .output()
            .unwrap()
    }

    fn cargo_commands(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

fn fake(program: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake").join(program)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}

#[test]
fn restore_builds_and_passes_everything_on() {
    let clone = Clone::new();
    for arguments in [
        &["kitten.png", "-o", "restored.png", "--set", "seed=1"][..],
        &["--help"],
        &["-h"],
        &["--version"],
        &[],
        &["a.png", "--", "-b.png"],
    ] {
        let output = clone.run(&[&["restore"], arguments].concat(), "");
        assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
        let shown = lines(&output.stdout);
        assert!(shown[0].ends_with("/photos"), "{shown:?}");
        assert_eq!(shown[1..], [&["restore"], arguments].concat());
    }
    assert_eq!(clone.cargo_commands()[0], "build --release -p kds-plugin-ffi -p kds-cli");
}

#[test]
fn kds_and_evaluate_pass_everything_on() {
    let clone = Clone::new();
    for (command, build) in [
        ("kds", "build --release -p kds-plugin-ffi -p kds-cli"),
        ("evaluate", "build --release -p kds-plugin-ffi -p kds-cli -p kds-tests"),
    ] {
        let output = clone.run(&[command, "--help", "models"], "");
        assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(lines(&output.stdout)[1..], ["--help", "models"]);
        assert_eq!(clone.cargo_commands().last().unwrap(), build);
    }
}

#[test]
fn a_failing_build_runs_nothing() {
    let output = Clone::new().run(&["restore", "a.png"], "build");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(lines(&output.stderr).iter().any(|line| line.contains("building kds-plugin-ffi and kds-cli failed")));
}

#[test]
fn checks_run_in_order_and_stop_at_the_first_failure() {
    let all = [
        "fmt --all --check",
        "clippy --workspace --all-targets -- -D warnings",
        "build --workspace",
        "test --workspace",
    ];
    let clone = Clone::new();
    assert!(clone.run(&["test"], "").status.success());
    assert_eq!(clone.cargo_commands(), all);

    for (position, (failing, name)) in
        [("fmt", "format"), ("clippy", "lints"), ("build", "build"), ("test", "tests")].into_iter().enumerate()
    {
        let clone = Clone::new();
        let output = clone.run(&["test"], failing);
        assert_eq!(output.status.code(), Some(1));
        let last = lines(&output.stderr).pop().unwrap();
        assert!(last.starts_with(&format!("error: {name} failed")), "{last}");
        assert_eq!(clone.cargo_commands(), all[..=position]);
    }
}

#[test]
fn packages_that_cannot_be_installed_are_named_before_anything_is_checked() {
    let clone = Clone::new();
    let output = clone.run_with_path("/nowhere", &["test"], "");
    assert_eq!(output.status.code(), Some(1));
    let last = lines(&output.stderr).pop().unwrap();
    let command = "sudo apt-get install -y --no-install-recommends cmake pkg-config valgrind abigail-tools mmdebstrap";
    assert!(last.contains(command), "{last}");
    assert!(clone.cargo_commands().is_empty());
}

#[test]
fn install_and_dist_build_as_asked_and_a_failing_build_writes_nothing() {
    for (arguments, built) in [
        (
            &["install", "--prefix", "kds"][..],
            "build --release -p kds-plugin-ffi -p kds-cli -p kds-plugin-gimp -p kds-plugin-vapoursynth -p kds-plugin-gegl -p kds-plugin-openfx",
        ),
        (
            &["dist", "--profile", "dev", "-o", "kds.tar.gz"][..],
            "build -p kds-plugin-ffi -p kds-cli -p kds-plugin-gimp -p kds-plugin-vapoursynth -p kds-plugin-gegl -p kds-plugin-openfx",
        ),
    ] {
        let clone = Clone::new();
        let output = clone.run(arguments, "build");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(clone.cargo_commands(), [built]);
        assert_eq!(fs::read_dir(clone.folder.path().join("photos")).unwrap().count(), 0);
    }
}

#[test]
fn uninstalling_builds_nothing_and_says_when_there_is_nothing() {
    let clone = Clone::new();
    let output = clone.run(&["install", "--prefix", "kds", "--uninstall"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(lines(&output.stderr).pop().unwrap().contains("no KDS is installed in kds"));
    assert!(clone.cargo_commands().is_empty());
}
