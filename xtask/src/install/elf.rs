//! Shared libraries as files: what they need, and how they are made fit to be moved.

use anyhow::{Context, Result, bail};
use object::Endianness;
use object::elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, Dyn64, FileHeader64};
use object::read::elf::{Dyn, FileHeader, SectionHeader};
use object::read::{ReadCache, StringTable};
use std::fs::{self, File};
use std::mem::{offset_of, size_of};
use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// Dynamic section of a library, as the loader reads it.
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

/// The bytes of a library under this soname that looks for other libraries in `search` first, less what [`stripped`]
/// leaves out. Both are written over the search path that it has, so that nothing in it moves: `kds-plugin-ffi/build.rs`
/// makes that long enough. The search path becomes one that counts before `LD_LIBRARY_PATH` (`DT_RPATH`, not `DT_RUNPATH`):
/// another libtorch that somebody has put there has other symbols, and the library works with its own alone.
pub fn renamed(library: &Path, soname: &str, search: &str) -> Result<Vec<u8>> {
    let mut bytes = stripped(library)?;
    let wrong = || format!("cannot change the dynamic section of {}", library.display());
    let found = Places::find(&bytes).with_context(wrong)?;
    let Some(Places { search: room, tag, soname: entry, strings, endian }) = found else {
        bail!("{}: it has no soname or no search path; was it linked with LIBTORCH unset?", wrong());
    };
    let text = format!("{search}\0{soname}\0");
    if room.len() < text.len() {
        bail!("{}: its search path has {} bytes, {} are needed", wrong(), room.len(), text.len());
    }
    let position = (room.start + search.len() + 1 - strings) as u64;
    bytes[room.clone()].fill(0);
    bytes[room.start..][..text.len()].copy_from_slice(text.as_bytes());
    for (at, number) in [(entry, position), (tag, u64::from(DT_RPATH))] {
        let number = if endian == Endianness::Little { number.to_le_bytes() } else { number.to_be_bytes() };
        bytes[at..][..number.len()].copy_from_slice(&number);
    }
    Ok(bytes)
}

/// Positions in the file of the parts of the dynamic section that [`renamed`] changes.
struct Places {
    /// The search path, with the zero that ends it.
    search: Range<usize>,
    /// The entry's kind.
    tag: usize,
    /// The position of the soname among the strings, as a number.
    soname: usize,
    /// Start of the strings.
    strings: usize,
    endian: Endianness,
}

impl Places {
    fn find(data: &[u8]) -> object::read::Result<Option<Self>> {
        let header = FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, data)?;
        for section in sections.iter() {
            let Some((entries, link)) = section.dynamic(endian, data)? else { continue };
            let strings = sections.section(link)?.sh_offset(endian) as usize;
            let names = sections.strings(endian, data, link)?;
            let (mut search, mut soname) = (None, None);
            for (index, entry) in entries.iter().enumerate() {
                let place = section.sh_offset(endian) as usize + index * size_of::<Dyn64<Endianness>>();
                match entry.tag32(endian) {
                    Some(DT_RPATH | DT_RUNPATH) => {
                        let start = strings + entry.d_val(endian) as usize;
                        let tag = place + offset_of!(Dyn64<Endianness>, d_tag);
                        search = Some((start..start + entry.string(endian, names)?.len() + 1, tag));
                    }
                    Some(DT_SONAME) => {
                        soname = Some(place + offset_of!(Dyn64<Endianness>, d_val));
                    }
                    _ => {}
                }
            }
            return Ok(search.zip(soname).map(|((search, tag), soname)| Self { search, tag, soname, strings, endian }));
        }
        Ok(None)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A library under the name `old.so` that searches in `search`.
    fn library(folder: &Path, search: &str) -> std::path::PathBuf {
        let file = folder.join("library.so");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-x", "c", "-", "-x", "none", "-lm", "-Wl,--no-as-needed"]);
        compile.arg(format!("-Wl,-soname,old.so,--enable-new-dtags,-rpath,{search}")).arg("-o").arg(&file);
        compile.stdin(std::process::Stdio::null());
        assert!(compile.status().unwrap().success());
        file
    }

    /// As the loader sees it: `readelf -d`.
    fn shown(file: &Path) -> String {
        let output = Command::new("readelf").args(["-d", "-W"]).arg(file).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn soname_and_search_path_change_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = library(folder.path(), "/a/long/path/with/room/for/all/that/is/written");
        let before = shown(&file);
        let renamed = renamed(&file, "new.so.1", "$ORIGIN/elsewhere").unwrap();
        fs::write(&file, renamed).unwrap();
        let expected = before
            .replace("soname: [old.so]", "soname: [new.so.1]")
            .replace(
                " 0x000000000000001d (RUNPATH)            Library runpath:",
                " 0x000000000000000f (RPATH)              Library rpath:",
            )
            .replace("/a/long/path/with/room/for/all/that/is/written", "$ORIGIN/elsewhere");
        assert_ne!(before, expected);
        // strip may move sections, so what is compared is what the loader looks up by name.
        let names =
            |shown: &str| shown.lines().filter(|line| line.contains('[')).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(names(&shown(&file)), names(&expected));
    }

    #[test]
    fn a_library_without_room_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = library(folder.path(), "/short");
        let message = renamed(&file, "new.so.1", "$ORIGIN/elsewhere").unwrap_err().to_string();
        assert!(message.contains("its search path has 7 bytes, 27 are needed"), "{message}");
    }
}
