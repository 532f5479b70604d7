//! SeeSR (Wu et al., CVPR 2024, arXiv 2311.16518; cswry/SeeSR 8edecc7: test_seesr.py, pipelines/pipeline_seesr.py): Stable
//! Diffusion 2, controlled by the enlarged photograph, sees what RAM recognises in it: tags in the prompt, and embeddings
//! by a second cross-attention.
//!
//! With SD-Turbo in place of Stable Diffusion 2 (test_seesr_turbo.py) two steps suffice: its U-Net, with the image attentions
//! of SeeSR's.
//!
//! Differences from the authors' code, beside tiles: a trajectory that begins at the photograph is noised to the level of its
//! first step, theirs always to the last timestep of the training. And the latent of the photograph is the mean of what the
//! autoencoder gives, not a sample, which would depend on tile and seed.

use serde::Deserialize;
use tch::Tensor;

use super::files::{DIFFUSERS_WEIGHTS, TRANSFORMERS_WEIGHTS, both};
use super::guidance::Prompts;
use super::recognised::{Needed, Recognised, SCHEDULER};
use super::recogniser::{self, Recogniser};
use super::stable_diffusion::{StableDiffusion, Vae, check_control};
use super::stage1::enlarged;
use super::{Backbone, BackboneKind, ModelFiles, Prompt, Session, Shared, Spec, Start, Text};
use crate::Result;
use crate::colour_transfer::ColourTransfer;
use crate::nn::{ControlNet, ControlNetConfig, Extras, Loading, UNet2dCondition};
use crate::registry::Task;
use crate::schedule::{Level, SchedulerConfig};

/// Options of a registry entry of SeeSR, `[model.options]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeeSrOptions {
    /// Weight of the control branch, from 0 to 2.
    pub control: f64,
    /// Starting point of trajectories.
    pub start: Start,
    /// Colour correction of the result.
    pub colours: ColourTransfer,
    /// SD-Turbo, in the folder `sd-turbo/`, in place of Stable Diffusion 2.
    pub turbo: bool,
    /// `DAPE.pth` is to be added to RAM's weights; `false` for a file of RAM that holds the sum.
    pub dape: bool,
}

impl Default for SeeSrOptions {
    fn default() -> Self {
        Self { control: 1.0, start: Start::Image, colours: ColourTransfer::Adain, turbo: false, dape: true }
    }
}

impl SeeSrOptions {
    /// Refuses values that are out of range.
    pub fn check(&self) -> std::result::Result<(), String> {
        check_control(self.control)
    }
}

/// Folders of the authors' checkout that the files of SeeSR may lie in, then those of Stable Diffusion.
const PLACES: &[&str] = &[
    "",
    "seesr",
    "preset/models",
    "preset/models/seesr",
    "ram/data",
    "stable-diffusion-2-base",
    "preset/models/stable-diffusion-2-base",
];
/// Folders that SD-Turbo may lie in.
const TURBO: &[&str] = &["sd-turbo", "preset/models/sd-turbo"];

