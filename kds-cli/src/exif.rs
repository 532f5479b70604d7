//! EXIF data: kept with the picture, and saying "upright" once the pixels are.
//!
//! Between JPEG, PNG and WebP the block goes along byte by byte. In TIFF the same fields are part of the file's own
//! directories, so they are taken out of these and put back.

use std::io::Cursor;

use exif::{Context, Field, In, Reader, Tag, Value, experimental::Writer};
use image::metadata::Orientation;

/// Some files have this before the block, as JPEG has it.
const PREFIX: &[u8] = b"Exif\0\0";

/// The block without a prefix, its orientation set to upright, and the orientation it had.
pub fn make_upright(mut block: Vec<u8>) -> (Vec<u8>, Option<Orientation>) {
    if block.starts_with(PREFIX) {
        block.drain(..PREFIX.len());
    }
    let orientation = Orientation::remove_from_exif_chunk(&mut block);
    (block, orientation)
}

/// The EXIF block of a TIFF file, with its orientation set to upright; `None` where it has none.
pub fn of_tiff(file: &[u8]) -> Option<Vec<u8>> {
    let exif = Reader::new().read_from_container(&mut Cursor::new(file)).ok()?;
    let fields = upright_fields(&exif);
    // Resolution and orientation alone say nothing of the photograph.
    let layout = [Tag::Orientation, Tag::XResolution, Tag::YResolution, Tag::ResolutionUnit];
    if fields.iter().all(|field| layout.contains(&field.tag)) {
        return None;
    }
    let mut writer = Writer::new();
    for field in &fields {
        writer.push_field(field);
    }
    let mut block = Cursor::new(Vec::new());
    writer.write(&mut block, cfg!(target_endian = "little")).ok()?;
    Some(block.into_inner())
}

/// The fields of a block that go into the directories of a TIFF file; `None` when the block cannot be read.
pub fn fields_for_tiff(block: &[u8]) -> Option<Vec<Field>> {
    let exif = Reader::new().read_raw(block.to_vec()).ok()?;
    Some(upright_fields(&exif))
}

/// The fields that travel. The orientation becomes upright however it was written: [`make_upright`] knows it only in the
/// type that the standard gives it, readers of TIFF files in others too.
fn upright_fields(exif: &exif::Exif) -> Vec<Field> {
    let mut fields: Vec<Field> = exif.fields().filter(|field| travels(field)).cloned().collect();
    for field in fields.iter_mut().filter(|field| field.tag == Tag::Orientation) {
        field.value = Value::Short(vec![1]);
    }
    fields
}

/// Whether a field describes the photograph and not the layout of the file that it was found in.
fn travels(field: &Field) -> bool {
    /// Of the main directory: image description, maker, camera, orientation, resolution and its unit, software, date,
    /// artist, host computer, copyright, and the titles, comments, authors, keywords and subjects of Windows.
    const MAIN: &[u16] = &[
        0x10e, 0x10f, 0x110, 0x112, 0x11a, 0x11b, 0x128, 0x131, 0x132, 0x13b, 0x13c, 0x8298, 0x9c9b, 0x9c9c, 0x9c9d,
        0x9c9e, 0x9c9f,
    ];
    let Tag(context, number) = field.tag;
    field.ifd_num == In::PRIMARY
        && match context {
            Context::Tiff => MAIN.contains(&number),
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
        assert!(fields_for_tiff(b"nonsense").is_none());
        assert!(of_tiff(b"nonsense").is_none());
    }
}
