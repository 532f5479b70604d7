//! How far the particles are from agreeing.

use tch::{Kind, Tensor};

use super::check_ensemble;
use crate::Result;

/// Root mean square deviation of the particles from their mean, over particles and channels: `x0` [N, C, H, W] in f32
/// gives [H, W], in units of the latents. Low where the particles agree; 0 everywhere for one particle.
///
/// # Errors
/// [`crate::Error::Conflict`] for another shape or element type.
pub fn spread(x0: &Tensor) -> Result<Tensor> {
    check_ensemble(x0)?;
    tch::no_grad(|| {
        let mean = x0.f_mean_dim(0, true, Kind::Float)?;
        Ok(x0.f_sub(&mean)?.f_square()?.f_mean_dim([0, 1].as_slice(), false, Kind::Float)?.f_sqrt()?)
    })
}

/// Root mean square difference of the particles from a prediction, over them, the channels and a window of 3 x 3: `x0`
/// [N, C, H, W] and `predicted` [1, C, H, W] in f32 give [H, W], in units of the latents.
///
/// # Errors
/// [`crate::Error::Conflict`] for another shape or element type.
pub fn difference(x0: &Tensor, predicted: &Tensor) -> Result<Tensor> {
    check_ensemble(x0)?;
    tch::no_grad(|| {
        let squares = x0.f_sub(predicted)?.f_square()?.f_mean_dim([0, 1].as_slice(), false, Kind::Float)?;
        let (height, width) = squares.size2()?;
        let window =
            squares.f_reshape([1, 1, height, width])?.f_avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None)?;
        Ok(window.f_sqrt()?.f_reshape([height, width])?)
    })
}
