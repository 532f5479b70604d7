//! `cargo xtask gpu pack`: what measures KDS on a machine that has a GPU, its driver and Python with torch, as one folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{self, Profile};

/// Programs and the library, as cargo builds them.
const BUILT: &[&str] = &["kds", "libkds.so", "gpu"];
/// The rest, from the repository: where it lies, and its name in the folder.
const FILES: &[(&str, &str)] = &[
    ("tools/gpu/measure.py", "measure.py"),
    ("tools/gpu/diffusers.py", "networks.py"),
    ("tests/golden/networks.safetensors", "golden/networks.safetensors"),
    ("tests/golden/restoration.safetensors", "golden/restoration.safetensors"),
    ("tests/golden/pipelines.safetensors", "golden/pipelines.safetensors"),
    ("examples/images/kitten.png", "picture.png"),
];
/// The folder must travel. The built-in weights alone are 38 MiB once they are compressed.
const LARGEST: u64 = 48 << 20;
/// For weights of 16 bits: literals are predicted by whether they are the first or the second byte.
const XZ_OPTIONS: &str = "--lzma2=preset=6,lc=0,lp=1,pb=1";

/// Builds, and fills the folder, which is made anew. Returns its size in bytes.
///
/// # Errors
/// Where building, `strip` or `tar` fails, the folder holds something else, or the result is too large.
pub fn pack(root: &Path, folder: &Path) -> Result<u64> {
    let ours = folder.join("measure.py");
    if folder.exists() {
        ensure!(ours.exists(), "{} is there and was not made by this command; name another", folder.display());
        fs::remove_dir_all(folder).with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    let built = cargo::build_only(root, Profile::Small, &["kds-plugin-ffi", "kds-cli", "kds-tests"], &["kds", "gpu"])?;
    let programs = folder.join("bin");
    fs::create_dir_all(&programs).with_context(|| format!("cannot make {}", programs.display()))?;
    for (from, to) in FILES {
        let (from, to) = (root.join(from), folder.join(to));
        fs::create_dir_all(to.parent().unwrap_or(folder))?;
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    for name in BUILT {
        let mut strip = Command::new("strip");
        strip.arg("--strip-all").arg("-o").arg(programs.join(name)).arg(built.join(name));
        run(&mut strip)?;
    }
    let mut tar = Command::new("tar");
    tar.env("XZ_OPT", XZ_OPTIONS);
    const PACKED: [&str; 2] = ["bin", "golden"];
    run(tar.arg("-C").arg(folder).args(["-cJf"]).arg(folder.join("packed.tar.xz")).args(PACKED))?;
    for part in PACKED {
        fs::remove_dir_all(folder.join(part))?;
    }
    let size = size(folder)?;
    ensure!(size < LARGEST, "{} holds {size} bytes; {LARGEST} are the most", folder.display());
    Ok(size)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}

fn size(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}
