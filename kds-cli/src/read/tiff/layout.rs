//! Layout of the samples in a TIFF file.

use anyhow::{Context, bail};

use super::directory::Directory;

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const FILL_ORDER: u16 = 266;
const STRIP_OFFSETS: u16 = 273;
const SAMPLES: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTES: u16 = 279;
const PLANAR: u16 = 284;
const PREDICTOR: u16 = 317;
const TILE_WIDTH: u16 = 322;
const TILE_HEIGHT: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTES: u16 = 325;
const SAMPLE_FORMAT: u16 = 339;
const JPEG_TABLES: u16 = 347;

/// No compression.
pub const UNCOMPRESSED: u16 = 1;
/// JPEG as everyone writes it.
pub const JPEG: u16 = 7;

/// Number type of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Integers from zero.
    Unsigned,
    /// Integers around zero.
    Signed,
    /// Floating point.
    Float,
}

/// Layout of the samples in the file.
#[derive(Debug, Clone)]
pub struct Layout<'a> {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Bits per sample.
    pub bits: u16,
    /// Samples per pixel.
    pub samples: usize,
    /// Number type of the samples.
    pub kind: Kind,
    /// True for planes: each channel is stored separately.
    pub planar: bool,
    /// The number of the method.
    pub compression: u16,
    /// The number of the method; 1 is none.
    pub predictor: u16,
    /// Width and height; strips are as wide as the picture.
    pub chunk: (u32, u32),
    /// True for tiles, false for strips.
    pub tiled: bool,
    /// Offset of each chunk in the file, in bytes.
    pub offsets: Vec<u64>,
    /// Bytes of each chunk.
    pub lengths: Vec<u64>,
    /// True for FillOrder 2: the lowest bit of each byte comes first. It does not apply to JPEG.
    pub reversed: bool,
    /// Tables that all chunks of JPEG share.
    pub tables: Option<&'a [u8]>,
}

/// Width and height that a page claims.
///
/// # Errors
/// When it has none.
pub fn size(page: &Directory) -> anyhow::Result<(u32, u32)> {
    let side = |tag| page.integer(tag).and_then(|value| u32::try_from(value).ok());
    side(WIDTH).zip(side(HEIGHT)).context("says nothing of its size; replace it by an intact copy")
}

impl<'a> Layout<'a> {
    /// # Errors
    /// When the directory contradicts itself, or is of a kind that is not read.
    pub fn of(page: &Directory<'a>, file: &[u8]) -> anyhow::Result<Self> {
        let side = |tag| page.integer(tag).and_then(|value| u32::try_from(value).ok());
        let (width, height) = size(page)?;
        let number = |tag, usual: u64| page.integer(tag).unwrap_or(usual);
        let samples = usize::try_from(number(SAMPLES, 1))?;
        let all_bits = page.integers(BITS).unwrap_or(vec![1]);
        let bits = *all_bits.first().context("says nothing of its bits; replace it by an intact copy")?;
        if all_bits.iter().take(samples).any(|other| *other != bits) {
            bail!("has channels of different bits ({all_bits:?}), which is not read; convert it to PNG");
        }
        if !(1..=64).contains(&bits) || !(1..=64).contains(&samples) {
            bail!("has {samples} channels of {bits} bits, which is not read; convert it to PNG");
        }
        let compression = u16::try_from(number(COMPRESSION, 1))?;
        if let Some(name) = unknown_compression(compression) {
            bail!("is compressed by {name}, which is not read; convert it with 'tiffcp -c lzw in.tif out.tif'");
        }
        let formats = page.integers(SAMPLE_FORMAT).unwrap_or(vec![1]);
        let kind = match formats.first() {
            // Undefined data are integers to every other reader.
            None | Some(1 | 4) => Kind::Unsigned,
            Some(2) => Kind::Signed,
            Some(3) => Kind::Float,
            Some(other) => bail!("has samples of an unknown kind ({other}); convert it to PNG"),
        };
        if kind == Kind::Float && !matches!(bits, 16 | 32 | 64) {
            bail!("has floating-point samples of {bits} bits, which is not read; convert it to 32 bits");
        }
        let tiled = page.field(TILE_WIDTH).is_some();
        let planar = number(PLANAR, 1) == 2 && samples > 1;
        let (chunk, offsets, lengths) = if tiled {
            ((side(TILE_WIDTH), side(TILE_HEIGHT)), page.integers(TILE_OFFSETS), page.integers(TILE_BYTES))
        } else {
            let rows = side(ROWS_PER_STRIP).unwrap_or(u32::MAX).min(height);
            ((Some(width), Some(rows)), page.integers(STRIP_OFFSETS), page.integers(STRIP_BYTES))
        };
        let ((Some(across @ 1..), Some(down @ 1..)), Some(offsets)) = (chunk, offsets) else {
            bail!("says nothing of where its pixels are; replace it by an intact copy")
        };
        let planes = if planar { samples as u64 } else { 1 };
        let wanted = u64::from(width.div_ceil(across)) * u64::from(height.div_ceil(down)) * planes;
        // Some old writers give no lengths for a single strip.
        let lengths = match lengths {
            None if offsets.len() == 1 => vec![(file.len() as u64).saturating_sub(offsets[0])],
            lengths => lengths.unwrap_or_default(),
        };
        if (offsets.len() as u64) < wanted || (lengths.len() as u64) < wanted {
            bail!("has {} parts and needs {wanted}; replace it by an intact copy", offsets.len().min(lengths.len()));
        }
        Ok(Self {
            width,
            height,
            bits: bits as u16,
            samples,
            kind,
            planar,
            compression,
            predictor: u16::try_from(number(PREDICTOR, 1))?,
            chunk: (across, down),
            tiled,
            offsets,
            lengths,
            reversed: number(FILL_ORDER, 1) == 2 && compression != JPEG,
            tables: page.bytes(JPEG_TABLES),
        })
    }

    /// Bytes of a pixel once it is unpacked. Floating-point samples have 32 bits then, and grey has three of them.
    pub fn bytes_per_pixel(&self) -> usize {
        let bytes = usize::from(self.bits).div_ceil(8);
        if self.kind == Kind::Float { self.samples.max(3) * bytes.max(4) } else { self.samples * bytes }
    }

    /// Planes, and chunks of each.
    pub fn planes(&self) -> (usize, usize) {
        let (across, down) = (self.width.div_ceil(self.chunk.0), self.height.div_ceil(self.chunk.1));
        (if self.planar { self.samples } else { 1 }, across as usize * down as usize)
    }
}

/// The name of a compression that is not read.
fn unknown_compression(number: u16) -> Option<String> {
    Some(match number {
        // None, Group 4 fax, LZW, JPEG, Deflate (twice), PackBits, Zstandard, WebP.
        UNCOMPRESSED | 4 | 5 | JPEG | 8 | 32946 | 32773 | 50000 | 50001 => return None,
        2 | 3 => "Group 3 fax".into(),
        6 => "JPEG as of 1992".into(),
        34712 => "JPEG 2000".into(),
        34887 => "LERC".into(),
        34925 => "LZMA".into(),
        50002 => "JPEG XL".into(),
        32809 => "ThunderScan".into(),
        34676 | 34677 => "SGILog".into(),
        other => format!("method {other}"),
    })
}
