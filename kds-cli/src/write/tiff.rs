//! TIFF files: `image` writes neither EXIF data nor compressed pixels nor grey with alpha, so they are written here.

use std::io::{Seek, Write};

use anyhow::bail;
use exif::{Context, Field, Tag as ExifTag, Value};
use image::DynamicImage;
use tiff::{
    Directory, TiffResult,
    encoder::{
        Compression, DeflateLevel, DirectoryEncoder, Rational, TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard,
        TiffValue, colortype,
    },
    tags::{ExtraSamples, ResolutionUnit, Tag, Type},
};

use crate::{
    colour::is_grey,
    metadata::{
        Metadata,
        exif::{fields_for_tiff, rational},
    },
    picture::Picture,
};

/// Where the format keeps XMP packets and IPTC records.
const XMP: Tag = Tag::Unknown(700);
const IPTC: Tag = Tag::Unknown(33723);

/// The offsets of a plain TIFF file have 32 bits. From here on the file is a BigTIFF, before compression helps.
const BIG: u64 = 4_000_000_000;

/// Writes a picture of 8 or 16 bits or in floating point, with the mark right behind the header.
pub fn write(picture: &Picture, mark: &str, file: impl Write + Seek) -> anyhow::Result<()> {
    let compression = Compression::Deflate(DeflateLevel::Balanced);
    if picture.image.as_bytes().len() as u64 > BIG {
        write_as(picture, mark, TiffEncoder::<_, TiffKindBig>::new_generic(file)?.with_compression(compression))
    } else {
        write_as(picture, mark, TiffEncoder::<_, TiffKindStandard>::new_generic(file)?.with_compression(compression))
    }
}

fn write_as<W: Write + Seek, K: TiffKind>(
    picture: &Picture,
    mark: &str,
    mut encoder: TiffEncoder<W, K>,
) -> anyhow::Result<()>
where
    K::OffsetType: TiffValue,
{
    // A value of a directory that nothing refers to.
    let mut room = encoder.extra_directory()?;
    room.write_entry_bytes(Type::ASCII, mark.as_bytes())?;
    room.finish_with_offsets()?;
    use colortype::{Gray8, Gray16, Gray32Float, RGB8, RGB16, RGB32Float};
    match &picture.image {
        DynamicImage::ImageLuma8(buffer) => write_pixels::<_, _, Gray8>(picture, encoder, buffer, false),
        DynamicImage::ImageLumaA8(buffer) => write_pixels::<_, _, Gray8>(picture, encoder, buffer, true),
        DynamicImage::ImageRgb8(buffer) => write_pixels::<_, _, RGB8>(picture, encoder, buffer, false),
        DynamicImage::ImageRgba8(buffer) => write_pixels::<_, _, RGB8>(picture, encoder, buffer, true),
        DynamicImage::ImageLuma16(buffer) => write_pixels::<_, _, Gray16>(picture, encoder, buffer, false),
        DynamicImage::ImageLumaA16(buffer) => write_pixels::<_, _, Gray16>(picture, encoder, buffer, true),
        DynamicImage::ImageRgb16(buffer) => write_pixels::<_, _, RGB16>(picture, encoder, buffer, false),
        DynamicImage::ImageRgba16(buffer) => write_pixels::<_, _, RGB16>(picture, encoder, buffer, true),
        DynamicImage::ImageRgb32F(buffer) if picture.profile.is_none() && is_grey(buffer, 3) => {
            let grey: Vec<f32> = buffer.pixels().map(|pixel| pixel.0[0]).collect();
            write_pixels::<_, _, Gray32Float>(picture, encoder, &grey, false)
        }
        DynamicImage::ImageRgba32F(buffer) if picture.profile.is_none() && is_grey(buffer, 4) => {
            let grey: Vec<f32> = buffer.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[3]]).collect();
            write_pixels::<_, _, Gray32Float>(picture, encoder, &grey, true)
        }
        DynamicImage::ImageRgb32F(buffer) => write_pixels::<_, _, RGB32Float>(picture, encoder, buffer, false),
        DynamicImage::ImageRgba32F(buffer) => write_pixels::<_, _, RGB32Float>(picture, encoder, buffer, true),
        _ => bail!("pixels of an unknown kind are not written as TIFF; please report this"),
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
    let fields = picture.metadata.exif.as_deref().and_then(fields_for_tiff).unwrap_or_default();
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
    if let Some(resolution) = picture.metadata.resolution {
        let number = |value| {
            let (n, d) = rational(value);
            Rational { n, d }
        };
        image.resolution_unit(ResolutionUnit::Inch);
        image.x_resolution(number(resolution.x));
        image.y_resolution(number(resolution.y));
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
    write_other_metadata(directory, &picture.metadata, &main)?;
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

fn write_other_metadata<W: Write + Seek, K: TiffKind>(
    directory: &mut DirectoryEncoder<'_, W, K>,
    metadata: &Metadata,
    main: &[&Field],
) -> TiffResult<()> {
    if let Some(packet) = &metadata.xmp {
        directory.write_tag(XMP, packet.as_slice())?;
    }
    if let Some(records) = &metadata.iptc {
        directory.write_tag(IPTC, records.as_slice())?;
    }
    // The one text that the format has a place for.
    if !metadata.texts.is_empty() && !main.iter().any(|field| field.tag == ExifTag::ImageDescription) {
        let line = |(keyword, text): &(String, String)| {
            if keyword == "Comment" { text.clone() } else { format!("{keyword}: {text}") }
        };
        let text = metadata.texts.iter().map(line).collect::<Vec<_>>().join("\n").replace('\0', " ");
        let entry = directory.write_entry_bytes(Type::ASCII, &[text.as_bytes(), &[0]].concat())?;
        let mut entries = Directory::empty();
        entries.extend([(Tag::ImageDescription, entry)]);
        directory.extend_from(&entries);
    }
    Ok(())
}
