//! DPM-Solver++ of second order: multistep (2M), as a differential equation with noise or without, and singlestep (2S).

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

/// Lu et al., arXiv 2211.01095, algorithm 1, of second order (2S): evaluations go in pairs. The first of a pair leads to
/// the level of the second by a step of first order; the second goes back to where the pair began, and leads from there
/// to the next pair with both x0. As in diffusers a step is an evaluation, and the last pair, which ends at the clean
/// picture, and a last evaluation without a partner are of first order.
///
/// A step of first order by x0 alone is the same in one piece or in two, so going back to where the pair began is a
/// multiple of the change of x0: see [`second_of_pair`].
pub(super) fn plan_singlestep(schedule: &NoiseSchedule, spacing: Spacing, steps: usize) -> Result<Plan> {
    let levels = spacing.levels(schedule, steps, Grid::WholeWithEnd)?;
    let steps = pairs(&levels, Level::CLEAN)
        .enumerate()
        .map(|(index, (from, to))| {
            let step = match index % 2 {
                1 if to.sigma > 0.0 => second_of_pair(levels[index - 1], from, to),
                _ => Step::deterministic(from, to),
            };
            (from, step)
        })
        .collect();
    Ok(Plan { initial_scale: 1.0, steps })
}

/// From the middle of a pair to its end. Of the x0 of the middle, the step of first order that would lead on from there
/// holds too much: it is replaced by the x0 of the beginning, extrapolated to the middle of the pair's whole way.
fn second_of_pair(begin: Level, middle: Level, end: Level) -> Step {
    let onwards = Step::deterministic(middle, end);
    let whole = Step::deterministic(begin, end).clean;
    let change = whole * log_ratio(begin, end) / (2.0 * log_ratio(begin, middle)) - onwards.clean;
    Step { change, ..onwards }
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
