//! Euler's method.

use super::{Plan, Step, pairs};
use crate::Result;
use crate::schedule::{Grid, Level, NoiseSchedule, Spacing};

/// Karras et al., arXiv 2206.00364, algorithm 1 without correction and churn. In the variance-preserving state this is a
/// deterministic step of DDIM, through levels that may lie between the timesteps of the training.
pub(super) fn plan(schedule: &NoiseSchedule, spacing: Spacing, steps: usize) -> Result<Plan> {
    let levels = spacing.levels(schedule, steps, Grid::Continuous)?;
    let initial_scale = initial_scale(spacing, &levels);
    let steps = pairs(&levels, Level::CLEAN).map(|(from, to)| (from, Step::deterministic(from, to))).collect();
    Ok(Plan { initial_scale, steps })
}

/// The schedulers of diffusers start from `sigma · noise`, as if the data had no variance; with the leading spacing,
/// whose first level is far from pure noise, from standard normal noise.
pub(super) fn initial_scale(spacing: Spacing, levels: &[Level]) -> f64 {
    match (spacing, levels.first()) {
        (Spacing::Leading { .. }, _) | (_, None) => 1.0,
        (_, Some(first)) => first.sigma,
    }
}
