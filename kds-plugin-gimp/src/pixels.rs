//! Pixels in our own memory, on their way from GIMP to the library and back.

use std::hash::{DefaultHasher, Hasher};

use kds_host::{Alpha, Channels, Depth, Format, ImageMut, ImageRef};

use crate::failure::Failure;
use crate::gegl::{Rectangle, Rows};

/// Pixels in our memory, row after row without gaps.
pub struct Pixels {
    /// Layout of a pixel.
    pub format: Format,
    /// Pixels of a row.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
    /// All of them.
    pub bytes: Vec<u8>,
}

impl Pixels {
    /// Black pixels.
    ///
    /// # Errors
    /// Without memory for them.
    pub fn new(format: Format, width: i32, height: i32) -> Result<Self, Failure> {
        let size = |value: i32| usize::try_from(value).unwrap_or(0);
        let length = size(width).checked_mul(size(height)).and_then(|pixels| pixels.checked_mul(format.bytes()));
        let mut bytes = Vec::new();
        match length {
            Some(length) if length > 0 && bytes.try_reserve_exact(length).is_ok() => bytes.resize(length, 0),
            _ => {
                return Err(Failure::new(format!(
                    "there is not enough memory for {width}x{height} pixels: select a smaller part of the image"
                )));
            }
        }
        Ok(Self { format, width: width.unsigned_abs(), height: height.unsigned_abs(), bytes })
    }

    fn stride(&self) -> usize {
        self.width as usize * self.format.bytes()
    }

