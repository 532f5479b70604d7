//! DiffBIR (Lin et al., arXiv 2308.15070; XPixelGroup/DiffBIR 3f8b530: inference.py, diffbir/inference/, diffbir/pipeline.py,
//! diffbir/model/cldm.py): a first network cleans and enlarges the photograph; Stable Diffusion 2.1, controlled by the latent of
//! that, adds what is missing.
//!
//! Two things differ from the authors' code, beside tiles. A trajectory that begins at the photograph is noised to the level
//! of its first step; theirs always to the last timestep of the training, also where the first step is at another. And with
//! zero-SNR schedules the last timestep keeps 2⁻²⁴ of the signal's variance, as in diffusers, not 0.

use serde::Deserialize;
use serde_json::json;
use tch::Tensor;

use super::files::{DIFFUSERS_WEIGHTS, TRANSFORMERS_WEIGHTS, both};
use super::guidance::{Prompts, rising};
use super::recognised::{self, Needed, Recognised, SCHEDULER};
use super::restoration_guidance::{RestorationGuidance, Target};
use super::stable_diffusion::{self, StableDiffusion, Vae, check_control};
use super::{Backbone, BackboneKind, ModelFiles, Prompt, Session, Shared, Spec, Stage1, Start, Text};
use crate::colour_transfer::ColourTransfer;
use crate::nn::names::{LdmControlNet, OwnNames};
use crate::nn::{ControlNet, ControlNetConfig, Extras, Loading, UNet2dCondition};
use crate::registry::Task;
use crate::schedule::{Level, NoiseSchedule, Prediction, SchedulerConfig};
use crate::{Error, Result};

/// Options of a registry entry of DiffBIR, `[model.options]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiffBirOptions {
    /// Version of the authors' model; by default that of the names of its files.
    pub version: Option<DiffBirVersion>,
    /// File of the first network, in the model's folder; by default the authors' for the version and the enlargement.
    pub stage1: Option<String>,
    /// Weight of the control branch, from 0 to 2.
    pub control: f64,
    /// Starting point of trajectories.
    pub start: Start,
    /// Colour correction of the result.
    pub colours: ColourTransfer,
    /// Guidance that rises along the way, from 1 to one more than its scale.
    pub rising_guidance: bool,
    /// Guidance towards the picture of the first network.
    pub restoration_guidance: Option<RestorationGuidance>,
}

impl Default for DiffBirOptions {
    fn default() -> Self {
        Self {
            version: None,
            stage1: None,
            control: 1.0,
            start: Start::Noise,
            colours: ColourTransfer::Wavelet,
            rising_guidance: false,
            restoration_guidance: None,
        }
    }
}

impl DiffBirOptions {
    /// Refuses values that are out of range.
    pub fn check(&self) -> std::result::Result<(), String> {
        self.restoration_guidance.as_ref().map_or(Ok(()), RestorationGuidance::check)?;
        check_control(self.control)
    }
}

/// The authors' models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum DiffBirVersion {
    /// `v1_general.pth`.
    #[serde(rename = "v1")]
    V1,
    /// `v2.pth`.
    #[serde(rename = "v2")]
    V2,
    /// `DiffBIR_v2.1.pt`: predicts v, on a schedule that ends in pure noise.
    #[serde(rename = "v2.1")]
    V21,
}

impl DiffBirVersion {
    const ALL: [Self; 3] = [Self::V21, Self::V2, Self::V1];

