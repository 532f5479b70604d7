//! Files that are there already, told by their [`mark`](super::mark): earlier outputs of kds, whole or damaged, and those of others.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use crate::{
    file_kind::FileKind,
    mark::{HEAD, LONGEST, Role, START, framed, lead, parse, text},
    read,
};

/// State of an existing file compared with the output of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none, or an empty one.
    Missing,
    /// An earlier output of the same role, whole.
    Earlier,
    /// An earlier output of the same role, cut short.
    Damaged,
    /// Cut short, and nothing tells of whom.
    Cut,
    /// Anything else: of another role or program, or edited since.
    Foreign,
}

/// Looks at the beginning and the end of a file.
///
/// # Errors
/// When it is there and cannot be read.
pub fn standing(path: &Path, role: Role) -> io::Result<Standing> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Standing::Missing),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Standing::Foreign);
    }
    let length = metadata.len();
    if length == 0 {
        return Ok(Standing::Missing);
    }
    let mut start = Vec::new();
    (&mut file).take(HEAD).read_to_end(&mut start)?;
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST as u64)))?;
    file.read_to_end(&mut end)?;
    let kind = kind(&start);
    Ok(match find(kind, &start, &end) {
        Some((found, told)) if found == role && told == length => {
            if ends(kind, found, told, &end) {
                Standing::Earlier
            } else {
                Standing::Damaged
            }
        }
        // An editor that made the file shorter finished it all the same.
        Some((found, told)) if found == role && length < told && lacks_its_end(kind, &end, path, length) => {
            Standing::Damaged
        }
        None if kind == FileKind::WebP && claims_more(&start, length) => Standing::Cut,
        _ => Standing::Foreign,
    })
}

/// True for an output of kds, of any role, as it was written.
pub fn is_earlier_output(path: &Path) -> bool {
    Role::ALL.into_iter().any(|role| standing(path, role).is_ok_and(|standing| standing == Standing::Earlier))
}

/// The format of a file that could be ours.
fn kind(start: &[u8]) -> FileKind {
    match start {
        [0x89, b'P', b'N', b'G', ..] => FileKind::Png,
        [0xff, 0xd8, ..] => FileKind::Jpeg,
        [b'R', b'I', b'F', b'F', ..] => FileKind::WebP,
        [0x76, 0x2f, 0x31, 0x01, ..] => FileKind::Exr,
        _ => FileKind::Tiff,
    }
}

/// The mark: its role, and the length that it tells.
fn find(kind: FileKind, start: &[u8], end: &[u8]) -> Option<(Role, u64)> {
    Role::ALL.into_iter().find_map(|role| {
        let (mark, within) = framed(kind, role, 0);
        let length = text(role, 0).len();
        let (bytes, at) = match kind {
            FileKind::Png | FileKind::Jpeg => (start, lead(kind, start)? + within),
            FileKind::Tiff => (start, tiff_header(start)),
            FileKind::Exr => (start, start.windows(START.len()).position(|window| window == START.as_bytes())?),
            FileKind::WebP => (end, end.len().checked_sub(mark.len())? + within),
        };
        parse(bytes.get(at..at + length)?).filter(|(found, _)| *found == role)
    })
}

/// True where the last bytes are those of a whole file of this mark.
fn ends(kind: FileKind, role: Role, length: u64, end: &[u8]) -> bool {
    match kind {
        FileKind::Png => end.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"),
        FileKind::Jpeg => end.ends_with(&[0xff, 0xd9]),
        _ => end.ends_with(&framed(kind, role, length).0),
    }
}

/// True for a file that is shorter than its mark tells because it was cut, and not finished by somebody else.
fn lacks_its_end(kind: FileKind, end: &[u8], path: &Path, length: u64) -> bool {
    match kind {
        FileKind::Png | FileKind::Jpeg => !ends(kind, Role::Restored, length, end),
        // It has no mark any more.
        FileKind::WebP => false,
        // Nothing refers to the mark, so that no tool that rewrites the file keeps it.
        FileKind::Tiff => true,
        // Tools hand the attribute on, but not half a mark at the end.
        FileKind::Exr => end.windows(START.len()).any(|window| window == START.as_bytes()) || read::read(path).is_err(),
    }
}

