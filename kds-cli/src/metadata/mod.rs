//! Metadata: kept with the picture, and made to say what is true of the restored one.

mod directories;
pub mod exif;
pub mod iptc;
pub mod xmp;

use image::metadata::Orientation;

/// Most bytes of one piece of metadata or of a colour profile. Compressed ones may claim to unpack to gigabytes.
pub const MOST_BYTES: usize = 16 << 20;

/// Metadata of a file, without its colour space.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// EXIF block: the bytes of a small TIFF file.
    pub exif: Option<Vec<u8>>,
    /// XMP packet.
    pub xmp: Option<Vec<u8>>,
    /// IPTC records (IIM).
    pub iptc: Option<Vec<u8>>,
    /// Keyword and text: the text chunks of a PNG file, the comments of a JPEG file under the keyword `Comment`.
    pub texts: Vec<(String, String)>,
    /// Pixels per inch.
    pub resolution: Option<Resolution>,
}

/// Pixels per inch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resolution {
    /// Along a row.
    pub x: f64,
    /// Along a column.
    pub y: f64,
}

impl Resolution {
    /// Centimetres in an inch.
    const CENTIMETRES: f64 = 2.54;

    /// A resolution that a printer could mean; `None` for zero and nonsense.
    pub fn per_inch(x: f64, y: f64) -> Option<Self> {
        let sound = |value: f64| (0.1..1e6).contains(&value);
        // What was stored per metre comes back as 299.9994.
        let tidy = |value: f64| if (value - value.round()).abs() < 0.02 { value.round() } else { value };
        (sound(x) && sound(y)).then(|| Self { x: tidy(x), y: tidy(y) })
    }

    /// The same from pixels per centimetre.
    pub fn per_centimetre(x: f64, y: f64) -> Option<Self> {
        Self::per_inch(x * Self::CENTIMETRES, y * Self::CENTIMETRES)
    }

    /// The same from pixels per metre.
    pub fn per_metre(x: f64, y: f64) -> Option<Self> {
        Self::per_centimetre(x / 100.0, y / 100.0)
    }

    /// Rounded pixels per metre.
    pub fn to_metre(self) -> (u32, u32) {
        let convert = |value: f64| (value * 100.0 / Self::CENTIMETRES).round() as u32;
        (convert(self.x), convert(self.y))
    }
}

impl Metadata {
    /// Makes EXIF and XMP say "upright", and gives the orientation that they had.
    pub fn make_upright(&mut self) -> Option<Orientation> {
        let mut orientation = None;
        if let Some(block) = self.exif.take() {
            let (block, found) = exif::make_upright(block);
            self.exif = Some(block);
            orientation = found;
        }
        if let Some(packet) = &mut self.xmp {
            xmp::make_upright(packet);
        }
        orientation
    }

    /// Makes EXIF and XMP give this size, and EXIF the resolution of the picture.
    pub fn describe(&mut self, width: u32, height: u32) {
        if let Some(block) = &mut self.exif {
            exif::set_size(block, width, height);
            if let Some(resolution) = self.resolution {
                exif::set_resolution(block, resolution);
            }
        }
        if let Some(packet) = &mut self.xmp {
            xmp::set_size(packet, width, height);
        }
    }

    /// Leaves out what tells of the photograph.
    pub fn strip(&mut self) {
        *self = Self { resolution: self.resolution, ..Self::default() };
    }

    /// Takes the resolution from EXIF where the file itself has none.
    pub fn complete_resolution(&mut self) {
        if self.resolution.is_none() {
            self.resolution = self.exif.as_deref().and_then(exif::resolution);
        }
    }
}

/// Bytes of a value of a TIFF field of this type.
pub fn size_of(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16 | 17 | 18 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_survive_every_unit() {
        let resolution = Resolution::per_inch(300.0, 72.0).unwrap();
        let (x, y) = resolution.to_metre();
        assert_eq!((x, y), (11811, 2835));
        assert_eq!(Resolution::per_metre(x.into(), y.into()), Some(resolution));
        assert_eq!(Resolution::per_inch(0.0, 300.0), None);
        assert_eq!(Resolution::per_inch(f64::NAN, 300.0), None);
    }
}
