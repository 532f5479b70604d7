//! What tells a network the timestep (diffusers: models/embeddings.py `Timesteps`, `TimestepEmbedding`).

use tch::{Device, Kind, Tensor};

use super::{Linear, Scope};
use crate::Result;

/// Sines and cosines of the timestep, linear_1, SiLU, linear_2, SiLU.
pub struct TimeEmbedding {
    linear_1: Linear,
    linear_2: Linear,
    dimension: i64,
    flip_sin_to_cos: bool,
    freq_shift: f64,
}

impl TimeEmbedding {
    /// From `dimension` sines and cosines to four times as many channels.
    pub fn new(scope: &Scope, dimension: i64, flip_sin_to_cos: bool, freq_shift: f64) -> Result<Self> {
        Ok(Self {
            linear_1: Linear::new(&scope.child("linear_1"), dimension, 4 * dimension)?,
            linear_2: Linear::new(&scope.child("linear_2"), 4 * dimension, 4 * dimension)?,
            dimension,
            flip_sin_to_cos,
            freq_shift,
        })
    }

    /// SiLU of the embedding, `1 x 4·dimension`: every residual block applies it first, so it is applied once here.
    pub fn forward(&self, timestep: f64, kind: Kind, device: Device) -> Result<Tensor> {
        let sines =
            sinusoidal_embedding(timestep, self.dimension, self.flip_sin_to_cos, self.freq_shift, kind, device)?;
        let hidden = self.linear_1.forward(&sines)?.f_silu_()?;
        Ok(self.linear_2.forward(&hidden)?.f_silu_()?)
    }
}

/// Sinusoidal embedding of one timestep, `1 x dimension` (diffusers' `get_timestep_embedding`, scale 1, period 10000).
pub fn sinusoidal_embedding(
    timestep: f64,
    dimension: i64,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    kind: Kind,
    device: Device,
) -> Result<Tensor> {
    let half = dimension / 2;
    let angles = (0..half).map(|i| timestep * (-(10000f64.ln()) * i as f64 / (half as f64 - freq_shift)).exp());
    let angles: Vec<f64> = angles.collect();
    let (sines, cosines) = (angles.iter().map(|a| a.sin()), angles.iter().map(|a| a.cos()));
    let mut values: Vec<f64> =
        if flip_sin_to_cos { cosines.chain(sines).collect() } else { sines.chain(cosines).collect() };
    values.resize(dimension as usize, 0.0); // an odd dimension ends with a zero
    Ok(Tensor::f_from_slice(&values)?.f_reshape([1, dimension])?.f_to_kind(kind)?.f_to_device(device)?)
}
