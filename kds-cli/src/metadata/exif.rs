//! EXIF data: kept with the picture, and true of the restored one.
//!
//! Between JPEG, PNG and WebP the block goes along byte by byte, so that makers' notes keep their offsets; only what the
//! restoration makes untrue is changed in place. In TIFF the same fields are part of the file's own directories, so they
//! are taken out of these and put back.

use exif::{Context, Field, In, Rational, Reader, Tag, Value};
use image::metadata::Orientation;

use super::{Resolution, directories::Directories};

/// Some files have this before the block, as JPEG has it.
pub const PREFIX: &[u8] = b"Exif\0\0";

const IMAGE_WIDTH: u16 = 0x100;
const IMAGE_LENGTH: u16 = 0x101;
const ORIENTATION: u16 = 0x112;
const X_RESOLUTION: u16 = 0x11a;
const Y_RESOLUTION: u16 = 0x11b;
const RESOLUTION_UNIT: u16 = 0x128;
const THUMBNAIL_OFFSET: u16 = 0x201;
const THUMBNAIL_LENGTH: u16 = 0x202;
/// Points to the directory of the exposure.
pub const EXIF_DIRECTORY: u16 = 0x8769;
/// Points to the directory of the place.
pub const GPS_DIRECTORY: u16 = 0x8825;
/// Points to a directory that only says how the file was made.
pub const INTEROPERABILITY: u16 = 0xa005;
/// Rule that a file follows, in the directory of [`INTEROPERABILITY`].
pub const INTEROPERABILITY_INDEX: u16 = 1;
/// Colour space of the pixels, in the directory of the exposure.
pub const COLOUR_SPACE: u16 = 0xa001;
const PIXEL_X_DIMENSION: u16 = 0xa002;
const PIXEL_Y_DIMENSION: u16 = 0xa003;

/// Values of the resolution's unit.
const INCH: u32 = 2;
const CENTIMETRE: u32 = 3;

/// The block without prefix and thumbnail, its orientation set to upright, and the orientation it had.
pub fn make_upright(mut block: Vec<u8>) -> (Vec<u8>, Option<Orientation>) {
    if block.starts_with(PREFIX) {
        block.drain(..PREFIX.len());
    }
    remove_thumbnail(&mut block);
    let Some(mut directories) = Directories::of(&mut block) else { return (block, None) };
    let main = directories.main();
    let entry = directories.entries(main).into_iter().find(|entry| entry.tag == ORIENTATION);
    let orientation = entry.and_then(|entry| {
        let value = directories.integer(&entry)?;
        directories.set_integer(&entry, 1);
        Orientation::from_exif(u8::try_from(value).ok()?)
    });
    (block, orientation)
}

/// Removes the thumbnail, which would show the picture as it was.
fn remove_thumbnail(block: &mut Vec<u8>) {
    let Some(mut directories) = Directories::of(block) else { return };
    let main = directories.main();
    let Some(second) = directories.next_of(main) else { return };
    let entries = directories.entries(second);
    let value = |tag| {
        let entry = entries.iter().find(|entry| entry.tag == tag)?;
        usize::try_from(directories.integer(entry)?).ok()
    };
    let thumbnail = value(THUMBNAIL_OFFSET).zip(value(THUMBNAIL_LENGTH));
    directories.end_after(main);
    let Some((start, length)) = thumbnail else { return };
    let end = start.saturating_add(length).min(block.len());
    // What lies last can go; elsewhere other values have their offsets behind it.
    if end == block.len() && start > second {
        block.truncate(start);
    } else if let Some(bytes) = block.get_mut(start..end) {
        bytes.fill(0);
    }
}

/// Sets the size wherever the block gives one.
pub fn set_size(block: &mut [u8], width: u32, height: u32) {
    let Some(mut directories) = Directories::of(block) else { return };
    let main = directories.main();
    let mut entries = directories.entries(main);
    if let Some(exif) = entries.iter().find(|entry| entry.tag == EXIF_DIRECTORY)
        && let Some(offset) = directories.integer(exif)
    {
        entries.extend(directories.entries(usize::try_from(offset).unwrap_or(usize::MAX)));
    }
    for entry in entries {
        match entry.tag {
            IMAGE_WIDTH | PIXEL_X_DIMENSION => directories.set_integer(&entry, width),
            IMAGE_LENGTH | PIXEL_Y_DIMENSION => directories.set_integer(&entry, height),
            _ => {}
        }
    }
}

/// The resolution that the block gives.
pub fn resolution(block: &[u8]) -> Option<Resolution> {
    let exif = Reader::new().read_raw(block.to_vec()).ok()?;
    let value = |tag| match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Rational(values) => values.first().map(Rational::to_f64),
        _ => None,
    };
    let (x, y) = (value(Tag::XResolution)?, value(Tag::YResolution)?);
    match exif.get_field(Tag::ResolutionUnit, In::PRIMARY).and_then(|field| field.value.get_uint(0)) {
        None | Some(INCH) => Resolution::per_inch(x, y),
        Some(CENTIMETRE) => Resolution::per_centimetre(x, y),
        Some(_) => None,
    }
}

