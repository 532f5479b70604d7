//! TIFF and BigTIFF files: which of their pictures is meant, what its samples mean, and the metadata.
//!
//! The `tiff` crate unpacks the strips and tiles (`unpack.rs`). What it makes of whole files is too little here: planes
//! in tiles end in a panic, and palettes, Lab, separate planes of ink, and pages are not its matter.

mod directory;
mod layout;
mod meaning;
mod samples;
mod subsampled;
mod unpack;

use anyhow::bail;
use image::metadata::Orientation;

use super::{Decoded, Limits, format::raw_refusal};
use crate::metadata::{Metadata, Resolution, exif, iptc};
use directory::{Directory, Tiff};
use layout::Layout;

const NEW_SUBFILE_TYPE: u16 = 254;
const SUBFILE_TYPE: u16 = 255;
const PHOTOMETRIC: u16 = 262;
const MAKE: u16 = 271;
const ORIENTATION: u16 = 274;
const X_RESOLUTION: u16 = 282;
const Y_RESOLUTION: u16 = 283;
const RESOLUTION_UNIT: u16 = 296;
const SUB_DIRECTORIES: u16 = 330;
const XMP: u16 = 700;
const IPTC: u16 = 33723;
const IMAGE_RESOURCES: u16 = 34377;
const PROFILE: u16 = 34675;
const DNG_VERSION: u16 = 50706;

/// Values of the photometric interpretation that only raw files have: colours under a filter array, and linear.
const RAW: [u64; 2] = [32803, 34892];

/// Width and height that the picture claims.
///
/// # Errors
/// For a file that is broken or raw.
pub fn size(file: &[u8]) -> anyhow::Result<(u32, u32)> {
    let tiff = Tiff::of(file)?;
    let directories = tiff.directories()?;
    layout::size(directories.iter().find(|directory| is_full(directory)).unwrap_or(&directories[0]))
}

/// Reads a full picture of a TIFF file: that of the page, from 1, else the first.
///
/// # Errors
/// For a file that is broken, too large, raw, or of a kind that is not read, and when there is no such page.
pub fn decode(file: &[u8], limits: Limits, number: Option<usize>) -> anyhow::Result<Decoded> {
    let tiff = Tiff::of(file)?;
    let directories = tiff.directories()?;
    refuse_raw(&tiff, &directories)?;
    let pages: Vec<&Directory> = directories.iter().filter(|directory| is_full(directory)).collect();
    let inner = sub_directories(&tiff, &directories[0]).find(is_full);
    let page = match (number.unwrap_or(1), pages.get(number.unwrap_or(1).saturating_sub(1)), &inner) {
        (_, Some(page), _) => page,
        // The first is a thumbnail of what lies below it.
        (1, None, Some(inner)) => inner,
        (1, None, None) => &directories[0],
        (number, None, _) => {
            bail!("has {} page{}, and no page {number}", pages.len().max(1), if pages.len() > 1 { "s" } else { "" })
        }
    };
    // Before its parts are counted: a page that is too large has too many.
    let (width, height) = layout::size(page)?;
    limits.check(width, height, 1)?;
    let layout = Layout::of(page, file)?;
    limits.check(layout.width, layout.height, layout.bytes_per_pixel())?;
    let mut decoded = meaning::image(&tiff, page, &layout)?;
    if pages.len() > 1 && number.is_none() {
        decoded.warn(format!(
            "holds {} pages, and only the first is restored; choose another with --page, or take them apart with 'tiffsplit'",
            pages.len()
        ));
    }
    decoded.metadata = metadata(&tiff, page);
    if !meaning::is_converted(page) {
        decoded.doubt_space(states_adobe_rgb(&tiff, page));
    }
    decoded.orientation =
        page.integer(ORIENTATION).and_then(|value| Orientation::from_exif(u8::try_from(value).unwrap_or(0)));
    Ok(decoded)
}

/// True for the directory of a full picture, not of a reduced copy or a mask.
fn is_full(directory: &Directory) -> bool {
    const REDUCED: u64 = 1;
    const MASK: u64 = 4;
    const OLD_REDUCED: u64 = 2;
    directory.integer(NEW_SUBFILE_TYPE).unwrap_or(0) & (REDUCED | MASK) == 0
        && directory.integer(SUBFILE_TYPE) != Some(OLD_REDUCED)
}

