//! Inpainting by Stable Diffusion 1.x and 2.x, in diffusers' layout (diffusers:
//! pipelines/stable_diffusion/pipeline_stable_diffusion_inpaint.py).
//!
//! The network sees the latents concatenated with the mask and with the latents of the picture whose hole is gray.
//! Two things differ from the reference. A pixel of the latents belongs to the hole if any pixel of the picture under it
//! does, so that scratches one pixel wide are seen; the reference looks at one pixel in 64. And the picture's latents are
//! the mean of what the autoencoder gives rather than a sample, so that they depend on no tile and no seed.

use tch::Tensor;

use super::files::{DIFFUSERS_WEIGHTS, TRANSFORMERS_WEIGHTS, both};
use super::guidance::Prompts;
use super::recognised::{self, INDEX, Needed, PAPER, Recognised, SCHEDULER};
use super::stable_diffusion::{Vae, check_text};
use super::{Backbone, BackboneKind, ModelFiles, Prompt, Session, Shared, Spec, Text, TextEncoder};
use crate::Result;
use crate::footprint::Footprints;
use crate::nn::{Extras, Loading, UNet2dCondition, UNet2dConditionConfig};
use crate::registry::Task;
use crate::schedule::{Level, SchedulerConfig};

/// The backbone `sd-inpaint`: a folder with `unet/`, `vae/`, `text_encoder/`, `tokenizer/` and `scheduler/`.
pub struct SdInpaint {
    unet: Shared<UNet2dCondition>,
    vae: Vae,
    prompts: Prompts,
    spec: Spec,
}

impl SdInpaint {
    /// The pipeline of diffusers that it reads.
    pub(super) const PIPELINE: &str = "StableDiffusionInpaintPipeline";

    /// The model in a folder of that pipeline.
    pub(super) fn recognise(files: &ModelFiles) -> Result<Option<Recognised>> {
        if recognised::pipeline(files)?.as_deref() != Some(Self::PIPELINE) {
            return Ok(None);
        }
        let mut needed = Needed::of(files);
        needed.file(INDEX)?.file(SCHEDULER)?.network("unet", DIFFUSERS_WEIGHTS)?.network("vae", DIFFUSERS_WEIGHTS)?;
        needed.network("text_encoder", TRANSFORMERS_WEIGHTS)?.tokenizer()?;
        Ok(Some(Recognised {
            backbone: BackboneKind::SdInpaint,
            task: Task::Inpainting,
            scale: 1,
            options: Vec::new(),
            defaults: PAPER,
            files: needed.names(),
        }))
    }

    /// Loads the model; the error names the file, and the key or tensor, that does not fit.
    pub fn load(files: &ModelFiles, loading: Loading) -> Result<Self> {
        let networks = both(
            files.network::<UNet2dConditionConfig, _>("unet", DIFFUSERS_WEIGHTS, loading, UNet2dCondition::new),
            Vae::load(files, None, loading),
        );
        let (((unet_config, unet), vae), text_encoder) = both(networks, TextEncoder::load(files, loading))?;
        let scheduler: SchedulerConfig = files.read_json(SCHEDULER)?;
        let schedule = scheduler.schedule().map_err(|error| files.error(SCHEDULER, error.to_string()))?;

        let latent_channels = vae.channels;
        let expected = (2 * latent_channels + 1, latent_channels);
        let encoder = &unet_config.encoder;
        if (encoder.in_channels, unet_config.out_channels) != expected {
            let (inputs, outputs) = expected;
            let reason = format!(
                "in_channels {} is not that of an inpainting model: latents of {latent_channels} channels need in_channels \
                 {inputs} and out_channels {outputs}",
                encoder.in_channels
            );
            return Err(files.error("unet/config.json", reason));
        }
        check_text(files, &unet_config, &text_encoder)?;

        let downscale = vae.downscale;
        let spec = Spec {
            scale: 1,
            fills_holes: true,
            takes_prompt: true,
            estimates: false,
            latent_channels: latent_channels.unsigned_abs() as usize,
            downscale,
            multiple: downscale * encoder.multiple(),
            // What it was trained on; on larger ones it repeats itself.
            largest_side: 512,
            overlap: 64,
            least_result: 0,
            context: 256,
            latent_std: 1.0,
            prediction: scheduler.prediction_type,
            schedule,
            steps_offset: scheduler.steps_offset,
            activation_bytes: 0,
            footprints: Footprints::default(),
            device: loading.device,
            kind: loading.kind,
        };
        Ok(Self { unet: Shared(unet), vae, prompts: Prompts::new(text_encoder), spec })
    }
}

impl Backbone for SdInpaint {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn open<'a>(&'a self, image: &Tensor, mask: Option<&Tensor>, prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        let (_, _, height, width) = image.size4()?;
        let none = || image.f_new_zeros([1, 1, height, width], (image.f_kind()?, image.device()));
        let mask = mask.map_or_else(none, |mask| Ok(mask.shallow_clone()))?;
        let known = image.f_mul(&mask.f_rsub_scalar(1.0)?)?;
        let latents = self.vae.encode(&known)?;
        let side = self.spec.downscale as i64;
        let mask = mask.f_max_pool2d([side, side], [side, side], [0, 0], [1, 1], false)?;
        let known = Tensor::f_cat(&[mask, latents], 1)?.f_to_kind(self.spec.kind)?;
        Ok(Box::new(SdInpaintSession { model: self, known, text: self.prompts.encode(prompt)? }))
    }
}

struct SdInpaintSession<'a> {
    model: &'a SdInpaint,
    /// The mask and the latents of the picture without its hole, `1 x (1 + C) x h' x w'`.
    known: Tensor,
    text: Text,
}

impl Session for SdInpaintSession<'_> {
    fn predict(&self, x: &Tensor, level: &Level) -> Result<Tensor> {
        let (particles, _, height, width) = x.size4()?;
        let known = self.known.f_expand([particles, -1, height, width], false)?;
        let input = Tensor::f_cat(&[x.f_to_kind(self.model.spec.kind)?, known], 1)?;
        self.text.guide(&input, self.text.guidance, |x, text| {
            self.model.unet.0.forward(x, level.timestep, Extras { text: Some(text), ..Extras::default() })
        })
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.model.vae.decode(latents)
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.known, &mut self.text.tokens]
    }
}