/// True where the block says that the pixels are Adobe RGB, as cameras do that embed no profile.
pub fn is_adobe_rgb(block: &[u8]) -> bool {
    let block = block.strip_prefix(PREFIX).unwrap_or(block);
    let Ok(exif) = Reader::new().read_raw(block.to_vec()) else { return false };
    let space = exif.get_field(Tag::ColorSpace, In::PRIMARY).and_then(|field| field.value.get_uint(0));
    means_adobe_rgb(space.unwrap_or(0).into(), || {
        match &exif.get_field(Tag::InteroperabilityIndex, In::PRIMARY)?.value {
            Value::Ascii(texts) => texts.first().cloned(),
            _ => None,
        }
    })
}

/// True for the value that stands for Adobe RGB: the number that some programs write, or "uncalibrated" in a file that follows rule
/// R03 (DCF 2.0), the value of [`INTEROPERABILITY_INDEX`].
pub fn means_adobe_rgb(space: u64, rule: impl FnOnce() -> Option<Vec<u8>>) -> bool {
    const UNCALIBRATED: u64 = 0xffff;
    const ADOBE_RGB: u64 = 2;
    space == ADOBE_RGB || (space == UNCALIBRATED && rule().is_some_and(|rule| rule.starts_with(b"R03")))
}

/// Sets the resolution, where the block gives one.
pub fn set_resolution(block: &mut [u8], resolution: Resolution) {
    let Some(mut directories) = Directories::of(block) else { return };
    let main = directories.main();
    for entry in directories.entries(main) {
        match entry.tag {
            X_RESOLUTION => directories.set_rational(&entry, resolution.x),
            Y_RESOLUTION => directories.set_rational(&entry, resolution.y),
            RESOLUTION_UNIT => directories.set_integer(&entry, INCH),
            _ => {}
        }
    }
}

/// A number as numerator and denominator.
pub fn rational(value: f64) -> (u32, u32) {
    if value.fract() == 0.0 { (value as u32, 1) } else { ((value * 1000.0).round() as u32, 1000) }
}

/// A field as it lies in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct RawField {
    /// Number of the field.
    pub tag: u16,
    /// Type of its values.
    pub kind: u16,
    /// The values, in the byte order of the file.
    pub bytes: Vec<u8>,
}

/// A block of these fields, which are of a file of this byte order; `None` where they say nothing of the photograph.
pub fn block(little: bool, mut main: Vec<RawField>, exif: Vec<RawField>, gps: Vec<RawField>) -> Option<Vec<u8>> {
    const HEADER: usize = 8;
    // Resolution and orientation alone say nothing of it.
    let layout = [ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT];
    if exif.is_empty() && gps.is_empty() && main.iter().all(|field| layout.contains(&field.tag)) {
        return None;
    }
    let pointer = |tag| RawField { tag, kind: 4, bytes: vec![0; 4] };
    main.extend((!exif.is_empty()).then(|| pointer(EXIF_DIRECTORY)));
    main.extend((!gps.is_empty()).then(|| pointer(GPS_DIRECTORY)));
    let number = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    let after_main = HEADER + length(&main);
    let after_exif = after_main + if exif.is_empty() { 0 } else { length(&exif) };
    for field in &mut main {
        match field.tag {
            EXIF_DIRECTORY => field.bytes = number(u32::try_from(after_main).ok()?).to_vec(),
            GPS_DIRECTORY => field.bytes = number(u32::try_from(after_exif).ok()?).to_vec(),
            _ => {}
        }
    }
    let start: &[u8] = if little { b"II*\0" } else { b"MM\0*" };
    let mut block = [start, &number(HEADER as u32)].concat();
    for directory in [main, exif, gps] {
        if !directory.is_empty() {
            put_directory(&mut block, directory, little)?;
        }
    }
    Some(block)
}

/// Bytes of a directory with its values.
fn length(fields: &[RawField]) -> usize {
    let values = |field: &RawField| if field.bytes.len() > 4 { field.bytes.len().next_multiple_of(2) } else { 0 };
    2 + 12 * fields.len() + 4 + fields.iter().map(values).sum::<usize>()
}

fn put_directory(block: &mut Vec<u8>, mut fields: Vec<RawField>, little: bool) -> Option<()> {
    let short = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    let long = |value: usize| {
        let value = u32::try_from(value).ok()?;
        Some(if little { value.to_le_bytes() } else { value.to_be_bytes() })
    };
    fields.sort_by_key(|field| field.tag);
    let mut values = Vec::new();
    let after = block.len() + 2 + 12 * fields.len() + 4;
    block.extend(short(u16::try_from(fields.len()).ok()?));
    for RawField { tag, kind, bytes } in fields {
        let count = bytes.len() / super::size_of(kind)?;
        block.extend([short(tag), short(kind)].as_flattened());
        block.extend(long(count)?);
        if bytes.len() > 4 {
            block.extend(long(after + values.len())?);
            values.extend(&bytes);
            values.resize(values.len().next_multiple_of(2), 0);
        } else {
            block.extend(&bytes);
            block.resize(block.len() + 4 - bytes.len(), 0);
        }
    }
    block.extend([0; 4]);
    block.extend(values);
    Some(())
}

