//! DDIM.

use kds_parameters::find;

use super::{Plan, Step, pairs};
use crate::Result;
use crate::schedule::{Grid, Level, NoiseSchedule, Spacing};

/// Song et al., arXiv 2010.02502, equations 12 and 16. Each step goes to the level at which the network is asked next;
/// the scheduler of diffusers always goes `train_timesteps / steps` down, which is the same where the division is exact
/// and the spacing is leading or trailing.
pub(super) fn plan(schedule: &NoiseSchedule, spacing: Spacing, steps: usize, eta: f64) -> Result<Plan> {
    check_eta(eta)?;
    let levels = spacing.levels(schedule, steps, Grid::Whole)?;
    let steps = pairs(&levels, schedule.final_level()).map(|(from, to)| (from, step(from, to, eta))).collect();
    Ok(Plan { initial_scale: 1.0, steps })
}

pub(super) fn check_eta(eta: f64) -> Result<()> {
    find("eta")?.check(&eta.to_string())?;
    Ok(())
}

pub(super) fn step(from: Level, to: Level, eta: f64) -> Step {
    if eta == 0.0 || from.sigma == 0.0 {
        return Step::deterministic(from, to);
    }
    let kept_signal = from.alpha / to.alpha;
    // Rounding may put an end level that equals the last one a hair above it.
    let noise = eta * (to.sigma / from.sigma) * (1.0 - kept_signal * kept_signal).max(0.0).sqrt();
    let remaining = (to.sigma * to.sigma - noise * noise).max(0.0).sqrt();
    Step { noise, ..Step::with_remaining_noise(from, to, remaining) }
}
