//! The autoencoder with quantised latents (diffusers: models/vq_model.py `VQModel`), as in latent diffusion, read from
//! its `config.json`.

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::autoencoder::{AutoencoderConfig, Decoder, Encoder};
use super::config::{self, NetworkConfig};
use super::{Conv2d, Scope};
use crate::Result;

/// The part of `vqvae/config.json` that decides the computation.
#[derive(Debug, Clone, Deserialize)]
pub struct VqModelConfig {
    /// Keys that it shares with other autoencoders.
    #[serde(flatten)]
    pub autoencoder: AutoencoderConfig,
    /// Entries of the codebook.
    pub num_vq_embeddings: i64,
    /// Channels of an entry; `None` means those of the latents.
    #[serde(default)]
    pub vq_embed_dim: Option<i64>,
    /// Normalisation in the decoder: group normalisation is the only one.
    #[serde(default)]
    pub norm_type: OnlyGroup,
    /// True where decoding looks indices up instead of latents: not offered.
    #[serde(default)]
    pub lookup_from_codebook: bool,
}

/// Value of `norm_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnlyGroup {
    /// Group normalisation.
    #[default]
    Group,
}

/// Far beyond any model.
const MOST_ENTRIES: i64 = 1 << 20;

impl VqModelConfig {
    /// Channels of an entry of the codebook, which are those of the latents that a diffusion model works on.
    pub fn entry_channels(&self) -> i64 {
        self.vq_embed_dim.unwrap_or(self.autoencoder.latent_channels)
    }
}

impl NetworkConfig for VqModelConfig {
    fn check(&self) -> std::result::Result<(), String> {
        if !(1..=MOST_ENTRIES).contains(&self.num_vq_embeddings) {
            let entries = self.num_vq_embeddings;
            return Err(format!("num_vq_embeddings is {entries}; 1 to {MOST_ENTRIES} are possible"));
        }
        if self.lookup_from_codebook {
            return Err("lookup_from_codebook is not offered".to_owned());
        }
        config::check_channels([&self.entry_channels()])?;
        self.autoencoder.check()
    }
}

/// The network.
pub struct VqModel {
    encoder: Encoder,
    quant_conv: Conv2d,
    /// The codebook, `num_vq_embeddings x vq_embed_dim`.
    quantize: Tensor,
    post_quant_conv: Conv2d,
    decoder: Decoder,
}

impl VqModel {
    /// Takes all weights from the scope. The error says which configuration key or tensor does not fit.
    pub fn new(scope: &Scope, config: &VqModelConfig) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let (latent, entry) = (config.autoencoder.latent_channels, config.entry_channels());
        Ok(Self {
            encoder: Encoder::new(&scope.child("encoder"), &config.autoencoder, latent)?,
            quant_conv: Conv2d::new(&scope.child("quant_conv"), latent, entry, 1, 1, 0)?,
            quantize: scope.tensor("quantize.embedding.weight", &[config.num_vq_embeddings, entry])?,
            post_quant_conv: Conv2d::new(&scope.child("post_quant_conv"), entry, latent, 1, 1, 0)?,
            decoder: Decoder::new(&scope.child("decoder"), &config.autoencoder)?,
        })
    }

    /// The latents of a picture `N x in_channels x H x W` in -1..1, sides multiples of
    /// [`AutoencoderConfig::downscale`], not quantised: `N x vq_embed_dim x H' x W'`.
    pub fn encode(&self, picture: &Tensor) -> Result<Tensor> {
        self.quant_conv.forward(&self.encoder.forward(picture)?)
    }

    /// The nearest entry of the codebook for each pixel of latents `N x vq_embed_dim x H' x W'`; shape unchanged.
    pub fn quantize(&self, latents: &Tensor) -> Result<Tensor> {
        let channels_last = latents.f_permute([0, 2, 3, 1])?.f_contiguous()?;
        let (batch, height, width, channels) = channels_last.size4()?;
        let pixels = channels_last.f_view([-1, channels])?.f_to_kind(Kind::Float)?;
        // In half precision many entries would be equally near; and not every device measures distances in it.
        let codebook = self.quantize.f_to_kind(Kind::Float)?;
        let mut nearest = Vec::new();
        // All distances at once would be pixels x entries: gigabytes for a large picture.
        for part in pixels.f_split(PIXELS_AT_ONCE, 0)? {
            let distances = Tensor::f_cdist(&part, &codebook, 2.0, None::<i64>)?;
            nearest.push(distances.f_argmin(1, false)?);
        }
        let entries = self.quantize.f_index_select(0, &Tensor::f_cat(&nearest, 0)?)?;
        Ok(entries.f_view([batch, height, width, channels])?.f_permute([0, 3, 1, 2])?)
    }

    /// The picture of latents, `N x vq_embed_dim x H' x W'`, which are quantised first; in -1..1, not clamped.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.decoder.forward(&self.post_quant_conv.forward(&self.quantize(latents)?)?)
    }
}

const PIXELS_AT_ONCE: i64 = 4096;
