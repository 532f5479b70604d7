//! The sampling loop: N particles side by side, steered.

use tch::{Device, Tensor};

use crate::device::Answer;
use crate::noise::{self, Window};
use crate::sampler::Trajectory;
use crate::schedule::{Level, NoiseSchedule};
use crate::steering::Steering;
use crate::{Error, Result};

/// What a run of [`sample`] is made of.
pub struct Sampling<'a> {
    /// The noise schedule that the network was trained with.
    pub schedule: &'a NoiseSchedule,
    /// The path from noise to the picture.
    pub trajectory: Trajectory,
    /// What pulls the particles together.
    pub steering: &'a Steering,
    /// Number of particles.
    pub particles: usize,
    /// Channels of the latents.
    pub channels: usize,
    /// Which part of the picture's latent grid is sampled.
    pub window: Window,
    /// Latents at which the trajectory begins once they are noised, `1 x C x h' x w'`; `None`: it begins in pure noise.
    pub start: Option<Tensor>,
    /// Seed of all noise.
    pub seed: u64,
    /// Where to compute.
    pub device: Device,
}

/// Samples an ensemble: `particles x channels x height x width`, f32, of finished latents.
///
/// `denoise(x, level)` is x0 of all particles as the network sees it at that noise level; `done(n)` is told after each of
/// the [`Trajectory::evaluations`] and may stop the run by an error.
pub fn sample(
    mut sampling: Sampling,
    mut denoise: impl FnMut(&Tensor, &Level) -> Result<Tensor>,
    mut done: impl FnMut(usize) -> Result<()>,
) -> Result<Tensor> {
    let Sampling { seed, particles, channels, window, device, .. } = sampling;
    let noise = |step: u32| noise::normal(seed, step, particles, channels, window, device);
    let levels = sampling.trajectory.evaluations().to_vec();
    let mut x = match (&sampling.start, levels.first()) {
        (Some(start), Some(first)) => start.f_mul_scalar(first.alpha)?.f_add(&noise(0)?.f_mul_scalar(first.sigma)?)?,
        _ => sampling.trajectory.initial(&noise(0)?)?,
    };
    let check = |sum: &Answer, step| if sum.get()?.is_finite() { Ok(()) } else { Err(Error::NotFinite { step }) };
    let mut before: Option<Answer> = None;
    for (index, level) in levels.iter().enumerate() {
        let mut x0 = denoise(&x, level)?;
        // One number that is not finite makes the sum not finite. A GPU's sum is read when the next step is queued.
        let sum = Answer::ask(&x0.f_sum(tch::Kind::Double)?)?;
        if sum.known().is_some_and(|sum| !sum.is_finite()) {
            return Err(Error::NotFinite { step: index });
        }
        x0 = sampling.steering.apply(&x0, sampling.schedule.noise_level(level))?;
        let fresh = sampling.trajectory.needs_noise(index).then(|| noise(index as u32 + 1)).transpose()?;
        x = sampling.trajectory.advance(index, &x, &x0, fresh.as_ref())?;
        if let Some(sum) = before.replace(sum) {
            check(&sum, index - 1)?;
        }
        done(index + 1)?;
    }
    if let Some(sum) = before {
        check(&sum, levels.len() - 1)?;
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use kds_parameters::Bandwidth;

    use super::*;
    use crate::sampler::Sampler;
    use crate::schedule::{BetaSchedule, Spacing};

    /// True where the steering of this window moves the x0 of the last of so many evaluations.
    fn steers_the_last(sampler: Sampler, steps: usize, from: f64, to: f64) -> bool {
        let schedule = NoiseSchedule::new(BetaSchedule::SquaredCosCapV2, 1000).unwrap();
        // All that is steered becomes the mean.
        let steering = Steering { bandwidth: Bandwidth::Fixed(1e6), strength: 1.0, from, to, ..Steering::default() };
        let sampling = Sampling {
            schedule: &schedule,
            trajectory: sampler.trajectory(&schedule, Spacing::Trailing, steps).unwrap(),
            steering: &steering,
            particles: 2,
            channels: 1,
            window: Window { x: 0, y: 0, width: 1, height: 1 },
            start: None,
            seed: 0,
            device: Device::Cpu,
        };
        let own = Tensor::from_slice(&[-1.0f32, 1.0]).view([2, 1, 1, 1]);
        // The last step goes to the clean picture, which is x0 itself.
        let found = sample(sampling, |_, _| Ok(own.shallow_clone()), |_| Ok(())).unwrap();
        found.f_sub(&own).unwrap().f_abs().unwrap().f_max().unwrap().f_double_value(&[]).unwrap() > 0.5
    }

    #[test]
    fn a_start_is_noised_to_the_first_level() {
        let schedule = NoiseSchedule::new(BetaSchedule::SquaredCosCapV2, 1000).unwrap();
        let window = Window { x: 3, y: 1, width: 2, height: 2 };
        let start = Tensor::from_slice(&[0.5f32, -1.0, 2.0, 0.25]).view([1, 1, 2, 2]);
        let trajectory = Sampler::Ddim { eta: 0.0 }.trajectory(&schedule, Spacing::Leading { offset: 0 }, 4).unwrap();
        let first = trajectory.evaluations()[0];
        let sampling = Sampling {
            schedule: &schedule,
            trajectory,
            steering: &Steering { strength: 0.0, ..Steering::default() },
            particles: 3,
            channels: 1,
            window,
            start: Some(start.shallow_clone()),
            seed: 7,
            device: Device::Cpu,
        };
        let mut seen: Option<Tensor> = None;
        let denoise = |x: &Tensor, _: &Level| {
            seen.get_or_insert_with(|| x.copy());
            Ok(x.zeros_like())
        };
        let _ = sample(sampling, denoise, |_| Ok(())).unwrap();
        let noise = noise::normal(7, 0, 3, 1, window, Device::Cpu).unwrap();
        let expected = start * first.alpha + noise * first.sigma;
        assert!((seen.unwrap() - expected).abs().max().double_value(&[]) < 1e-6);
    }

    /// The papers steer while t / T is at least `to`; the 50 steps visit t = 1000, 980, … 20 of T = 1000.
    #[test]
    fn the_window_is_that_of_the_papers() {
        let ddim = Sampler::Ddim { eta: 0.0 };
        assert!(steers_the_last(ddim, 50, 1.0, 0.02) && !steers_the_last(ddim, 50, 1.0, 0.0201));
        assert!(steers_the_last(ddim, 1, 1.0, 1.0) && !steers_the_last(ddim, 1, 0.999, 0.0));
        let schedule = NoiseSchedule::new(BetaSchedule::SquaredCosCapV2, 1000).unwrap();
        let paper = Steering { from: 1.0, to: 0.3, ..Steering::default() };
        let trajectory = ddim.trajectory(&schedule, Spacing::Trailing, 50).unwrap();
        let levels = || trajectory.evaluations().iter().map(|level| schedule.noise_level(level));
        let steered: Vec<f64> = levels().filter(|level| paper.strength_at(*level) > 0.0).collect();
        assert_eq!((steered.len(), steered.last()), (36, Some(&0.3)));
        assert_eq!(levels().count(), 50);
    }

    #[test]
    fn samplers_that_ask_twice_per_step_are_steered_both_times() {
        // The second evaluation of both is at a lower level than the first, and is steered by its own.
        for sampler in [Sampler::DpmSolver2S, Sampler::Heun] {
            let mut seen = Vec::new();
            let schedule = NoiseSchedule::new(BetaSchedule::SquaredCosCapV2, 1000).unwrap();
            let steering =
                Steering { bandwidth: Bandwidth::Fixed(1e6), strength: 1.0, from: 1.0, to: 0.0, ..Steering::default() };
            let sampling = Sampling {
                schedule: &schedule,
                trajectory: sampler.trajectory(&schedule, Spacing::Trailing, 4).unwrap(),
                steering: &steering,
                particles: 2,
                channels: 1,
                window: Window { x: 0, y: 0, width: 1, height: 1 },
                start: None,
                seed: 0,
                device: Device::Cpu,
            };
            // Answers that differ between the particles, and more from one evaluation to the next: were one of them not
            // steered, its difference would show in the difference of the states, beyond that of the noise.
            let predict = |x: &Tensor, level: &Level| {
                let difference = x.f_select(0, 0)?.f_sub(&x.f_select(0, 1)?)?.f_double_value(&[0, 0, 0])?;
                seen.push(difference / level.sigma);
                let own = seen.len() as f32 * 100.0;
                Ok(Tensor::from_slice(&[-own, own]).view([2, 1, 1, 1]))
            };
            let _ = sample(sampling, predict, |_| Ok(())).unwrap();
            for difference in &seen {
                assert!((difference - seen[0]).abs() < 1e-3, "{sampler:?}: {seen:?}");
            }
        }
    }
}
