//! Heun's method.

use super::{Plan, Step, euler, pairs};
use crate::Result;
use crate::schedule::{Grid, Level, NoiseSchedule, Spacing};

/// The most by which a step divides the noise-to-signal ratio r while Karras's correction, in r, is used. Theirs divide
/// it by 2 to 4. The correction is a multiple of the change of x0 that grows with this quotient: schedules that begin in
/// almost pure noise have first steps that divide by 1000, and what a network gets wrong would drown the picture.
const LONGEST: f64 = 4.0;

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
///
/// Steps longer than [`LONGEST`] take the mean of both slopes of `x / sigma` in 1 / r, which are x0₁ and x0₂ themselves:
/// of second order too, and at most half of the change of x0, however long the step.
fn correction(from: Level, to: Level) -> Step {
    let (high, low) = (from.ratio(), to.ratio());
    let divisor = if high <= LONGEST * low { low } else { high };
    Step { state: 1.0, clean: 0.0, change: to.alpha * (high - low) / (2.0 * divisor), ..Step::NONE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_is_never_much_more_than_the_change_of_x0() {
        let level = |ratio: f64| {
            let alpha = 1.0 / (1.0 + ratio * ratio).sqrt();
            Level { timestep: 0.0, alpha, sigma: alpha * ratio }
        };
        for high in [0.01, 0.5, 3.0, 80.0, 20000.0] {
            for quotient in [1.001, 2.0, 3.9, 4.1, 20.0, 1e6] {
                let change = correction(level(high), level(high / quotient)).change;
                assert!((0.0..=1.5).contains(&change), "from {high}, divided by {quotient}: {change}");
            }
        }
    }
}
