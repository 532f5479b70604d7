//! The end of the ensemble: one latent is chosen and decoded.

use kds_parameters::InvalidParameter;
use tch::{Kind, Tensor};

use super::check_ensemble;
use crate::{Error, Result};

/// Which latent becomes the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// The particle nearest (L2 over the whole latent) to the mean of the ensemble; the paper's choice.
    Nearest,
    /// The mean of the ensemble itself: faithful, but smooth where the particles differ.
    Mean,
    /// The particle whose distances (L2) to all others have the smallest sum: like `Nearest`, but an outlier counts for
    /// its distance, not for the square of it.
    Medoid,
    /// This particle, counted from 0.
    Index(usize),
}

impl Selection {
    /// Reads `nearest`, `mean`, `medoid` or `index:K`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for any other text.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed = match text {
            "nearest" => Some(Self::Nearest),
            "mean" => Some(Self::Mean),
            "medoid" => Some(Self::Medoid),
            _ => text.strip_prefix("index:").and_then(|index| index.parse().ok()).map(Self::Index),
        };
        parsed.ok_or_else(|| {
            let expected = kds_parameters::Kind::Selection.expected();
            InvalidParameter::BadValue { name: "selection", value: text.to_owned(), expected }.into()
        })
    }

    /// The chosen latent [1, C, H, W] of the ensemble `x0` [N, C, H, W] in f32. Of equally good particles the first.
    ///
    /// # Errors
    /// [`Error::Conflict`] for another shape or element type, or an index that no particle has.
    pub fn choose(&self, x0: &Tensor) -> Result<Tensor> {
        check_ensemble(x0)?;
        tch::no_grad(|| {
            let index = match *self {
                Self::Mean => return Ok(x0.f_mean_dim(0, true, Kind::Float)?),
                Self::Nearest => smallest(&distances(x0, &x0.f_mean_dim(0, true, Kind::Float)?)?)?,
                Self::Medoid => {
                    let sums = (0..x0.size()[0])
                        .map(|particle| Ok(distances(x0, &x0.f_narrow(0, particle, 1)?)?.f_sum(Kind::Double)?));
                    smallest(&Tensor::f_stack(&sums.collect::<Result<Vec<_>>>()?, 0)?)?
                }
                Self::Index(index) => checked(index, x0.size()[0])?,
            };
            Ok(x0.f_narrow(0, index, 1)?)
        })
    }
}

fn checked(index: usize, particles: i64) -> Result<i64> {
    i64::try_from(index).ok().filter(|index| *index < particles).ok_or_else(|| {
        Error::Conflict(format!(
            "'selection' asks for particle {index}, but there are {particles}, counted from 0; \
             lower the index or raise 'particles'"
        ))
    })
}

/// L2 distances of the particles to one latent: [N, C, H, W] and [1, C, H, W] give [N].
fn distances(x0: &Tensor, to: &Tensor) -> Result<Tensor> {
    Ok(x0.f_sub(to)?.f_square()?.f_sum_dim_intlist([1, 2, 3].as_slice(), false, Kind::Double)?.f_sqrt()?)
}

/// Where the smallest value is; the first of equal ones, which `argmin` does not promise.
fn smallest(values: &Tensor) -> Result<i64> {
    let (_, order) = values.f_sort_stable(true, 0, false)?;
    Ok(order.f_int64_value(&[0])?)
}
