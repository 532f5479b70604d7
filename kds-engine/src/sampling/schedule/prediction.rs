//! What a network predicts.

use serde::Deserialize;
use tch::Tensor;

use super::Level;
use crate::Result;

/// What a network's output means. Deserialises from `prediction_type` of a diffusers configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Prediction {
    /// The noise in the latent.
    #[default]
    #[serde(rename = "epsilon")]
    Epsilon,
    /// The velocity `alpha · noise - sigma · x0` (Salimans & Ho, arXiv 2202.00512).
    #[serde(rename = "v_prediction")]
    V,
    /// The clean latent itself.
    #[serde(rename = "sample")]
    X0,
}

impl Prediction {
    /// The clean latent that goes with the network's `output` for the latent `x` at `level`. Tensors of any one shape.
    ///
    /// For [`Prediction::Epsilon`] an error of the output grows by `sigma / alpha`, which can exceed 10⁴ at the noisy end
    /// of a schedule: that is in the definition, so the tensors should be of single precision at least.
    pub fn x0(self, output: &Tensor, x: &Tensor, level: &Level) -> Result<Tensor> {
        let Level { alpha, sigma, .. } = *level;
        tch::no_grad(|| match self {
            Self::Epsilon => Ok(x.f_sub(&output.f_mul_scalar(sigma)?)?.f_div_scalar(alpha)?),
            Self::V => Ok(x.f_mul_scalar(alpha)?.f_sub(&output.f_mul_scalar(sigma)?)?),
            Self::X0 => Ok(output.f_alias()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clean_latent_is_recovered_from_each_prediction() {
        let level = Level { timestep: 0.0, alpha: 0.6, sigma: 0.8 };
        let x0 = Tensor::from_slice(&[1.0f64, -2.0, 0.25]);
        let noise = Tensor::from_slice(&[0.5f64, 0.1, -3.0]);
        let mix = |a: f64, b: f64| x0.f_mul_scalar(a).unwrap().f_add(&noise.f_mul_scalar(b).unwrap()).unwrap();
        let x = mix(level.alpha, level.sigma);
        let velocity = mix(-level.sigma, level.alpha);
        for (prediction, output) in [(Prediction::Epsilon, &noise), (Prediction::V, &velocity), (Prediction::X0, &x0)] {
            let found = prediction.x0(output, &x, &level).unwrap();
            assert!(found.f_allclose(&x0, 1e-14, 1e-14, false).unwrap(), "{prediction:?}");
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_an_error() {
        let x = Tensor::from_slice(&[1.0f32, 2.0]);
        let output = Tensor::from_slice(&[1.0f32, 2.0, 3.0]);
        assert!(Prediction::V.x0(&output, &x, &Level { timestep: 0.0, alpha: 0.6, sigma: 0.8 }).is_err());
    }
}
