//! The autoencoder with Gaussian latents (diffusers: models/autoencoders/autoencoder_kl.py `AutoencoderKL`), as in
//! Stable Diffusion, read from its `config.json`.

use serde::Deserialize;
use tch::Tensor;

use super::autoencoder::{AutoencoderConfig, Decoder, Encoder};
use super::config::{self, NetworkConfig};
use super::{Conv2d, Scope};
use crate::Result;

/// The part of `vae/config.json` that decides the computation.
#[derive(Debug, Clone, Deserialize)]
pub struct AutoencoderKlConfig {
    /// Keys that it shares with other autoencoders.
    #[serde(flatten)]
    pub autoencoder: AutoencoderConfig,
    /// Factor by which latents come to have a standard deviation of about 1. The network itself does not use it.
    #[serde(default = "stable_diffusion")]
    pub scaling_factor: f64,
    /// True where a 1x1 convolution follows the encoder.
    #[serde(default = "config::yes")]
    pub use_quant_conv: bool,
    /// True where a 1x1 convolution precedes the decoder.
    #[serde(default = "config::yes")]
    pub use_post_quant_conv: bool,
}

fn stable_diffusion() -> f64 {
    0.18215
}

impl NetworkConfig for AutoencoderKlConfig {
    fn check(&self) -> std::result::Result<(), String> {
        if !(self.scaling_factor > 0.0 && self.scaling_factor.is_finite()) {
            return Err(format!("scaling_factor is {}; it must be positive", self.scaling_factor));
        }
        self.autoencoder.check()
    }
}

/// The network.
pub struct AutoencoderKl {
    encoder: Encoder,
    quant_conv: Option<Conv2d>,
    post_quant_conv: Option<Conv2d>,
    decoder: Decoder,
}

/// The Gaussian that a picture is encoded to: each `N x latent_channels x H' x W'`.
#[derive(Debug)]
pub struct Posterior {
    /// The mean, which is also the likeliest value.
    pub mean: Tensor,
    /// The standard deviation.
    pub std: Tensor,
}

impl Posterior {
    /// A sample; `noise`: standard normal, of the shape of the mean.
    pub fn sample(&self, noise: &Tensor) -> Result<Tensor> {
        Ok(self.std.f_mul(noise)?.f_add_(&self.mean)?)
    }
}

impl AutoencoderKl {
    /// Takes all weights from the scope. The error says which configuration key or tensor does not fit.
    pub fn new(scope: &Scope, config: &AutoencoderKlConfig) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let latent = config.autoencoder.latent_channels;
        let conv = |name, channels| Conv2d::new(&scope.child(name), channels, channels, 1, 1, 0);
        Ok(Self {
            encoder: Encoder::new(&scope.child("encoder"), &config.autoencoder, 2 * latent)?,
            quant_conv: config.use_quant_conv.then(|| conv("quant_conv", 2 * latent)).transpose()?,
            post_quant_conv: config.use_post_quant_conv.then(|| conv("post_quant_conv", latent)).transpose()?,
            decoder: Decoder::new(&scope.child("decoder"), &config.autoencoder)?,
        })
    }

    /// The latents of a picture `N x in_channels x H x W` in -1..1, sides multiples of
    /// [`AutoencoderConfig::downscale`], before the scaling factor.
    pub fn encode(&self, picture: &Tensor) -> Result<Posterior> {
        let encoded = self.encoder.forward(picture)?;
        let moments = self.quant_conv.as_ref().map(|conv| conv.forward(&encoded)).transpose()?.unwrap_or(encoded);
        let mut halves = moments.f_chunk(2, 1)?.into_iter();
        let (Some(mean), Some(log_variance)) = (halves.next(), halves.next()) else {
            return Err(crate::Error::Conflict("the encoder gave one channel only".to_owned()));
        };
        Ok(Posterior { mean, std: log_variance.f_clamp(-30.0, 20.0)?.f_mul_scalar_(0.5)?.f_exp_()? })
    }

    /// The picture of latents, `N x latent_channels x H' x W'` before the scaling factor, in -1..1, not clamped.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let entered = self.post_quant_conv.as_ref().map(|conv| conv.forward(latents)).transpose()?;
        self.decoder.forward(entered.as_ref().unwrap_or(latents))
    }
}
