//! TIFF files: `image` writes neither EXIF data nor compressed pixels nor grey with alpha, so they are written here.

use std::io::{Cursor, Seek, Write};

use anyhow::{Context as _, bail};
use exif::{Context, Field, Tag as ExifTag, Value};
use image::{DynamicImage, ImageBuffer, metadata::Orientation};
use tiff::{
    ColorType, Directory, TiffResult,
    decoder::{Decoder, DecodingResult, Limits},
    encoder::{
        Compression, DeflateLevel, DirectoryEncoder, TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard, TiffValue,
        colortype,
    },
    tags::{ExtraSamples, Tag, Type},
};

use crate::{
    exif::{fields_for_tiff, of_tiff},
    picture::{Decoded, Picture},
};

/// The offsets of a plain TIFF file have 32 bits. From here on the file is a BigTIFF, before compression helps.
const BIG: u64 = 4_000_000_000;

/// Writes a picture of 8 or 16 bits.
pub fn write(picture: &Picture, file: impl Write + Seek) -> anyhow::Result<()> {
    let compression = Compression::Deflate(DeflateLevel::Balanced);
    if picture.image.as_bytes().len() as u64 > BIG {
        write_as(picture, TiffEncoder::<_, TiffKindBig>::new_generic(file)?.with_compression(compression))
    } else {
        write_as(picture, TiffEncoder::<_, TiffKindStandard>::new_generic(file)?.with_compression(compression))
    }
}

fn write_as<W: Write + Seek, K: TiffKind>(picture: &Picture, encoder: TiffEncoder<W, K>) -> anyhow::Result<()>
where
    K::OffsetType: TiffValue,
{
    use colortype::{Gray8, Gray16, RGB8, RGB16};
    match &picture.image {
        DynamicImage::ImageLuma8(buffer) => write_pixels::<_, _, Gray8>(picture, encoder, buffer, false),
        DynamicImage::ImageLumaA8(buffer) => write_pixels::<_, _, Gray8>(picture, encoder, buffer, true),
        DynamicImage::ImageRgb8(buffer) => write_pixels::<_, _, RGB8>(picture, encoder, buffer, false),
        DynamicImage::ImageRgba8(buffer) => write_pixels::<_, _, RGB8>(picture, encoder, buffer, true),
        DynamicImage::ImageLuma16(buffer) => write_pixels::<_, _, Gray16>(picture, encoder, buffer, false),
        DynamicImage::ImageLumaA16(buffer) => write_pixels::<_, _, Gray16>(picture, encoder, buffer, true),
        DynamicImage::ImageRgb16(buffer) => write_pixels::<_, _, RGB16>(picture, encoder, buffer, false),
        DynamicImage::ImageRgba16(buffer) => write_pixels::<_, _, RGB16>(picture, encoder, buffer, true),
        _ => bail!("pixels of 32 bits are not written as TIFF; please report this"),
    }
}

fn write_pixels<W: Write + Seek, K: TiffKind, C: colortype::ColorType>(
    picture: &Picture,
    mut encoder: TiffEncoder<W, K>,
    samples: &[C::Inner],
    alpha: bool,
) -> anyhow::Result<()>
where
    K::OffsetType: TiffValue,
    [C::Inner]: TiffValue,
{
    let fields = picture.exif.as_deref().and_then(fields_for_tiff).unwrap_or_default();
    let mut directories = Vec::new();
    for (context, pointer) in [(Context::Exif, Tag::ExifDirectory), (Context::Gps, Tag::GpsDirectory)] {
        let fields: Vec<&Field> = fields.iter().filter(|field| field.tag.context() == context).collect();
        if !fields.is_empty() {
            let mut directory = encoder.extra_directory()?;
            write_fields(&mut directory, &fields)?;
            directories.push((pointer, directory.finish_with_offsets()?.offset));
        }
    }
    let mut image = encoder.new_image::<C>(picture.image.width(), picture.image.height())?;
    if alpha {
        image.extra_samples(&[ExtraSamples::UnassociatedAlpha])?;
    }
    let directory = image.encoder();
    let main: Vec<&Field> = fields.iter().filter(|field| field.tag.context() == Context::Tiff).collect();
    write_fields(directory, &main)?;
    for (pointer, offset) in directories {
        directory.write_tag(pointer, offset)?;
    }
    if let Some(profile) = &picture.profile {
        directory.write_tag(Tag::IccProfile, profile.as_slice())?;
    }
    Ok(image.write_data(samples)?)
}

