//! Heun's method.

use super::{Plan, Step, euler, pairs};
use crate::Result;
use crate::schedule::{Grid, Level, NoiseSchedule, Spacing};

/// Karras et al., arXiv 2206.00364, algorithm 1 without churn: an Euler step, then its correction by the slope found at
/// its end. The step to the clean picture, where the slope is not defined, stays without.
pub(super) fn plan(schedule: &NoiseSchedule, spacing: Spacing, steps: usize) -> Result<Plan> {
    let levels = spacing.levels(schedule, steps, Grid::Continuous)?;
    let mut steps = Vec::with_capacity(2 * levels.len());
    for (from, to) in pairs(&levels, Level::CLEAN) {
        steps.push((from, Step::deterministic(from, to)));
        if to.sigma > 0.0 {
            steps.push((to, correction(from, to)));
        }
    }
    Ok(Plan { initial_scale: euler::initial_scale(spacing, &levels), steps })
}

/// The slope of `x / alpha` in the ratio r is the noise that goes with x0. Euler has moved by the noise n₁ at `from`; the
/// noise at `to` is n₂ = n₁ - (x0₂ - x0₁) / r₂, for Euler mixed its state from x0₁ and n₁. To move by the mean of both is
/// therefore to add `alpha₂ · (r₂ - r₁) · (n₂ - n₁) / 2`, a multiple of the change of x0. In this form nothing large
/// cancels at levels that hold almost no signal.
fn correction(from: Level, to: Level) -> Step {
    let change = to.alpha * (from.ratio() - to.ratio()) / (2.0 * to.ratio());
    Step { state: 1.0, clean: 0.0, change, ..Step::NONE }
}
