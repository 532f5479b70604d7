//! Noise schedules: how much signal and how much noise a latent holds at each timestep of the diffusion.
//!
//! Everything here is computed in f64; single precision leaves `1 - alphas_cumprod[0]` with four digits.

mod config;
mod prediction;
mod spacing;

pub use config::SchedulerConfig;
pub use prediction::Prediction;
pub(crate) use spacing::Grid;
pub use spacing::Spacing;

use crate::{Error, Result};

/// A level of noise: a latent at this level is `x = alpha · x0 + sigma · noise`, with `alpha² + sigma² = 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Time that the network is told, from 0 (nearly clean) to the number of training timesteps less 1 (nearly noise).
    /// Whole, or between two training timesteps.
    pub timestep: f64,
    /// Share of the signal, in (0, 1].
    pub alpha: f64,
    /// Share of the noise, in [0, 1).
    pub sigma: f64,
}

impl Level {
    /// The finished picture: no noise.
    pub const CLEAN: Level = Level { timestep: 0.0, alpha: 1.0, sigma: 0.0 };

    /// The level with this noise-to-signal ratio `sigma / alpha`, which must be finite and at least 0.
    fn from_ratio(timestep: f64, ratio: f64) -> Self {
        let alpha = 1.0 / (ratio * ratio + 1.0).sqrt();
        Self { timestep, alpha, sigma: ratio * alpha }
    }

    fn from_alpha_cumprod(timestep: f64, alpha_cumprod: f64) -> Self {
        Self { timestep, alpha: alpha_cumprod.sqrt(), sigma: (1.0 - alpha_cumprod).sqrt() }
    }

    /// Noise-to-signal ratio `sigma / alpha`: the sigma of k-diffusion and of Karras et al. (arXiv 2206.00364).
    pub fn ratio(&self) -> f64 {
        self.sigma / self.alpha
    }
}

/// How the variance of the noise grows from one training timestep to the next. Named as in diffusers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BetaSchedule {
    /// Beta grows linearly (Ho et al., arXiv 2006.11239).
    Linear {
        /// Beta of the first timestep, in (0, 1).
        start: f64,
        /// Beta of the last timestep, in (0, 1).
        end: f64,
    },
    /// The square root of beta grows linearly (latent diffusion).
    ScaledLinear {
        /// Beta of the first timestep, in (0, 1).
        start: f64,
        /// Beta of the last timestep, in (0, 1).
        end: f64,
    },
    /// The product of all `1 - beta` is a squared cosine, each beta at most 0.999 (Nichol & Dhariwal, arXiv 2102.09672).
    SquaredCosCapV2,
}

impl BetaSchedule {
    fn betas(self, train_timesteps: usize) -> Vec<f64> {
        match self {
            Self::Linear { start, end } => linspace(start, end, train_timesteps),
            Self::ScaledLinear { start, end } => {
                linspace(start.sqrt(), end.sqrt(), train_timesteps).into_iter().map(|root| root * root).collect()
            }
            Self::SquaredCosCapV2 => {
                let alpha_cumprod = |timestep: usize| {
                    let time = timestep as f64 / train_timesteps as f64;
                    ((time + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2)
                };
                (0..train_timesteps).map(|t| (1.0 - alpha_cumprod(t + 1) / alpha_cumprod(t)).min(0.999)).collect()
            }
        }
    }
}

/// The levels of noise that a network was trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseSchedule {
    /// Square of [`Level::alpha`] at each training timestep, strictly decreasing.
    alphas_cumprod: Vec<f64>,
    /// Where a sampler that follows [`SchedulerConfig::set_alpha_to_one`] ends.
    final_level: Level,
}

impl NoiseSchedule {
    /// The schedule of `train_timesteps` steps with these betas. Refuses the same as [`NoiseSchedule::from_betas`].
    pub fn new(betas: BetaSchedule, train_timesteps: usize) -> Result<Self> {
        Self::from_betas(&betas.betas(train_timesteps))
    }

    /// The schedule with this beta at each training timestep. Refuses an empty list and betas that are not within
    /// (0, 1); the first may be 0.
    pub fn from_betas(betas: &[f64]) -> Result<Self> {
        let mut product = 1.0;
        let step = |beta: &f64| {
            product *= 1.0 - beta;
            product
        };
        Self::from_alphas_cumprod(betas.iter().map(step).collect())
    }

