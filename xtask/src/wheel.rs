//! `cargo xtask wheel`: the plug-in for VapourSynth as pip installs it, beside VapourSynth and PyTorch of the same environment.

use crate::install::{Source, VERSION, nodes};
use crate::partial::{remove_file, sibling};
use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// VapourSynth's folder of plug-ins in a Python environment; the manifest says which file of a folder is one.
const FOLDER: &str = "vapoursynth/plugins/kds";
/// From there to the libraries of the package torch.
const LIBTORCH: &str = "$ORIGIN/../../../torch/lib";
/// Version of libtorch that libkds.so was built with: others have other functions.
const TORCH: &str = include_str!("setup/libtorch-cpu.txt");

/// A file of the wheel.
struct Entry {
    path: String,
    bytes: Vec<u8>,
    is_program: bool,
}

/// Writes the wheel into a folder. Returns its path.
pub fn write(source: &Source<'_>, folder: &Path) -> Result<PathBuf> {
    let tag = tag()?;
    let path = folder.join(format!("vapoursynth_kds-{VERSION}-{tag}.whl"));
    let entries = entries(source, &tag)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let partial = sibling(&path, "partial");
    let written = pack(&entries, &partial).with_context(|| format!("cannot write {}", partial.display()));
    let renamed = written.and_then(|()| {
        fs::rename(&partial, &path).with_context(|| format!("cannot move the wheel to {}", path.display()))
    });
    if renamed.is_err() {
        remove_file(&partial)?;
    }
    renamed.map(|()| path)
}

/// For any Python, on systems whose C library is at least as new as this one's.
fn tag() -> Result<String> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().context("cannot start getconf")?;
    let told = String::from_utf8_lossy(&output.stdout);
    let Some((major, minor)) = told.trim().strip_prefix("glibc ").and_then(|version| version.split_once('.')) else {
        bail!("getconf tells no version of glibc: {}", told.trim());
    };
    Ok(format!("py3-none-manylinux_{major}_{minor}_{}", std::env::consts::ARCH))
}

fn entries(source: &Source<'_>, tag: &str) -> Result<Vec<Entry>> {
    let info = format!("vapoursynth_kds-{VERSION}.dist-info");
    let stem = nodes::VAPOURSYNTH.trim_end_matches(".so");
    let torch =
        TORCH.lines().find_map(|line| line.split_whitespace().next().filter(|word| word.starts_with("torch==")));
    let torch = torch.context("the pinned packages name no torch")?;
    let file = |path: String, bytes: Vec<u8>| Entry { path, bytes, is_program: false };
    let mut entries = vec![
        file(format!("{FOLDER}/{}", nodes::VAPOURSYNTH), source.stripped(nodes::VAPOURSYNTH)?),
        file(format!("{FOLDER}/libkds.so"), source.library(LIBTORCH)?),
        Entry { path: format!("{FOLDER}/kds"), bytes: source.stripped("kds")?, is_program: true },
        file(format!("{FOLDER}/manifest.vs"), format!("[VapourSynth Manifest V1]\n{stem}\n").into_bytes()),
    ];
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let from = source.root.join(licence);
        let bytes = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        entries.push(file(format!("{info}/licenses/{licence}"), bytes));
    }
    let metadata = format!(
        "Metadata-Version: 2.4\nName: vapoursynth-kds\nVersion: {VERSION}\n\
         Summary: Restores clips by steering diffusion models to what their samples agree on\n\
         License-Expression: MIT OR Apache-2.0\nLicense-File: LICENSE-MIT\nLicense-File: LICENSE-APACHE\n\
         Requires-Python: >=3.12\nRequires-Dist: vapoursynth>=81\nRequires-Dist: {torch}\n"
    );
    let wheel = format!("Wheel-Version: 1.0\nGenerator: kds {VERSION}\nRoot-Is-Purelib: false\nTag: {tag}\n");
    entries.push(file(format!("{info}/METADATA"), metadata.into_bytes()));
    entries.push(file(format!("{info}/WHEEL"), wheel.into_bytes()));
    let record = format!("{info}/RECORD");
    let mut lines = String::new();
    for Entry { path, bytes, .. } in &entries {
        let sum = URL_SAFE_NO_PAD.encode(Sha256::digest(bytes));
        writeln!(lines, "{path},sha256={sum},{}", bytes.len())?;
    }
    writeln!(lines, "{record},,")?;
    entries.push(file(record, lines.into_bytes()));
    Ok(entries)
}

fn pack(entries: &[Entry], output: &Path) -> Result<()> {
    let mut archive = rawzip::ZipArchiveWriter::new(BufWriter::new(File::create(output)?));
    for Entry { path, bytes, is_program } in entries {
        let mode = if *is_program { 0o100_755 } else { 0o100_644 };
        let (mut entry, config) = archive
            .new_file(path.as_str())
            .unix_permissions(mode)
            .compression_method(rawzip::CompressionMethod::DEFLATE)
            .start()?;
        let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
        writer.write_all(bytes)?;
        let (encoder, descriptor) = writer.finish()?;
        encoder.finish()?;
        entry.finish(descriptor)?;
    }
    archive.finish()?.flush()?;
    Ok(())
}
