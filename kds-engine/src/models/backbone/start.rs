//! Starting point of trajectories.

use serde::Deserialize;

/// Starting point of trajectories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// In pure noise.
    #[default]
    Noise,
    /// At the latent of the photograph, noised to the level of the first step.
    Image,
}
