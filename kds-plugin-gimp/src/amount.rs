//! Blending a result with its original, which is enlarged for that where the result is larger.

use kds_host::Depth;

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

/// Enlarges a whole number of times by cubic convolution (Keys, 1981, a = -1/2). Colours of transparent pixels count as little
/// as they are seen.
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
    let (width, height) = (picture.width as usize, picture.height as usize);
    let (columns, rows) = (taps(width, scale), taps(height, scale));
    let wide = columns.len() * channels;
    let mut lines: Vec<(usize, Vec<f32>)> = Vec::new();
    let mut sum = vec![0f32; wide];
    for (row, bytes) in rows.iter().zip(enlarged.bytes.chunks_exact_mut(columns.len() * pixel)) {
        lines.retain(|(y, _)| row.iter().any(|(wanted, _)| wanted == y));
        for (y, _) in row {
            if !lines.iter().any(|(known, _)| known == y) {
                let line = &picture.bytes[y * width * pixel..(y + 1) * width * pixel];
                lines.push((*y, widen(line, depth, channels, has_alpha, &columns)));
            }
        }
        sum.fill(0.0);
        for (y, weight) in row {
            let Some((_, line)) = lines.iter().find(|(known, _)| known == y) else { continue };
            sum.iter_mut().zip(line).for_each(|(sum, sample)| *sum += weight * sample);
        }
        for (samples, bytes) in sum.chunks_exact_mut(channels).zip(bytes.chunks_exact_mut(pixel)) {
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

/// The four pixels, and their weights, that each of the enlarged ones is made of along a side.
fn taps(length: usize, scale: i32) -> Vec<[(usize, f32); 4]> {
    const A: f32 = -0.5;
    let weight = |distance: f32| match distance.abs() {
        x @ ..=1.0 => (A + 2.0) * x.powi(3) - (A + 3.0) * x.powi(2) + 1.0,
        x @ ..2.0 => A * (x.powi(3) - 5.0 * x.powi(2) + 8.0 * x - 4.0),
        _ => 0.0,
    };
    let last = length.saturating_sub(1) as f32;
    (0..length * usize::try_from(scale).unwrap_or(1))
        .map(|position| {
            let centre = (position as f32 + 0.5) / scale as f32 - 0.5;
            let first = centre.floor();
            [-1.0, 0.0, 1.0, 2.0].map(|step| ((first + step).clamp(0.0, last) as usize, weight(centre - first - step)))
        })
        .collect()
}

/// A row enlarged to its right, in floats; colours are multiplied by alpha.
fn widen(row: &[u8], depth: Depth, channels: usize, has_alpha: bool, columns: &[[(usize, f32); 4]]) -> Vec<f32> {
    let mut samples: Vec<f32> = row.chunks_exact(depth.bytes()).map(|bytes| load(depth, bytes)).collect();
    if has_alpha {
        for pixel in samples.chunks_exact_mut(channels) {
            let alpha = pixel[channels - 1];
            pixel[..channels - 1].iter_mut().for_each(|colour| *colour *= alpha);
        }
    }
    let mut wide = vec![0f32; columns.len() * channels];
    for (taps, pixel) in columns.iter().zip(wide.chunks_exact_mut(channels)) {
        for (x, weight) in taps {
            let from = &samples[x * channels..(x + 1) * channels];
            pixel.iter_mut().zip(from).for_each(|(sum, sample)| *sum += weight * sample);
        }
    }
    wide
}

#[cfg(test)]
mod tests {
    use kds_host::{Channels, Format};

    use super::*;

    fn floats(channels: Channels, width: i32, height: i32, values: &[f32]) -> Pixels {
        let mut pixels = Pixels::new(Format { channels, depth: Depth::F32 }, width, height).unwrap();
        pixels.bytes = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        pixels
    }

    fn values(pixels: &Pixels) -> Vec<f32> {
        pixels.bytes.chunks(4).map(|sample| load(Depth::F32, sample)).collect()
    }

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

    /// Cubic convolution gives straight lines and parabolas back, away from the edges.
    #[test]
    fn a_parabola_is_enlarged_to_itself() {
        let curve = |x: f32, y: f32| 0.01 * (x * x - 3.0 * x * y + 2.0 * y);
        let samples: Vec<_> = (0..64).map(|at| curve((at % 8) as f32, (at / 8) as f32)).collect();
        for scale in [2, 3, 4] {
            let enlarged = values(&enlarge(&floats(Channels::Gray, 8, 8, &samples), scale).unwrap());
            let side = 8 * scale as usize;
            assert_eq!(enlarged.len(), side * side);
            for (at, value) in enlarged.iter().enumerate() {
                let place = |at: usize| (at as f32 + 0.5) / scale as f32 - 0.5;
                let (x, y) = (place(at % side), place(at / side));
                if (2.0..5.0).contains(&x) && (2.0..5.0).contains(&y) {
                    assert!((value - curve(x, y)).abs() < 1e-5, "{x}, {y}: {value}");
                }
            }
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
