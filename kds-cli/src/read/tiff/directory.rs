//! The directories of TIFF and BigTIFF files. They refer to the file's own bytes, so that reading them takes no memory.

use anyhow::bail;

use crate::{metadata::size_of, read::cut_short};

/// Most directories that are looked at; a chain can be made to run in a circle.
const MOST_DIRECTORIES: usize = 4096;

/// A TIFF or BigTIFF file.
#[derive(Debug, Clone, Copy)]
pub struct Tiff<'a> {
    file: &'a [u8],
    /// True for little endian.
    pub little: bool,
    big: bool,
}

/// A directory: what is said about one picture.
#[derive(Debug, Clone)]
pub struct Directory<'a> {
    /// Its fields, by number.
    pub fields: Vec<Field<'a>>,
    little: bool,
    next: u64,
}

/// A field of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Number of the field.
    pub tag: u16,
    /// Type of its values.
    pub kind: u16,
    /// The values, in the byte order of the file.
    pub bytes: &'a [u8],
}

impl<'a> Tiff<'a> {
    /// # Errors
    /// When the file ends before its first directory.
    pub fn of(file: &'a [u8]) -> anyhow::Result<Self> {
        let Some(start) = file.first_chunk::<8>() else { return Err(cut_short()) };
        let (little, big) = match &start[..4] {
            b"II*\0" => (true, false),
            b"MM\0*" => (false, false),
            b"II+\0" => (true, true),
            b"MM\0+" => (false, true),
            _ => bail!("is not a picture; give a TIFF file"),
        };
        Ok(Self { file, little, big })
    }

    /// The whole file.
    pub fn file(&self) -> &'a [u8] {
        self.file
    }

    /// The directories that follow each other, as far as they can be read.
    ///
    /// # Errors
    /// When there is not even one.
    pub fn directories(&self) -> anyhow::Result<Vec<Directory<'a>>> {
        let mut offset = if self.big { self.number(8, 8) } else { self.number(4, 4) }.ok_or_else(cut_short)?;
        let mut directories: Vec<Directory<'a>> = Vec::new();
        let mut seen = Vec::new();
        while offset != 0 && !seen.contains(&offset) && directories.len() < MOST_DIRECTORIES {
            seen.push(offset);
            let Some(directory) = self.directory(offset) else { break };
            offset = directory.next;
            directories.push(directory);
        }
        if directories.is_empty() { Err(cut_short()) } else { Ok(directories) }
    }

    /// The directory at an offset.
    pub fn directory(&self, offset: u64) -> Option<Directory<'a>> {
        let (count_size, entry, value_size) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let start = usize::try_from(offset).ok()?;
        let count = usize::try_from(self.number(start, count_size)?).ok()?;
        let first = start.checked_add(count_size)?;
        let end = first.checked_add(count.checked_mul(entry)?)?;
        if end > self.file.len() {
            return None;
        }
        let fields = (0..count).filter_map(|index| self.field(first + index * entry, value_size)).collect();
        Some(Directory { fields, little: self.little, next: self.number(end, value_size).unwrap_or(0) })
    }

    fn field(&self, at: usize, value_size: usize) -> Option<Field<'a>> {
        let (tag, kind) = (self.number(at, 2)? as u16, self.number(at + 2, 2)? as u16);
        let count = usize::try_from(self.number(at + 4, value_size)?).ok()?;
        let length = size_of(kind)?.checked_mul(count)?;
        let value = at + 4 + value_size;
        let start = if length <= value_size { value } else { usize::try_from(self.number(value, value_size)?).ok()? };
        Some(Field { tag, kind, bytes: self.file.get(start..start.checked_add(length)?)? })
    }

    fn number(&self, at: usize, size: usize) -> Option<u64> {
        Some(unsigned(self.file.get(at..at.checked_add(size)?)?, self.little))
    }
}

impl<'a> Directory<'a> {
    /// The values of a field as they lie in the file.
    pub fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.field(tag).map(|field| field.bytes)
    }

    /// A field.
    pub fn field(&self, tag: u16) -> Option<Field<'a>> {
        self.fields.iter().find(|field| field.tag == tag).copied()
    }

    /// The values of a field of integers of whatever type.
    pub fn integers(&self, tag: u16) -> Option<Vec<u64>> {
        let field = self.field(tag)?;
        if !matches!(field.kind, 1 | 3 | 4 | 6 | 8 | 9 | 13 | 16 | 17 | 18) {
            return None;
        }
        let size = size_of(field.kind)?;
        Some(field.bytes.chunks_exact(size).map(|bytes| unsigned(bytes, self.little)).collect())
    }

    /// The first value of a field of integers.
    pub fn integer(&self, tag: u16) -> Option<u64> {
        self.integers(tag)?.first().copied()
    }

    /// The values of a field of positive fractions.
    pub fn fractions(&self, tag: u16) -> Option<Vec<f64>> {
        let field = self.field(tag).filter(|field| field.kind == 5)?;
        let value = |bytes: &[u8]| unsigned(bytes, self.little) as f64;
        Some(field.bytes.chunks_exact(8).map(|bytes| value(&bytes[..4]) / value(&bytes[4..])).collect())
    }
}

fn unsigned(bytes: &[u8], little: bool) -> u64 {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    if little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) }
}
