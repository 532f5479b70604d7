//! DPM-Solver++ (2M), as a differential equation with noise or without.

use super::{Plan, Step, pairs};
use crate::Result;
use crate::schedule::{Grid, Level, NoiseSchedule, Spacing};

/// Lu et al., arXiv 2211.01095, algorithm 2, and with `noise` its SDE-DPM-Solver++ (2M): x0 is extrapolated linearly, in the logarithm of
/// the signal-to-noise ratio, from the last two evaluations to the middle of the step. The first step, and the one to the
/// clean picture, which is infinitely long in that measure, are of first order.
pub(super) fn plan(schedule: &NoiseSchedule, spacing: Spacing, steps: usize, noise: bool) -> Result<Plan> {
    let levels = spacing.levels(schedule, steps, Grid::WholeWithEnd)?;
    let mut before: Option<Level> = None;
    let steps = pairs(&levels, Level::CLEAN)
        .map(|(from, to)| {
            let first_order = if noise { stochastic(from, to) } else { Step::deterministic(from, to) };
            let change = match before.replace(from) {
                Some(before) if to.sigma > 0.0 => {
                    first_order.clean * log_ratio(from, to) / (2.0 * log_ratio(before, from))
                }
                _ => 0.0,
            };
            (from, Step { change, ..first_order })
        })
        .collect();
    Ok(Plan { initial_scale: 1.0, steps })
}

/// Of the noise that goes with x0 the share `ratio(to) / ratio(from)` is kept; fresh noise fills up to the level.
fn stochastic(from: Level, to: Level) -> Step {
    let kept = if from.sigma > 0.0 { to.ratio() / from.ratio() } else { 0.0 };
    let noise = to.sigma * (1.0 - kept * kept).max(0.0).sqrt();
    Step { noise, ..Step::with_remaining_noise(from, to, to.sigma * kept) }
}

/// Length of a step: by how much the logarithm of alpha / sigma grows.
pub(super) fn log_ratio(from: Level, to: Level) -> f64 {
    (from.ratio() / to.ratio()).ln()
}
