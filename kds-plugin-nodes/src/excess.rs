//! Values beyond the range that models know, which graphs compute with: highlights above 1, colours outside of sRGB.

use kds_host::Depth;

use crate::Packed;

impl Packed {
    /// Adds the part of the source's floating-point samples that lies beyond 0..1; enlarged bilinearly where this picture is
    /// larger. Where `holes` is not 0 nothing of the source is left. Alpha stays.
    pub(crate) fn carry_excess(&mut self, source: &Self, holes: Option<&Self>) {
        if source.format.depth != Depth::F32 || self.format != source.format || source.width == 0 || source.height == 0
        {
            return;
        }
        let pixel = source.format.bytes();
        let colours = pixel / 4 - usize::from(source.format.channels.has_alpha());
        let (width, height) = (source.width as usize, source.height as usize);
        let is_hole = |at: usize| {
            holes.is_some_and(|holes| {
                let sample = holes.format.bytes();
                holes.bytes()[at * sample..][..sample].iter().any(|byte| *byte != 0)
            })
        };
        let excess = |x: usize, y: usize, channel: usize| {
            let at = y * width + x;
            let value = load(&source.bytes()[at * pixel + 4 * channel..]);
            let beyond = if value.is_finite() { value - value.clamp(0.0, 1.0) } else { 0.0 };
            if beyond != 0.0 && is_hole(at) { 0.0 } else { beyond }
        };
        let is_beyond = |sample: &[u8]| !(0.0..=1.0).contains(&load(sample));
        if !source.bytes().chunks_exact(pixel).any(|pixel| pixel.chunks_exact(4).take(colours).any(is_beyond)) {
            return;
        }
        // The two pixels beside a position of the larger picture, and the share of the second.
        let beside = |position: usize, to: u32, from: usize| {
            let at = ((position as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, (from - 1) as f32);
            (at as usize, (at as usize + 1).min(from - 1), at.fract())
        };
        let (columns, rows) = (self.width, self.height);
        for (row, bytes) in self.bytes_mut().chunks_exact_mut(columns as usize * pixel).enumerate() {
            let (top, bottom, down) = beside(row, rows, height);
            for (column, bytes) in bytes.chunks_exact_mut(pixel).enumerate() {
                let (left, right, across) = beside(column, columns, width);
                for (channel, sample) in bytes.chunks_exact_mut(4).take(colours).enumerate() {
                    let mix = |a: f32, b: f32, share: f32| a + share * (b - a);
                    let above = mix(excess(left, top, channel), excess(right, top, channel), across);
                    let below = mix(excess(left, bottom, channel), excess(right, bottom, channel), across);
                    let carried = load(sample) + mix(above, below, down);
                    sample.copy_from_slice(&carried.to_ne_bytes());
                }
            }
        }
    }
}

fn load(bytes: &[u8]) -> f32 {
    bytes.first_chunk().map_or(0.0, |bytes| f32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use kds_host::{Channels, Format};

    use super::*;

    fn grey(width: u32, values: &[f32]) -> Packed {
        let format = Format { channels: Channels::Gray, depth: Depth::F32 };
        let mut picture = Packed::new(format, width, values.len() as u32 / width).unwrap();
        for (sample, value) in picture.bytes_mut().chunks_exact_mut(4).zip(values) {
            sample.copy_from_slice(&value.to_ne_bytes());
        }
        picture
    }

    fn values(picture: &Packed) -> Vec<f32> {
        picture.bytes().chunks_exact(4).map(load).collect()
    }

    #[test]
    fn highlights_and_negative_values_are_carried_over_but_not_into_holes() {
        let source = grey(4, &[0.5, 1.5, -0.25, f32::NAN]);
        let mut restored = grey(4, &[0.75, 1.0, 0.0, 0.5]);
        restored.carry_excess(&source, None);
        assert_eq!(values(&restored), [0.75, 1.5, -0.25, 0.5]);
        let mut filled = grey(4, &[0.75, 0.25, 0.0, 0.5]);
        filled.carry_excess(&source, Some(&grey(4, &[0.0, 1.0, 0.0, 0.0])));
        assert_eq!(values(&filled), [0.75, 0.25, -0.25, 0.5]);
    }

    #[test]
    fn they_are_enlarged_with_the_picture() {
        let mut larger = grey(4, &[1.0; 4]);
        larger.carry_excess(&grey(2, &[1.0, 2.0]), None);
        assert_eq!(values(&larger), [1.0, 1.25, 1.75, 2.0]);
    }
}
