//! Formats, by the first bytes of a file.

use anyhow::bail;
use image::ImageFormat;

/// Formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// PNG, also animated.
    Png,
    /// JPEG.
    Jpeg,
    /// TIFF and BigTIFF.
    Tiff,
    /// WebP.
    WebP,
    /// OpenEXR.
    Exr,
    /// JPEG XL, bare or in a container.
    Jxl,
    /// Formats of which nothing but pixels is read.
    Other(ImageFormat),
}

/// Names of the formats that are read, in words.
const READ: &str = "PNG, JPEG, WebP, TIFF, OpenEXR, JPEG XL, GIF, BMP, Radiance HDR, QOI or PNM";

/// First bytes of JPEG XL: of a codestream, and of a container.
const JXL: [&[u8]; 2] = [b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"];

/// First bytes of raw files that are no TIFF files, and of which cameras.
const RAW: &[(&[u8], &str)] = &[
    (b"FUJIFILMCCD-RAW", "Fujifilm"),
    (b"IIRO", "Olympus"),
    (b"IIRS", "Olympus"),
    (b"MMOR", "Olympus"),
    (b"IIU\0", "Panasonic"),
    (b"\0MRM", "Minolta"),
    (b"FOVb", "Sigma"),
    (b"II\x1a\0\0\0HEAPCCDR", "Canon"),
];

/// Brands of the files that begin as MP4 does, and what they are.
const BRANDS: &[(&[u8], &str, &str)] = &[
    (b"avif", "AVIF", "'avifdec in.avif out.png'"),
    (b"avis", "animated AVIF", "'avifdec in.avif out.png'"),
    (b"heic", "HEIC", "'heif-convert in.heic out.png'"),
    (b"heix", "HEIC", "'heif-convert in.heic out.png'"),
    (b"hevc", "HEIC", "'heif-convert in.heic out.png'"),
    (b"hevx", "HEIC", "'heif-convert in.heic out.png'"),
    (b"heim", "HEIC", "'heif-convert in.heic out.png'"),
    (b"heis", "HEIC", "'heif-convert in.heic out.png'"),
    (b"mif1", "HEIF", "'heif-convert in.heif out.png'"),
    (b"msf1", "HEIF", "'heif-convert in.heif out.png'"),
    (b"crx ", "a raw file of Canon", "darktable or RawTherapee to TIFF"),
];

/// Other formats that people have pictures in.
const OTHER: &[(&[u8], &str, &str)] = &[
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", "'opj_decompress -i in.jp2 -o out.png'"),
    (b"\xff\x4f\xff\x51", "JPEG 2000", "'opj_decompress -i in.j2k -o out.png'"),
    (b"8BPS", "Photoshop", "'magick in.psd[0] out.png'"),
    (b"gimp xcf", "GIMP", "GIMP to PNG"),
    (b"%PDF", "PDF", "'pdftoppm -png in.pdf out'"),
    (b"%!PS", "PostScript", "'gs -sDEVICE=png16m -r300 -o out.png in.ps'"),
    (b"<svg", "SVG", "'rsvg-convert in.svg -o out.png'"),
    (b"<?xml", "SVG or another XML", "'rsvg-convert in.svg -o out.png'"),
    (b"DDS ", "DDS", "'magick in.dds out.png'"),
    (b"\0\0\x01\0", "icon", "'magick in.ico[0] out.png'"),
    (b"farbfeld", "farbfeld", "'magick in.ff out.png'"),
    (b"II\xbc\x01", "JPEG XR", "'JxrDecApp -i in.jxr -o out.bmp'"),
];

impl Format {
    /// The format of a file.
    ///
    /// # Errors
    /// For what is not a picture, and for formats that are not read: then with what to convert it.
    pub fn of(file: &[u8]) -> anyhow::Result<Self> {
        if file.starts_with(b"II+\0") || file.starts_with(b"MM\0+") {
            return Ok(Self::Tiff);
        }
        if JXL.iter().any(|start| file.starts_with(start)) {
            return Ok(Self::Jxl);
        }
        if let Some((_, camera)) = RAW.iter().find(|(start, _)| file.starts_with(start)) {
            bail!("{}", raw_refusal(camera));
        }
        if let Some(brands) = brands(file)
            && let Some((_, name, with)) = BRANDS.iter().find(|(brand, ..)| brands.chunks(4).any(|one| one == *brand))
        {
            bail!("is a picture of the format {name}, which is not read; convert it with {with}");
        }
        if let Some((_, name, with)) = OTHER.iter().find(|(start, ..)| file.starts_with(start)) {
            bail!("is a picture of the format {name}, which is not read; convert it with {with}");
        }
        match image::guess_format(file) {
            Ok(ImageFormat::Png) => Ok(Self::Png),
            Ok(ImageFormat::Jpeg) => Ok(Self::Jpeg),
            Ok(ImageFormat::Tiff) => Ok(Self::Tiff),
            Ok(ImageFormat::WebP) => Ok(Self::WebP),
            Ok(ImageFormat::OpenExr) => Ok(Self::Exr),
            Ok(
                other @ (ImageFormat::Gif | ImageFormat::Bmp | ImageFormat::Hdr | ImageFormat::Qoi | ImageFormat::Pnm),
            ) => Ok(Self::Other(other)),
            Ok(other) => bail!("is a picture of the format {other:?}, which is not read; convert it to PNG"),
            Err(_) => bail!("is not a picture; give a {READ} file"),
        }
    }
}

/// Why raw files are not read.
pub fn raw_refusal(camera: &str) -> String {
    format!(
        "is a raw file ({camera}), and raw files are not developed here; develop it with darktable or RawTherapee to TIFF"
    )
}

/// The brands in the first box of a file that begins as MP4 does.
fn brands(file: &[u8]) -> Option<&[u8]> {
    let (size, rest) = file.split_first_chunk::<4>()?;
    let length = (u32::from_be_bytes(*size) as usize).min(file.len()).checked_sub(8)?;
    rest.strip_prefix(b"ftyp")?.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_are_not_read_are_named_with_what_to_convert_with() {
        for (start, name) in [
            (b"\0\0\0\x1cftypavif\0\0\0\0mif1avif".as_slice(), "AVIF"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0heicmif1", "HEIC"),
            (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "Canon"),
            (b"FUJIFILMCCD-RAW 0201", "Fujifilm"),
            (b"8BPS\0\x01", "Photoshop"),
        ] {
            let message = Format::of(start).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("; "), "{message}");
        }
        assert!(Format::of(b"plain text").unwrap_err().to_string().contains("not a picture"));
        assert!(Format::of(b"\0\0\0\x18ftypisom\0\0\0\0").unwrap_err().to_string().contains("not a picture"));
        assert_eq!(Format::of(b"MM\0+\0\x08\0\0").unwrap(), Format::Tiff);
        assert_eq!(Format::of(b"\xff\x0a....").unwrap(), Format::Jxl);
    }
}