    /// The word of the options.
    fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V21 => "v2.1",
        }
    }

    /// Names of the control branch, without extension.
    fn branches(self) -> &'static [&'static str] {
        match self {
            Self::V1 => &["v1_general", "v1_face"],
            Self::V2 => &["v2"],
            Self::V21 => &["DiffBIR_v2.1"],
        }
    }

    /// Names of Stable Diffusion.
    fn diffusion(self) -> &'static [&'static str] {
        match self {
            Self::V1 | Self::V2 => &["v2-1_512-ema-pruned", "v2-1_512-nonema-pruned"],
            Self::V21 => &["sd2.1-base-zsnr-laionaes5"],
        }
    }

    /// Names of the first network, the preferred first.
    fn cleaners(self, scale: usize) -> &'static [&'static str] {
        match (self, scale) {
            (Self::V1, _) => &["general_swinir_v1", "face_swinir_v1"],
            (Self::V2, 1) => &["scunet_color_real_psnr", "BSRNet", "face_swinir_v1"],
            (Self::V2, _) => &["BSRNet", "scunet_color_real_psnr"],
            (Self::V21, _) => &["realesrgan_s4_swinir_100k", "general_swinir_v1", "face_swinir_v1"],
        }
    }

    /// The version that the folder holds, told by the name of the control branch.
    pub fn of(files: &ModelFiles) -> Option<Self> {
        Self::ALL.into_iter().find(|version| files.find(version.branches()).is_some())
    }

    fn schedule(self) -> Result<NoiseSchedule> {
        let config = SchedulerConfig {
            beta_schedule: "scaled_linear".to_owned(),
            beta_start: 0.00085,
            beta_end: 0.012,
            set_alpha_to_one: false,
            rescale_betas_zero_snr: self == Self::V21,
            ..SchedulerConfig::default()
        };
        config.schedule()
    }

    /// The authors' job parameters: prompts and guidance of the commands in their README.
    fn defaults(self) -> [(&'static str, &'static str); 3] {
        match self {
            Self::V1 | Self::V2 => [
                ("prompt", ""),
                ("negative", "low quality, blurry, low-resolution, noisy, unsharp, weird textures"),
                ("guidance", "4"),
            ],
            Self::V21 => [
                (
                    "prompt",
                    "Cinematic, High Contrast, highly detailed, taken using a Canon EOS R camera, hyper detailed photo - \
                     realistic maximum detail, 32k, Color Grading, ultra HD, extreme meticulous detailing, skin pore \
                     detailing, hyper sharpness, perfect without deformations.",
                ),
                (
                    "negative",
                    "painting, oil painting, illustration, drawing, art, sketch, oil painting, cartoon, CG Style, 3D \
                     render, unreal engine, blurring, dirty, messy, worst quality, low quality, frames, watermark, \
                     signature, jpeg artifacts, deformed, lowres, over-smooth.",
                ),
                ("guidance", "8"),
            ],
        }
    }
}

/// Folders of the authors' checkout that files may lie in.
const PLACES: &[&str] = &["", "weights"];
/// The folder of a control branch in diffusers' layout.
const BRANCH: &str = "controlnet";
/// Sizes of a first network that differ from its authors'.
const STAGE1_CONFIG: &str = "stage1/config.json";
const BRANCH_CONFIG: &str = "controlnet/config.json";

/// The backbone `diffbir`: a folder that holds the authors' files by their names, or networks as diffusers saves them, and
/// `tokenizer/`.
pub struct DiffBir {
    unet: Shared<UNet2dCondition>,
    branch: Shared<ControlNet>,
    vae: Vae,
    stage1: Shared<Stage1>,
    prompts: Prompts,
    options: DiffBirOptions,
    spec: Spec,
}

impl DiffBir {
    /// Loads the model; `scale` is its enlargement. The error names the file, and the key or tensor, that does not fit.
    pub fn load(files: &ModelFiles, options: &DiffBirOptions, scale: usize, loading: Loading) -> Result<Self> {
        let files = &files.within(PLACES);
        let (version, branch_file) = branch_file(files, options)?;
        let diffusion = match files.find(version.diffusion()) {
            None if !has_unet(files) => {
                return Err(missing(files, "Stable Diffusion", version.diffusion(), "unet/"));
            }
            file => file,
        };
        let networks = both(
            StableDiffusion::load(files, diffusion.as_deref(), loading),
            branch(files, branch_file.as_deref(), loading),
        );
        let ((diffusion, branch), stage1) = both(networks, stage1(files, options, version, scale, loading.in_f32()))?;
        let prediction = if version == DiffBirVersion::V21 { Prediction::V } else { Prediction::Epsilon };
        let spec = diffusion.spec(scale, prediction, version.schedule()?, 1, loading)?;
        let StableDiffusion { unet, vae, text_encoder, .. } = diffusion;
        Ok(Self {
            unet: Shared(unet),
            branch: Shared(branch),
            vae,
            stage1: Shared(stage1),
            prompts: Prompts::new(text_encoder),
            options: options.clone(),
            spec,
        })
    }

