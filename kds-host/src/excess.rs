//! Values beyond the range that models know, which some hosts compute with: highlights above 1, colours outside of sRGB.

use crate::image::Layout;
use crate::{Alpha, Depth, ImageMut, ImageRef};

impl ImageMut<'_> {
    /// Adds the part of the source's floating-point colours that lies beyond the range, 0 to 1, or to alpha where colours are
    /// multiplied by it. It is enlarged bilinearly where this image is larger. Where a grey mask of the source's size is not 0
    /// nothing of the source is left. Alpha stays. Images of other channels than the source's, or of whole numbers, stay.
    pub fn carry_excess(&mut self, source: &ImageRef<'_>, mask: Option<&ImageRef<'_>>) {
        let (from, to) = (source.layout(), self.layout());
        if from.format.depth != Depth::F32 || from.format != to.format {
            return;
        }
        let source = Source { image: *source, layout: from, mask: mask.copied() };
        let (width, height) = (from.width as usize, from.height as usize);
        let colours = source.colours();
        let is_beyond = |y: usize| (0..width).any(|x| (0..colours).any(|channel| source.excess(x, y, channel) != 0.0));
        if !(0..height).any(is_beyond) {
            return;
        }
        let pixel = if to.in_planes { 1 } else { to.format.channels.count() };
        for row in 0..to.height as usize {
            let (top, bottom, down) = beside(row, to.height, height);
            for channel in 0..colours {
                let (buffer, first) = if to.in_planes { (channel, 0) } else { (0, channel) };
                let samples = self.row(buffer, row).chunks_exact_mut(4).skip(first).step_by(pixel);
                for (column, sample) in samples.enumerate() {
                    let (left, right, across) = beside(column, to.width, width);
                    let mix = |a: f32, b: f32, share: f32| a + share * (b - a);
                    let of = |x, y| source.excess(x, y, channel);
                    let above = mix(of(left, top), of(right, top), across);
                    let below = mix(of(left, bottom), of(right, bottom), across);
                    let carried = load(sample) + mix(above, below, down);
                    sample.copy_from_slice(&carried.to_ne_bytes());
                }
            }
        }
    }
}

/// The image that values are carried over from.
struct Source<'a> {
    image: ImageRef<'a>,
    layout: Layout,
    mask: Option<ImageRef<'a>>,
}

impl Source<'_> {
    /// Channels but alpha, which is the last.
    fn colours(&self) -> usize {
        let channels = self.layout.format.channels;
        channels.count() - usize::from(channels.has_alpha())
    }

    fn value(&self, x: usize, y: usize, channel: usize) -> f32 {
        let (buffer, index) = match self.layout.in_planes {
            true => (channel, x),
            false => (0, x * self.layout.format.channels.count() + channel),
        };
        load(&self.image.row(buffer, y)[4 * index..])
    }

    fn excess(&self, x: usize, y: usize, channel: usize) -> f32 {
        let value = self.value(x, y, channel);
        let is_multiplied = self.layout.alpha == Alpha::Premultiplied && self.layout.format.channels.has_alpha();
        let most = if is_multiplied { self.value(x, y, self.colours()).clamp(0.0, 1.0) } else { 1.0 };
        // No number lies beyond nothing.
        let beyond = if value.is_finite() && !most.is_nan() { value - value.clamp(0.0, most) } else { 0.0 };
        if beyond != 0.0 && self.is_masked(x, y) { 0.0 } else { beyond }
    }

    fn is_masked(&self, x: usize, y: usize) -> bool {
        self.mask.is_some_and(|mask| {
            let sample = mask.layout().format.depth.bytes();
            let row = mask.row(0, y);
            row.chunks_exact(sample).nth(x).is_some_and(|sample| sample.iter().any(|byte| *byte != 0))
        })
    }
}

