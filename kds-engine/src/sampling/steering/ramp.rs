//! Growth of the strength over the steered part of the trajectory.

use kds_parameters::{InvalidParameter, Kind, RAMPS};

use crate::Result;

/// How the strength grows from the beginning of steering to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ramp {
    /// Full strength throughout.
    Constant,
    /// In proportion to the way covered.
    Linear,
    /// Along half a period of the cosine: slowly at both ends.
    Cosine,
}

impl Ramp {
    /// Reads a word of the parameter table.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for any other word.
    pub fn parse(word: &str) -> Result<Self> {
        match word {
            "constant" => Ok(Self::Constant),
            "linear" => Ok(Self::Linear),
            "cosine" => Ok(Self::Cosine),
            _ => Err(InvalidParameter::BadValue {
                name: "ramp",
                value: word.to_owned(),
                expected: Kind::Choice(RAMPS).expected(),
            })?,
        }
    }

    /// Share of the full strength after this share of the way, both from 0 to 1.
    pub(super) fn share(self, progress: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Linear => progress,
            Self::Cosine => (1.0 - (std::f64::consts::PI * progress).cos()) / 2.0,
        }
    }
}