    /// Names of the control branches of all versions, without extension.
    pub(super) fn branches() -> Vec<&'static str> {
        DiffBirVersion::ALL.into_iter().flat_map(DiffBirVersion::branches).copied().collect()
    }

    /// The model in a folder with the authors' files, or with networks of diffusers and one of the authors' first networks:
    /// the newest version that is whole.
    pub(super) fn recognise(files: &ModelFiles) -> Result<Option<Recognised>> {
        let files = &files.within(PLACES);
        let there = |version: &DiffBirVersion| files.find(version.branches()).is_some();
        let mut versions: Vec<_> = DiffBirVersion::ALL.into_iter().filter(there).collect();
        let first_network = |version: DiffBirVersion| files.find(version.cleaners(4)).is_some();
        if versions.is_empty() && files.contains(BRANCH_CONFIG) && DiffBirVersion::ALL.into_iter().any(first_network) {
            versions.extend(scheduled(files)?);
        }
        let mut wrong = None;
        for version in versions {
            match recognised(files, version) {
                Ok(found) => return Ok(Some(found)),
                Err(error) => _ = wrong.get_or_insert(error),
            }
        }
        wrong.map_or(Ok(None), Err)
    }

    /// Job parameters that the authors' settings, and steering as in its paper, give a model in this folder.
    pub fn defaults(files: &ModelFiles, options: &DiffBirOptions) -> Vec<(&'static str, &'static str)> {
        let version = version(&files.within(PLACES), options).unwrap_or(DiffBirVersion::V21);
        [("preset", "paper")].into_iter().chain(version.defaults()).collect()
    }
}

/// The model of this version in the folder.
fn recognised(files: &ModelFiles, version: DiffBirVersion) -> Result<Recognised> {
    let mut needed = Needed::of(files);
    match files.find(version.branches()) {
        Some(branch) => needed.file(&branch)?,
        None => needed.network(BRANCH, DIFFUSERS_WEIGHTS)?,
    };
    match files.find(version.diffusion()) {
        Some(diffusion) => needed
            .file(&diffusion)?
            .perhaps("unet/config.json")
            .perhaps("vae/config.json")
            .perhaps("text_encoder/config.json"),
        None if !has_unet(files) => {
            return Err(missing(files, "Stable Diffusion", version.diffusion(), "unet/"));
        }
        None => needed
            .network("unet", DIFFUSERS_WEIGHTS)?
            .network("vae", DIFFUSERS_WEIGHTS)?
            .network("text_encoder", TRANSFORMERS_WEIGHTS)?
            .perhaps(SCHEDULER),
    };
    // The first network for noise keeps the size.
    let scale = if version == DiffBirVersion::V2 && files.find(&["BSRNet"]).is_none() { 1 } else { 4 };
    let cleaners = version.cleaners(scale);
    let first = files.find(cleaners).ok_or_else(|| missing(files, "the first network", cleaners, "nothing else"))?;
    needed.file(&first)?.perhaps(STAGE1_CONFIG).tokenizer()?;
    Ok(Recognised {
        backbone: BackboneKind::DiffBir,
        task: if scale > 1 { Task::SuperResolution } else { Task::Restoration },
        scale,
        options: vec![("version", toml::Value::String(version.name().to_owned()))],
        defaults: &[],
        files: needed.names(),
    })
}

/// The version that a noise schedule of diffusers tells: the one that predicts v, or the last that predicts noise.
fn scheduled(files: &ModelFiles) -> Result<Option<DiffBirVersion>> {
    let config = recognised::json_here(files, SCHEDULER)?;
    Ok(config.and_then(|config| match config["prediction_type"].as_str() {
        Some("v_prediction") => Some(DiffBirVersion::V21),
        Some("epsilon") => Some(DiffBirVersion::V2),
        _ => None,
    }))
}

/// The version that is named, or told by the files.
fn version(files: &ModelFiles, options: &DiffBirOptions) -> Option<DiffBirVersion> {
    let told = || DiffBirVersion::of(files).or_else(|| scheduled(files).ok().flatten());
    options.version.or_else(told)
}

/// The version, and the file of the control branch unless that is in diffusers' layout.
fn branch_file(files: &ModelFiles, options: &DiffBirOptions) -> Result<(DiffBirVersion, Option<String>)> {
    let version = version(files, options);
    let file = version.and_then(|version| files.find(version.branches()));
    match (version, file) {
        (Some(version), Some(file)) => Ok((version, Some(file))),
        (Some(version), None) if files.contains(BRANCH_CONFIG) => Ok((version, None)),
        (None, _) if files.contains(BRANCH_CONFIG) => {
            let reason = "nothing tells which version of DiffBIR this is: name 'version' in the options of the registry \
                          entry, 'v1', 'v2' or 'v2.1'";
            Err(files.error(BRANCH, reason.to_owned()))
        }
        (version, _) => {
            let all = version.map_or_else(DiffBir::branches, |version| version.branches().to_vec());
            Err(missing(files, "the control branch", &all, "controlnet/"))
        }
    }
}

/// True where the U-Net is in diffusers' layout: not only a configuration for the authors' file.
fn has_unet(files: &ModelFiles) -> bool {
    DIFFUSERS_WEIGHTS.iter().any(|name| files.contains(&format!("unet/{name}")))
}

