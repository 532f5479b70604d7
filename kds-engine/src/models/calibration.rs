//! Calibrated confidence: from the doubt of an ensemble to the error that it has meant on photographs.
//!
//! The doubt of a pixel is the spread of the particles there ([`crate::steering::spread`]), as a share of what photographs
//! spread. How large an error goes with it differs from model to model, so a registry entry says it: a curve through points
//! that `kds eval --confidence` fitted by isotonic regression on photographs with known truth. The map then holds the
//! expected absolute error: 1 stands for none, 0 for [`ERROR_RANGE`] grey levels or more.
//!
//! The threshold is a conformal one (conformal risk control; Angelopoulos et al., arXiv 2208.02814, as Adame et al., arXiv
//! 2502.09664, use it for super-resolution): among the pixels above it the worst error of a picture, in the mean over
//! pictures, stays below a stated level.

use kds_parameters::{ERROR_RANGE, expected_error};
use serde::Deserialize;

/// The table `[model.confidence]` of a registry.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// For two particles or more.
    pub ensemble: Curve,
    /// For one, whose doubt is its difference from what the first network predicts.
    pub single: Option<Curve>,
    /// The conformal threshold, for two particles or more.
    pub trusted: Option<Trusted>,
}

/// Expected absolute error in grey levels of 255 by doubt: linear between its points, level beyond them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Vec<[f64; 2]>")]
pub struct Curve(Vec<[f64; 2]>);

/// Pixels of at least this `confidence` have, in the mean over pictures, a worst error of at most `error` grey levels.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// 0 to 1.
    pub confidence: f64,
    /// Grey levels of 255, as the mean over a window of [`kds_parameters::ERROR_WINDOW`] pixels.
    pub error: f64,
}

impl TryFrom<Vec<[f64; 2]>> for Curve {
    type Error = String;

    fn try_from(points: Vec<[f64; 2]>) -> Result<Self, String> {
        let possible = |[doubt, error]: &[f64; 2]| *doubt >= 0.0 && (0.0..=255.0).contains(error) && doubt.is_finite();
        let rises = |pair: &[[f64; 2]]| pair[0][0] < pair[1][0] && pair[0][1] <= pair[1][1];
        if points.is_empty() || !points.iter().all(possible) || !points.windows(2).all(rises) {
            return Err(
                "a curve of confidence needs points [doubt, error] of rising doubt, from 0, and of errors from 0 to \
                        255 that do not fall"
                    .to_owned(),
            );
        }
        Ok(Self(points))
    }
}

impl Calibration {
    /// The curve for so many particles.
    pub fn curve(&self, particles: usize) -> Option<&Curve> {
        if particles > 1 { Some(&self.ensemble) } else { self.single.as_ref() }
    }
}

/// The confidence of a doubt: by the curve of a calibrated model, 1 - error / [`ERROR_RANGE`], else 1 - doubt.
pub fn confidence(doubt: f32, curve: Option<&Curve>) -> f32 {
    let doubt = f64::from(doubt);
    let lost = curve.map_or(doubt, |Curve(points)| expected_error(points, doubt) / ERROR_RANGE);
    (1.0 - lost).clamp(0.0, 1.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[[f64; 2]]) -> Result<Curve, String> {
        Curve::try_from(points.to_vec())
    }

    #[test]
    fn confidence_is_the_expected_error_between_the_points_of_the_curve() {
        let curve = curve(&[[0.1, 2.0], [0.3, 12.0], [0.5, 102.0]]).unwrap();
        let table = [(0.0, 2.0), (0.1, 2.0), (0.2, 7.0), (0.3, 12.0), (0.4, 57.0), (9.0, 102.0)];
        for (doubt, error) in table {
            let found = confidence(doubt as f32, Some(&curve));
            let expected = (1.0f64 - error / 51.0).max(0.0);
            assert!((f64::from(found) - expected).abs() < 1e-5, "{doubt}: {found}, not {expected}");
        }
        assert_eq!((confidence(0.25, None), confidence(3.0, None)), (0.75, 0.0));
    }

    #[test]
    fn impossible_curves_are_refused() {
        let impossible: [&[[f64; 2]]; 6] = [
            &[],
            &[[-0.1, 1.0]],
            &[[0.1, 300.0]],
            &[[0.1, 1.0], [0.1, 2.0]],
            &[[0.1, 2.0], [0.2, 1.0]],
            &[[f64::NAN, 1.0]],
        ];
        for points in impossible {
            assert!(curve(points).is_err(), "{points:?}");
        }
    }
}