    /// The schedule whose squared share of the signal is this at each training timestep. Refuses an empty list and
    /// values that are not finite, not in (0, 1] or do not decrease.
    pub fn from_alphas_cumprod(alphas_cumprod: Vec<f64>) -> Result<Self> {
        if alphas_cumprod.is_empty() {
            return Err(Error::Conflict("a noise schedule needs at least one training timestep".to_owned()));
        }
        let mut previous = f64::INFINITY;
        for (timestep, &value) in alphas_cumprod.iter().enumerate() {
            // A comparison with NaN is false, so NaN is refused with the rest.
            if !(value > 0.0 && value <= 1.0 && value < previous) {
                return Err(Error::Conflict(format!(
                    "noise schedule, timestep {timestep}: the cumulative product of alphas is {value}; it must decrease \
                     from one timestep to the next and lie in (0, 1]: check the betas of the scheduler configuration"
                )));
            }
            previous = value;
        }
        Ok(Self { alphas_cumprod, final_level: Level::CLEAN })
    }

    /// Stretches the levels so that the last holds no signal to speak of (Lin et al., arXiv 2305.08891, algorithm 1). As
    /// in diffusers it keeps 2⁻²⁴ instead of 0, from which no x0 could be had; or half of what the level before it keeps,
    /// where that is less.
    fn with_zero_terminal_snr(mut self) -> Result<Self> {
        let root = |value: Option<&f64>| value.copied().unwrap_or_default().sqrt();
        let (first, last) = (root(self.alphas_cumprod.first()), root(self.alphas_cumprod.last()));
        let mut before = f64::INFINITY;
        if let Some((end, others)) = self.alphas_cumprod.split_last_mut() {
            for value in others {
                *value = ((value.sqrt() - last) * first / (first - last)).powi(2);
                before = *value;
            }
            *end = 2f64.powi(-24).min(before / 2.0);
        }
        Self::from_alphas_cumprod(self.alphas_cumprod)
    }

    /// Ends at the level of timestep 0 instead of at [`Level::CLEAN`].
    fn ending_at_first_timestep(mut self) -> Self {
        self.final_level = self.at(0);
        self
    }

    /// Number of timesteps in training.
    pub fn train_timesteps(&self) -> usize {
        self.alphas_cumprod.len()
    }

    /// Where a level lies on the way of the diffusion: t / T of the papers, which count the T training timesteps from 1, the
    /// cleanest, to T, pure noise. [`Level::timestep`] counts them from 0, as networks do.
    pub fn noise_level(&self, level: &Level) -> f64 {
        (level.timestep + 1.0) / self.train_timesteps() as f64
    }

    /// Where DDIM ends: the clean picture, or the level of timestep 0 for a network whose configuration says so.
    pub fn final_level(&self) -> Level {
        self.final_level
    }

    /// The level at a timestep: exact at a whole one; between two, the noise-to-signal ratio is interpolated linearly
    /// as the Euler scheduler of diffusers does. Refuses a timestep outside the training's.
    pub fn level(&self, timestep: f64) -> Result<Level> {
        let last = self.train_timesteps() - 1;
        if !(0.0..=last as f64).contains(&timestep) {
            return Err(Error::Conflict(format!(
                "timestep {timestep} is outside the {} timesteps of the training, 0 to {last}; ask for fewer steps, or \
                 check steps_offset of the scheduler configuration",
                last + 1
            )));
        }
        let below = timestep.floor() as usize;
        let share = timestep.fract();
        if share == 0.0 {
            return Ok(self.at(below));
        }
        let (low, high) = (self.at(below).ratio(), self.at(below + 1).ratio());
        Ok(Level::from_ratio(timestep, low + share * (high - low)))
    }

    /// The timestep with this noise-to-signal ratio, by linear interpolation of its logarithm, and no further than the
    /// first and the last timestep.
    fn timestep_of_ratio(&self, ratio: f64) -> f64 {
        let above =
            self.alphas_cumprod.partition_point(|&value| Level::from_alpha_cumprod(0.0, value).ratio() <= ratio);
        if above == 0 {
            return 0.0;
        }
        if above == self.train_timesteps() {
            return (above - 1) as f64;
        }
        let (low, high) = (self.at(above - 1).ratio().ln(), self.at(above).ratio().ln());
        // Timestep 0 may be free of noise; its logarithm then is -∞ and everything lies at the upper end.
        let share = if low.is_finite() { (ratio.ln() - low) / (high - low) } else { 1.0 };
        (above - 1) as f64 + share
    }

    /// The level at a whole timestep, which must be below [`NoiseSchedule::train_timesteps`].
    fn at(&self, timestep: usize) -> Level {
        Level::from_alpha_cumprod(timestep as f64, self.alphas_cumprod[timestep])
    }
}

