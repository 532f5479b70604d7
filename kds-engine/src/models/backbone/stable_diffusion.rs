//! The networks of Stable Diffusion 2.x: a folder for each, as diffusers saves them, or all in one file with the names of
//! its authors (Stability-AI/stablediffusion).

use serde::de::DeserializeOwned;
use tch::Tensor;

use super::files::{DIFFUSERS_WEIGHTS, both};
use super::{ModelFiles, Shared, Spec, TextEncoder};
use crate::footprint::Footprints;
use crate::nn::names::{LdmUNet, LdmVae, OpenClipText};
use crate::nn::{
    AutoencoderKl, AutoencoderKlConfig, ClipTextConfig, ClipTextModel, Loading, NetworkConfig, PerLevel,
    UNet2dCondition, UNet2dConditionConfig,
};
use crate::schedule::{NoiseSchedule, Prediction};
use crate::{Error, Result};

/// Pixels along a side of the pictures that Stable Diffusion 2 base was trained with.
const TRAINED_SIDE: usize = 512;

/// Configurations of Stable Diffusion 2.x, for folders without any: original files hold none.
const UNET: &str = r#"{"in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2, "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": true,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}"#;
const VAE: &str = r#"{"in_channels": 3, "out_channels": 3, "latent_channels": 4, "scaling_factor": 0.18215,
    "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
    "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
    "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}"#;
const TEXT: &str = r#"{"vocab_size": 49408, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
    "num_attention_heads": 16, "max_position_embeddings": 77, "hidden_act": "gelu"}"#;

/// A configuration of the folder, or this one where it has none.
pub(super) fn config<C: DeserializeOwned + NetworkConfig>(
    files: &ModelFiles,
    name: &str,
    otherwise: &str,
) -> Result<C> {
    let config: C = if files.contains(name) {
        files.read_json(name)?
    } else {
        serde_json::from_str(otherwise).map_err(|error| files.error(name, error.to_string()))?
    };
    config.check().map_err(|reason| files.error(name, reason))?;
    Ok(config)
}

/// The configuration of the U-Net.
pub(super) fn unet_config(files: &ModelFiles) -> Result<UNet2dConditionConfig> {
    config(files, "unet/config.json", UNET)
}

/// All networks.
pub(super) struct StableDiffusion {
    pub unet: UNet2dCondition,
    pub unet_config: UNet2dConditionConfig,
    pub vae: Vae,
    pub text_encoder: TextEncoder,
}

impl StableDiffusion {
    /// From the file, or without one from the folders of diffusers.
    pub fn load(files: &ModelFiles, file: Option<&str>, loading: Loading) -> Result<Self> {
        Self::assemble(files, file, unet(files, file, loading), loading)
    }

    /// From the folders of diffusers, where another folder may hold the image attentions of the U-Net: the tensors whose names
    /// contain this.
    pub fn in_folders(files: &ModelFiles, attentions: Option<(&ModelFiles, &str)>, loading: Loading) -> Result<Self> {
        let network = match attentions {
            None => unet(files, None, loading),
            Some(attentions) => files.network_with_part(
                attentions,
                "unet",
                DIFFUSERS_WEIGHTS,
                loading,
                |config: &mut UNet2dConditionConfig| config.encoder.use_image_cross_attention = true,
                UNet2dCondition::new,
            ),
        };
        Self::assemble(files, None, network, loading)
    }

    fn assemble(
        files: &ModelFiles,
        file: Option<&str>,
        unet: Result<(UNet2dConditionConfig, UNet2dCondition)>,
        loading: Loading,
    ) -> Result<Self> {
        let networks = both(unet, Vae::load(files, file, loading));
        let (((unet_config, unet), vae), text_encoder) = both(networks, text_encoder(files, file, loading))?;
        let (inputs, outputs) = (unet_config.encoder.in_channels, unet_config.out_channels);
        let channels = vae.channels;
        if (inputs, outputs) != (channels, channels) {
            let reason = format!(
                "in_channels {inputs} and out_channels {outputs}: latents of {channels} channels need as many of both"
            );
            return Err(files.error("unet/config.json", reason));
        }
        check_text(files, &unet_config, &text_encoder)?;
        Ok(Self { unet, unet_config, vae, text_encoder })
    }

    /// Latent pixels along a side of the pictures in training. No Stable Diffusion has seen more than 128.
    fn trained_cells(&self) -> usize {
        let side = match &self.unet_config.sample_size {
            Some(PerLevel::Same(side)) => *side,
            Some(PerLevel::Each(sides)) => sides.iter().copied().min().unwrap_or(0),
            None => TRAINED_SIDE / 8,
        };
        side.min(128)
    }

