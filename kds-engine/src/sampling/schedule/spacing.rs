//! Which of the training noise levels the steps visit.

use kds_parameters::find;

use super::{Level, NoiseSchedule, linspace};
use crate::{Error, Result};

/// Exponent of the spacing by Karras et al. (arXiv 2206.00364, equation 5), their value for images.
const KARRAS_RHO: f64 = 7.0;

/// Which of the training noise levels the steps visit. The first three are those of Lin et al. (arXiv 2305.08891,
/// table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// Evenly from timestep 0 upwards; the noisiest timesteps are left out.
    Leading {
        /// Added to every timestep: `steps_offset` of a diffusers configuration.
        offset: usize,
    },
    /// Evenly from the last timestep downwards; the cleanest timesteps are left out.
    Trailing,
    /// Evenly from the last timestep to the first, both included.
    Linspace,
    /// Evenly in the 7th root of the noise-to-signal ratio, from the last timestep to the first.
    Karras,
}

/// The conventions in which the reference schedulers of diffusers place the same spacing differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grid {
    /// Whole timesteps only (DDIM).
    Whole,
    /// Whole timesteps, with the end of the last step counted as one of the points (DPM-Solver).
    WholeWithEnd,
    /// Timesteps between two of the training's too (Euler, Heun).
    Continuous,
}

impl Spacing {
    /// Reads one of [`kds_parameters::SPACINGS`]; `offset` is for `leading`.
    pub fn parse(word: &str, offset: usize) -> Result<Self> {
        find("spacing")?.check(word)?;
        Ok(match word.trim() {
            "leading" => Self::Leading { offset },
            "trailing" => Self::Trailing,
            "linspace" => Self::Linspace,
            _ => Self::Karras,
        })
    }

    /// The same spacing; `leading` with this offset.
    pub fn with_offset(self, offset: usize) -> Self {
        match self {
            Self::Leading { .. } => Self::Leading { offset },
            other => other,
        }
    }

    /// The `steps` levels at which steps begin, noisiest first. Refuses 0 steps, more than the training had, and as many
    /// as would visit a level twice or leave the training.
    pub(crate) fn levels(self, schedule: &NoiseSchedule, steps: usize, grid: Grid) -> Result<Vec<Level>> {
        let train = schedule.train_timesteps();
        if steps == 0 || steps > train {
            return Err(Error::Conflict(format!(
                "'steps' cannot be {steps} for a model trained on {train} timesteps; ask for 1 to {train}"
            )));
        }
        let levels = match self {
            Self::Karras => karras(schedule, steps, grid),
            _ => {
                self.timesteps(train, steps, grid).into_iter().map(|t| schedule.level(t)).collect::<Result<Vec<_>>>()?
            }
        };
        if levels.windows(2).any(|pair| pair[0].ratio() <= pair[1].ratio()) {
            return Err(Error::Conflict(format!(
                "{steps} steps with this spacing would visit one of the {train} noise levels twice; lower 'steps', or \
                 choose another 'spacing'"
            )));
        }
        Ok(levels)
    }

    fn timesteps(self, train: usize, steps: usize, grid: Grid) -> Vec<f64> {
        let with_end = usize::from(grid == Grid::WholeWithEnd);
        match self {
            Self::Leading { offset } => {
                let stride = train / (steps + with_end);
                (0..steps).rev().map(|index| ((index + with_end) * stride + offset) as f64).collect()
            }
            Self::Trailing => {
                let stride = train as f64 / steps as f64;
                (0..steps).map(|index| (train as f64 - index as f64 * stride).round_ties_even() - 1.0).collect()
            }
            Self::Linspace | Self::Karras => {
                // numpy's one-point linspace holds the clean end, where there is nothing to denoise; ours the noisy one.
                let mut timesteps = linspace((train - 1) as f64, 0.0, steps + with_end);
                timesteps.truncate(steps);
                if grid != Grid::Continuous {
                    timesteps.iter_mut().for_each(|timestep| *timestep = timestep.round_ties_even());
                }
                timesteps
            }
        }
    }
}

