//! Masks: holes to fill, and shares of a restoration.

use kds_host::{Channels, Depth, Error, Format};

use crate::Packed;

impl Packed {
    /// A mask of the pixels whose alpha is 0. They become opaque, since what fills them can be seen.
    ///
    /// # Errors
    /// [`OutOfMemory`](kds_host::Status::OutOfMemory).
    pub fn take_holes(&mut self) -> Result<Self, Error> {
        let mut holes = Self::new(Format { channels: Channels::Gray, depth: Depth::U8 }, self.width, self.height)?;
        let Format { channels, depth } = self.format;
        if !channels.has_alpha() {
            return Ok(holes);
        }
        let (pixel, alpha) = (self.format.bytes(), self.format.bytes() - depth.bytes());
        for (hole, pixel) in holes.bytes_mut().iter_mut().zip(self.bytes_mut().chunks_exact_mut(pixel)) {
            let alpha = &mut pixel[alpha..];
            if load(depth, alpha) <= 0.0 {
                *hole = u8::MAX;
                store(depth, white(depth), alpha);
            }
        }
        Ok(holes)
    }

    /// True where no sample differs from 0.
    pub fn is_black(&self) -> bool {
        self.bytes().iter().all(|byte| *byte == 0)
    }

    /// Takes each pixel of `source`, of the same size and format, as far as its share in a grey picture of 32-bit floats is
    /// less than 1. Where the share is 0 the pixels of the source stay to the last bit.
    pub fn keep(&mut self, source: &Self, shares: &Self) {
        let (pixel, depth) = (self.format.bytes(), self.format.depth);
        let pixels = self.bytes_mut().chunks_exact_mut(pixel).zip(source.bytes().chunks_exact(pixel));
        for ((restored, source), share) in pixels.zip(shares.bytes().chunks_exact(4)) {
            match load(Depth::F32, share).clamp(0.0, 1.0) {
                share if share >= 1.0 => {}
                share if share > 0.0 => {
                    let samples = restored.chunks_exact_mut(depth.bytes()).zip(source.chunks_exact(depth.bytes()));
                    for (restored, source) in samples {
                        let below = load(depth, source);
                        store(depth, below + share * (load(depth, restored) - below), restored);
                    }
                }
                _ => restored.copy_from_slice(source),
            }
        }
    }
}

/// The largest value of samples, that of what is opaque or white.
pub fn white(depth: Depth) -> f32 {
    match depth {
        Depth::U8 => f32::from(u8::MAX),
        Depth::U16 => f32::from(u16::MAX),
        Depth::F32 => 1.0,
    }
}

/// The value of the first sample; 0 where there is none.
pub fn load(depth: Depth, bytes: &[u8]) -> f32 {
    match depth {
        Depth::U8 => bytes.first().map_or(0.0, |value| f32::from(*value)),
        Depth::U16 => bytes.first_chunk().map_or(0.0, |bytes| f32::from(u16::from_ne_bytes(*bytes))),
        Depth::F32 => bytes.first_chunk().map_or(0.0, |bytes| f32::from_ne_bytes(*bytes)),
    }
}

/// Writes the first sample, rounded and limited where its format is.
pub fn store(depth: Depth, value: f32, bytes: &mut [u8]) {
    let mut write = |value: &[u8]| {
        if let Some(to) = bytes.get_mut(..value.len()) {
            to.copy_from_slice(value);
        }
    };
    match depth {
        // A cast takes the nearest number that there is.
        Depth::U8 => write(&[value.round() as u8]),
        Depth::U16 => write(&(value.round() as u16).to_ne_bytes()),
        Depth::F32 => write(&value.to_ne_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(channels: Channels, depth: Depth, values: &[f32]) -> Packed {
        let format = Format { channels, depth };
        let mut picture = Packed::new(format, (values.len() / channels.count()) as u32, 1).unwrap();
        for (sample, value) in picture.bytes_mut().chunks_exact_mut(depth.bytes()).zip(values) {
            store(depth, *value, sample);
        }
        picture
    }

    fn values(picture: &Packed) -> Vec<f32> {
        let depth = picture.format.depth;
        picture.bytes().chunks_exact(depth.bytes()).map(|sample| load(depth, sample)).collect()
    }

    #[test]
    fn what_is_transparent_is_a_hole_and_becomes_opaque() {
        for depth in [Depth::U8, Depth::U16, Depth::F32] {
            let white = white(depth);
            let mut picture = filled(Channels::GrayAlpha, depth, &[1.0, 0.0, 1.0, white / 2.0, 1.0, white]);
            let middle = values(&picture)[3];
            assert_eq!(picture.take_holes().unwrap().bytes(), [255, 0, 0]);
            assert_eq!(values(&picture), [1.0, white, 1.0, middle, 1.0, white]);
        }
        let holes = filled(Channels::Rgb, Depth::F32, &[0.0; 6]).take_holes().unwrap();
        assert!(holes.is_black());
        assert!(!filled(Channels::Gray, Depth::F32, &[0.0, 0.25]).is_black());
    }

    #[test]
    fn a_share_of_a_restoration_is_taken() {
        let shares = filled(Channels::Gray, Depth::F32, &[0.0, 0.5, 1.0, f32::NAN]);
        for depth in [Depth::U8, Depth::U16, Depth::F32] {
            let source = filled(Channels::Gray, depth, &[0.0, 0.0, 0.0, 0.0]);
            let mut restored = filled(Channels::Gray, depth, &[1.0, white(depth) - 1.0, 1.0, 1.0]);
            restored.keep(&source, &shares);
            assert_eq!(values(&restored), [0.0, (white(depth) - 1.0) / 2.0, 1.0, 0.0], "{depth:?}");
        }
    }
}
