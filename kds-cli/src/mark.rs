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
};

use crate::file_kind::FileKind;

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
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Restored, Self::Confidence, Self::Comparison];

    /// Its name for the user.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restored => "restored picture",
            Self::Confidence => "confidence map",
            Self::Comparison => "comparison",
        }
    }
}

/// Beginning of every mark.
pub const START: &str = "kds: ";
const DIGITS: usize = 20;
const END: &str = " bytes";
/// A mark and its frame have at most so many bytes.
pub const LONGEST: usize = 64;

/// The mark before the file's length is known. Encoders of TIFF and OpenEXR write it at the beginning, where [`Marked`] finds
/// it again.
pub fn blank(role: Role) -> String {
    text(role, 0)
}

/// Every mark of a role has the same length, so that the number can be written in its place afterwards.
pub fn text(role: Role, length: u64) -> String {
    format!("{START}{}, {length:0DIGITS$}{END}", role.name())
}

/// Role and length that a mark tells.
pub fn parse(bytes: &[u8]) -> Option<(Role, u64)> {
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
pub fn framed(kind: FileKind, role: Role, length: u64) -> (Vec<u8>, usize) {
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
pub const HEAD: u64 = 4096;

/// Length of what stands before the mark, once enough of the file's beginning is known; `None` where it is not put between what
/// the encoder writes.
pub fn lead(kind: FileKind, start: &[u8]) -> Option<usize> {
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

/// True for a mark at the end.
fn has_end_mark(kind: FileKind) -> bool {
    matches!(kind, FileKind::WebP | FileKind::Tiff | FileKind::Exr)
}
