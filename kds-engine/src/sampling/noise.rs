//! Gaussian noise that is a function of (seed, step, particle, channel, position in the whole picture) and of nothing
//! else: not of tiles, batches, threads or what was drawn before.

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::threads::in_parallel;

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

/// Standard normal numbers, `particles x channels x window.height x window.width`, f32, on the device.
///
/// `step` is 0 for the initial noise and `i + 1` for the noise added after evaluation `i`. A GPU computes the same integers
/// as the CPU, and the same normal numbers but for the last bit of its logarithms, sines and cosines in f64, which shows in
/// one of some hundred million numbers, as the last bit of its f32.
pub fn normal(
    seed: u64,
    step: u32,
    particles: usize,
    channels: usize,
    window: Window,
    device: Device,
) -> Result<Tensor> {
    match device {
        Device::Cpu => with_cores(seed, step, particles, channels, window),
        _ => tch::no_grad(|| with_tensors(seed, step, particles, channels, window, device)),
    }
}

fn with_cores(seed: u64, step: u32, particles: usize, channels: usize, window: Window) -> Result<Tensor> {
    let plane = window.width * window.height;
    let mut values = vec![0f32; particles * channels * plane];
    if !values.is_empty() {
        in_parallel(|| {
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

/// Temporaries of the computation by tensor operations may take about as much, in bytes.
const TEMPORARIES: usize = 64 << 20;

/// The same by operations on whole tensors of int64 and f64, a few particles at a time.
fn with_tensors(
    seed: u64,
    step: u32,
    particles: usize,
    channels: usize,
    window: Window,
    device: Device,
) -> Result<Tensor> {
    let groups = channels.div_ceil(4);
    let [height, width] = [window.height, window.width].map(|side| side as i64);
    let integers = |from: usize, to: usize, shape: [i64; 4]| -> Result<Tensor> {
        let range = Tensor::f_arange_start(from as i64, to as i64, (Kind::Int64, device))?;
        Ok(range.f_reshape(shape)?)
    };
    let x = integers(window.x, window.x + window.width, [1, 1, 1, width])?;
    let y = integers(window.y, window.y + window.height, [1, 1, height, 1])?;
    let group = integers(0, groups, [1, groups as i64, 1, 1])?.f_mul_scalar(1 << 16)?;
    let result = Tensor::f_empty([particles as i64, channels as i64, height, width], (Kind::Float, device))?;
    // A counter makes four numbers by way of about a dozen tensors of eight bytes an element.
    let at_once = (TEMPORARIES / (96 * groups * window.height * window.width).max(1)).clamp(1, particles.max(1));
    for first in (0..particles).step_by(at_once) {
        let last = particles.min(first + at_once);
        let shape = [(last - first) as i64, groups as i64, height, width];
        let particle = integers(first, last, [-1, 1, 1, 1])?.f_bitwise_or_tensor(&group)?;
        let counter = [x.shallow_clone(), y.shallow_clone(), particle, x.f_full_like(f64::from(step))?];
        let numbers = normals_of(&philox_of(counter, [seed as u32, (seed >> 32) as u32])?)?;
        let [a, b, c, d] = &numbers;
        let numbers = [a, b, c, d].map(|number| number.f_expand(shape, false));
        let numbers = numbers.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
        let numbers = Tensor::f_stack(&numbers, 2)?.f_reshape([shape[0], -1, height, width])?;
        let mut part = result.f_narrow(0, first as i64, shape[0])?;
        part.f_copy_(&numbers.f_narrow(1, 0, channels as i64)?)?;
    }
    Ok(result)
}

/// [`philox`] of tensors whose elements are 32 bits each, in int64; shapes that broadcast.
fn philox_of(counter: [Tensor; 4], mut key: [u32; 2]) -> Result<[Tensor; 4]> {
    let [mut a, mut b, mut c, mut d] = counter;
    for _ in 0..10 {
        let (first_high, first_low) = product(&a, 0xD251_1F53)?;
        let (second_high, second_low) = product(&c, 0xCD9E_8D57)?;
        a = second_high.f_bitwise_xor_tensor(&b)?.f_bitwise_xor(i64::from(key[0]))?;
        c = first_high.f_bitwise_xor_tensor(&d)?.f_bitwise_xor(i64::from(key[1]))?;
        (b, d) = (second_low, first_low);
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    Ok([a, b, c, d])
}

/// The high and the low 32 bits of a product with 32 bits, in halves, so that nothing passes 63 bits.
fn product(x: &Tensor, factor: i64) -> Result<(Tensor, Tensor)> {
    let low = x.f_bitwise_and(0xFFFF)?.f_mul_scalar(factor)?;
    let high = x.f_bitwise_right_shift_tensor_scalar(16)?.f_mul_scalar(factor)?;
    let sum = high.f_add(&low.f_bitwise_right_shift_tensor_scalar(16)?)?;
    let low = sum
        .f_bitwise_and(0xFFFF)?
        .f_bitwise_left_shift_tensor_scalar(16)?
        .f_bitwise_or_tensor(&low.f_bitwise_and(0xFFFF)?)?;
    Ok((sum.f_bitwise_right_shift_tensor_scalar(16)?, low))
}

/// [`four_normals`] of tensors.
fn normals_of(bits: &[Tensor; 4]) -> Result<[Tensor; 4]> {
    let pair = |a: &Tensor, b: &Tensor| -> Result<[Tensor; 2]> {
        let share = |bits: &Tensor| bits.f_to_kind(Kind::Double)?.f_div_scalar(4_294_967_296.0);
        let uniform = a.f_to_kind(Kind::Double)?.f_add_scalar(0.5)?.f_div_scalar(4_294_967_296.0)?;
        let radius = uniform.f_log()?.f_mul_scalar(-2.0)?.f_sqrt()?;
        let angle = share(b)?.f_mul_scalar(std::f64::consts::TAU)?;
        let number = |wave: Tensor| wave.f_mul(&radius)?.f_to_kind(Kind::Float);
        Ok([number(angle.f_cos()?)?, number(angle.f_sin()?)?])
    };
    let ([a, b], [c, d]) = (pair(&bits[0], &bits[1])?, pair(&bits[2], &bits[3])?);
    Ok([a, b, c, d])
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

    /// The published numbers once more, and every number of a window that needs several passes, to the last bit.
    #[test]
    fn tensor_operations_give_the_numbers_of_the_processor() {
        let known = [0x243f_6a88i64, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344].map(|word| Tensor::from_slice(&[word]));
        let found = philox_of(known, [0xa409_3822, 0x299f_31d0]).unwrap().map(|word| word.int64_value(&[0]));
        assert_eq!(found, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
        for (channels, side, seed) in [(6, 20, 7), (48, 130, u64::MAX - 5), (3, 1, 1)] {
            let window = Window { x: 1 << 20, y: 5, width: side, height: side + 3 };
            let expected = values(&with_cores(seed, 3, 5, channels, window).unwrap());
            let found = values(&with_tensors(seed, 3, 5, channels, window, Device::Cpu).unwrap());
            let off = expected.iter().zip(&found).filter(|(a, b)| a.to_bits() != b.to_bits());
            let worst = off.clone().map(|(a, b)| a.to_bits().abs_diff(b.to_bits())).max().unwrap_or(0);
            assert!(worst <= 1 && off.count() <= 1, "{worst} units in the last place");
        }
    }

    #[test]
    fn a_window_sees_the_same_numbers_as_the_whole() {
        let whole = normal(7, 3, 2, 6, Window { x: 0, y: 0, width: 20, height: 12 }, Device::Cpu).unwrap();
        let part = normal(7, 3, 2, 6, Window { x: 5, y: 4, width: 9, height: 3 }, Device::Cpu).unwrap();
        let cut = whole.f_narrow(3, 5, 9).unwrap().f_narrow(2, 4, 3).unwrap();
        assert_eq!(values(&part), values(&cut));
        let fewer = normal(7, 3, 1, 6, Window { x: 0, y: 0, width: 20, height: 12 }, Device::Cpu).unwrap();
        assert_eq!(values(&fewer), values(&whole.f_narrow(0, 0, 1).unwrap()));
    }

    #[test]
    fn seed_step_particle_and_channel_all_matter() {
        let window = Window { x: 0, y: 0, width: 8, height: 8 };
        let base = values(&normal(1, 0, 2, 8, window, Device::Cpu).unwrap());
        assert_ne!(base, values(&normal(2, 0, 2, 8, window, Device::Cpu).unwrap()));
        assert_ne!(base, values(&normal(1 << 32, 0, 2, 8, window, Device::Cpu).unwrap()));
        assert_ne!(base, values(&normal(1, 1, 2, 8, window, Device::Cpu).unwrap()));
        let planes: Vec<&[f32]> = base.chunks(64).collect();
        for (index, plane) in planes.iter().enumerate() {
            assert!(planes[..index].iter().all(|other| other != plane));
        }
    }

    #[test]
    fn the_numbers_are_standard_normal() {
        let numbers = values(&normal(11, 0, 4, 12, Window { x: 3, y: 9, width: 64, height: 64 }, Device::Cpu).unwrap());
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
