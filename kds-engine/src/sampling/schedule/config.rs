//! `scheduler_config.json` of a diffusers model.

use serde::Deserialize;

use super::{BetaSchedule, NoiseSchedule, Prediction, Spacing};
use crate::{Error, Result};

/// What `scheduler_config.json` says about the noise that a network was trained on, and how to visit its levels.
///
/// Keys that are missing take the defaults of diffusers' `DDIMScheduler`, save that x0 is not clipped; keys that concern
/// other schedulers are ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct SchedulerConfig {
    /// Number of timesteps in training.
    pub num_train_timesteps: usize,
    /// `linear`, `scaled_linear` or `squaredcos_cap_v2`: see [`BetaSchedule`].
    pub beta_schedule: String,
    /// Beta of the first timestep; the cosine schedule has no use for it.
    pub beta_start: f64,
    /// Beta of the last timestep; the cosine schedule has no use for it.
    pub beta_end: f64,
    /// Beta of every timestep, in place of the three fields above.
    pub trained_betas: Option<Vec<f64>>,
    /// What the network's output means.
    pub prediction_type: Prediction,
    /// `leading`, `trailing` or `linspace`: see [`Spacing`].
    pub timestep_spacing: String,
    /// Added to every timestep of the `leading` spacing.
    pub steps_offset: usize,
    /// True where the spacing is [`Spacing::Karras`], whatever `timestep_spacing` says.
    pub use_karras_sigmas: bool,
    /// True where DDIM ends at the clean picture, or at the level of timestep 0.
    pub set_alpha_to_one: bool,
    /// True where the last timestep was trained as pure noise (Lin et al., arXiv 2305.08891).
    pub rescale_betas_zero_snr: bool,
    /// True where x0 is to be clipped, which is for networks that work on pixels. Not offered here.
    pub clip_sample: bool,
    /// True where x0 is to be thresholded, which is for networks that work on pixels. Not offered here.
    pub thresholding: bool,
}

/// Far beyond any model, and little memory.
const MOST_TIMESTEPS: usize = 100_000;

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            num_train_timesteps: 1000,
            beta_schedule: "linear".to_owned(),
            beta_start: 1e-4,
            beta_end: 0.02,
            trained_betas: None,
            prediction_type: Prediction::Epsilon,
            timestep_spacing: "leading".to_owned(),
            steps_offset: 0,
            use_karras_sigmas: false,
            set_alpha_to_one: true,
            rescale_betas_zero_snr: false,
            clip_sample: false,
            thresholding: false,
        }
    }
}

impl SchedulerConfig {
    /// The noise schedule. Refuses what would silently give other pictures than the model's authors': an unknown name,
    /// impossible betas, clipping.
    pub fn schedule(&self) -> Result<NoiseSchedule> {
        if self.clip_sample || self.thresholding {
            return Err(Error::Conflict(
                "the scheduler configuration asks for clip_sample or thresholding, which is for models that work on \
                 pixels; this engine restores latents: set both to false if the model was trained on latents"
                    .to_owned(),
            ));
        }
        let count = self.trained_betas.as_ref().map_or(self.num_train_timesteps, Vec::len);
        if count > MOST_TIMESTEPS {
            return Err(Error::Conflict(format!(
                "the scheduler configuration has {count} training timesteps; {MOST_TIMESTEPS} are the most"
            )));
        }
        let (start, end) = (self.beta_start, self.beta_end);
        let mut schedule = match (&self.trained_betas, self.beta_schedule.as_str()) {
            (Some(betas), _) => NoiseSchedule::from_betas(betas)?,
            (None, "linear") => NoiseSchedule::new(BetaSchedule::Linear { start, end }, self.num_train_timesteps)?,
            (None, "scaled_linear") => {
                NoiseSchedule::new(BetaSchedule::ScaledLinear { start, end }, self.num_train_timesteps)?
            }
            (None, "squaredcos_cap_v2") => NoiseSchedule::new(BetaSchedule::SquaredCosCapV2, self.num_train_timesteps)?,
            (None, other) => {
                return Err(Error::Conflict(format!(
                    "the scheduler configuration has beta_schedule '{other}'; known are linear, scaled_linear and \
                     squaredcos_cap_v2, or a list trained_betas"
                )));
            }
        };
        if self.rescale_betas_zero_snr {
            schedule = schedule.with_zero_terminal_snr()?;
        }
        Ok(if self.set_alpha_to_one { schedule } else { schedule.ending_at_first_timestep() })
    }