/// True for a WebP file that states a greater length than it has.
fn claims_more(start: &[u8], length: u64) -> bool {
    let told = start.get(4..8).and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes));
    told.is_some_and(|told| u64::from(told) + 8 > length)
}

/// End of the header of a TIFF or BigTIFF file.
fn tiff_header(start: &[u8]) -> usize {
    if matches!(start, [b'I', b'I', 43, ..] | [b'M', b'M', _, 43, ..]) { 16 } else { 8 }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{picture::Picture, save, testing};

    fn written(name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let picture = Picture::plain(testing::pictures(40, 30).swap_remove(2));
        save::save(&picture, &path, 92).unwrap();
        (folder, path)
    }

    const NAMES: [&str; 5] = ["x.png", "x.jpg", "x.webp", "x.tif", "x.exr"];

    #[test]
    fn what_kds_wrote_is_known_by_its_role() {
        for name in NAMES {
            let (_folder, path) = written(name);
            assert_eq!(standing(&path, Role::Restored).unwrap(), Standing::Earlier, "{name}");
            assert_eq!(standing(&path, Role::Confidence).unwrap(), Standing::Foreign, "{name}");
            assert_eq!(read::read(&path).unwrap().0.image.width(), 40, "{name}");
        }
    }

    #[test]
    fn what_was_edited_since_is_not_ours() {
        for name in NAMES {
            let (_folder, path) = written(name);
            let bytes = fs::read(&path).unwrap();
            // As a program that adds a tag and keeps what it does not know.
            let middle = bytes.len() / 2;
            fs::write(&path, [&bytes[..middle], b"caption", &bytes[middle..]].concat()).unwrap();
            assert_eq!(standing(&path, Role::Restored).unwrap(), Standing::Foreign, "{name}");
            let (_folder, path) = written(name);
            fs::write(&path, [&bytes[..], b"appended"].concat()).unwrap();
            assert_eq!(standing(&path, Role::Restored).unwrap(), Standing::Foreign, "{name}");
            let (_folder, path) = written(name);
            image::open(&path).unwrap().save(&path).unwrap();
            assert_eq!(standing(&path, Role::Restored).unwrap(), Standing::Foreign, "{name}");
        }
    }

    #[test]
    fn what_a_tool_finished_is_not_ours_though_it_is_shorter() {
        // Without the last chunk or bytes, as a tool leaves it that removes what it does not know.
        for name in ["x.webp", "x.exr"] {
            let (_folder, path) = written(name);
            let bytes = fs::read(&path).unwrap();
            let kind = FileKind::of(&path).unwrap();
            let mark = framed(kind, Role::Restored, 0).0.len();
            let mut shorter = bytes[..bytes.len() - mark].to_vec();
            if kind == FileKind::WebP {
                let size = u32::try_from(shorter.len() - 8).unwrap();
                shorter[4..8].copy_from_slice(&size.to_le_bytes());
            }
            fs::write(&path, &shorter).unwrap();
            assert_eq!(standing(&path, Role::Restored).unwrap(), Standing::Foreign, "{name}");
        }
    }

    #[test]
    fn what_is_cut_short_is_not_whole() {
        for name in NAMES {
            let (_folder, path) = written(name);
            let bytes = fs::read(&path).unwrap();
            for part in [bytes.len() * 3 / 4, bytes.len() - 20] {
                fs::write(&path, &bytes[..part]).unwrap();
                let expected = if name == "x.webp" { Standing::Cut } else { Standing::Damaged };
                assert_eq!(standing(&path, Role::Restored).unwrap(), expected, "{name} {part}");
            }
            // The length stays when a disk loses its last blocks.
            fs::write(&path, [&bytes[..bytes.len() - 20], &[0; 20]].concat()).unwrap();
            assert_ne!(standing(&path, Role::Restored).unwrap(), Standing::Earlier, "{name}");
        }
    }

    #[test]
    fn nothing_and_empty_files_are_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        assert_eq!(standing(&path, Role::Restored).unwrap(), Standing::Missing);
        fs::write(&path, "").unwrap();
        assert_eq!(standing(&path, Role::Restored).unwrap(), Standing::Missing);
        fs::write(&path, "kds: restored picture").unwrap();
        assert_eq!(standing(&path, Role::Restored).unwrap(), Standing::Foreign);
    }
}