    /// For the library to read.
    ///
    /// # Errors
    /// Never, for a buffer that was made by [`Pixels::new`].
    pub fn view(&self) -> Result<ImageRef<'_>, Failure> {
        let (stride, alpha) = (self.stride(), Alpha::Straight);
        Ok(ImageRef::strided(&self.bytes, self.format, self.width, self.height, stride, alpha)?)
    }

    /// For the library to write.
    ///
    /// # Errors
    /// Never, for a buffer that was made by [`Pixels::new`].
    pub fn view_mut(&mut self) -> Result<ImageMut<'_>, Failure> {
        let (stride, alpha) = (self.stride(), Alpha::Straight);
        Ok(ImageMut::strided(&mut self.bytes, self.format, self.width, self.height, stride, alpha)?)
    }

    /// For GEGL.
    pub fn rows(&mut self) -> Rows<'_> {
        let (stride, pixel) = (self.stride(), self.format.bytes());
        Rows { bytes: &mut self.bytes, stride, pixel }
    }

    /// The rows of a part, for GEGL; nothing where the part is not wholly inside.
    pub fn part(&mut self, part: Rectangle) -> Rows<'_> {
        let (stride, pixel) = (self.stride(), self.format.bytes());
        let offset = |value: i32| usize::try_from(value).unwrap_or(usize::MAX);
        let inside = offset(part.x).saturating_add(offset(part.width)) <= self.width as usize;
        let start = offset(part.y).saturating_mul(stride).saturating_add(offset(part.x).saturating_mul(pixel));
        let bytes = if inside { self.bytes.get_mut(start..).unwrap_or_default() } else { Default::default() };
        Rows { bytes, stride, pixel }
    }

    /// A part, which must lie inside.
    ///
    /// # Errors
    /// Without memory.
    pub fn copy(&self, part: Rectangle) -> Result<Self, Failure> {
        let mut copy = Self::new(self.format, part.width, part.height)?;
        let (pixel, stride, offset) =
            (self.format.bytes(), copy.stride(), |value: i32| usize::try_from(value).unwrap_or(0));
        let left = offset(part.x) * pixel;
        let rows = self.bytes.chunks_exact(self.stride()).skip(offset(part.y));
        for (from, to) in rows.zip(copy.bytes.chunks_exact_mut(stride)) {
            if let Some(from) = from.get(left..left + stride) {
                to.copy_from_slice(from);
            }
        }
        Ok(copy)
    }

    /// A number that stands for the content of a part: others of the same have the same content.
    pub fn content(&self, part: Rectangle) -> u64 {
        let (pixel, offset) = (self.format.bytes(), |value: i32| usize::try_from(value).unwrap_or(0));
        let (left, width) = (offset(part.x) * pixel, offset(part.width) * pixel);
        let mut hasher = DefaultHasher::new();
        for row in self.bytes.chunks_exact(self.stride()).skip(offset(part.y)).take(offset(part.height)) {
            hasher.write(row.get(left..left + width).unwrap_or_default());
        }
        hasher.finish()
    }

    /// Makes the pixels opaque whose sample in `mask`, 32-bit floats of the same size, is not 0.
    pub fn make_opaque(&mut self, mask: &Self) {
        if !self.format.channels.has_alpha() || (mask.width, mask.height) != (self.width, self.height) {
            return;
        }
        let (depth, pixel) = (self.format.depth, self.format.bytes());
        let alpha = pixel - depth.bytes();
        for (pixel, share) in self.bytes.chunks_exact_mut(pixel).zip(mask.bytes.chunks_exact(4)) {
            if load(Depth::F32, share) > 0.0 {
                store(depth, 1.0, &mut pixel[alpha..]);
            }
        }
    }

    /// Blends with the pixels below, of the same size and format, by shares of 0 to 1 (32-bit floats, a whole number of
    /// times smaller): where a share is 0 those below stay to the last bit, where it is 1 these do.
    pub fn blend_over(&mut self, below: &Self, shares: &Self) {
        let (depth, pixel) = (self.format.depth, self.format.bytes());
        let has_alpha = self.format.channels.has_alpha();
        let (colour, sample) = (if has_alpha { pixel - depth.bytes() } else { pixel }, depth.bytes());
        let scale = (self.width / shares.width.max(1)).max(1) as usize;
        let (width, stride) = (shares.width as usize, self.stride());
        let rows = self.bytes.chunks_exact_mut(stride).zip(below.bytes.chunks_exact(stride));
        for (row, (above, below)) in rows.enumerate() {
            for (column, (above, below)) in above.chunks_exact_mut(pixel).zip(below.chunks_exact(pixel)).enumerate() {
                let at = 4 * ((row / scale) * width + column / scale);
                let share = load(Depth::F32, shares.bytes.get(at..).unwrap_or_default());
                if share >= 1.0 {
                    continue;
                }
                if share <= 0.0 {
                    above.copy_from_slice(below);
                    continue;
                }
                // Colours count as much as they are seen.
                let opacity = |pixel: &[u8]| if has_alpha { load(depth, &pixel[colour..]) } else { 1.0 };
                let (new, old) = (opacity(above) * share, opacity(below) * (1.0 - share));
                let whole = new + old;
                for (above, below) in above[..colour].chunks_exact_mut(sample).zip(below.chunks_exact(sample)) {
                    if whole > 0.0 {
                        let mixed = (load(depth, above) * new + load(depth, below) * old) / whole;
                        store(depth, mixed, above);
                    }
                }
                if has_alpha {
                    store(depth, whole, &mut above[colour..]);
                }
            }
        }
    }

    /// A part, with an alpha channel that is multiplied by `selected`, of the part's size or a whole number of times smaller.
    ///
    /// # Errors
    /// Without memory.
    pub fn cut_out(&self, part: Rectangle, selected: &Pixels) -> Result<Self, Failure> {
        let Format { channels, depth } = self.format;
        let channels_with_alpha = match channels {
            Channels::Gray | Channels::GrayAlpha => Channels::GrayAlpha,
            Channels::Rgb | Channels::RgbAlpha => Channels::RgbAlpha,
        };
        let mut cut = Self::new(Format { channels: channels_with_alpha, depth }, part.width, part.height)?;
        let (pixel, new_pixel, sample) = (self.format.bytes(), cut.format.bytes(), depth.bytes());
        let colour = new_pixel - sample;
        let offset = |value: i32| usize::try_from(value).unwrap_or(0);
        let rows = self.bytes.chunks_exact(self.stride()).skip(offset(part.y));
        let scale = (cut.width / selected.width.max(1)).max(1) as usize;
        let (stride, width) = (cut.stride(), selected.width as usize);
        for (row, (from, to)) in rows.zip(cut.bytes.chunks_exact_mut(stride)).enumerate() {
            let from = from.chunks_exact(pixel).skip(offset(part.x));
            for (column, (from, to)) in from.zip(to.chunks_exact_mut(new_pixel)).enumerate() {
                let at = 4 * ((row / scale) * width + column / scale);
                let share = load(Depth::F32, selected.bytes.get(at..).unwrap_or_default());
                let alpha = if channels.has_alpha() { load(depth, &from[colour..]) } else { 1.0 };
                to[..colour].copy_from_slice(&from[..colour]);
                store(depth, alpha * share, &mut to[colour..]);
            }
        }
        Ok(cut)
    }
}

/// A sample, from 0 to 1.
pub fn load(depth: Depth, bytes: &[u8]) -> f32 {
    match (depth, bytes) {
        (Depth::U8, [a, ..]) => f32::from(*a) / 255.0,
        (Depth::U16, [a, b, ..]) => f32::from(u16::from_ne_bytes([*a, *b])) / 65535.0,
        (Depth::F32, [a, b, c, d, ..]) => f32::from_ne_bytes([*a, *b, *c, *d]),
        _ => 0.0,
    }
}

