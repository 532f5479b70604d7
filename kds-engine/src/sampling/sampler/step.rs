//! One step of any sampler.

use tch::Tensor;

use crate::schedule::Level;
use crate::{Error, Result};

/// The next state is `state · x + clean · x0 + change · (x0 - previous x0) + earlier_change · (previous x0 - the x0 before
/// it) + noise · fresh noise`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub state: f64,
    pub clean: f64,
    pub change: f64,
    pub earlier_change: f64,
    pub noise: f64,
}

impl Step {
    /// Weights of 0.
    pub const NONE: Self = Self { state: 0.0, clean: 0.0, change: 0.0, earlier_change: 0.0, noise: 0.0 };

    /// How many of the x0 before the present one it reads.
    pub fn looks_back(&self) -> usize {
        match (self.change != 0.0, self.earlier_change != 0.0) {
            (_, true) => 2,
            (true, false) => 1,
            (false, false) => 0,
        }
    }

    /// Keeps x0 and the noise that goes with it, and mixes them anew at the level `to`.
    ///
    /// The weights never divide by alpha, so they stay small where there is almost no signal. A step to a level without
    /// noise gives x0 itself.
    pub fn deterministic(from: Level, to: Level) -> Self {
        Self::with_remaining_noise(from, to, to.sigma)
    }

    /// As [`Step::deterministic`], but only `sigma` of the noise that goes with x0 is kept.
    pub fn with_remaining_noise(from: Level, to: Level, sigma: f64) -> Self {
        // A level without noise is its own x0 already.
        let state = if from.sigma > 0.0 { sigma / from.sigma } else { 0.0 };
        Self { state, clean: to.alpha - state * from.alpha, ..Self::NONE }
    }

    /// The next state. Tensors of one shape; `earlier_x0`, the latest first, and `noise` are read only where their weights
    /// are not 0.
    pub fn apply(&self, x: &Tensor, x0: &Tensor, earlier_x0: &[Tensor], noise: Option<&Tensor>) -> Result<Tensor> {
        let earlier = |index| earlier_x0.get(index).ok_or_else(|| missing("the x0 of the evaluations before"));
        let mut sum: Option<Tensor> = None;
        let mut add = |weight: f64, tensor: &Tensor| -> Result<()> {
            let term = tensor.f_mul_scalar(weight)?;
            sum = Some(match sum.take() {
                Some(mut sum) => sum.f_add_(&term)?,
                None => term,
            });
            Ok(())
        };
        // A term of weight 0 is left out rather than added, so that the result is x0 to the last bit where it should be.
        if self.clean != 0.0 {
            add(self.clean, x0)?;
        }
        if self.state != 0.0 {
            add(self.state, x)?;
        }
        if self.change != 0.0 {
            // The difference comes first: the weight can be large, and the two x0 nearly equal.
            add(self.change, &x0.f_sub(earlier(0)?)?)?;
        }
        if self.earlier_change != 0.0 {
            add(self.earlier_change, &earlier(0)?.f_sub(earlier(1)?)?)?;
        }
        if self.noise != 0.0 {
            add(self.noise, noise.ok_or_else(|| missing("fresh noise"))?)?;
        }
        sum.ok_or_else(|| missing("a level with signal or noise"))
    }
}

fn missing(what: &str) -> Error {
    Error::Conflict(format!("this sampling step needs {what}; ask 'needs_noise' and advance through every evaluation"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_keeps_x0_and_its_noise() {
        let from = Level { timestep: 900.0, alpha: 0.28, sigma: 0.96 };
        let to = Level { timestep: 400.0, alpha: 0.8, sigma: 0.6 };
        let (x0, noise) = (1.5, -0.7);
        let step = Step::deterministic(from, to);
        let next = step.state * (from.alpha * x0 + from.sigma * noise) + step.clean * x0;
        assert!((next - (to.alpha * x0 + to.sigma * noise)).abs() < 1e-15);
    }

    #[test]
    fn a_step_to_the_clean_level_is_exactly_x0() {
        let x0 = Tensor::f_from_slice(&[0.1f32, -3.7]).unwrap();
        let x = Tensor::f_from_slice(&[1e30f32, 5.0]).unwrap();
        let from = Level { timestep: 0.0, alpha: 0.6, sigma: 0.8 };
        assert_eq!(Step::deterministic(from, Level::CLEAN).apply(&x, &x0, &[], None).unwrap(), x0);
    }

    #[test]
    fn missing_tensors_are_an_error() {
        let x = Tensor::f_from_slice(&[1.0f32]).unwrap();
        let earlier = [x.shallow_clone(), x.shallow_clone()];
        let step = Step { state: 1.0, clean: 1.0, change: 0.5, earlier_change: 0.5, noise: 0.5 };
        assert!(step.apply(&x, &x, &[], Some(&x)).is_err());
        assert!(step.apply(&x, &x, &earlier[..1], Some(&x)).is_err());
        assert!(step.apply(&x, &x, &earlier, None).unwrap_err().to_string().contains("noise"));
        assert!(step.apply(&x, &x, &earlier, Some(&x)).is_ok());
    }
}
