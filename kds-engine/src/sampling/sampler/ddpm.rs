//! DDPM.

use super::{Plan, ddim, pairs};
use crate::Result;
use crate::schedule::{Grid, Level, NoiseSchedule, Spacing};

/// Ho et al., arXiv 2006.11239, algorithm 2, with the smaller of their variances, that of the posterior: DDIM with all of
/// its noise, to the clean picture.
pub(super) fn plan(schedule: &NoiseSchedule, spacing: Spacing, steps: usize) -> Result<Plan> {
    let levels = spacing.levels(schedule, steps, Grid::Whole)?;
    let steps = pairs(&levels, Level::CLEAN).map(|(from, to)| (from, ddim::step(from, to, 1.0))).collect();
    Ok(Plan { initial_scale: 1.0, steps })
}