    /// The spacing of the timesteps. Refuses an unknown name.
    pub fn spacing(&self) -> Result<Spacing> {
        let word = if self.use_karras_sigmas { "karras" } else { &self.timestep_spacing };
        Spacing::parse(word, self.steps_offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Level;

    fn read(json: &str) -> SchedulerConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_configuration_of_stable_diffusion_is_read() {
        let config = read(
            r#"{"_class_name": "PNDMScheduler", "_diffusers_version": "0.8.0", "beta_end": 0.012,
                "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": false,
                "num_train_timesteps": 1000, "prediction_type": "v_prediction", "set_alpha_to_one": false,
                "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null}"#,
        );
        let schedule = config.schedule().unwrap();
        assert_eq!(config.prediction_type, Prediction::V);
        assert_eq!(config.spacing().unwrap(), Spacing::Leading { offset: 1 });
        assert_eq!(schedule.final_level(), schedule.level(0.0).unwrap());
        assert!((schedule.final_level().alpha.powi(2) - (1.0 - 0.00085)).abs() < 1e-15);
    }

    #[test]
    fn missing_keys_take_defaults() {
        let config = read("{}");
        assert_eq!(config, SchedulerConfig::default());
        assert_eq!(config.schedule().unwrap().final_level(), Level::CLEAN);
    }

    #[test]
    fn trained_betas_replace_the_named_schedule() {
        let schedule = read(r#"{"trained_betas": [0.1, 0.2], "beta_schedule": "odd"}"#).schedule().unwrap();
        assert_eq!(schedule.train_timesteps(), 2);
        assert!((schedule.level(1.0).unwrap().alpha.powi(2) - 0.72).abs() < 1e-15);
    }

    #[test]
    fn rescaled_schedules_end_in_noise_and_keep_their_beginning() {
        for (beta_schedule, end) in
            [("scaled_linear", 2f64.powi(-12)), ("linear", 5e-5), ("squaredcos_cap_v2", 2f64.powi(-12))]
        {
            let plain = SchedulerConfig { beta_schedule: beta_schedule.to_owned(), ..SchedulerConfig::default() };
            let rescaled = SchedulerConfig { rescale_betas_zero_snr: true, ..plain.clone() };
            let (plain, rescaled) = (plain.schedule().unwrap(), rescaled.schedule().unwrap());
            assert!((plain.level(0.0).unwrap().alpha - rescaled.level(0.0).unwrap().alpha).abs() < 1e-14);
            assert!(rescaled.level(999.0).unwrap().alpha <= end, "{beta_schedule}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for (json, word) in [
            (r#"{"beta_schedule": "sigmoid"}"#, "sigmoid"),
            (r#"{"clip_sample": true}"#, "clip_sample"),
            (r#"{"thresholding": true}"#, "thresholding"),
            (r#"{"beta_end": 1.5}"#, "betas"),
            (r#"{"num_train_timesteps": 0}"#, "timestep"),
            (r#"{"num_train_timesteps": 1000000000000}"#, "100000"),
        ] {
            let message = read(json).schedule().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
        assert!(read(r#"{"timestep_spacing": "random"}"#).spacing().is_err());
        assert!(serde_json::from_str::<SchedulerConfig>(r#"{"prediction_type": "flow"}"#).is_err());
    }
}
