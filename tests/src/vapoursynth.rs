//! VapourSynth in a Python environment of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use xtask::partial::sibling;
use xtask::setup::Setup;

/// Versions of Python that VapourSynth R81 runs in.
const PYTHONS: [&str; 3] = ["3.12", "3.13", "3.14"];

/// The Python of an environment that has VapourSynth R81 and nothing else; it is made once and kept beside libtorch, in the
/// user's cache folder. That takes a Python of at least 3.12 and a network.
pub fn python() -> Result<PathBuf> {
    let cache = Setup::from_environment()?.cache;
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let environment = cache.join("vapoursynth-81");
    let python = environment.join("bin/python");
    // Another test may be making it.
    let lock = sibling(&environment, "lock");
    let lock = File::create(&lock).with_context(|| format!("cannot create {}", lock.display()))?;
    lock.lock().context("cannot lock the folder of the environment")?;
    // Written when all is there; environments cannot be renamed, since their programs hold their path.
    let complete = environment.join("complete");
    if !complete.exists() {
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("vapoursynth/requirements.txt");
        run(Command::new(installed()?).args(["-m", "venv", "--clear"]).arg(&environment))?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
        run(pip.arg("--requirement").arg(requirements))?;
        fs::write(&complete, "").with_context(|| format!("cannot write {}", complete.display()))?;
    }
    Ok(python)
}

/// A Python that is new enough: on the `PATH`, or one of pyenv's.
fn installed() -> Result<PathBuf> {
    let of_pyenv = std::env::home_dir().map(|home| home.join(".pyenv/versions"));
    let of_pyenv = of_pyenv.into_iter().flat_map(fs::read_dir).flatten().flatten().map(|entry| entry.path());
    let candidates = of_pyenv.map(|version| version.join("bin/python3")).chain(
        // pyenv's own commands of these names are there and may not work.
        PYTHONS.iter().map(|version| PathBuf::from(format!("python{version}"))).chain([PathBuf::from("python3")]),
    );
    let works = |python: &PathBuf| {
        let mut ask = Command::new(python);
        ask.args(["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))"]);
        ask.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        ask.status().is_ok_and(|status| status.success())
    };
    candidates
        .into_iter()
        .find(works)
        .context("VapourSynth R81 needs a Python of at least 3.12, on the PATH or of pyenv's, with its module venv")
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{command:?} failed ({}):\n{out}{errors}", output.status);
    }
    Ok(())
}