fn sub_directories<'a>(tiff: &Tiff<'a>, directory: &Directory<'a>) -> impl Iterator<Item = Directory<'a>> {
    let offsets = directory.integers(SUB_DIRECTORIES).unwrap_or_default();
    offsets.into_iter().take(64).filter_map(|offset| tiff.directory(offset))
}

/// Raw files are TIFF files whose first picture is a thumbnail.
fn refuse_raw(tiff: &Tiff, directories: &[Directory]) -> anyhow::Result<()> {
    let is_raw = |directory: &Directory| directory.integer(PHOTOMETRIC).is_some_and(|value| RAW.contains(&value));
    let maker = || {
        let name = directories[0].bytes(MAKE).unwrap_or_default();
        let name = super::plain(&String::from_utf8_lossy(name).trim_end_matches('\0'));
        if name.is_empty() { "of a camera".to_owned() } else { name }
    };
    let canon = tiff.file().get(8..10) == Some(b"CR");
    let phase_one = tiff.file().get(8..12) == Some(b"IIII");
    if canon
        || phase_one
        || directories[0].field(DNG_VERSION).is_some()
        || directories
            .iter()
            .any(|directory| is_raw(directory) || sub_directories(tiff, directory).any(|sub| is_raw(&sub)))
    {
        bail!("{}", raw_refusal(&maker()));
    }
    Ok(())
}

fn metadata(tiff: &Tiff, page: &Directory) -> Metadata {
    let resolution = |tag| page.fractions(tag).and_then(|values| values.first().copied());
    let (x, y) = (resolution(X_RESOLUTION).unwrap_or(0.0), resolution(Y_RESOLUTION).unwrap_or(0.0));
    Metadata {
        exif: exif_block(tiff, page),
        xmp: page.bytes(XMP).map(<[u8]>::to_vec),
        iptc: page
            .bytes(IPTC)
            // As many writers store whole numbers of four bytes, there may be zeros at the end.
            .map(|records| records[..records.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)].to_vec())
            .or_else(|| iptc::of_resources(page.bytes(IMAGE_RESOURCES)?)),
        texts: Vec::new(),
        resolution: match page.integer(RESOLUTION_UNIT) {
            None | Some(2) => Resolution::per_inch(x, y),
            Some(3) => Resolution::per_centimetre(x, y),
            Some(_) => None,
        },
    }
}

/// The fields of EXIF, which are part of the file's own directories, as a block of their own.
fn exif_block(tiff: &Tiff, page: &Directory) -> Option<Vec<u8>> {
    let below = |tag| page.integer(tag).and_then(|offset| tiff.directory(offset));
    let fields = |directory: &Directory, wanted: fn(u16) -> bool| {
        directory
            .fields
            .iter()
            .filter(|field| wanted(field.tag))
            .map(|field| exif::RawField { tag: field.tag, kind: field.kind, bytes: field.bytes.to_vec() })
            .collect::<Vec<_>>()
    };
    let main = fields(page, exif::is_of_the_photograph);
    let exif = below(exif::EXIF_DIRECTORY).map(|directory| fields(&directory, |tag| tag != exif::INTEROPERABILITY));
    let gps = below(exif::GPS_DIRECTORY).map(|directory| fields(&directory, |_| true));
    exif::block(tiff.little, main, exif.unwrap_or_default(), gps.unwrap_or_default())
}

/// True where EXIF says that the colours are Adobe RGB: see [`exif::is_adobe_rgb`].
fn states_adobe_rgb(tiff: &Tiff, page: &Directory) -> bool {
    let below = |directory: &Directory, tag| directory.integer(tag).and_then(|offset| tiff.directory(offset));
    let Some(directory) = below(page, exif::EXIF_DIRECTORY) else { return false };
    let rule = || below(&directory, exif::INTEROPERABILITY)?.bytes(exif::INTEROPERABILITY_INDEX).map(<[u8]>::to_vec);
    exif::means_adobe_rgb(directory.integer(exif::COLOUR_SPACE).unwrap_or(0), rule)
}

/// The colour profile.
fn profile(page: &Directory) -> Option<Vec<u8>> {
    page.bytes(PROFILE).filter(|profile| profile.len() <= crate::metadata::MOST_BYTES).map(<[u8]>::to_vec)
}
