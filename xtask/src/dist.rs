//! `cargo xtask dist`: an installation as one archive, to be unpacked anywhere.

use crate::install::{Entry, Tree, VERSION};
use crate::partial::{remove_file, sibling};
use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tar::{Builder, EntryType, Header};

/// Name of the archive, and of the folder in it, less the ending.
pub fn name() -> String {
    format!("kds-{VERSION}-linux-{}", std::env::consts::ARCH)
}

/// Writes the tree as a gzip-compressed tar archive, which a system without any further program unpacks. Its owner
/// in the archive is root. The file appears when it is complete.
pub fn write(tree: &Tree, output: &Path) -> Result<()> {
    let partial = sibling(output, "partial");
    let written = write_archive(tree, &partial).with_context(|| format!("cannot write {}", partial.display()));
    let renamed = written.and_then(|()| {
        fs::rename(&partial, output).with_context(|| format!("cannot move the archive to {}", output.display()))
    });
    if renamed.is_err() {
        remove_file(&partial)?;
    }
    renamed
}

fn write_archive(tree: &Tree, output: &Path) -> Result<()> {
    let mut archive = Builder::new(GzEncoder::new(BufWriter::new(File::create(output)?), Compression::default()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let script = PathBuf::from("install.sh");
    let script = (&script, &Entry::Program(include_bytes!("install.sh").to_vec()));
    for (path, entry) in tree.0.iter().chain([script]) {
        let path = Path::new(&name()).join(path);
        let mut header = Header::new_gnu();
        header.set_mode(entry.mode());
        header.set_mtime(now);
        header.set_uid(0);
        header.set_gid(0);
        match entry {
            Entry::Program(bytes) | Entry::File(bytes) => {
                header.set_size(bytes.len() as u64);
                archive.append_data(&mut header, &path, bytes.as_slice())?;
            }
            Entry::Copy(from) => {
                let failed = || format!("cannot read {}", from.display());
                let file = File::open(from).with_context(failed)?;
                header.set_size(file.metadata().with_context(failed)?.len());
                archive.append_data(&mut header, &path, io::BufReader::new(file))?;
            }
            Entry::Link(to) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_size(0);
                archive.append_link(&mut header, &path, to)?;
            }
        }
    }
    archive.into_inner()?.finish()?.flush()?;
    Ok(())
}