    /// Properties of a model that samples the latents of pictures enlarged by `scale`.
    ///
    /// # Errors
    /// [`Error::Conflict`] for a scale that does not divide the size of a pixel of the latents.
    pub fn spec(
        &self,
        scale: usize,
        prediction: Prediction,
        schedule: NoiseSchedule,
        steps_offset: usize,
        loading: Loading,
    ) -> Result<Spec> {
        let cell = self.vae.downscale;
        if scale == 0 || !cell.is_multiple_of(scale) {
            return Err(Error::Conflict(format!(
                "scale {scale}: a pixel of the latents stands for {cell} of the result, which must be a multiple of it; \
                 name another scale in the registry entry"
            )));
        }
        let downscale = cell / scale;
        Ok(Spec {
            scale,
            fills_holes: false,
            takes_prompt: true,
            estimates: false,
            latent_channels: self.vae.channels.unsigned_abs() as usize,
            downscale,
            multiple: downscale * self.unet_config.encoder.multiple(),
            // 512 pixels of the result, as in training, and an eighth of them.
            largest_side: TRAINED_SIDE / scale,
            overlap: TRAINED_SIDE / 8 / scale,
            least_result: self.trained_cells() * cell,
            context: 0,
            latent_std: 1.0,
            prediction,
            schedule,
            steps_offset,
            activation_bytes: 0,
            footprints: Footprints::default(),
            device: loading.device,
            kind: loading.kind,
        })
    }
}

/// Refuses a U-Net that reads texts of another width than the encoder's.
pub(super) fn check_text(files: &ModelFiles, unet: &UNet2dConditionConfig, encoder: &TextEncoder) -> Result<()> {
    if unet.encoder.text_channels() == Some(encoder.channels()) {
        return Ok(());
    }
    let reason = format!("cross_attention_dim is not the hidden_size {} of the text encoder", encoder.channels());
    Err(files.error("unet/config.json", reason))
}

/// Refuses a weight of the control branch that is out of range.
pub(super) fn check_control(control: f64) -> std::result::Result<(), String> {
    match control {
        0.0..=2.0 => Ok(()),
        _ => Err(format!("control is {control}; 0 to 2 are possible")),
    }
}

fn unet(files: &ModelFiles, file: Option<&str>, loading: Loading) -> Result<(UNet2dConditionConfig, UNet2dCondition)> {
    let Some(file) = file else {
        return files.network("unet", DIFFUSERS_WEIGHTS, loading, UNet2dCondition::new);
    };
    let config = unet_config(files)?;
    let names = LdmUNet::new(&config).map_err(|reason| files.error("unet/config.json", reason))?;
    let network =
        files.open(file, names, &["model.diffusion_model."], loading, |scope| UNet2dCondition::new(scope, &config))?;
    Ok((config, network))
}

fn text_encoder(files: &ModelFiles, file: Option<&str>, loading: Loading) -> Result<TextEncoder> {
    let Some(file) = file else { return TextEncoder::load(files, loading) };
    let config: ClipTextConfig = config(files, "text_encoder/config.json", TEXT)?;
    let names = OpenClipText::new(&config);
    let model =
        files.open(file, names, &["cond_stage_model.model."], loading, |scope| ClipTextModel::new(scope, &config))?;
    TextEncoder::new(files, &config, model, loading)
}

/// The autoencoder, between pictures and latents of a standard deviation of about 1. It computes in f32 whatever the other
/// networks do: it runs once a tile, and its picture keeps more than eight bits.
pub(super) struct Vae {
    network: Shared<AutoencoderKl>,
    scaling_factor: f64,
    /// Channels of the latents.
    pub channels: i64,
    /// Pixels per pixel of the latents, along a side.
    pub downscale: usize,
}

impl Vae {
    /// From the file, or without one from the folder `vae/`.
    pub fn load(files: &ModelFiles, file: Option<&str>, loading: Loading) -> Result<Self> {
        let loading = loading.in_f32();
        let (config, network) = match file {
            None => files.network::<AutoencoderKlConfig, _>("vae", DIFFUSERS_WEIGHTS, loading, AutoencoderKl::new)?,
            Some(file) => {
                let config: AutoencoderKlConfig = config(files, "vae/config.json", VAE)?;
                let names = LdmVae::new(&config.autoencoder);
                let network = files
                    .open(file, names, &["first_stage_model."], loading, |scope| AutoencoderKl::new(scope, &config))?;
                (config, network)
            }
        };
        let autoencoder = &config.autoencoder;
        if (autoencoder.in_channels, autoencoder.out_channels) != (3, 3) {
            return Err(files.error("vae/config.json", "in_channels and out_channels must be 3".to_owned()));
        }
        Ok(Self {
            network: Shared(network),
            scaling_factor: config.scaling_factor,
            channels: autoencoder.latent_channels,
            downscale: autoencoder.downscale(),
        })
    }

    /// The mean of what a picture, `N x 3 x H x W` in -1..1, is encoded to. A sample would depend on tile and seed.
    pub fn encode(&self, picture: &Tensor) -> Result<Tensor> {
        Ok(self.network.0.encode(picture)?.mean.f_mul_scalar(self.scaling_factor)?)
    }

    /// The picture of latents, `N x 3 x H x W` in -1..1, not clamped.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        Ok(self.network.0.decode(&latents.f_div_scalar(self.scaling_factor)?)?.f_contiguous()?)
    }
}
