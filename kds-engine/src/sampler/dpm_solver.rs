//! DPM-Solver++ (2M).

use super::{Plan, Step, pairs};
use crate::Result;
use crate::schedule::{Grid, Level, NoiseSchedule, Spacing};

/// Lu et al., arXiv 2211.01095, algorithm 2: x0 is extrapolated linearly, in the logarithm of the signal-to-noise ratio,
/// from the last two evaluations to the middle of the step. The first step, and the one to the clean picture, which is
/// infinitely long in that measure, are of first order.
pub(super) fn plan(schedule: &NoiseSchedule, spacing: Spacing, steps: usize) -> Result<Plan> {
    let levels = spacing.levels(schedule, steps, Grid::WholeWithEnd)?;
    let mut before: Option<Level> = None;
    let steps = pairs(&levels, Level::CLEAN)
        .map(|(from, to)| {
            let first_order = Step::deterministic(from, to);
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

/// Length of a step: by how much the logarithm of alpha / sigma grows.
fn log_ratio(from: Level, to: Level) -> f64 {
    (from.ratio() / to.ratio()).ln()
}
