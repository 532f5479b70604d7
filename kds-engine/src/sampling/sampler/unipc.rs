//! UniPC.

use super::dpm_solver::log_ratio;
use super::{Plan, Step, pairs};
use crate::Result;
use crate::schedule::{Grid, Level, NoiseSchedule, Spacing};

/// Zhao et al., arXiv 2302.04867, of second order in x0 with `B(h) = e^h - 1`: each step of DPM-Solver++ (2M) is corrected
/// once the network has answered at its end. The first step and the last are of first order.
///
/// The correction is linear in the changes of x0 that the corrected step saw and now sees, so it is part of the step that
/// follows it.
pub(super) fn plan(schedule: &NoiseSchedule, spacing: Spacing, steps: usize) -> Result<Plan> {
    let levels = spacing.levels(schedule, steps, Grid::WholeWithEnd)?;
    let plan = pairs(&levels, Level::CLEAN)
        .enumerate()
        .map(|(index, (from, to))| {
            let first_order = Step::deterministic(from, to);
            // Nothing is left of the state that could be corrected where a step begins or ends without noise.
            if first_order.state == 0.0 {
                return (from, first_order);
            }
            let predictor = match index {
                0 => 0.0,
                _ => first_order.clean * log_ratio(from, to) / (2.0 * log_ratio(levels[index - 1], from)),
            };
            // The step before ended here. It too was of first order if it was the first.
            let (change, earlier_change) = match index {
                0 => (0.0, 0.0),
                1 => corrector(None, levels[0], from),
                _ => corrector(Some(levels[index - 2]), levels[index - 1], from),
            };
            let step = Step {
                change: predictor + first_order.state * change,
                earlier_change: first_order.state * earlier_change,
                ..first_order
            };
            (from, step)
        })
        .collect();
    Ok(Plan { initial_scale: 1.0, steps: plan })
}

/// What the state at `to` lacks, after a predicting step from `from` that knew x0 at `before` too, or did not: weights of
/// the change of x0 from `from` to `to`, and of its change from `before` to `from` (diffusers: schedulers/scheduling_unipc_multistep.py
/// `multistep_uni_c_bh_update`).
fn corrector(before: Option<Level>, from: Level, to: Level) -> (f64, f64) {
    let scale = Step::deterministic(from, to).clean;
    let Some(before) = before else { return (0.5 * scale, 0.0) };
    let h = -log_ratio(from, to);
    let phi_1 = h.exp_m1();
    let phi_2 = phi_1 / h - 1.0;
    let phi_3 = phi_2 / h - 0.5;
    let (b1, b2) = (phi_2 / phi_1, 2.0 * phi_3 / phi_1);
    // Where x0 was known before, in lengths of the step, seen from its beginning.
    let position = log_ratio(before, from) / h;
    let earlier = (b1 - b2) / (1.0 - position);
    // The predictor has given the earlier change half its weight already.
    (scale * (b1 - earlier), scale * (0.5 - earlier) / position)
}