/// The backbone `seesr`: a folder with `unet/` and `controlnet/` of its authors, `vae/`, `text_encoder/`, `tokenizer/` and
/// `scheduler/` of Stable Diffusion 2, and the files of `Recogniser`; or these in the folders of the authors' checkout.
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
    /// The file of the recogniser, without extension.
    pub(super) const RECOGNISER: &str = recogniser::NETWORK;

    /// Job parameters that the authors' settings, and steering as in its paper, give a model.
    pub fn defaults(options: &SeeSrOptions) -> Vec<(&'static str, &'static str)> {
        let mut defaults = vec![
            ("preset", "paper"),
            ("prompt", "clean, high-resolution, 8k"),
            ("negative", "dotted, noise, blur, lowres, smooth"),
        ];
        if options.turbo {
            defaults.extend([("guidance", "1"), ("steps", "2"), ("sampler", "ddpm"), ("spacing", "trailing")]);
        } else {
            defaults.push(("guidance", "5.5"));
        }
        defaults
    }

    /// The model in a folder that holds RAM: with SD-Turbo where there is no Stable Diffusion 2.
    pub(super) fn recognise(files: &ModelFiles) -> Result<Option<Recognised>> {
        let own = &files.within(PLACES);
        let Some(ram) = own.find(&[Self::RECOGNISER]) else { return Ok(None) };
        let turbo = !own.contains("text_encoder/config.json") && files.within(TURBO).contains("unet/config.json");
        let base = if turbo { &files.within(TURBO) } else { own };
        let mut needed = Needed::of(base);
        needed.network("vae", DIFFUSERS_WEIGHTS)?.network("text_encoder", TRANSFORMERS_WEIGHTS)?;
        needed.tokenizer()?.file(SCHEDULER)?;
        if turbo {
            needed.network("unet", DIFFUSERS_WEIGHTS)?;
        }
        let base = needed.names();
        let mut needed = Needed::of(own);
        needed.weights("unet", DIFFUSERS_WEIGHTS)?.network("controlnet", DIFFUSERS_WEIGHTS)?;
        if !turbo {
            needed.file("unet/config.json")?;
        }
        needed.file(&ram)?.perhaps(recogniser::CONFIG);
        let update = own.find(&[recogniser::UPDATE]).unwrap_or_else(|| format!("{}.pth", recogniser::UPDATE));
        needed.file(&update)?.file(recogniser::TAGS)?.perhaps(recogniser::THRESHOLDS);
        Ok(Some(Recognised {
            backbone: BackboneKind::SeeSr,
            task: Task::SuperResolution,
            scale: 4,
            options: if turbo { vec![("turbo", toml::Value::Boolean(true))] } else { Vec::new() },
            defaults: &[],
            files: [base, needed.names()].concat(),
        }))
    }

    /// Loads the model; `scale` is its enlargement. The error names the file, and the key or tensor, that does not fit.
    pub fn load(files: &ModelFiles, options: &SeeSrOptions, scale: usize, loading: Loading) -> Result<Self> {
        let base = &files.within(if options.turbo { TURBO } else { PLACES });
        let files = &files.within(PLACES);
        let attentions = options.turbo.then_some((files, "image_attentions"));
        let networks = both(
            StableDiffusion::in_folders(base, attentions, loading),
            files.network::<ControlNetConfig, _>("controlnet", DIFFUSERS_WEIGHTS, loading, ControlNet::new),
        );
        let ((diffusion, (branch_config, branch)), recogniser) =
            both(networks, Recogniser::load(files, options.dape, loading.in_f32()))?;
        let StableDiffusion { unet_config, vae, .. } = &diffusion;
        let scheduler: SchedulerConfig = base.read_json(SCHEDULER)?;
        let schedule = scheduler.schedule().map_err(|error| base.error(SCHEDULER, error.to_string()))?;
        if unet_config.encoder.image_channels() != Some(recogniser.channels())
            || branch_config.encoder.image_channels() != Some(recogniser.channels())
        {
            let reason = format!(
                "use_image_cross_attention must be true here and in controlnet/config.json, for embeddings of {} channels",
                recogniser.channels()
            );
            return Err(base.error("unet/config.json", reason));
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

    fn look<'a>(&'a self, picture: &dyn Fn() -> Result<Tensor>) -> Result<Option<Box<dyn Backbone + 'a>>> {
        let seen = Shared(self.seen(&picture()?)?);
        Ok(Some(Box::new(SeeSrOfPicture { model: self, seen })))
    }

    fn open<'a>(&'a self, image: &Tensor, _mask: Option<&Tensor>, prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        self.open_seen(image, prompt, &self.seen(image)?)
    }
}

/// RAM's view of a picture: embeddings, `1 x S x C` in the number format of the networks, and tags.
type Seen = (Tensor, String);

impl SeeSr {
    /// `picture` is `1 x 3 x h x w` in -1..1.
    fn seen(&self, picture: &Tensor) -> Result<Seen> {
        let unit = picture.f_add_scalar(1.0)?.f_div_scalar(2.0)?;
        let (embeddings, tags) = self.recogniser.look(&unit)?;
        Ok((embeddings.f_to_kind(self.spec.kind)?, tags))
    }

    fn open_seen<'a>(&'a self, image: &Tensor, prompt: &Prompt, seen: &Seen) -> Result<Box<dyn Session + 'a>> {
        let (_, _, height, width) = image.size4()?;
        let (scale, kind) = (self.spec.scale as i64, self.spec.kind);
        let unit = image.f_add_scalar(1.0)?.f_div_scalar(2.0)?;
        let (embeddings, tags) = seen;
        // As the authors join tags, a prompt of the user and the words that all pictures get, of which the second is empty.
        let positive = format!("{tags}, ,{}", prompt.positive);
        let text = self.prompts.encode(&Prompt { positive, ..prompt.clone() })?;
        let large = enlarged(&unit, [height * scale, width * scale])?;
        let picture = large.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?;
        let start = (self.options.start == Start::Image).then(|| self.vae.encode(&picture)).transpose()?;
        Ok(Box::new(SeeSrSession {
            model: self,
            hint: self.branch.0.condition(&large.f_to_kind(kind)?)?,
            embeddings: embeddings.shallow_clone(),
            picture,
            start,
            text,
        }))
    }
}

/// The model after a look at a whole picture, as in the authors' code.
struct SeeSrOfPicture<'m> {
    model: &'m SeeSr,
    seen: Shared<Seen>,
}

impl Backbone for SeeSrOfPicture<'_> {
    fn spec(&self) -> &Spec {
        &self.model.spec
    }

    fn open<'a>(&'a self, image: &Tensor, _mask: Option<&Tensor>, prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        self.model.open_seen(image, prompt, &self.seen.0)
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
    /// Latents of the starting point, if it is not pure noise.
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
