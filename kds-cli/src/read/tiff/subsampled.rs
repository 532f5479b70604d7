//! YCbCr with fewer samples of colour than of luma, without JPEG (TIFF 6.0, section 21).

use anyhow::bail;
use tiff::decoder::DecodingResult;

use super::{
    layout::{Kind, Layout},
    samples::Samples,
    unpack,
};
use crate::read::broken;

/// The three channels side by side; each colour sample serves all pixels of its unit, as in libtiff.
///
/// A unit is a block of `across` x `down` pixels: their luma, row by row, then one Cb and one Cr. A row of units is a row
/// of bytes to what unpacks it.
///
/// # Errors
/// When it cannot be unpacked, or is of more than 8 bits, has planes, alpha or a predictor.
pub fn read(file: &[u8], little: bool, layout: &Layout, factors: &[u64]) -> anyhow::Result<Samples> {
    let &[across @ (1 | 2 | 4), down @ (1 | 2 | 4)] = factors else {
        bail!("has colours subsampled by {factors:?}, which no standard knows; replace it by an intact copy");
    };
    if layout.bits != 8 || layout.samples != 3 || layout.planar || layout.predictor != 1 {
        bail!(
            "has subsampled colours with planes, a predictor, alpha or more than 8 bits; convert it with 'tiff2rgba'"
        );
    }
    let (across, down) = (across as u32, down as u32);
    let unit = across * down + 2;
    let bytes = |pixels: u32| pixels.div_ceil(across).checked_mul(unit);
    let (Some(row), Some(chunk_row)) = (bytes(layout.width), bytes(layout.chunk.0)) else {
        bail!("is too wide; cut it into parts");
    };
    let units = Layout {
        width: row,
        height: layout.height.div_ceil(down),
        samples: 1,
        kind: Kind::Unsigned,
        chunk: (chunk_row, layout.chunk.1.div_ceil(down)),
        ..layout.clone()
    };
    let DecodingResult::U8(packed) = unpack::plane(file, little, &units, 0)? else {
        return Err(broken(&"its samples are not bytes"));
    };
    let (row, unit, across, down) = (row as usize, unit as usize, across as usize, down as usize);
    if packed.len() != row * units.height as usize {
        return Err(broken(&"it has fewer samples than pixels"));
    }
    let mut samples = Vec::with_capacity(3 * layout.width as usize * layout.height as usize);
    for y in 0..layout.height as usize {
        let units = &packed[y / down * row..][..row];
        for x in 0..layout.width as usize {
            let unit = &units[x / across * unit..][..unit];
            samples.extend([unit[y % down * across + x % across], unit[across * down], unit[across * down + 1]]);
        }
    }
    Ok(Samples::U8(samples))
}
