//! The directories of an EXIF block, changed in place: every offset stays what it was.

/// The directories of a TIFF structure.
pub struct Directories<'a> {
    bytes: &'a mut [u8],
    little: bool,
}

/// An entry of a directory.
pub struct Entry {
    /// Number of the field.
    pub tag: u16,
    kind: u16,
    count: u32,
    /// Position of its value, or of the offset of its value.
    value: usize,
}

/// Bytes of an entry: tag, type, count and value.
const ENTRY: usize = 12;

const BYTE: u16 = 1;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;
const SIGNED_BYTE: u16 = 6;
const SIGNED_SHORT: u16 = 8;
const SIGNED_LONG: u16 = 9;

impl<'a> Directories<'a> {
    /// `None` where the bytes do not begin as a TIFF structure does.
    pub fn of(bytes: &'a mut [u8]) -> Option<Self> {
        let little = match bytes.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Self { bytes, little })
    }

    /// Offset of the main directory.
    pub fn main(&self) -> usize {
        self.long(4).map_or(usize::MAX, |offset| offset as usize)
    }

    /// The entries of the directory that begins there; none where there is no whole directory.
    pub fn entries(&self, directory: usize) -> Vec<Entry> {
        let Some(first) = directory.checked_add(2) else { return Vec::new() };
        (0..usize::from(self.short(directory).unwrap_or(0)))
            .map_while(|index| {
                let at = first.checked_add(index * ENTRY)?;
                Some(Entry {
                    tag: self.short(at)?,
                    kind: self.short(at + 2)?,
                    count: self.long(at + 4)?,
                    value: at + 8,
                })
            })
            .filter(|entry| self.long(entry.value).is_some())
            .collect()
    }

    /// Offset of the next directory.
    pub fn next_of(&self, directory: usize) -> Option<usize> {
        let next = self.long(self.link_of(directory)?)?;
        (next != 0).then_some(next as usize)
    }

    /// Makes this directory the last.
    pub fn end_after(&mut self, directory: usize) {
        if let Some(link) = self.link_of(directory)
            && self.long(link).is_some()
        {
            self.put(link, &[0; 4]);
        }
    }

    fn link_of(&self, directory: usize) -> Option<usize> {
        directory.checked_add(2)?.checked_add(usize::from(self.short(directory)?) * ENTRY)
    }

    /// The value of an entry that holds a single integer of whatever type.
    pub fn integer(&self, entry: &Entry) -> Option<u32> {
        match (entry.kind, entry.count) {
            (BYTE | SIGNED_BYTE, 1) => self.bytes.get(entry.value).map(|byte| u32::from(*byte)),
            (SHORT | SIGNED_SHORT, 1) => self.short(entry.value).map(u32::from),
            (LONG | SIGNED_LONG, 1) => self.long(entry.value),
            _ => None,
        }
    }

    /// Sets an entry that holds a single integer. Where its type is too small it becomes a wider one.
    pub fn set_integer(&mut self, entry: &Entry, value: u32) {
        if self.integer(entry).is_none() {
            return;
        }
        let short = u16::try_from(value).ok();
        match (entry.kind, u8::try_from(value), short) {
            (BYTE | SIGNED_BYTE, Ok(byte), _) => self.put(entry.value, &[byte]),
            (SHORT | SIGNED_SHORT, _, Some(short)) => self.put_short(entry.value, short),
            (LONG | SIGNED_LONG, ..) => self.put_long(entry.value, value),
            _ => {
                self.put_short(entry.value - 6, LONG);
                self.put_long(entry.value, value);
            }
        }
    }

    /// Sets an entry that holds a single fraction.
    pub fn set_rational(&mut self, entry: &Entry, value: f64) {
        let Some(offset) = self.long(entry.value).map(|offset| offset as usize) else { return };
        let fits = offset.checked_add(8).is_some_and(|end| end <= self.bytes.len());
        if entry.kind == RATIONAL && entry.count == 1 && fits {
            let (numerator, denominator) = super::exif::rational(value);
            self.put_long(offset, numerator);
            self.put_long(offset + 4, denominator);
        }
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn put_short(&mut self, at: usize, value: u16) {
        self.put(at, &if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
    }

    fn put_long(&mut self, at: usize, value: u32) {
        self.put(at, &if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}
