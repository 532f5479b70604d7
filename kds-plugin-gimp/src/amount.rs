//! Blending a result with its original, which is enlarged for that where the result is larger.

use std::collections::VecDeque;
use std::rc::Rc;

use kds_host::{Depth, Enlargement};

use crate::failure::Failure;
use crate::pixels::{Pixels, load, store};

/// Blends colours: a share of 1 leaves the result, of 0 the original. Alpha is the result's. Both have the same size and layout.
pub fn blend(result: &mut Pixels, original: &Pixels, share: f32) {
    if share >= 1.0 || result.format != original.format || result.bytes.len() != original.bytes.len() {
        return;
    }
    let (depth, pixel) = (result.format.depth, result.format.bytes());
    let colours = if result.format.channels.has_alpha() { pixel - depth.bytes() } else { pixel };
    let pixels = result.bytes.chunks_exact_mut(pixel).zip(original.bytes.chunks_exact(pixel));
    for (new, old) in pixels {
        if share <= 0.0 {
            new[..colours].copy_from_slice(&old[..colours]);
            continue;
        }
        let samples = new[..colours].chunks_exact_mut(depth.bytes()).zip(old.chunks_exact(depth.bytes()));
        for (new, old) in samples {
            let (above, below) = (load(depth, new), load(depth, old));
            store(depth, below + share * (above - below), new);
        }
    }
}

/// Enlarges a whole number of times, bicubically. Colours of transparent pixels count as little as they are seen.
///
/// # Errors
/// Without memory.
pub fn enlarge(picture: &Pixels, scale: i32) -> Result<Pixels, Failure> {
    let side = |length: u32| i32::try_from(length).unwrap_or(i32::MAX).saturating_mul(scale);
    let mut enlarged = Pixels::new(picture.format, side(picture.width), side(picture.height))?;
    if scale == 1 {
        enlarged.bytes.copy_from_slice(&picture.bytes);
        return Ok(enlarged);
    }
    let (depth, pixel) = (picture.format.depth, picture.format.bytes());
    let (channels, has_alpha) = (pixel / depth.bytes(), picture.format.channels.has_alpha());
    let size = |pixels: &Pixels| (pixels.width as usize, pixels.height as usize);
    let enlargement = Enlargement::new(size(picture), size(&enlarged));
    let line = picture.width as usize * pixel;
    // A row is needed for as many as sixteen rows of the result.
    let mut last_rows = VecDeque::<(usize, Rc<[f32]>)>::with_capacity(4);
    let mut seen = |y: usize| {
        if let Some((_, row)) = last_rows.iter().find(|(at, _)| *at == y) {
            return row.clone();
        }
        let row: Rc<[f32]> = seen_samples(&picture.bytes[y * line..][..line], depth, channels, has_alpha).into();
        last_rows.truncate(3);
        last_rows.push_front((y, row.clone()));
        row
    };
    for (y, bytes) in enlarged.bytes.chunks_exact_mut(line * scale.unsigned_abs() as usize).enumerate() {
        let mut samples = enlargement.row(y, channels, &mut seen);
        for (samples, bytes) in samples.chunks_exact_mut(channels).zip(bytes.chunks_exact_mut(pixel)) {
            if has_alpha {
                // Beyond 0 and 1 it goes as far as the colours do.
                let alpha = samples[channels - 1];
                let (colours, seen) = (&mut samples[..channels - 1], if alpha > 0.0 { alpha } else { 1.0 });
                colours.iter_mut().for_each(|colour| *colour /= seen);
                samples[channels - 1] = alpha.clamp(0.0, 1.0);
            }
            for (sample, bytes) in samples.iter().zip(bytes.chunks_exact_mut(depth.bytes())) {
                store(depth, *sample, bytes);
            }
        }
    }
    Ok(enlarged)
}

/// A row in floats; colours are multiplied by alpha.
fn seen_samples(row: &[u8], depth: Depth, channels: usize, has_alpha: bool) -> Vec<f32> {
    let mut samples: Vec<f32> = row.chunks_exact(depth.bytes()).map(|bytes| load(depth, bytes)).collect();
    if has_alpha {
        for pixel in samples.chunks_exact_mut(channels) {
            let alpha = pixel[channels - 1];
            pixel[..channels - 1].iter_mut().for_each(|colour| *colour *= alpha);
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use kds_host::Channels;

    use super::*;
    use crate::pixels::tests::{floats, values};

    #[test]
    fn colours_blend_and_alpha_is_the_results() {
        let original = floats(Channels::GrayAlpha, 2, 1, &[0.0, 0.2, 1.0, 1.0]);
        let result = || floats(Channels::GrayAlpha, 2, 1, &[1.0, 0.5, 0.5, 0.25]);
        for (share, expected) in
            [(0.0, [0.0, 0.5, 1.0, 0.25]), (0.25, [0.25, 0.5, 0.875, 0.25]), (1.0, [1.0, 0.5, 0.5, 0.25])]
        {
            let mut blended = result();
            blend(&mut blended, &original, share);
            assert_eq!(values(&blended), expected, "{share}");
        }
    }

    #[test]
    fn the_colour_of_transparent_pixels_does_not_bleed() {
        let picture = floats(Channels::GrayAlpha, 4, 1, &[0.5, 1.0, 0.5, 1.0, 9.0, 0.0, 9.0, 0.0]);
        let enlarged = values(&enlarge(&picture, 2).unwrap());
        for pixel in enlarged.chunks(2).filter(|pixel| pixel[1] > 0.0) {
            assert!((pixel[0] - 0.5).abs() < 1e-5, "{enlarged:?}");
        }
    }
}