fn missing(files: &ModelFiles, network: &str, stems: &[&str], folder: &str) -> Error {
    let names = stems.join(", ");
    files.error(
        "",
        format!(
            "{network} is missing: looked for {names} (.safetensors, .pth, .pt, .ckpt, .bin) and {folder}; \
                 docs/models.md says where it comes from"
        ),
    )
}

fn branch(files: &ModelFiles, file: Option<&str>, loading: Loading) -> Result<ControlNet> {
    let Some(file) = file else {
        return Ok(files.network::<ControlNetConfig, _>(BRANCH, DIFFUSERS_WEIGHTS, loading, ControlNet::new)?.1);
    };
    // Its levels are those of the U-Net.
    let config = ControlNetConfig::of_latents(stable_diffusion::unet_config(files)?.encoder);
    let names = LdmControlNet::new(&config).map_err(|reason| files.error("unet/config.json", reason))?;
    files.open(file, names, &[""], loading, |scope| ControlNet::new(scope, &config))
}

fn stage1(
    files: &ModelFiles,
    options: &DiffBirOptions,
    version: DiffBirVersion,
    scale: usize,
    loading: Loading,
) -> Result<Stage1> {
    let stems = version.cleaners(scale);
    let file = match &options.stage1 {
        Some(file) => file.clone(),
        None => files
            .find(stems)
            .ok_or_else(|| missing(files, "the first network", stems, "the file that 'stage1' of the options names"))?,
    };
    let sizes = if files.contains(STAGE1_CONFIG) { files.read_json(STAGE1_CONFIG)? } else { json!({}) };
    Ok(files.open(&file, OwnNames, &[""], loading, |scope| Stage1::load(scope, &sizes))?.of_any_size())
}

impl Backbone for DiffBir {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn open<'a>(&'a self, image: &Tensor, _mask: Option<&Tensor>, prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        let (_, _, height, width) = image.size4()?;
        let scale = self.spec.scale as i64;
        let unit = image.f_add_scalar(1.0)?.f_div_scalar(2.0)?;
        let cleaned = self.stage1.0.clean(&unit, [height * scale, width * scale])?;
        let picture = cleaned.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?;
        let latents = self.vae.encode(&picture)?;
        let control = self.branch.0.condition(&latents.f_to_kind(self.spec.kind)?)?;
        let guidance = self.options.restoration_guidance;
        let target = guidance.map(|guidance| guidance.target(&picture, &latents)).transpose()?;
        let start = (self.options.start == Start::Image).then_some(latents);
        let text = self.prompts.encode(prompt)?;
        Ok(Box::new(DiffBirSession { model: self, picture, control, start, target, text }))
    }
}

struct DiffBirSession<'a> {
    model: &'a DiffBir,
    /// The cleaned photograph, `1 x 3 x H x W` in -1..1.
    picture: Tensor,
    /// Its latents, as the control branch reads them.
    control: Tensor,
    /// Latents of the starting point, if it is not pure noise.
    start: Option<Tensor>,
    /// Target of restoration guidance, if there is any.
    target: Option<Target>,
    text: Text,
}

impl Session for DiffBirSession<'_> {
    fn start(&self) -> Result<Option<Tensor>> {
        Ok(self.start.as_ref().map(Tensor::shallow_clone))
    }

    fn predict(&self, x: &Tensor, level: &Level) -> Result<Tensor> {
        let DiffBir { unet, branch, options, spec, .. } = self.model;
        let guidance = self.text.guidance;
        let scale = if options.rising_guidance { rising(guidance, level.timestep) } else { guidance };
        self.text.guide(&x.f_to_kind(spec.kind)?, scale, |x, text| {
            let extras = Extras { text: Some(text), ..Extras::default() };
            let control = branch.0.forward(x, level.timestep, &self.control, extras, options.control)?;
            unet.0.forward(x, level.timestep, Extras { control: Some(&control), ..extras })
        })
    }

    fn guide(&self, x0: &Tensor, level: &Level, next: &Level) -> Result<Option<Tensor>> {
        match (&self.model.options.restoration_guidance, &self.target) {
            (Some(guidance), Some(target)) => guidance.apply(target, x0, level, next, &self.model.vae),
            _ => Ok(None),
        }
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.model.options.colours.apply(&self.model.vae.decode(latents)?, &self.picture)
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        let own = [&mut self.picture, &mut self.control, &mut self.text.tokens];
        own.into_iter().chain(self.start.as_mut()).chain(self.target.iter_mut().flat_map(Target::tensors)).collect()
    }
}
