//! Kernel profiles.

use kds_parameters::{InvalidParameter, KERNELS, Kind};
use tch::Tensor;

use super::lanes::{LANES, Lanes, exp_of_negative};
use crate::Result;

/// Profile of the density estimate, a function of u = ‖p_i − p_k‖²/h². Every profile is 1 at u = 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// exp(−u/2).
    Gaussian,
    /// max(0, 1 − u): particles farther than the bandwidth have no say.
    Epanechnikov,
    /// exp(−√u): long tails.
    Laplacian,
}

impl Kernel {
    /// Reads a word of the parameter table.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for any other word.
    pub fn parse(word: &str) -> Result<Self> {
        match word {
            "gaussian" => Ok(Self::Gaussian),
            "epanechnikov" => Ok(Self::Epanechnikov),
            "laplacian" => Ok(Self::Laplacian),
            _ => Err(InvalidParameter::BadValue {
                name: "kernel",
                value: word.to_owned(),
                expected: Kind::Choice(KERNELS).expected(),
            })?,
        }
    }

    /// Replaces each u by G(u).
    #[inline(always)]
    pub(super) fn weigh(self, u: &mut Lanes) {
        match self {
            Self::Gaussian => {
                for lane in 0..LANES {
                    u[lane] = exp_of_negative(0.5 * u[lane]);
                }
            }
            Self::Epanechnikov => {
                for lane in 0..LANES {
                    u[lane] = (1.0 - u[lane]).max(0.0);
                }
            }
            Self::Laplacian => {
                for lane in 0..LANES {
                    u[lane] = exp_of_negative(u[lane].sqrt());
                }
            }
        }
    }

    /// G(u) of every element.
    pub(super) fn of_tensor(self, u: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Gaussian => u.f_mul_scalar(-0.5)?.f_exp()?,
            Self::Epanechnikov => u.f_rsub_scalar(1.0)?.f_clamp_min(0.0)?,
            Self::Laplacian => u.f_sqrt()?.f_neg()?.f_exp()?,
        })
    }
}
