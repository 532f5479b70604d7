//! Shared libraries as files: what they need, and how they are made fit to be moved.

use anyhow::{Context, Result, anyhow, bail};
use object::Endianness;
use object::elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, FileHeader64};
use object::read::elf::{Dyn, FileHeader, SectionHeader};
use object::read::{ReadCache, StringTable};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// What the dynamic section of a library tells the loader.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// Names of the libraries that it is linked to.
    pub needed: Vec<String>,
    /// Folders to look for them in, as written: `$ORIGIN` is the library's own folder.
    pub search: Vec<String>,
}

/// Reads the dynamic section of a library.
pub fn dynamic(library: &Path) -> Result<Dynamic> {
    let file = File::open(library).with_context(|| format!("cannot open {}", library.display()))?;
    // Half a gigabyte in the case of libtorch: only the parts that are asked for are read.
    let data = ReadCache::new(file);
    parse(&data).with_context(|| format!("{} is no shared library for this machine", library.display()))
}

fn parse(data: &ReadCache<File>) -> object::read::Result<Dynamic> {
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let mut found = Dynamic::default();
    let Some((entries, names)) = sections.dynamic(endian, data)? else { return Ok(found) };
    let names = sections.section(names)?.data(endian, data)?;
    let names = StringTable::new(names, 0, names.len() as u64);
    for entry in entries {
        let text = || entry.string(endian, names).map(|text| String::from_utf8_lossy(text).into_owned());
        match entry.tag32(endian) {
            Some(DT_NEEDED) => found.needed.push(text()?),
            Some(DT_RPATH | DT_RUNPATH) => found.search.extend(text()?.split(':').map(str::to_owned)),
            _ => {}
        }
    }
    Ok(found)
}

/// The bytes of a library under this soname that looks for other libraries only in `search`, less what [`stripped`]
/// leaves out. It must have a soname and a search path before: there is no room for further entries.
pub fn renamed(library: &Path, soname: &str, search: &str) -> Result<Vec<u8>> {
    let before = stripped(library)?;
    let rewritten = || {
        let mut rewriter = object_rewrite::Rewriter::read(&before)?;
        rewriter.elf_set_soname(soname.into())?;
        rewriter.elf_set_runpath(search.into())?;
        let mut after = Vec::new();
        rewriter.write(&mut after)?;
        Ok::<_, object_rewrite::Error>(after)
    };
    rewritten().map_err(|failure| anyhow!("cannot change the dynamic section of {}: {failure}", library.display()))
}

/// The bytes of a program or library without the line tables for debuggers, which are most of it.
pub fn stripped(file: &Path) -> Result<Vec<u8>> {
    let stripped = tempfile::NamedTempFile::new().context("cannot create a temporary file")?;
    let status = Command::new("strip").arg("--strip-debug").arg("-o").arg(stripped.path()).arg(file).status();
    match status.context("cannot start strip, which comes with the compiler (Debian: apt install binutils)")? {
        status if status.success() => {}
        status => bail!("strip could not read {} ({status}); its own message is above", file.display()),
    }
    fs::read(stripped.path()).with_context(|| format!("cannot read {}", stripped.path().display()))
}
