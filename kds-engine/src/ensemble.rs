//! The sampling loop: N particles side by side, steered.

use tch::{Device, Tensor};

use crate::device::Answer;
use crate::noise::{self, Window};
use crate::sampler::Trajectory;
use crate::schedule::{Level, NoiseSchedule, Prediction};
use crate::steering::Steering;
use crate::{Error, Result};

/// What a run of [`sample`] is made of.
pub struct Sampling<'a> {
    /// The noise schedule that the network was trained with.
    pub schedule: &'a NoiseSchedule,
    /// What the network predicts.
    pub prediction: Prediction,
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
    /// Seed of all noise.
    pub seed: u64,
    /// Where to compute.
    pub device: Device,
}

/// Samples an ensemble: `particles x channels x height x width`, f32, of finished latents.
///
/// `predict(x, level)` is the network's output for all particles at that noise level; `done(n)` is told after each of
/// the [`Trajectory::evaluations`] and may stop the run by an error.
pub fn sample(
    mut sampling: Sampling,
    mut predict: impl FnMut(&Tensor, &Level) -> Result<Tensor>,
    mut done: impl FnMut(usize) -> Result<()>,
) -> Result<Tensor> {
    let Sampling { seed, particles, channels, window, device, .. } = sampling;
    let noise = |step: u32| noise::normal(seed, step, particles, channels, window, device);
    let levels = sampling.trajectory.evaluations().to_vec();
    let mut x = sampling.trajectory.initial(&noise(0)?)?;
    let check = |sum: &Answer, step| if sum.get()?.is_finite() { Ok(()) } else { Err(Error::NotFinite { step }) };
    let mut before: Option<Answer> = None;
    for (index, level) in levels.iter().enumerate() {
        let output = predict(&x, level)?;
        let mut x0 = sampling.prediction.x0(&output, &x, level)?;
        // One number that is not finite makes the sum not finite. A GPU's sum is read when the next step is queued.
        let sum = Answer::ask(&x0.f_sum(tch::Kind::Double)?)?;
        if sum.known().is_some_and(|sum| !sum.is_finite()) {
            return Err(Error::NotFinite { step: index });
        }
        x0 = sampling.steering.apply(&x0, level.timestep / sampling.schedule.train_timesteps() as f64)?;
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
