//! Strips and tiles, unpacked by the `tiff` crate.
//!
//! It sees one plane at a time, as a file of its own whose directory is made here and whose chunks lie in the real file:
//! of one interpretation, grey of so many channels, whatever the samples mean. So it unpacks, and nothing else.

use std::io::{Read, Result, Seek, SeekFrom};

use anyhow::bail;
use tiff::{
    TiffError,
    decoder::{Decoder, DecodingResult, Limits},
};

use super::layout::{Kind, Layout};
use crate::read::{broken, cut_short, plain};

/// The samples of one plane, row by row; less than a byte each, they are packed, and each row begins with a byte.
pub fn plane(file: &[u8], little: bool, layout: &Layout, plane: usize) -> anyhow::Result<DecodingResult> {
    let (_, chunks) = layout.planes();
    let range = plane * chunks..(plane + 1) * chunks;
    let samples = if layout.planar { 1 } else { layout.samples };
    let page = Page::of(layout, samples)?;
    let directory = page.directory(layout, range, little);
    let mut limits = Limits::unlimited();
    // Chunks are no longer than the file, and the size of the picture has been checked.
    limits.intermediate_buffer_size = file.len().max(1 << 20);
    let mut decoder = Decoder::new(Chain { parts: [&directory, file], reversed: layout.reversed, at: 0 })
        .map_err(explain)?
        .with_limits(limits);
    let mut result = DecodingResult::U8(Vec::new());
    decoder.read_image_to_buffer(&mut result).map_err(explain)?;
    Ok(result)
}

/// True for bit depths that the crate unpacks; other samples pass through it as bytes.
fn is_usual(bits: u16) -> bool {
    matches!(bits, 1 | 2 | 4 | 8 | 16 | 32 | 64)
}

/// The plane as the crate is told of it.
struct Page {
    width: u32,
    chunk_width: u32,
    bits: u16,
    samples: usize,
    kind: Kind,
}

impl Page {
    fn of(layout: &Layout, samples: usize) -> anyhow::Result<Self> {
        if is_usual(layout.bits) {
            let kind = if layout.bits < 8 { Kind::Unsigned } else { layout.kind };
            return Ok(Self { width: layout.width, chunk_width: layout.chunk.0, bits: layout.bits, samples, kind });
        }
        let bits = |pixels: u32| u64::from(pixels) * samples as u64 * u64::from(layout.bits);
        let chunk_bits = bits(layout.chunk.0);
        if layout.predictor != 1 || layout.compression == super::layout::JPEG || (layout.tiled && chunk_bits % 8 != 0) {
            bail!("has samples of {} bits, compressed in a way that is not read; convert it to 16 bits", layout.bits);
        }
        Ok(Self {
            width: u32::try_from(bits(layout.width).div_ceil(8))?,
            chunk_width: u32::try_from(chunk_bits.div_ceil(8))?,
            bits: 8,
            samples: 1,
            kind: Kind::Unsigned,
        })
    }

    /// A BigTIFF file that ends after its directory. The real file is to follow.
    fn directory(&self, layout: &Layout, chunks: std::ops::Range<usize>, little: bool) -> Vec<u8> {
        const HEADER: usize = 16;
        const ENTRY: usize = 20;
        const SHORT: u16 = 3;
        const LONG: u16 = 4;
        const UNDEFINED: u16 = 7;
        const LONG8: u16 = 16;
        let order = |mut bytes: Vec<u8>| {
            if !little {
                bytes.reverse();
            }
            bytes
        };
        let short = |value: u16| order(value.to_le_bytes().to_vec());
        let long = |value: u32| order(value.to_le_bytes().to_vec());
        let long8 = |value: u64| order(value.to_le_bytes().to_vec());
        let every = |value: u16| (0..self.samples).flat_map(|_| short(value)).collect::<Vec<u8>>();
        let format = match self.kind {
            Kind::Unsigned => 1,
            Kind::Signed => 2,
            Kind::Float => 3,
        };
        let (offsets, lengths) = if layout.tiled { (324, 325) } else { (273, 279) };
        let numbers = |values: &[u64], add: u64| {
            values[chunks.clone()].iter().flat_map(|value| long8(value.saturating_add(add))).collect::<Vec<u8>>()
        };
        let mut fields: Vec<(u16, u16, Vec<u8>)> = vec![
            (256, LONG, long(self.width)),
            (257, LONG, long(layout.height)),
            (258, SHORT, every(self.bits)),
            (259, SHORT, short(layout.compression)),
            (262, SHORT, short(1)),
            (277, SHORT, short(self.samples as u16)),
            (lengths, LONG8, numbers(&layout.lengths, 0)),
            (317, SHORT, short(layout.predictor)),
            (339, SHORT, every(format)),
        ];
        if layout.tiled {
            fields.extend([(322, LONG, long(self.chunk_width)), (323, LONG, long(layout.chunk.1))]);
        } else {
            fields.push((278, LONG, long(layout.chunk.1)));
        }
        fields.extend(layout.tables.map(|tables| (347, UNDEFINED, tables.to_vec())));
        let count = fields.len() + 1;
        let after = HEADER + 8 + count * ENTRY + 8;
        let values: usize = fields.iter().map(|(.., bytes)| if bytes.len() > 8 { bytes.len() } else { 0 }).sum();
        // The offsets have as many bytes as the lengths.
        let start = after + values + chunks.len() * 8;
        fields.push((offsets, LONG8, numbers(&layout.offsets, start as u64)));
        fields.sort_by_key(|(tag, ..)| *tag);

        let mut file = if little { b"II".to_vec() } else { b"MM".to_vec() };
        [short(43), short(8), short(0), long8(HEADER as u64), long8(count as u64)]
            .iter()
            .for_each(|part| file.extend(part));
        let mut values = Vec::new();
        for (tag, kind, bytes) in fields {
            let size = match kind {
                SHORT => 2,
                LONG => 4,
                LONG8 => 8,
                _ => 1,
            };
            [short(tag), short(kind), long8((bytes.len() / size) as u64)].iter().for_each(|part| file.extend(part));
            if bytes.len() > 8 {
                file.extend(long8((after + values.len()) as u64));
                values.extend(bytes);
            } else {
                file.extend(&bytes);
                file.resize(file.len() + 8 - bytes.len(), 0);
            }
        }
        file.extend(long8(0));
        file.extend(values);
        // Where a single offset stands in the directory itself.
        file.resize(start, 0);
        file
    }
}

fn explain(error: TiffError) -> anyhow::Error {
    match error {
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => cut_short(),
        TiffError::UnsupportedError(error) => {
            anyhow::anyhow!("cannot be decoded: {}; convert it to PNG", plain(&error))
        }
        error => broken(&error),
    }
}

/// One after the other, as one file.
struct Chain<'a> {
    parts: [&'a [u8]; 2],
    /// True where the bytes of the second part are read with their bits in reverse order.
    reversed: bool,
    at: u64,
}

impl Read for Chain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let first = self.parts[0].len() as u64;
        let mut rest = match self.at.checked_sub(first) {
            None => &self.parts[0][self.at as usize..],
            Some(at) => usize::try_from(at).ok().and_then(|at| self.parts[1].get(at..)).unwrap_or_default(),
        };
        let read = rest.read(buffer)?;
        if self.reversed && self.at >= first {
            buffer[..read].iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Chain<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let end = self.parts.iter().map(|part| part.len() as u64).sum::<u64>();
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => end.checked_add_signed(by),
        };
        self.at = at.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