fn karras(schedule: &NoiseSchedule, steps: usize, grid: Grid) -> Vec<Level> {
    let root = |timestep| schedule.at(timestep).ratio().powf(1.0 / KARRAS_RHO);
    let roots = linspace(root(schedule.train_timesteps() - 1), root(0), steps);
    let level = |root: f64| {
        let ratio = root.powf(KARRAS_RHO);
        let timestep = schedule.timestep_of_ratio(ratio);
        // The level stays where it is; only the timestep that the network gets is rounded.
        Level::from_ratio(if grid == Grid::Continuous { timestep } else { timestep.round_ties_even() }, ratio)
    };
    roots.into_iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::BetaSchedule;

    fn timesteps(spacing: Spacing, steps: usize, grid: Grid) -> Vec<f64> {
        spacing.timesteps(1000, steps, grid)
    }

    #[test]
    fn timesteps_are_those_of_the_paper() {
        let leading = Spacing::Leading { offset: 1 };
        assert_eq!(timesteps(leading, 5, Grid::Whole), [801.0, 601.0, 401.0, 201.0, 1.0]);
        assert_eq!(timesteps(leading, 4, Grid::WholeWithEnd), [801.0, 601.0, 401.0, 201.0]);
        assert_eq!(timesteps(Spacing::Trailing, 5, Grid::Whole), [999.0, 799.0, 599.0, 399.0, 199.0]);
        assert_eq!(timesteps(Spacing::Linspace, 3, Grid::Whole), [999.0, 500.0, 0.0]);
        assert_eq!(timesteps(Spacing::Linspace, 3, Grid::Continuous), [999.0, 499.5, 0.0]);
        assert_eq!(timesteps(Spacing::Linspace, 1, Grid::Whole), [999.0]);
    }

    #[test]
    fn karras_levels_reach_from_the_noisiest_to_the_cleanest() {
        let schedule = NoiseSchedule::new(BetaSchedule::Linear { start: 1e-4, end: 0.02 }, 1000).unwrap();
        let levels = Spacing::Karras.levels(&schedule, 8, Grid::Continuous).unwrap();
        assert!((levels[0].ratio() / schedule.at(999).ratio() - 1.0).abs() < 1e-12);
        assert!((levels[7].ratio() / schedule.at(0).ratio() - 1.0).abs() < 1e-12);
        let roots: Vec<f64> = levels.iter().map(|level| level.ratio().powf(1.0 / 7.0)).collect();
        for triple in roots.windows(3) {
            assert!((triple[0] - 2.0 * triple[1] + triple[2]).abs() < 1e-12);
        }
    }

    #[test]
    fn words_are_read_or_refused() {
        for word in kds_parameters::SPACINGS {
            Spacing::parse(word, 0).unwrap();
        }
        assert_eq!(Spacing::parse("leading", 1).unwrap(), Spacing::Leading { offset: 1 });
        assert_eq!(Spacing::parse("karras", 1).unwrap(), Spacing::Karras);
        assert!(Spacing::parse("trailing ", 0).is_ok());
        assert!(Spacing::parse("uniform", 0).unwrap_err().to_string().contains("linspace"));
    }

    #[test]
    fn step_counts_that_cannot_be_are_refused() {
        let schedule = NoiseSchedule::new(BetaSchedule::SquaredCosCapV2, 100).unwrap();
        for (spacing, steps, grid) in [
            (Spacing::Trailing, 0, Grid::Whole),
            (Spacing::Trailing, 101, Grid::Whole),
            (Spacing::Leading { offset: 1 }, 100, Grid::Whole),
            (Spacing::Leading { offset: 0 }, 100, Grid::WholeWithEnd),
            (Spacing::Linspace, 100, Grid::WholeWithEnd),
        ] {
            let message = spacing.levels(&schedule, steps, grid).unwrap_err().to_string();
            assert!(message.contains("steps"), "{message}");
        }
        for spacing in [Spacing::Trailing, Spacing::Linspace, Spacing::Leading { offset: 0 }, Spacing::Karras] {
            assert_eq!(spacing.levels(&schedule, 100, Grid::Whole).unwrap().len(), 100, "{spacing:?}");
        }
    }
}
