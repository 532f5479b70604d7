//! Fine detail chosen by place: everywhere that of the particle which draws it clearly and is supported by the others.
//!
//! Particles draw the same texture clearly in one place and vaguely in another, and their mean everywhere vaguely. The more
//! particles, the more often one of them is clear; and the more often one exaggerates, so that the aim is not the most, but
//! c times what they have on average. And of particles that are equally clear one draws what the others draw too, another
//! what it alone invents. With h_k the high frequencies of particle k, <., .> the mean product around a place x, E_k = <h_k, h_k>
//! their energy, E the mean energy of all N and A_k = <h_k, mean of the others> the agreement, the share of particle k at x is
//!
//! ```text
//! w_k(x) ∝ exp(p (ln min(E_k / (c E), c E / E_k) + q A_k / sqrt(E_k E)))
//! ```
//!
//! which is nearly all for one of them, and steady where several are equal: rounding moves no borders. The agreement is taken
//! relative to the particle's own strength, since otherwise it would favour strong detail once more.

use tch::{Kind, Tensor};

use super::fusion::gaussian;
use crate::Result;
use crate::computing::filter::separable;

/// High frequencies are what a Gaussian of this standard deviation takes away, in pixels.
const DETAIL: f64 = 1.5;
/// Side of the blocks of pixels whose energies are compared.
const BLOCK: i64 = 4;
/// Standard deviation of the surroundings that count, in blocks.
const AROUND: f64 = 1.0;
/// The factor c.
const CLEAR: f64 = 2.0;
/// The factor p. Lower ones come near the mean of all, higher ones near a hard choice.
const DECISION: f64 = 32.0;
/// The factor q. With higher ones what many particles draw comes before what one draws clearly: closer to the truth, and softer.
const AGREEMENT: f64 = 1.8;
/// An invisible energy, of pixels from -1 to 1: where all have less they count alike.
const NEGLIGIBLE: f64 = 1e-8;

/// The picture `1 x C x h x w` that has the clearest detail of several in every place: `pictures` of one shape, in f32 on one
/// device, at least one.
pub fn sharpest(pictures: &[Tensor]) -> Result<Tensor> {
    if let [only] = pictures {
        return Ok(only.shallow_clone());
    }
    let count = pictures.len() as f64;
    let mut mean = pictures[0].f_zeros_like()?;
    for picture in pictures {
        let _ = mean.f_add_(picture)?;
    }
    let mean = detail(&mean.f_div_scalar(count)?)?;
    let (mut energies, mut with_mean) = (Vec::new(), Vec::new());
    for picture in pictures {
        let detail = detail(picture)?;
        with_mean.push(around(&detail.f_mul(&mean)?)?);
        energies.push(around(&detail.f_square()?)?);
    }
    let energies = Tensor::f_cat(&energies, 0)?.f_add_scalar(NEGLIGIBLE)?;
    let agreement = Tensor::f_cat(&with_mean, 0)?.f_mul_scalar(count)?.f_sub(&energies)?.f_div_scalar(count - 1.0)?;
    let average = energies.f_mean_dim([0].as_slice(), true, Kind::Float)?;
    let aim = average.f_mul_scalar(CLEAR)?;
    let near = energies.f_div(&aim)?.f_minimum(&aim.f_div(&energies)?)?;
    let agreement = agreement.f_div(&energies.f_mul(&average)?.f_sqrt()?)?;
    let worth = near.f_log()?.f_add(&agreement.f_mul_scalar(AGREEMENT)?)?;
    let shares = worth.f_mul_scalar(DECISION)?.f_softmax(0, Kind::Float)?;
    let (.., down, across) = shares.size4()?;
    let (.., height, width) = pictures[0].size4()?;
    let mut chosen = pictures[0].f_zeros_like()?;
    for (index, picture) in pictures.iter().enumerate() {
        let share = shares.f_narrow(0, index as i64, 1)?;
        let share = share.f_upsample_bilinear2d([down * BLOCK, across * BLOCK], false, None::<f64>, None::<f64>)?;
        let _ = chosen.f_addcmul_(picture, &share.f_narrow(2, 0, height)?.f_narrow(3, 0, width)?)?;
    }
    Ok(chosen)
}