/// The fields of a block that go into the directories of a TIFF file; `None` when the block cannot be read.
pub fn fields_for_tiff(block: &[u8]) -> Option<Vec<Field>> {
    let exif = Reader::new().read_raw(block.to_vec()).ok()?;
    Some(upright_fields(&exif))
}

/// The fields that travel. The orientation becomes upright.
fn upright_fields(exif: &exif::Exif) -> Vec<Field> {
    let mut fields: Vec<Field> = exif.fields().filter(|field| travels(field)).cloned().collect();
    for field in fields.iter_mut().filter(|field| field.tag == Tag::Orientation) {
        field.value = Value::Short(vec![1]);
    }
    fields
}

/// Whether a field of the main directory describes the photograph and not the layout of the file that it was found in.
pub fn is_of_the_photograph(tag: u16) -> bool {
    /// Image description, maker, camera, orientation, resolution and its unit, software, date, artist, host computer,
    /// copyright, and the titles, comments, authors, keywords and subjects of Windows.
    const MAIN: &[u16] = &[
        0x10e, 0x10f, 0x110, 0x112, 0x11a, 0x11b, 0x128, 0x131, 0x132, 0x13b, 0x13c, 0x8298, 0x9c9b, 0x9c9c, 0x9c9d,
        0x9c9e, 0x9c9f,
    ];
    MAIN.contains(&tag)
}

fn travels(field: &Field) -> bool {
    let Tag(context, number) = field.tag;
    field.ifd_num == In::PRIMARY
        && match context {
            Context::Tiff => is_of_the_photograph(number),
            Context::Exif => field.tag != Tag::InteropIFDPointer,
            Context::Gps => true,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn value(block: &[u8], tag: Tag) -> String {
        let exif = Reader::new().read_raw(block.to_vec()).unwrap();
        exif.get_field(tag, In::PRIMARY).unwrap().display_value().to_string()
    }

    #[test]
    fn a_block_becomes_upright_and_keeps_the_rest() {
        for prefix in [b"".as_slice(), PREFIX] {
            let (block, orientation) = make_upright([prefix, &testing::exif(6)].concat());
            assert_eq!(orientation, Some(Orientation::Rotate90));
            assert_eq!(value(&block, Tag::Orientation), "row 0 at top and column 0 at left");
            assert_eq!(value(&block, Tag::ExposureTime), "1/125");
        }
    }

    #[test]
    fn a_broken_block_is_left_alone() {
        assert_eq!(make_upright(b"II*\0 nonsense".to_vec()), (b"II*\0 nonsense".to_vec(), None));
        for block in [b"II*\0\x08\0\0\0\xff\xff".as_slice(), b"MM\0*\xff\xff\xff\xff", b"II*\0"] {
            let mut block = block.to_vec();
            set_size(&mut block, 1, 1);
            set_resolution(&mut block, Resolution { x: 1.0, y: 1.0 });
            assert_eq!(make_upright(block.clone()), (block, None));
        }
        assert!(fields_for_tiff(b"nonsense").is_none());
    }

    /// A block with one entry in its main directory.
    fn block(little: bool, kind: u16, count: u32, value: [u8; 4]) -> Vec<u8> {
        let order = |big: Vec<u8>| if little { big.into_iter().rev().collect() } else { big };
        let short = |value: u16| order(value.to_be_bytes().to_vec());
        let long = |value: u32| order(value.to_be_bytes().to_vec());
        let start: &[u8] = if little { b"II*\0" } else { b"MM\0*" };
        [start, &long(8), &short(1), &short(ORIENTATION), &short(kind), &long(count), &value, &long(0)].concat()
    }

    #[test]
    fn orientation_is_read_in_every_integer_type() {
        for (little, kind, value) in [
            (true, 1, [6, 0, 0, 0]),
            (true, 3, [6, 0, 0, 0]),
            (true, 4, [6, 0, 0, 0]),
            (true, 6, [6, 0, 0, 0]),
            (true, 8, [6, 0, 0, 0]),
            (true, 9, [6, 0, 0, 0]),
            (false, 1, [6, 0, 0, 0]),
            (false, 3, [0, 6, 0, 0]),
            (false, 4, [0, 0, 0, 6]),
            (false, 9, [0, 0, 0, 6]),
        ] {
            let (upright, orientation) = make_upright(block(little, kind, 1, value));
            assert_eq!(orientation, Some(Orientation::Rotate90), "{little} {kind}");
            assert_eq!(make_upright(upright).1, Some(Orientation::NoTransforms), "{little} {kind}");
        }
        assert_eq!(make_upright(block(true, 3, 1, [9, 0, 0, 0])).1, None);
        assert_eq!(make_upright(block(true, 2, 1, *b"6\0\0\0")).1, None);
    }
}
