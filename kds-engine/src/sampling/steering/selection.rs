//! Selection of the result from the ensemble: one latent, or the sharpest of all decoded pictures in every place.

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
    /// In every place the particle with clear fine detail there ([`super::sharpest`]): a choice between pictures, not between
    /// latents.
    Sharpest,
    /// This particle, counted from 0.
    Index(usize),
}

impl Selection {
    /// Reads `nearest`, `mean`, `medoid`, `sharpest` or `index:K`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for any other text.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed = match text {
            "nearest" => Some(Self::Nearest),
            "mean" => Some(Self::Mean),
            "medoid" => Some(Self::Medoid),
            "sharpest" => Some(Self::Sharpest),
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
    /// [`Error::Conflict`] for another shape or element type, an index that no particle has, or [`Self::Sharpest`].
    pub fn choose(&self, x0: &Tensor) -> Result<Tensor> {
        let mut distances = Distances::default();
        if self.compares() {
            check_ensemble(x0)?;
            let (_, _, height, width) = x0.size4()?;
            distances.add(*self, x0, &vec![1.0; height as usize], &vec![1.0; width as usize])?;
        }
        self.pick(x0, &distances)
    }

    /// True where the choice needs the distances between the particles.
    pub(crate) fn compares(&self) -> bool {
        matches!(self, Self::Nearest | Self::Medoid)
    }

    /// The latent [1, C, H, W] that the distances choose from the ensemble of a part of the picture, [N, C, H, W].
    pub(crate) fn pick(&self, x0: &Tensor, distances: &Distances) -> Result<Tensor> {
        check_ensemble(x0)?;
        tch::no_grad(|| {
            let index = match *self {
                Self::Mean => return Ok(x0.f_mean_dim(0, true, Kind::Float)?),
                Self::Nearest | Self::Medoid => distances.nearest(),
                Self::Sharpest => {
                    return Err(Error::Conflict(
                        "'sharpest' chooses between pictures, not latents: decode all particles first".to_owned(),
                    ));
                }
                Self::Index(index) => checked(index, x0.size()[0])?,
            };
            Ok(x0.f_narrow(0, index, 1)?)
        })
    }
}

/// How far every particle is from what it is compared with, over the parts of a picture that have been added.
#[derive(Debug, Clone, Default)]
pub(crate) struct Distances {
    /// Squared L2, particle by particle: to the mean, or to each of the particles.
    squared: Vec<Vec<f64>>,
}

impl Distances {
    /// Adds a part of the picture, its ensemble [N, C, H, W], in which every pixel counts for the weight of its row
    /// times the weight of its column.
    pub(crate) fn add(&mut self, selection: Selection, x0: &Tensor, rows: &[f32], columns: &[f32]) -> Result<()> {
        check_ensemble(x0)?;
        tch::no_grad(|| {
            let weighing = |weights: &[f32], shape: [i64; 2]| -> Result<Tensor> {
                Ok(Tensor::f_from_slice(weights)?.f_reshape(shape)?.f_to_device(x0.device())?)
            };
            let weights = weighing(rows, [-1, 1])?.f_mul(&weighing(columns, [1, -1])?)?;
            let particles = x0.size()[0];
            let references = match selection {
                Selection::Medoid => {
                    (0..particles).map(|k| x0.f_narrow(0, k, 1)).collect::<std::result::Result<_, _>>()?
                }
                _ => vec![x0.f_mean_dim(0, true, Kind::Float)?],
            };
            self.squared.resize(particles as usize, vec![0.0; references.len()]);
            for (k, reference) in references.iter().enumerate() {
                let squared = x0.f_sub(reference)?.f_square()?.f_mul(&weights)?;
                let sums = squared.f_sum_dim_intlist([1, 2, 3].as_slice(), false, Kind::Double)?;
                for (total, sum) in self.squared.iter_mut().zip(Vec::<f64>::try_from(&sums)?) {
                    total[k] += sum;
                }
            }
            Ok(())
        })
    }

    /// The particle whose distances have the smallest sum; the first of equal ones. Two particles are always equally far
    /// from their mean, so what only rounding tells apart counts as equal.
    fn nearest(&self) -> i64 {
        let sums = || self.squared.iter().map(|squared| squared.iter().map(|value| value.sqrt()).sum::<f64>());
        let least = sums().fold(f64::INFINITY, f64::min);
        sums().position(|sum| sum <= least * (1.0 + SAME_DISTANCE)).unwrap_or(0) as i64
    }
}

/// Distances that differ by no more than this share of them are equal.
const SAME_DISTANCE: f64 = 1e-5;

fn checked(index: usize, particles: i64) -> Result<i64> {
    i64::try_from(index).ok().filter(|index| *index < particles).ok_or_else(|| {
        Error::Conflict(format!(
            "'selection' asks for particle {index}, but there are {particles}, counted from 0; \
             lower the index or raise 'particles'"
        ))
    })
}