/// Writes a sample; what the depth cannot hold becomes its nearest value.
pub fn store(depth: Depth, value: f32, bytes: &mut [u8]) {
    match depth {
        Depth::U8 => bytes.copy_from_slice(&[(value * 255.0).round() as u8]),
        Depth::U16 => bytes.copy_from_slice(&((value * 65535.0).round() as u16).to_ne_bytes()),
        Depth::F32 => bytes.copy_from_slice(&value.to_ne_bytes()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn a_part_begins_at_its_corner() {
        let format = Format { channels: Channels::Rgb, depth: Depth::U8 };
        let mut pixels = Pixels::new(format, 4, 3).unwrap();
        pixels.bytes.iter_mut().enumerate().for_each(|(index, byte)| *byte = index as u8);
        let part = |x, width| Rectangle { x, y: 1, width, height: 2 };
        assert_eq!(pixels.part(part(1, 3)).bytes[0], 12 + 3);
        assert!(pixels.part(part(2, 3)).bytes.is_empty());
        assert!(pixels.part(part(-1, 3)).bytes.is_empty());
    }

    #[test]
    fn what_is_cut_out_fades_where_the_selection_does() {
        let part = Rectangle { x: 1, y: 1, width: 2, height: 1 };
        let mut selected = Pixels::new(Format { channels: Channels::Gray, depth: Depth::F32 }, 2, 1).unwrap();
        store(Depth::F32, 1.0, &mut selected.bytes[..4]);
        store(Depth::F32, 0.4, &mut selected.bytes[4..]);
        let mut opaque = Pixels::new(Format { channels: Channels::Gray, depth: Depth::U8 }, 3, 2).unwrap();
        opaque.bytes = vec![0, 1, 2, 3, 4, 5];
        assert_eq!(opaque.cut_out(part, &selected).unwrap().bytes, [4, 255, 5, 102]);
        let mut half = Pixels::new(Format { channels: Channels::GrayAlpha, depth: Depth::U16 }, 3, 2).unwrap();
        half.bytes = [0u16, 0, 0, 0, 0, 0, 0, 0, 7, 65535, 8, 32768].iter().flat_map(|s| s.to_ne_bytes()).collect();
        let cut = half.cut_out(part, &selected).unwrap();
        let samples: Vec<_> = cut.bytes.chunks(2).map(|s| u16::from_ne_bytes([s[0], s[1]])).collect();
        assert_eq!(samples, [7, 65535, 8, 13107]);
    }

    pub fn floats(channels: Channels, width: i32, height: i32, values: &[f32]) -> Pixels {
        let mut pixels = Pixels::new(Format { channels, depth: Depth::F32 }, width, height).unwrap();
        pixels.bytes = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        pixels
    }

    pub fn values(pixels: &Pixels) -> Vec<f32> {
        pixels.bytes.chunks(4).map(|sample| load(Depth::F32, sample)).collect()
    }

    #[test]
    fn pixels_blend_as_much_as_they_are_selected_and_seen() {
        let below = floats(Channels::GrayAlpha, 4, 1, &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.5, 0.0]);
        let mut above = floats(Channels::GrayAlpha, 4, 1, &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.25, 1.0]);
        let shares = floats(Channels::Gray, 4, 1, &[0.0, 0.25, 1.0, 0.5]);
        above.blend_over(&below, &shares);
        // The last: nothing is seen of what is below, so its colour does not count.
        assert_eq!(values(&above), [0.0, 1.0, 0.25, 1.0, 1.0, 1.0, 0.25, 0.5]);
        let mut enlarged = floats(Channels::Gray, 4, 2, &[1.0; 8]);
        enlarged.blend_over(&floats(Channels::Gray, 4, 2, &[0.0; 8]), &floats(Channels::Gray, 2, 1, &[0.0, 1.0]));
        assert_eq!(values(&enlarged), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn filled_holes_are_seen() {
        let mut filled = floats(Channels::GrayAlpha, 2, 1, &[0.5, 0.0, 0.5, 0.25]);
        filled.make_opaque(&floats(Channels::Gray, 2, 1, &[1.0, 0.0]));
        assert_eq!(values(&filled), [0.5, 1.0, 0.5, 0.25]);
    }

    #[test]
    fn content_is_that_of_the_part() {
        let (a, b) = (floats(Channels::Gray, 3, 1, &[1.0, 2.0, 3.0]), floats(Channels::Gray, 2, 1, &[2.0, 3.0]));
        let part = |x| Rectangle { x, y: 0, width: 2, height: 1 };
        assert_eq!(a.content(part(1)), b.content(part(0)));
        assert_ne!(a.content(part(0)), b.content(part(0)));
    }
}
