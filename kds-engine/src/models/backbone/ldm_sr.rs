//! Latent diffusion super-resolution (Rombach et al., arXiv 2112.10752), in the diffusers layout of
//! `ldm-super-resolution-4x-openimages` (diffusers: pipelines/latent_diffusion/pipeline_latent_diffusion_superresolution.py).
//!
//! The latents are those of the large picture, quantised, on the grid of the small one; the network sees them
//! concatenated with the small picture. The autoencoder computes in f32 whatever the network does: it runs once a tile, and
//! its picture keeps more than eight bits.

use tch::{Kind, Tensor};

use super::files::{DIFFUSERS_WEIGHTS, both};
use super::recognised::{self, INDEX, Needed, PAPER, Recognised, SCHEDULER};
use super::{Backbone, BackboneKind, ModelFiles, Prompt, SCALES, Session, Shared, Spec};
use crate::Result;
use crate::footprint::Footprints;
use crate::nn::{Loading, UNet2d, UNet2dConfig, VqModel, VqModelConfig};
use crate::registry::Task;
use crate::schedule::{Level, SchedulerConfig};

/// The backbone `ldm-sr`: a folder with `unet/`, `vqvae/` and `scheduler/`.
pub struct LdmSr {
    unet: Shared<UNet2d>,
    vqvae: Shared<VqModel>,
    spec: Spec,
}

impl LdmSr {
    /// The pipeline of diffusers that it reads.
    pub(super) const PIPELINE: &str = "LDMSuperResolutionPipeline";

    /// The model in a folder of that pipeline.
    pub(super) fn recognise(files: &ModelFiles) -> Result<Option<Recognised>> {
        if recognised::pipeline(files)?.as_deref() != Some(Self::PIPELINE) {
            return Ok(None);
        }
        let mut needed = Needed::of(files);
        needed.file(INDEX)?.file(SCHEDULER)?.network("unet", DIFFUSERS_WEIGHTS)?.network("vqvae", DIFFUSERS_WEIGHTS)?;
        let config = recognised::json_here(files, "vqvae/config.json")?.unwrap_or_default();
        let levels = config["block_out_channels"].as_array().map_or(1, Vec::len);
        Ok(Some(Recognised {
            backbone: BackboneKind::LdmSr,
            task: Task::SuperResolution,
            scale: 1 << (levels.clamp(1, 5) - 1),
            options: Vec::new(),
            defaults: PAPER,
            files: needed.names(),
        }))
    }

    /// Loads the model; the error names the file, and the key or tensor, that does not fit.
    pub fn load(files: &ModelFiles, loading: Loading) -> Result<Self> {
        let ((unet_config, unet), (vq_config, vqvae)) = both(
            files.network::<UNet2dConfig, _>("unet", DIFFUSERS_WEIGHTS, loading, UNet2d::new),
            files.network::<VqModelConfig, _>("vqvae", DIFFUSERS_WEIGHTS, loading.in_f32(), VqModel::new),
        )?;
        let scheduler: SchedulerConfig = files.read_json(SCHEDULER)?;
        let schedule = scheduler.schedule().map_err(|error| files.error(SCHEDULER, error.to_string()))?;

        let latent_channels = vq_config.entry_channels();
        let expected = (latent_channels + 3, latent_channels);
        if (unet_config.in_channels, unet_config.out_channels) != expected {
            let (inputs, outputs) = expected;
            let reason =
                format!("latents of {latent_channels} channels need in_channels {inputs} and out_channels {outputs}");
            return Err(files.error("unet/config.json", reason));
        }
        let scale = vq_config.autoencoder.downscale();
        let picture_channels = (vq_config.autoencoder.in_channels, vq_config.autoencoder.out_channels);
        if !SCALES.contains(&scale) || picture_channels != (3, 3) {
            let reason = "in_channels and out_channels must be 3, and block_out_channels have at most 5 entries";
            return Err(files.error("vqvae/config.json", reason.to_owned()));
        }

        let spec = Spec {
            scale,
            fills_holes: false,
            takes_prompt: false,
            estimates: false,
            latent_channels: latent_channels.unsigned_abs() as usize,
            downscale: 1,
            multiple: unet_config.multiple(),
            // It was trained on 64 pixels, and attention takes time with the square of the area.
            largest_side: 128,
            overlap: 16,
            least_result: 0,
            context: 0,
            latent_std: 1.0,
            prediction: scheduler.prediction_type,
            schedule,
            steps_offset: scheduler.steps_offset,
            activation_bytes: 0,
            footprints: Footprints::default(),
            device: loading.device,
            kind: loading.kind,
        };
        Ok(Self { unet: Shared(unet), vqvae: Shared(vqvae), spec })
    }
}

impl Backbone for LdmSr {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn open<'a>(&'a self, image: &Tensor, _mask: Option<&Tensor>, _prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        Ok(Box::new(LdmSrSession { model: self, image: image.f_to_kind(self.spec.kind)? }))
    }
}

struct LdmSrSession<'a> {
    model: &'a LdmSr,
    /// The small picture, `1 x 3 x h x w`.
    image: Tensor,
}

impl Session for LdmSrSession<'_> {
    fn predict(&self, x: &Tensor, level: &Level) -> Result<Tensor> {
        let (particles, _, height, width) = x.size4()?;
        let known = self.image.f_expand([particles, 3, height, width], false)?;
        let input = Tensor::f_cat(&[x.f_to_kind(self.model.spec.kind)?, known], 1)?;
        let output = self.model.unet.0.forward(&input, level.timestep)?;
        Ok(output.f_to_kind(Kind::Float)?.f_contiguous()?)
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        Ok(self.model.vqvae.0.decode(latents)?.f_contiguous()?)
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.image]
    }
}
