//! Kernel Density Steering: one mean-shift move of every patch of every particle towards where the particles agree
//! (Hu et al., NeurIPS 2025, arXiv 2507.05604).
//!
//! For particle i, a patch position, patch vectors p_k (all C·p² values of the patch), a bandwidth h and a kernel
//! profile G of u = ‖p_i − p_k‖²/h²:
//!
//! ```text
//! w_k = G(u_k)                     over all N particles, i itself included
//! p_i ← p_i + δ · (Σ w_k p_k / Σ w_k − p_i)
//! ```
//!
//! All N moves are computed from the same old ensemble. Distances come from differences, not from the cheaper Gram form
//! ‖a‖² + ‖b‖² − 2a·b, which cancels in f32 just when the particles come close to each other.
//!
//! **Patches.** The grid starts at the upper left corner; patches that the border cuts are used as they are. With
//! `stride == patch` patches do not overlap, as in the paper. With `stride < patch` they do, and a pixel takes the mean
//! of the moves of the patches that cover it.
//!
//! **Automatic bandwidth.** h² = f² · the median, over the pairs of particles, of the squared patch distance *at that
//! patch position*. It is local on purpose: a median over the whole image would make the result depend on how the image
//! is cut into tiles. Where h² is 0 (more than half of the pairs agree) the position is left as it is.

mod block;
mod fused;
mod fusion;
mod kernel;
mod lanes;
mod median;
mod ramp;
mod selection;
mod sharpest;
mod spread;
mod tensor_ops;

use kds_parameters::Bandwidth;
use tch::{Device, Kind, Tensor};

pub use fusion::fuse;
pub use kernel::Kernel;
pub use ramp::Ramp;
pub(crate) use selection::Distances;
pub use selection::Selection;
pub use sharpest::sharpest;
pub use spread::{difference, spread};
pub(crate) use tensor_ops::TEMPORARIES;

use crate::{Error, Result};

/// How the particles are steered. The fields are the parameters of the same names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steering {
    /// How agreement falls with distance.
    pub kernel: Kernel,
    /// Width of the kernel over the whole patch vector, in units of the latents.
    pub bandwidth: Bandwidth,
    /// Side of a patch in latent pixels, from 1.
    pub patch: usize,
    /// Distance between patches in latent pixels, from 1 to `patch`.
    pub stride: usize,
    /// How far a particle moves along the mean-shift vector, δ, from 0 (not at all) to 1.
    pub strength: f64,
    /// Noise level at which steering begins; 1 is pure noise.
    pub from: f64,
    /// Noise level at which steering ends, at most `from`; 0 is the finished picture.
    pub to: f64,
    /// How the strength grows between the two.
    pub ramp: Ramp,
    /// Mean-shift moves at each steered step, from 1.
    pub iterations: usize,
}

/// The defaults of the parameter table.
impl Default for Steering {
    fn default() -> Self {
        Self {
            kernel: Kernel::Gaussian,
            bandwidth: Bandwidth::Auto(1.0),
            patch: 1,
            stride: 1,
            strength: 0.3,
            from: 0.7,
            to: 0.0,
            ramp: Ramp::Constant,
            iterations: 1,
        }
    }
}

impl Steering {
    /// Checks every value against the parameter table, and the values against each other.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value out of its range, [`Error::Conflict`] where `stride` is 0 or exceeds `patch`, or
    /// `to` exceeds `from`.
    pub fn validate(&self) -> Result<()> {
        let bandwidth = match self.bandwidth {
            Bandwidth::Auto(factor) => format!("auto*{factor}"),
            Bandwidth::Fixed(width) => width.to_string(),
        };
        let values = [
            ("bandwidth", bandwidth),
            ("patch", self.patch.to_string()),
            ("strength", self.strength.to_string()),
            ("from", self.from.to_string()),
            ("to", self.to.to_string()),
            ("iterations", self.iterations.to_string()),
        ];
        for (name, value) in values {
            kds_parameters::find(name)?.check(&value)?;
        }
        if !(1..=self.patch).contains(&self.stride) {
            return Err(Error::Conflict(format!(
                "'stride' is {} but must be from 1 to the patch size, {}; a larger stride would leave pixels unsteered",
                self.stride, self.patch
            )));
        }
        if self.to > self.from {
            return Err(Error::Conflict(format!(
                "steering begins at noise level 'from' = {} and must end at a lower one, but 'to' is {}",
                self.from, self.to
            )));
        }
        Ok(())
    }

    /// δ at a noise level, [`crate::schedule::NoiseSchedule::noise_level`], 1 being pure noise. It is 0 outside the window
    /// from `from` down to `to`; both ends belong to the window.
    pub fn strength_at(&self, noise_level: f64) -> f64 {
        if !(self.to..=self.from).contains(&noise_level) {
            return 0.0;
        }
        let length = self.from - self.to;
        let progress = if length > 0.0 { (self.from - noise_level) / length } else { 1.0 };
        self.strength * self.ramp.share(progress)
    }

    /// The steered ensemble: `x0` [N, C, H, W] in f32, the predictions of the clean latents, gives a tensor of the same
    /// shape. One particle, or a strength of 0 at this noise level, gives exactly the values of `x0`, and may share its
    /// storage.
    ///
    /// On the CPU patches that do not overlap take a fused kernel that reads and writes the ensemble once, whatever the
    /// number of iterations; all else is [`Self::apply_with_tensor_ops`].
    ///
    /// # Errors
    /// As [`Self::validate`]; [`Error::Conflict`] for another shape or element type.
    pub fn apply(&self, x0: &Tensor, noise_level: f64) -> Result<Tensor> {
        if x0.device() == Device::Cpu && self.stride == self.patch {
            self.guarded(x0, noise_level, fused::apply)
        } else {
            self.apply_with_tensor_ops(x0, noise_level)
        }
    }

    /// The same as [`Self::apply`], to rounding, by operations on whole tensors, on any device.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_with_tensor_ops(&self, x0: &Tensor, noise_level: f64) -> Result<Tensor> {
        self.guarded(x0, noise_level, |steering, strength, x0| {
            tch::no_grad(|| tensor_ops::apply(steering, strength, x0))
        })
    }

    fn guarded(
        &self,
        x0: &Tensor,
        noise_level: f64,
        steer: impl FnOnce(&Self, f64, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        self.validate()?;
        check_ensemble(x0)?;
        let strength = self.strength_at(noise_level);
        if x0.size()[0] < 2 || strength == 0.0 || x0.numel() == 0 {
            return Ok(x0.f_detach()?);
        }
        steer(self, strength, x0)
    }
}

/// Refuses what is no ensemble [N, C, H, W] of f32 with at least one particle.
fn check_ensemble(x0: &Tensor) -> Result<()> {
    let (size, kind) = (x0.size(), x0.f_kind()?);
    if size.len() == 4 && size[0] > 0 && kind == Kind::Float {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "steering works on an ensemble [particles, channels, height, width] of f32 with at least one particle, \
         but was given {size:?} of {kind:?}"
    )))
}

#[cfg(test)]
mod tests;