fn write_fields<W: Write + Seek, K: TiffKind>(
    directory: &mut DirectoryEncoder<'_, W, K>,
    fields: &[&Field],
) -> TiffResult<()> {
    let mut entries = Directory::empty();
    for field in fields {
        let ExifTag(_, number) = field.tag;
        if let Some((kind, bytes)) = encode(&field.value) {
            let entry = directory.write_entry_bytes(kind, &bytes)?;
            entries.extend([(Tag::from_u16_exhaustive(number), entry)]);
        }
    }
    directory.extend_from(&entries);
    Ok(())
}

/// Type and bytes of a value, in the machine's byte order; `None` for what EXIF does not define.
fn encode(value: &Value) -> Option<(Type, Vec<u8>)> {
    fn bytes<T, const N: usize>(values: &[T], encode: impl Fn(&T) -> [u8; N]) -> Vec<u8> {
        values.iter().flat_map(encode).collect()
    }
    fn pair(first: [u8; 4], second: [u8; 4]) -> [u8; 8] {
        let mut both = [0; 8];
        both[..4].copy_from_slice(&first);
        both[4..].copy_from_slice(&second);
        both
    }
    Some(match value {
        Value::Byte(values) => (Type::BYTE, values.clone()),
        Value::Ascii(texts) => (Type::ASCII, texts.iter().flat_map(|text| [text.as_slice(), &[0]].concat()).collect()),
        Value::Short(values) => (Type::SHORT, bytes(values, |value| value.to_ne_bytes())),
        Value::Long(values) => (Type::LONG, bytes(values, |value| value.to_ne_bytes())),
        Value::Rational(values) => {
            (Type::RATIONAL, bytes(values, |value| pair(value.num.to_ne_bytes(), value.denom.to_ne_bytes())))
        }
        Value::SByte(values) => (Type::SBYTE, bytes(values, |value| value.to_ne_bytes())),
        Value::Undefined(values, _) => (Type::UNDEFINED, values.clone()),
        Value::SShort(values) => (Type::SSHORT, bytes(values, |value| value.to_ne_bytes())),
        Value::SLong(values) => (Type::SLONG, bytes(values, |value| value.to_ne_bytes())),
        Value::SRational(values) => {
            (Type::SRATIONAL, bytes(values, |value| pair(value.num.to_ne_bytes(), value.denom.to_ne_bytes())))
        }
        Value::Float(values) => (Type::FLOAT, bytes(values, |value| value.to_ne_bytes())),
        Value::Double(values) => (Type::DOUBLE, bytes(values, |value| value.to_ne_bytes())),
        Value::Unknown(..) => return None,
    })
}

/// The colour profile of a TIFF file. (`image` ties the size of values to that of the pixels, so that it does not see the
/// profiles of small pictures.)
pub fn profile(file: &[u8]) -> Option<Vec<u8>> {
    Decoder::new(Cursor::new(file)).ok()?.get_tag_u8_vec(Tag::IccProfile).ok()
}

/// Whether a TIFF file holds grey with alpha.
pub fn is_gray_alpha(file: &[u8]) -> bool {
    let mut decoder = match Decoder::new(Cursor::new(file)) {
        Ok(decoder) => decoder,
        Err(_) => return false,
    };
    let two = matches!(decoder.colortype(), Ok(ColorType::Multiband { bit_depth: 8 | 16, num_samples: 2 }));
    let alpha = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples);
    // 1 is associated alpha, 2 is unassociated alpha.
    two && matches!(alpha, Ok(Some(kinds)) if matches!(kinds.as_slice(), [1 | 2]))
}

/// Reads a TIFF file of grey with alpha.
pub fn read_gray_alpha(file: &[u8], most_bytes: u64) -> anyhow::Result<Decoded> {
    let mut limits = Limits::unlimited();
    limits.decoding_buffer_size = usize::try_from(most_bytes).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new(Cursor::new(file))?.with_limits(limits);
    let (width, height) = decoder.dimensions()?;
    let orientation = decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten().and_then(Orientation::from_exif);
    let image = match decoder.read_image()? {
        DecodingResult::U8(samples) => ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLumaA8),
        DecodingResult::U16(samples) => ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLumaA16),
        _ => None,
    };
    let image = image.context("its pixels do not lie side by side")?;
    Ok(Decoded {
        image,
        profile: profile(file),
        exif: of_tiff(file),
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
    })
}