/// `count` evenly spaced numbers; the first of them is `start`, the last (of at least two) `end`.
fn linspace(start: f64, end: f64, count: usize) -> Vec<f64> {
    let intervals = count.saturating_sub(1).max(1) as f64;
    (0..count).map(|index| start + (end - start) * (index as f64 / intervals)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latent_diffusion() -> NoiseSchedule {
        NoiseSchedule::new(BetaSchedule::ScaledLinear { start: 0.00085, end: 0.012 }, 1000).unwrap()
    }

    #[test]
    fn levels_preserve_the_variance() {
        for betas in [
            BetaSchedule::Linear { start: 1e-4, end: 0.02 },
            BetaSchedule::ScaledLinear { start: 0.00085, end: 0.012 },
            BetaSchedule::SquaredCosCapV2,
        ] {
            let schedule = NoiseSchedule::new(betas, 1000).unwrap();
            for timestep in [0.0, 0.5, 1.0, 499.3, 998.0, 998.9, 999.0] {
                let level = schedule.level(timestep).unwrap();
                assert!((level.alpha.powi(2) + level.sigma.powi(2) - 1.0).abs() < 1e-14, "{betas:?} {level:?}");
                assert_eq!(level.timestep, timestep);
            }
        }
    }

    #[test]
    fn the_cosine_schedule_is_a_squared_cosine() {
        let schedule = NoiseSchedule::new(BetaSchedule::SquaredCosCapV2, 1000).unwrap();
        // The product telescopes, so half-way the squared share of the signal is the ratio of two squared cosines.
        let cosine = |time: f64| ((time + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
        let level = schedule.level(499.0).unwrap();
        assert!((level.alpha.powi(2) - cosine(0.5) / cosine(0.0)).abs() < 1e-12);
    }

    #[test]
    fn a_level_between_two_timesteps_lies_between_their_ratios() {
        let schedule = latent_diffusion();
        let ratio = |timestep| schedule.level(timestep).unwrap().ratio();
        assert!((ratio(10.25) - (0.75 * ratio(10.0) + 0.25 * ratio(11.0))).abs() < 1e-12);
    }

    #[test]
    fn the_noise_level_is_the_share_of_the_training_timesteps_counted_from_one() {
        let schedule = latent_diffusion();
        for (timestep, expected) in [(999.0, 1.0), (299.0, 0.3), (0.0, 0.001)] {
            // Exactly: a window that ends at 0.3 holds the 300th timestep.
            assert_eq!(schedule.noise_level(&schedule.level(timestep).unwrap()), expected);
        }
    }

    #[test]
    fn the_timestep_of_a_ratio_is_found_again() {
        let schedule = latent_diffusion();
        for timestep in [0.0, 1.0, 417.0, 999.0] {
            let found = schedule.timestep_of_ratio(schedule.level(timestep).unwrap().ratio());
            assert!((found - timestep).abs() < 1e-9, "{timestep} became {found}");
        }
        assert_eq!(schedule.timestep_of_ratio(0.0), 0.0);
        assert_eq!(schedule.timestep_of_ratio(1e9), 999.0);
    }

    #[test]
    fn a_first_timestep_without_noise_is_allowed() {
        let schedule = NoiseSchedule::from_alphas_cumprod(vec![1.0, 0.5, 0.1]).unwrap();
        assert_eq!(schedule.level(0.0).unwrap(), Level::CLEAN);
        assert!(schedule.timestep_of_ratio(0.5).is_finite());
    }

    #[test]
    fn timesteps_outside_the_training_are_refused() {
        for timestep in [-0.1, 999.1, f64::NAN, f64::INFINITY] {
            let message = latent_diffusion().level(timestep).unwrap_err().to_string();
            assert!(message.contains("0 to 999"), "{message}");
        }
    }

    #[test]
    fn impossible_schedules_are_refused() {
        let bad: &[&[f64]] =
            &[&[], &[0.0], &[1.1], &[f64::NAN], &[0.9, 0.9], &[0.5, 0.6], &[0.5, -0.1], &[0.5, f64::NAN]];
        for values in bad {
            assert!(NoiseSchedule::from_alphas_cumprod(values.to_vec()).is_err(), "{values:?}");
        }
        assert!(NoiseSchedule::new(BetaSchedule::Linear { start: -0.1, end: 0.02 }, 10).is_err());
        assert!(NoiseSchedule::new(BetaSchedule::ScaledLinear { start: -0.1, end: 0.02 }, 10).is_err());
        assert!(NoiseSchedule::new(BetaSchedule::Linear { start: 0.1, end: 1.0 }, 10).is_err());
        assert!(NoiseSchedule::new(BetaSchedule::SquaredCosCapV2, 0).is_err());
    }
}