/// The high frequencies of a picture.
fn detail(picture: &Tensor) -> Result<Tensor> {
    Ok(picture.f_sub(&separable(picture, &gaussian(DETAIL), 1)?)?)
}

/// Mean over the channels and the surroundings of each block, `1 x 1 x ceil(h / 4) x ceil(w / 4)`.
fn around(values: &Tensor) -> Result<Tensor> {
    let side = [BLOCK, BLOCK];
    let blocks = values.f_mean_dim([1].as_slice(), true, Kind::Float)?;
    let blocks = blocks.f_avg_pool2d(side, side, [0, 0], true, false, None::<i64>)?;
    separable(&blocks, &gaussian(AROUND), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (14, 22);

    /// Three channels of a pattern that is the stronger the higher `contrast` is there.
    fn picture(seed: usize, contrast: impl Fn(usize) -> f64) -> Vec<f64> {
        let (height, width) = SIZE;
        let value = |index: usize| {
            let noise = ((index * 7919 + seed * 104_729) % 1009) as f64 / 504.5 - 1.0;
            0.2 + contrast(index % width) * noise
        };
        (0..3 * height * width).map(value).collect()
    }

    fn tensor(values: &[f64]) -> Tensor {
        let (height, width) = SIZE;
        Tensor::from_slice(values).to_kind(Kind::Float).reshape([1, 3, height as i64, width as i64])
    }

    /// `plane` filtered by a Gaussian, both axes at once, in f64.
    fn smooth(plane: &[f64], (height, width): (usize, usize), sigma: f64) -> Vec<f64> {
        let radius = (3.0 * sigma).ceil() as i64;
        let weight = |x: i64| (-0.5 * (x as f64 / sigma).powi(2)).exp();
        let at = |y: i64, x: i64| {
            plane[(y.clamp(0, height as i64 - 1) * width as i64 + x.clamp(0, width as i64 - 1)) as usize]
        };
        let mut smooth = Vec::new();
        for y in 0..height as i64 {
            for x in 0..width as i64 {
                let (mut sum, mut total) = (0.0, 0.0);
                for v in -radius..=radius {
                    for u in -radius..=radius {
                        sum += weight(u) * weight(v) * at(y + v, x + u);
                        total += weight(u) * weight(v);
                    }
                }
                smooth.push(sum / total);
            }
        }
        smooth
    }

    /// The formula, pixel by pixel in f64.
    fn reference(pictures: &[Vec<f64>]) -> Vec<f64> {
        let (height, width) = SIZE;
        let (down, across) = (height.div_ceil(4), width.div_ceil(4));
        let details: Vec<Vec<f64>> = pictures
            .iter()
            .map(|picture| {
                let plane = |plane: &[f64]| {
                    plane.iter().zip(smooth(plane, SIZE, 1.5)).map(|(value, low)| value - low).collect::<Vec<_>>()
                };
                picture.chunks(height * width).flat_map(plane).collect()
            })
            .collect();
        let product = |one: &[f64], other: &[f64]| {
            let mut blocks = vec![(0.0, 0.0); down * across];
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                let block = &mut blocks[index / width % height / 4 * across + index % width / 4];
                *block = (block.0 + one * other, block.1 + 1.0);
            }
            let means: Vec<f64> = blocks.iter().map(|(sum, count)| sum / count).collect();
            smooth(&means, (down, across), 1.0)
        };
        let count = pictures.len() as f64;
        let energies: Vec<Vec<f64>> = details.iter().map(|detail| product(detail, detail)).collect();
        let agreement = |index: usize| {
            let others = details.iter().enumerate().filter(|(other, _)| *other != index);
            let mut sum = vec![0.0; down * across];
            for (_, other) in others {
                for (sum, product) in sum.iter_mut().zip(product(&details[index], other)) {
                    *sum += product / (count - 1.0);
                }
            }
            sum
        };
        let agreements: Vec<Vec<f64>> = (0..pictures.len()).map(agreement).collect();
        let worth = |index: usize, place: usize| {
            let mean = energies.iter().map(|energy| energy[place]).sum::<f64>() / count;
            let ratio = energies[index][place] / (2.0 * mean);
            let near = if ratio > 1.0 { 1.0 / ratio } else { ratio };
            near.powi(32) * (32.0 * 1.8 * agreements[index][place] / (energies[index][place] * mean).sqrt()).exp()
        };
        let share = |own: usize, place: usize| {
            let sum: f64 = (0..pictures.len()).map(|other| worth(other, place) / worth(own, place)).sum();
            1.0 / sum
        };
        let shares: Vec<Vec<f64>> =
            (0..pictures.len()).map(|own| (0..down * across).map(|place| share(own, place)).collect()).collect();
        // Between the middles of blocks, linearly.
        let along = |position: usize, count: usize| {
            let place = ((position as f64 + 0.5) / 4.0 - 0.5).max(0.0);
            let before = (place as usize).min(count - 1);
            (before, (before + 1).min(count - 1), place - before as f64)
        };
        let mut chosen = Vec::new();
        for index in 0..3 * height * width {
            let (y, x) = (index / width % height, index % width);
            let ((top, bottom, v), (left, right, u)) = (along(y, down), along(x, across));
            let share = |share: &[f64]| {
                let row = |y: usize| (1.0 - u) * share[y * across + left] + u * share[y * across + right];
                (1.0 - v) * row(top) + v * row(bottom)
            };
            chosen.push(pictures.iter().zip(&shares).map(|(picture, own)| share(own) * picture[index]).sum());
        }
        chosen
    }

    #[test]
    fn it_is_the_formula() {
        let left = picture(1, |x| if x < 10 { 0.5 } else { 0.3 });
        let right = picture(2, |x| 0.2 + 0.03 * x as f64);
        let middle = picture(3, |x| 0.52 - 0.01 * x.abs_diff(9) as f64);
        let pictures = [left, right, middle];
        let found = sharpest(&pictures.each_ref().map(|picture| tensor(picture))).unwrap();
        let found = Vec::<f32>::try_from(found.reshape([-1])).unwrap();
        let expected = reference(&pictures);
        assert_eq!(found.len(), expected.len());
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((f64::from(*found) - expected).abs() < 2e-4, "{index}: {found}, not {expected}");
        }
    }

    #[test]
    fn every_side_shows_the_picture_that_is_sharper_there() {
        let left = tensor(&picture(1, |x| if x < 11 { 0.6 } else { 0.1 }));
        let right = tensor(&picture(2, |x| if x < 11 { 0.1 } else { 0.6 }));
        let chosen = sharpest(&[left.shallow_clone(), right.shallow_clone()]).unwrap();
        let farthest = |picture: &Tensor, start: i64| {
            let columns = |picture: &Tensor| picture.narrow(3, start, 4);
            (columns(&chosen) - columns(picture)).abs().max().double_value(&[])
        };
        assert!(farthest(&left, 0) < 1e-3 && farthest(&right, 18) < 1e-3);
        assert!(farthest(&right, 0) > 0.1 && farthest(&left, 18) > 0.1);
    }

    #[test]
    fn of_equally_clear_pictures_one_that_others_support_is_shown() {
        let shared = picture(5, |_| 0.3);
        // Its negative has the same energy everywhere.
        let negative: Vec<f64> = shared.iter().map(|value| 0.4 - value).collect();
        let chosen = sharpest(&[tensor(&negative), tensor(&shared), tensor(&shared)]).unwrap();
        assert!((chosen - tensor(&shared)).abs().max().double_value(&[]) < 1e-3);
    }

    #[test]
    fn equal_pictures_and_flat_ones_stay() {
        for contrast in [0.5, 0.0] {
            let same = tensor(&picture(4, |_| contrast));
            let chosen = sharpest(&[same.shallow_clone(), same.shallow_clone(), same.shallow_clone()]).unwrap();
            assert!((chosen - &same).abs().max().double_value(&[]) < 1e-6);
            assert_eq!(sharpest(std::slice::from_ref(&same)).unwrap(), same);
        }
    }
}
