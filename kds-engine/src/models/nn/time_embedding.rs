//! Embedding of the timestep (diffusers: models/embeddings.py `Timesteps`, `TimestepEmbedding`).

use tch::{Kind, Tensor};

use super::{Linear, Scope};
use crate::Result;

/// Sines and cosines of the timestep, linear_1, SiLU, linear_2, SiLU.
pub struct TimeEmbedding {
    linear_1: Linear,
    linear_2: Linear,
    sinusoids: Sinusoids,
    kind: Kind,
}

impl TimeEmbedding {
    /// From `dimension` sines and cosines to four times as many channels.
    pub fn new(scope: &Scope, dimension: i64, flip_sin_to_cos: bool, freq_shift: f64) -> Result<Self> {
        let loading = scope.loading();
        Ok(Self {
            linear_1: Linear::new(&scope.child("linear_1"), dimension, 4 * dimension)?,
            linear_2: Linear::new(&scope.child("linear_2"), 4 * dimension, 4 * dimension)?,
            sinusoids: Sinusoids::new(dimension, flip_sin_to_cos, freq_shift, loading.device)?,
            kind: loading.kind,
        })
    }

    /// SiLU of the embedding, `1 x 4·dimension`: every residual block applies it first, so it is applied once here.
    pub fn forward(&self, timestep: f64) -> Result<Tensor> {
        let hidden = self.linear_1.forward(&self.sinusoids.of(timestep)?.f_to_kind(self.kind)?)?.f_silu_()?;
        Ok(self.linear_2.forward(&hidden)?.f_silu_()?)
    }
}

/// Sinusoidal embedding (diffusers' `get_timestep_embedding`, scale 1, period 10000). The frequencies wait on the device,
/// and the timestep goes there as an argument of a kernel, so that no step waits for a copy.
struct Sinusoids {
    /// `1 x dimension / 2`, f64.
    frequencies: Tensor,
    cosines_first: bool,
    /// An odd dimension ends with a zero.
    odd: bool,
}

impl Sinusoids {
    fn new(dimension: i64, cosines_first: bool, freq_shift: f64, device: tch::Device) -> Result<Self> {
        let half = dimension / 2;
        let frequency = |i: i64| (-(10000f64.ln()) * i as f64 / (half as f64 - freq_shift)).exp();
        let frequencies: Vec<f64> = (0..half).map(frequency).collect();
        let frequencies = Tensor::f_from_slice(&frequencies)?.f_reshape([1, half])?.f_to_device(device)?;
        Ok(Self { frequencies, cosines_first, odd: dimension % 2 == 1 })
    }

    /// `1 x dimension`, f64.
    fn of(&self, timestep: f64) -> Result<Tensor> {
        let angles = self.frequencies.f_mul_scalar(timestep)?;
        let (sines, cosines) = (angles.f_sin()?, angles.f_cos()?);
        let embedding = Tensor::f_cat(&if self.cosines_first { [cosines, sines] } else { [sines, cosines] }, 1)?;
        if self.odd { Ok(embedding.f_constant_pad_nd([0, 1])?) } else { Ok(embedding) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sines_and_cosines_of_falling_frequencies() {
        let of = |dimension, first, shift, timestep| -> Vec<f64> {
            let sinusoids = Sinusoids::new(dimension, first, shift, tch::Device::Cpu).unwrap();
            Vec::try_from(sinusoids.of(timestep).unwrap().view([-1])).unwrap()
        };
        let near = |found: Vec<f64>, expected: [f64; 5]| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        };
        let (slow, t) = (0.01, 37.0f64);
        near(of(5, false, 0.0, t), [t.sin(), (slow * t).sin(), t.cos(), (slow * t).cos(), 0.0]);
        near(of(5, true, 1.0, t), [t.cos(), (1e-4 * t).cos(), t.sin(), (1e-4 * t).sin(), 0.0]);
    }
}
