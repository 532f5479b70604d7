//! Samplers: how a latent goes from one noise level to the next.
//!
//! Every sampler here is linear in what it is given, so each is a plan, made once in f64 from the schedule alone: the levels
//! at which the network is asked, and for each the weights of state, x0, its change and fresh noise in the next state.
//! [`Trajectory`] carries the plan out on tensors. The state always is the variance-preserving `x = alpha · x0 + sigma ·
//! noise`, and only x0 enters: a steered x0 therefore brings its own noise prediction `(x - alpha · x0) / sigma` along.

mod ddim;
mod ddpm;
mod dpm_solver;
mod euler;
mod heun;
mod step;
mod trajectory;
mod unipc;

pub use trajectory::Trajectory;

use kds_parameters::find;

use crate::Result;
use crate::schedule::{Level, NoiseSchedule, Spacing};
use step::Step;

/// A way to go from noise to a picture. All agree with the schedulers of diffusers, but for Heun where its
/// steps are long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampler {
    /// Denoising diffusion implicit models (Song et al., arXiv 2010.02502).
    Ddim {
        /// Fresh noise at each step, in [0, 1]: 0 is deterministic, 1 is ancestral sampling (DDPM).
        eta: f64,
    },
    /// Denoising diffusion probabilistic models: ancestral sampling (Ho et al., arXiv 2006.11239).
    Ddpm,
    /// DPM-Solver++ of second order, multistep, midpoint (Lu et al., arXiv 2211.01095).
    DpmSolver2M,
    /// The same for the differential equation with noise: fresh noise at each step.
    DpmSolver2MSde,
    /// DPM-Solver++ of second order, singlestep, midpoint (Lu et al., arXiv 2211.01095): evaluations in pairs, each of
    /// them a step.
    DpmSolver2S,
    /// Euler's method in the noise-to-signal ratio (Karras et al., arXiv 2206.00364).
    Euler,
    /// Heun's method in the noise-to-signal ratio (Karras et al., arXiv 2206.00364, algorithm 1 without churn), and in its
    /// reciprocal where steps are long. Asks the network twice per step but once in the last.
    Heun,
    /// Unified predictor-corrector of second order in x0 (Zhao et al., arXiv 2302.04867).
    UniPc,
}

impl Sampler {
    /// Reads one of [`kds_parameters::SAMPLERS`]; `eta`, in [0, 1], is for `ddim`.
    pub fn parse(word: &str, eta: f64) -> Result<Self> {
        find("sampler")?.check(word)?;
        match word.trim() {
            "ddpm" => Ok(Self::Ddpm),
            "dpm++2m" => Ok(Self::DpmSolver2M),
            "dpm++2m-sde" => Ok(Self::DpmSolver2MSde),
            "dpm++2s" => Ok(Self::DpmSolver2S),
            "euler" => Ok(Self::Euler),
            "heun" => Ok(Self::Heun),
            "unipc" => Ok(Self::UniPc),
            _ => ddim::check_eta(eta).map(|()| Self::Ddim { eta }),
        }
    }

    /// Plans `steps` steps through the levels of `schedule`.
    ///
    /// Refuses 0 steps, more than the training had timesteps or than the spacing can tell apart, and an eta outside
    /// [0, 1].
    pub fn trajectory(&self, schedule: &NoiseSchedule, spacing: Spacing, steps: usize) -> Result<Trajectory> {
        let plan = match *self {
            Self::Ddim { eta } => ddim::plan(schedule, spacing, steps, eta),
            Self::Ddpm => ddpm::plan(schedule, spacing, steps),
            Self::DpmSolver2M => dpm_solver::plan(schedule, spacing, steps, false),
            Self::DpmSolver2MSde => dpm_solver::plan(schedule, spacing, steps, true),
            Self::DpmSolver2S => dpm_solver::plan_singlestep(schedule, spacing, steps),
            Self::Euler => euler::plan(schedule, spacing, steps),
            Self::Heun => heun::plan(schedule, spacing, steps),
            Self::UniPc => unipc::plan(schedule, spacing, steps),
        }?;
        Ok(Trajectory::new(plan))
    }
}

/// What a sampler does, before it has seen any tensor.
struct Plan {
    /// Factor on standard normal noise that makes it the state at the first evaluation.
    initial_scale: f64,
    /// Level at which the network is asked, and what becomes of its answer.
    steps: Vec<(Level, Step)>,
}

/// Pairs of levels from which and to which the steps go; the last goes to `end`.
fn pairs(levels: &[Level], end: Level) -> impl Iterator<Item = (Level, Level)> {
    let following = levels.iter().skip(1).copied().chain(std::iter::once(end));
    levels.iter().copied().zip(following)
}

#[cfg(test)]
mod tests;
