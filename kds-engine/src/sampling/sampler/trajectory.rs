//! A sampler at work on one ensemble.

use tch::Tensor;

use super::{Plan, Step};
use crate::schedule::Level;
use crate::{Error, Result};

/// The way from noise to finished latents, evaluation by evaluation.
///
/// The caller owns the state, the network and the steering: for each index of [`Trajectory::evaluations`] it asks the
/// network at that level, turns the output to x0, steers x0 if it will, and calls [`Trajectory::advance`]. What a sampler
/// remembers between evaluations lives here, so each tile or batch needs a trajectory of its own; planning one is cheap.
#[derive(Debug)]
pub struct Trajectory {
    initial_scale: f64,
    levels: Vec<Level>,
    steps: Vec<Step>,
    /// Index of the evaluation whose x0 is awaited.
    next: usize,
    /// x0 of the evaluations before, the latest first, as far as a coming step looks back.
    earlier_x0: Vec<Tensor>,
}

impl Trajectory {
    pub(super) fn new(plan: Plan) -> Self {
        let (levels, steps) = plan.steps.into_iter().unzip();
        Self { initial_scale: plan.initial_scale, levels, steps, next: 0, earlier_x0: Vec::new() }
    }

    /// The levels at which the network is asked, in order. Heun asks at most levels twice, with different states.
    pub fn evaluations(&self) -> &[Level] {
        &self.levels
    }

    /// The state at the first evaluation, from standard normal noise of any shape.
    pub fn initial(&self, noise: &Tensor) -> Result<Tensor> {
        tch::no_grad(|| Ok(noise.f_mul_scalar(self.initial_scale)?))
    }

    /// True where [`Trajectory::advance`] from this evaluation needs fresh noise.
    pub fn needs_noise(&self, index: usize) -> bool {
        self.steps.get(index).is_some_and(|step| step.noise != 0.0)
    }

    /// The state at evaluation `index + 1`, or the finished latents after the last evaluation.
    ///
    /// `x` is the state that the network saw at evaluation `index`, `x0` the (possibly steered) clean latent, `noise`
    /// standard normal noise where [`Trajectory::needs_noise`]; all of one shape, particles first. The trajectory may keep
    /// a view of `x0` until the next call, so `x0` must not be changed in place. Refuses an evaluation out of order,
    /// shapes that differ, and missing noise; after an error the same evaluation may be tried again.
    pub fn advance(&mut self, index: usize, x: &Tensor, x0: &Tensor, noise: Option<&Tensor>) -> Result<Tensor> {
        let (Some(step), true) = (self.steps.get(index).copied(), index == self.next) else {
            return Err(Error::Conflict(format!(
                "the sampler was advanced from evaluation {index}, but {}; go through the evaluations in order, and plan a \
                 new trajectory for every run",
                if self.next < self.steps.len() {
                    format!("evaluation {} of {} is due", self.next, self.steps.len())
                } else {
                    format!("all {} are done", self.steps.len())
                }
            )));
        };
        // What the step after this looks back to is this x0 and those before it, and so on.
        let coming = self.steps.iter().skip(index + 1).enumerate();
        let kept = coming.map(|(later, step)| step.looks_back().saturating_sub(later)).max().unwrap_or(0);
        let noise = noise.filter(|_| step.noise != 0.0);
        let earlier_x0 = self.earlier_x0.iter().take(step.looks_back()).map(|x0| ("an earlier x0", x0));
        for (name, tensor) in [("x0", x0)].into_iter().chain(noise.map(|noise| ("noise", noise))).chain(earlier_x0) {
            same_shape(name, tensor, x)?;
        }
        let (state, x0) =
            tch::no_grad(|| -> Result<_> { Ok((step.apply(x, x0, &self.earlier_x0, noise)?, x0.f_alias()?)) })?;
        self.earlier_x0.insert(0, x0);
        self.earlier_x0.truncate(kept);
        self.next += 1;
        Ok(state)
    }

    /// Goes on with some of the particles: `particles` holds their indices (int64, one dimension, on the device of the
    /// latents) along the first dimension of the states. The caller does the same to its state.
    pub fn keep(&mut self, particles: &Tensor) -> Result<()> {
        let kept = self.earlier_x0.iter().map(|x0| Ok(tch::no_grad(|| x0.f_index_select(0, particles))?));
        self.earlier_x0 = kept.collect::<Result<_>>()?;
        Ok(())
    }
}

/// Shapes that merely broadcast would mix particles without a word.
fn same_shape(name: &str, tensor: &Tensor, x: &Tensor) -> Result<()> {
    let (found, expected) = (tensor.size(), x.size());
    if found == expected {
        return Ok(());
    }
    Err(Error::Conflict(format!("the sampler got {name} of shape {found:?} for a state of shape {expected:?}")))
}