/// The two pixels beside a position of the larger picture, and the share of the second.
fn beside(position: usize, to: u32, from: usize) -> (usize, usize, f32) {
    let at = ((position as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, (from - 1) as f32);
    (at as usize, (at as usize + 1).min(from - 1), at.fract())
}

fn load(bytes: &[u8]) -> f32 {
    bytes.first_chunk().map_or(0.0, |bytes| f32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Channels, Format, Rows};

    fn carried(to: &[f32], from: &[f32], channels: Channels, widths: (u32, u32), mask: Option<&[f32]>) -> Vec<f32> {
        let mut to = to.to_vec();
        let rows = |len: usize, width: u32| len as u32 / channels.count() as u32 / width;
        let source = ImageRef::packed(from, channels, widths.1, rows(from.len(), widths.1)).unwrap();
        let mask =
            mask.map(|mask| ImageRef::packed(mask, Channels::Gray, widths.1, mask.len() as u32 / widths.1).unwrap());
        let height = rows(to.len(), widths.0);
        ImageMut::packed(&mut to, channels, widths.0, height).unwrap().carry_excess(&source, mask.as_ref());
        to
    }

    #[test]
    fn highlights_and_negative_values_are_carried_over_but_not_into_holes() {
        let (to, from) = ([0.75, 1.0, 0.0, 0.5], [0.5, 1.5, -0.25, f32::NAN]);
        assert_eq!(carried(&to, &from, Channels::Gray, (4, 4), None), [0.75, 1.5, -0.25, 0.5]);
        let mask = [0.0, 1.0, 0.0, 0.0];
        assert_eq!(carried(&to, &from, Channels::Gray, (4, 4), Some(&mask)), [0.75, 1.0, -0.25, 0.5]);
        let from = [3.0, 0.5, -0.25, 1.5, 0.2, 1.0, 0.0, 1.0];
        let to = [0.75, 0.5, 0.125, 1.0, 0.25, 1.0, 0.0, 1.0];
        let result = carried(&to, &from, Channels::RgbAlpha, (2, 2), None);
        assert_eq!(result, [2.75, 0.5, -0.125, 1.0, 0.25, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn they_are_enlarged_with_the_picture() {
        assert_eq!(carried(&[1.0; 4], &[1.0, 2.0], Channels::Gray, (4, 2), None), [1.0, 1.25, 1.75, 2.0]);
        let from = [3.0, 1.0];
        assert_eq!(carried(&[1.0; 8], &from, Channels::Gray, (4, 2), None), [3.0, 2.5, 1.5, 1.0, 3.0, 2.5, 1.5, 1.0]);
    }

    #[test]
    fn layouts_may_differ_and_colours_may_be_multiplied() {
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_ne_bytes()).collect::<Vec<u8>>();
        let format = Format { channels: Channels::GrayAlpha, depth: Depth::F32 };
        // Two rows, the lower first: half covered with twice the light that fits, and as much as fits.
        let source = bytes(&[0.5, 0.5, 1.0, 0.5]);
        let source = ImageRef::strided(&source, format, 1, 2, 8, Alpha::Premultiplied).unwrap().with_rows(Rows::Up);
        let (mut gray, mut alpha) = (bytes(&[0.5, 0.25]), bytes(&[0.5, 0.5]));
        let mut planes = [&mut gray[..], &mut alpha];
        let mut to = ImageMut::planes(&mut planes, format, 1, 2, 4, Alpha::Premultiplied).unwrap();
        to.carry_excess(&source, None);
        assert_eq!((gray, alpha), (bytes(&[1.0, 0.25]), bytes(&[0.5, 0.5])));
        // Whole numbers have nothing beyond.
        let mut whole = [255u8; 2];
        let source = [255u8; 2];
        let source = ImageRef::packed(&source, Channels::Gray, 2, 1).unwrap();
        ImageMut::packed(&mut whole, Channels::Gray, 2, 1).unwrap().carry_excess(&source, None);
        assert_eq!(whole, [255; 2]);
    }
}
