//! SeeSR (Wu et al., CVPR 2024, arXiv 2311.16518; cswry/SeeSR 8edecc7: test_seesr.py, pipelines/pipeline_seesr.py): Stable
//! Diffusion 2, controlled by the enlarged photograph, sees what RAM recognises in it: tags in the prompt, and embeddings
//! by a second cross-attention.
//!
//! Differences from the authors' code, beside tiles: RAM looks at each tile, theirs at the whole photograph. A trajectory
//! that begins at the photograph is noised to the level of its first step, theirs always to the last timestep of the
//! training. And the latent of the photograph is the mean of what the autoencoder gives, not a sample, which would depend on
//! tile and seed.

use serde::Deserialize;
use tch::Tensor;

use super::files::{DIFFUSERS_WEIGHTS, both};
use super::guidance::Prompts;
use super::recogniser::Recogniser;
use super::stable_diffusion::{StableDiffusion, Vae, check_control};
use super::stage1::enlarged;
use super::{Backbone, ModelFiles, Prompt, Session, Shared, Spec, Start, Text};
use crate::Result;
use crate::colour_transfer::ColourTransfer;
use crate::nn::{ControlNet, ControlNetConfig, Extras, Loading, UNet2dCondition};
use crate::schedule::{Level, SchedulerConfig};

/// Options of a registry entry of SeeSR, `[model.options]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeeSrOptions {
    /// Weight of the control branch, from 0 to 2.
    pub control: f64,
    /// Where trajectories begin.
    pub start: Start,
    /// Colour correction of the result.
    pub colours: ColourTransfer,
}

impl Default for SeeSrOptions {
    fn default() -> Self {
        Self { control: 1.0, start: Start::Image, colours: ColourTransfer::Adain }
    }
}

impl SeeSrOptions {
    /// Refuses values that are out of range.
    pub fn check(&self) -> std::result::Result<(), String> {
        check_control(self.control)
    }
}

const SCHEDULER: &str = "scheduler/scheduler_config.json";

/// The backbone `seesr`: a folder with `unet/` and `controlnet/` of its authors, `vae/`, `text_encoder/`, `tokenizer/` and
/// `scheduler/` of Stable Diffusion 2, and the files of [`Recogniser`].
pub struct SeeSr {
    unet: Shared<UNet2dCondition>,
    branch: Shared<ControlNet>,
    vae: Vae,
    recogniser: Recogniser,
    prompts: Prompts,
    options: SeeSrOptions,
    spec: Spec,
}

impl SeeSr {
    /// Job parameters that the authors' settings, and steering as in its paper, give a model.
    pub const DEFAULTS: &[(&'static str, &'static str)] = &[
        ("preset", "paper"),
        ("prompt", "clean, high-resolution, 8k"),
        ("negative", "dotted, noise, blur, lowres, smooth"),
        ("guidance", "5.5"),
    ];

    /// Loads the model; `scale` is its enlargement. The error names the file, and the key or tensor, that does not fit.
    pub fn load(files: &ModelFiles, options: &SeeSrOptions, scale: usize, loading: Loading) -> Result<Self> {
        let networks = both(
            StableDiffusion::load(files, None, loading),
            files.network::<ControlNetConfig, _>("controlnet", DIFFUSERS_WEIGHTS, loading, ControlNet::new),
        );
        let ((diffusion, (branch_config, branch)), recogniser) =
            both(networks, Recogniser::load(files, loading.in_f32()))?;
        let StableDiffusion { unet_config, vae, .. } = &diffusion;
        let scheduler: SchedulerConfig = files.read_json(SCHEDULER)?;
        let schedule = scheduler.schedule().map_err(|error| files.error(SCHEDULER, error.to_string()))?;
        if unet_config.encoder.image_channels() != Some(recogniser.channels())
            || branch_config.encoder.image_channels() != Some(recogniser.channels())
        {
            let reason = format!(
                "use_image_cross_attention must be true here and in controlnet/config.json, for embeddings of {} channels",
                recogniser.channels()
            );
            return Err(files.error("unet/config.json", reason));
        }
        if branch_config.hint_downscale() != vae.downscale || branch_config.conditioning_channels != 3 {
            let reason = "its conditioning_embedding_out_channels do not bring a picture to the size of the latents";
            return Err(files.error("controlnet/config.json", reason.to_owned()));
        }
        let spec = diffusion.spec(scale, scheduler.prediction_type, schedule, scheduler.steps_offset, loading)?;
        let StableDiffusion { unet, vae, text_encoder, .. } = diffusion;
        Ok(Self {
            unet: Shared(unet),
            branch: Shared(branch),
            vae,
            recogniser,
            prompts: Prompts::new(text_encoder),
            options: options.clone(),
            spec,
        })
    }
}

impl Backbone for SeeSr {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn open<'a>(&'a self, image: &Tensor, _mask: Option<&Tensor>, prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        let (_, _, height, width) = image.size4()?;
        let (scale, kind) = (self.spec.scale as i64, self.spec.kind);
        let unit = image.f_add_scalar(1.0)?.f_div_scalar(2.0)?;
        let (embeddings, tags) = self.recogniser.look(&unit)?;
        // As the authors join tags, a prompt of the user and the words that all pictures get, of which the second is empty.
        let positive = format!("{tags}, ,{}", prompt.positive);
        let text = self.prompts.encode(&Prompt { positive, ..prompt.clone() })?;
        let large = enlarged(&unit, [height * scale, width * scale])?;
        let picture = large.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?;
        let start = (self.options.start == Start::Image).then(|| self.vae.encode(&picture)).transpose()?;
        Ok(Box::new(SeeSrSession {
            model: self,
            hint: self.branch.0.condition(&large.f_to_kind(kind)?)?,
            embeddings: embeddings.f_to_kind(kind)?,
            picture,
            start,
            text,
        }))
    }
}

struct SeeSrSession<'a> {
    model: &'a SeeSr,
    /// The enlarged photograph, `1 x 3 x H x W` in -1..1.
    picture: Tensor,
    /// Features of the control branch.
    hint: Tensor,
    /// RAM's embeddings, `1 x S x C`.
    embeddings: Tensor,
    /// Where trajectories begin, if not in pure noise.
    start: Option<Tensor>,
    text: Text,
}

impl Session for SeeSrSession<'_> {
    fn start(&self) -> Result<Option<Tensor>> {
        Ok(self.start.as_ref().map(Tensor::shallow_clone))
    }

    fn predict(&self, x: &Tensor, level: &Level) -> Result<Tensor> {
        let SeeSr { unet, branch, options, spec, .. } = self.model;
        self.text.guide(&x.f_to_kind(spec.kind)?, self.text.guidance, |x, text| {
            let image = self.embeddings.f_expand([x.size4()?.0, -1, -1], false)?;
            let extras = Extras { text: Some(text), image: Some(&image), control: None };
            let control = branch.0.forward(x, level.timestep, &self.hint, extras, options.control)?;
            unet.0.forward(x, level.timestep, Extras { control: Some(&control), ..extras })
        })
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.model.options.colours.apply(&self.model.vae.decode(latents)?, &self.picture)
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        let own = [&mut self.picture, &mut self.hint, &mut self.embeddings, &mut self.text.tokens];
        own.into_iter().chain(self.start.as_mut()).collect()
    }
}
