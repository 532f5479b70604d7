//! The mark by which kds knows the files that it wrote, so that a later run may replace them: what the file is, and how
//! long. A file that was edited since has another length or no mark, and belongs to whoever edited it.
//!
//! It stands at the beginning, so that a file that lost its end is still known: in PNG files as the text `Software`, in JPEG
//! files as a segment of applications (a comment would come before the photographer's), in TIFF files as bytes that nothing
//! refers to, in OpenEXR files as the attribute `software`. The last two have it at their end too, where PNG and JPEG have end marks
//! of their own. WebP files have it as their last chunk only: before the pixels, a chunk that tools do not know makes them
//! write broken files. But a WebP file tells its length itself.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use crate::{file_kind::FileKind, read};

/// Kind of an output file of kds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The restored picture.
    Restored,
    /// The map of confidence.
    Confidence,
    /// Enlargement and restoration side by side.
    Comparison,
}

impl Role {
    const ALL: [Self; 3] = [Self::Restored, Self::Confidence, Self::Comparison];

    /// Its name for the user.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restored => "restored picture",
            Self::Confidence => "confidence map",
            Self::Comparison => "comparison",
        }
    }
}

const START: &str = "kds: ";
const DIGITS: usize = 20;
const END: &str = " bytes";
const LONGEST: usize = 64;

/// The mark before the file's length is known. Encoders of TIFF and OpenEXR write it at the beginning, where [`Marked`] finds
/// it again.
pub fn blank(role: Role) -> String {
    text(role, 0)
}

/// Every mark of a role has the same length, so that the number can be written in its place afterwards.
fn text(role: Role, length: u64) -> String {
    format!("{START}{}, {length:0DIGITS$}{END}", role.name())
}

fn parse(bytes: &[u8]) -> Option<(Role, u64)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix(START)?.strip_suffix(END)?;
    let (name, length) = text.split_once(", ")?;
    let role = Role::ALL.into_iter().find(|role| role.name() == name)?;
    (length.len() == DIGITS).then(|| length.parse().ok())?.map(|length| (role, length))
}

/// True for the text of a mark. Metadata leave it out: it describes the file that it stands in, not its copies.
pub fn is_mark(text: &str) -> bool {
    parse(text.as_bytes()).is_some()
}

/// The mark as it stands in a file of this format, and where in it the text begins.
fn framed(kind: FileKind, role: Role, length: u64) -> (Vec<u8>, usize) {
    const PNG_KEYWORD: &[u8] = b"tEXtSoftware\0";
    let text = text(role, length);
    let before: Vec<u8> = match kind {
        FileKind::Png => {
            let data = PNG_KEYWORD.len() - 4 + text.len();
            [&(data as u32).to_be_bytes()[..], PNG_KEYWORD].concat()
        }
        FileKind::Jpeg => [&JPEG_SEGMENT[..], &(text.len() as u16 + 2).to_be_bytes()].concat(),
        FileKind::WebP => [&WEBP_CHUNK[..], &(text.len() as u32).to_le_bytes()].concat(),
        _ => Vec::new(),
    };
    let mut bytes = [&before[..], text.as_bytes()].concat();
    match kind {
        // The checksum covers the chunk's name and data.
        FileKind::Png => bytes.extend(crc32fast::hash(&bytes[4..]).to_be_bytes()),
        // Chunks are padded to an even length.
        FileKind::WebP if bytes.len() % 2 == 1 => bytes.push(0),
        _ => {}
    }
    (bytes, before.len())
}

/// APP9, which no standard uses.
const JPEG_SEGMENT: [u8; 2] = [0xff, 0xe9];
const WEBP_CHUNK: &[u8; 4] = b"kds ";
/// Signature and IHDR.
const PNG_HEADER: usize = 33;
/// The mark lies within so many bytes.
const HEAD: u64 = 4096;

/// Length of what stands before the mark, once enough of the file's beginning is known; `None` where it is not put between what
/// the encoder writes.
fn lead(kind: FileKind, start: &[u8]) -> Option<usize> {
    match kind {
        FileKind::Png => Some(PNG_HEADER),
        // The start of the image, and APP0, which readers look for right after it.
        FileKind::Jpeg => Some(match start {
            [_, _, 0xff, 0xe0, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
            _ if start.len() < 6 => 6,
            _ => 2,
        }),
        _ => None,
    }
}

/// A file being written, which gets its mark on the way.
pub struct Marked<'a> {
    file: BufWriter<&'a mut File>,
    kind: FileKind,
    role: Role,
    /// Bytes so far, until the position of the mark is known.
    start: Option<Vec<u8>>,
    /// Position of the mark.
    at: u64,
}

impl<'a> Marked<'a> {
    /// An empty file of this format and role.
    pub fn new(file: &'a mut File, kind: FileKind, role: Role) -> Self {
        let start = lead(kind, &[]).map(|_| Vec::new());
        Self { file: BufWriter::with_capacity(1 << 16, file), kind, role, start, at: 0 }
    }

    /// Puts the mark at the end too, where it belongs there, and the file's length into both.
    ///
    /// # Errors
    /// When the file cannot be written; among them all that earlier writes had put off.
    pub fn finish(mut self) -> io::Result<()> {
        if self.start.is_some() {
            return Err(io::Error::other("the encoder wrote less than the head of a file"));
        }
        let end = self.file.seek(SeekFrom::End(0))?;
        match self.kind {
            FileKind::Tiff | FileKind::Exr => self.at = self.blank()?,
            FileKind::WebP => self.at = end,
            FileKind::Png | FileKind::Jpeg => {}
        }
        let added = if has_end_mark(self.kind) { framed(self.kind, self.role, 0).0.len() } else { 0 };
        let length = end + added as u64;
        let (mark, _) = framed(self.kind, self.role, length);
        if has_end_mark(self.kind) {
            self.file.seek(SeekFrom::Start(end))?;
            self.file.write_all(&mark)?;
        }
        self.file.seek(SeekFrom::Start(self.at))?;
        self.file.write_all(&mark)?;
        if self.kind == FileKind::WebP {
            // The chunk belongs to the container, which tells its length.
            self.file.seek(SeekFrom::Start(4))?;
            self.file.write_all(&u32::try_from(length - 8).map_err(io::Error::other)?.to_le_bytes())?;
        }
        self.file.flush()
    }

    /// Position of the room for the mark.
    fn blank(&mut self) -> io::Result<u64> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut start = Vec::new();
        self.file.get_mut().take(HEAD).read_to_end(&mut start)?;
        let blank = blank(self.role);
        let place = start.windows(blank.len()).position(|window| window == blank.as_bytes());
        place.map(|place| place as u64).ok_or_else(|| io::Error::other("the encoder left no room for the mark"))
    }
}

impl Write for Marked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(start) = &mut self.start else { return self.file.write(bytes) };
        start.extend_from_slice(bytes);
        if let Some(lead) = lead(self.kind, start).filter(|lead| *lead <= start.len()) {
            let (mark, _) = framed(self.kind, self.role, 0);
            self.file.write_all(&start[..lead])?;
            self.file.write_all(&mark)?;
            self.file.write_all(&start[lead..])?;
            self.at = lead as u64;
            self.start = None;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Marked<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &self.start {
            Some(start) if matches!(to, SeekFrom::Current(0)) => Ok(start.len() as u64),
            Some(_) => Err(io::Error::other("the head of a file is written in one go")),
            None => self.file.seek(to),
        }
    }
}

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

/// True for a mark at the end.
fn has_end_mark(kind: FileKind) -> bool {
    matches!(kind, FileKind::WebP | FileKind::Tiff | FileKind::Exr)
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
