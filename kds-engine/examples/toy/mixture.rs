//! Three Gaussians in the plane, diffusion sampling with their exact score, and how near the modes the samples come.

use kds_engine::Result;
use kds_engine::sampler::Sampler;
use kds_engine::schedule::{BetaSchedule, Level, NoiseSchedule, Spacing};
use kds_engine::steering::Steering;
use kds_parameters::Bandwidth;
use tch::Tensor;

/// A point of the plane.
pub type Point = [f64; 2];

/// Samples in one ensemble.
pub const PARTICLES: usize = 50;

const STEPS: usize = 50;
const MODES: [Point; 3] = [[0.0, 1.6], [-1.5, -0.9], [1.5, -0.9]];
const DEVIATION: f64 = 0.45;

/// A bandwidth a little above the width of a mode: particles of one mode see each other, the modes do not.
pub fn steering() -> Steering {
    Steering { bandwidth: Bandwidth::Fixed(0.6), ..Steering::default() }
}

fn squared_distance(a: Point, b: Point) -> f64 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

/// Density of the mixture, 1 at the centre of a mode that stands alone.
#[allow(dead_code, reason = "only the picture shows it")]
pub fn density(at: Point) -> f64 {
    MODES.iter().map(|&mode| (-squared_distance(at, mode) / (2.0 * DEVIATION * DEVIATION)).exp()).sum()
}

/// The exact denoiser: the mean of x0 given x = alpha · x0 + sigma · noise. By Tweedie's formula this is the score.
fn posterior_mean(x: Point, Level { alpha, sigma, .. }: Level) -> Point {
    let variance = (alpha * DEVIATION).powi(2) + sigma * sigma;
    let gain = alpha * DEVIATION * DEVIATION / variance;
    let (mut total, mut sum) = (0.0, [0.0; 2]);
    for mode in MODES {
        let weight = (-squared_distance(x, mode.map(|m| alpha * m)) / (2.0 * variance)).exp();
        total += weight;
        for axis in 0..2 {
            sum[axis] += weight * (mode[axis] + gain * (x[axis] - alpha * mode[axis]));
        }
    }
    sum.map(|value| value / total)
}

/// Samples the mixture with deterministic DDIM from the noise of this seed; the noise does not depend on the steering.
pub fn sample(seed: u64, steering: Option<&Steering>) -> Result<Vec<Point>> {
    let schedule = NoiseSchedule::new(BetaSchedule::SquaredCosCapV2, 1000)?;
    let mut trajectory = Sampler::Ddim { eta: 0.0 }.trajectory(&schedule, Spacing::Trailing, STEPS)?;
    let mut x = trajectory.initial(&tensor(&noise(seed))?)?;
    for (index, level) in trajectory.evaluations().to_vec().into_iter().enumerate() {
        let denoised: Vec<Point> = points(&x)?.into_iter().map(|point| posterior_mean(point, level)).collect();
        let mut x0 = tensor(&denoised)?;
        if let Some(steering) = steering {
            x0 = steering.apply(&x0, schedule.noise_level(&level))?;
        }
        x = trajectory.advance(index, &x, &x0, None)?;
    }
    points(&x)
}

/// A particle is a latent of two channels and one pixel.
fn tensor(points: &[Point]) -> Result<Tensor> {
    let values: Vec<f32> = points.as_flattened().iter().map(|&value| value as f32).collect();
    Ok(Tensor::f_from_slice(&values)?.f_view([points.len() as i64, 2, 1, 1])?)
}

fn points(x: &Tensor) -> Result<Vec<Point>> {
    let mut values = vec![0f32; x.numel()];
    x.f_contiguous()?.f_copy_data(&mut values, x.numel())?;
    Ok(values.as_chunks::<2>().0.iter().map(|point| point.map(f64::from)).collect())
}

/// Standard normal points: SplitMix64 (Steele, Lea, Flood 2014) and the transform of Box and Muller.
fn noise(seed: u64) -> Vec<Point> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut point = || {
        let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * uniform()).sin_cos();
        [radius * cosine, radius * sine]
    };
    (0..PARTICLES).map(|_| point()).collect()
}

/// How near the modes samples lie.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// Share of the samples within one standard deviation of a mode.
    pub within: f64,
    /// Mean distance to the nearest mode, in standard deviations.
    pub distance: f64,
    /// Modes that have at least one sample within one standard deviation.
    pub modes: usize,
}

/// Measures samples.
pub fn quality(samples: &[Point]) -> Quality {
    let nearest = |sample: Point| {
        let distances = MODES.map(|mode| squared_distance(sample, mode).sqrt() / DEVIATION);
        distances
            .into_iter()
            .enumerate()
            .fold((0, f64::INFINITY), |best, next| if next.1 < best.1 { next } else { best })
    };
    let mut found = [false; MODES.len()];
    let (mut within, mut sum) = (0, 0.0);
    for (mode, distance) in samples.iter().copied().map(nearest) {
        sum += distance;
        if distance <= 1.0 {
            within += 1;
            found[mode] = true;
        }
    }
    let count = samples.len() as f64;
    Quality {
        within: f64::from(within) / count,
        distance: sum / count,
        modes: found.iter().filter(|found| **found).count(),
    }
}
