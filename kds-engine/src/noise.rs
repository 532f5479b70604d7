//! Gaussian noise that is a function of (seed, step, particle, channel, position in the whole picture) and of nothing
//! else: not of tiles, batches, threads or what was drawn before.

use rayon::prelude::*;
use tch::Tensor;

use crate::Result;

/// A rectangle of the latent grid of the whole picture, in latent pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Left edge.
    pub x: usize,
    /// Upper edge.
    pub y: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

/// Standard normal numbers, `particles x channels x window.height x window.width`, f32, on the CPU.
///
/// `step` is 0 for the initial noise and `i + 1` for the noise added after evaluation `i`.
pub fn normal(seed: u64, step: u32, particles: usize, channels: usize, window: Window) -> Result<Tensor> {
    let plane = window.width * window.height;
    let mut values = vec![0f32; particles * channels * plane];
    if !values.is_empty() {
        values.par_chunks_mut(channels * plane).enumerate().for_each(|(particle, planes)| {
            // One call of the generator gives the numbers of four neighbouring channels.
            planes.par_chunks_mut(4 * plane).enumerate().for_each(|(group, planes)| {
                for row in 0..window.height {
                    for column in 0..window.width {
                        let counter = [
                            (window.x + column) as u32,
                            (window.y + row) as u32,
                            (group << 16 | particle) as u32,
                            step,
                        ];
                        let numbers = four_normals(philox(counter, [seed as u32, (seed >> 32) as u32]));
                        let pixel = row * window.width + column;
                        for (plane, number) in planes.chunks_exact_mut(plane).zip(numbers) {
                            plane[pixel] = number;
                        }
                    }
                }
            });
        });
    }
    let size = [particles, channels, window.height, window.width].map(|side| side as i64);
    Ok(Tensor::f_from_slice(&values)?.f_reshape(size)?)
}

/// Box-Muller, in f64 so that the rounded result hardly depends on the system's mathematics library.
fn four_normals(bits: [u32; 4]) -> [f32; 4] {
    let pair = |a: u32, b: u32| {
        let radius = (-2.0 * ((f64::from(a) + 0.5) / 4_294_967_296.0).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * (f64::from(b) / 4_294_967_296.0)).sin_cos();
        [(radius * cosine) as f32, (radius * sine) as f32]
    };
    let ([a, b], [c, d]) = (pair(bits[0], bits[1]), pair(bits[2], bits[3]));
    [a, b, c, d]
}

/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let first = u64::from(counter[0]) * 0xD251_1F53;
        let second = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.f_flatten(0, -1).unwrap().try_into().unwrap()
    }

    /// The known answers that come with the authors' Random123 library.
    #[test]
    fn philox_gives_the_published_numbers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn a_window_sees_the_same_numbers_as_the_whole() {
        let whole = normal(7, 3, 2, 6, Window { x: 0, y: 0, width: 20, height: 12 }).unwrap();
        let part = normal(7, 3, 2, 6, Window { x: 5, y: 4, width: 9, height: 3 }).unwrap();
        let cut = whole.f_narrow(3, 5, 9).unwrap().f_narrow(2, 4, 3).unwrap();
        assert_eq!(values(&part), values(&cut));
        let fewer = normal(7, 3, 1, 6, Window { x: 0, y: 0, width: 20, height: 12 }).unwrap();
        assert_eq!(values(&fewer), values(&whole.f_narrow(0, 0, 1).unwrap()));
    }

    #[test]
    fn seed_step_particle_and_channel_all_matter() {
        let window = Window { x: 0, y: 0, width: 8, height: 8 };
        let base = values(&normal(1, 0, 2, 8, window).unwrap());
        assert_ne!(base, values(&normal(2, 0, 2, 8, window).unwrap()));
        assert_ne!(base, values(&normal(1 << 32, 0, 2, 8, window).unwrap()));
        assert_ne!(base, values(&normal(1, 1, 2, 8, window).unwrap()));
        let planes: Vec<&[f32]> = base.chunks(64).collect();
        for (index, plane) in planes.iter().enumerate() {
            assert!(planes[..index].iter().all(|other| other != plane));
        }
    }

    #[test]
    fn the_numbers_are_standard_normal() {
        let numbers = values(&normal(11, 0, 4, 12, Window { x: 3, y: 9, width: 64, height: 64 }).unwrap());
        let count = numbers.len() as f64;
        let moment = |power| numbers.iter().map(|value| f64::from(*value).powi(power)).sum::<f64>() / count;
        // Four standard errors of each moment of 196,608 independent normal numbers.
        assert!(moment(1).abs() < 4.0 / count.sqrt(), "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 4.0 * (2.0 / count).sqrt(), "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 4.0 * (96.0 / count).sqrt(), "{}", moment(4));
        // Neighbours, in space and between channels, are not correlated.
        let neighbours = numbers.windows(2).map(|pair| f64::from(pair[0] * pair[1])).sum::<f64>() / count;
        assert!(neighbours.abs() < 4.0 / count.sqrt(), "{neighbours}");
    }
}
