//! Any denoiser that was exported by `tools/export_torchscript.py`, whose text defines the methods of the file.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tch::{CModule, Device, IValue, Kind, Tensor};

use super::spec::checked;
use super::{Backbone, Prompt, Session, Shared, Spec};
use crate::footprint::Footprints;
use crate::nn::Loading;
use crate::schedule::{Level, SchedulerConfig};
use crate::{Error, Result};

/// The backbone `torchscript`: one file.
pub struct TorchScript {
    module: Shared<CModule>,
    path: PathBuf,
    spec: Spec,
}

/// The JSON that the method `spec` tells.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    scale: usize,
    latent_channels: usize,
    #[serde(default = "one")]
    downscale: usize,
    multiple: Option<usize>,
    #[serde(default = "usual_side")]
    largest_side: usize,
    #[serde(default = "usual_overlap")]
    overlap: usize,
    #[serde(default)]
    fills_holes: bool,
    #[serde(default = "unit")]
    latent_std: f64,
    scheduler: SchedulerConfig,
    #[serde(default = "usual_activations")]
    activation_bytes: usize,
}

fn one() -> usize {
    1
}

fn unit() -> f64 {
    1.0
}

fn usual_side() -> usize {
    512
}

fn usual_overlap() -> usize {
    32
}

fn usual_activations() -> usize {
    4096
}

impl TorchScript {
    /// Loads the file, and asks it what it is.
    ///
    /// # Errors
    /// [`Error::Model`] for a file that is none, that lacks a method, or that says impossible things of itself.
    pub fn load(path: &Path, loading: Loading) -> Result<Self> {
        let wrong = |reason: String| Error::Model { path: path.to_owned(), reason };
        let from_torch = |error: tch::TchError| match Error::from(error) {
            Error::Torch(error) => wrong(first_line(&error)),
            fault => fault,
        };
        let mut module = CModule::load_on_device(path, loading.device).map_err(from_torch)?;
        module.f_set_eval().map_err(from_torch)?;
        let told = module.method_is::<IValue>("spec", &[]).map_err(from_torch)?;
        let IValue::String(told) = told else { return Err(wrong("its method 'spec' gives no text".to_owned())) };
        let described: Description =
            serde_json::from_str(&told).map_err(|error| wrong(format!("its spec: {error}")))?;
        let spec = described.spec(loading.device).map_err(|error| wrong(format!("its spec: {error}")))?;
        let spec = checked(spec).map_err(wrong)?;
        Ok(Self { module: Shared(module), path: path.to_owned(), spec })
    }

    /// Result of a method: f32, of this shape where one is asked for.
    fn call(&self, method: &str, arguments: &[&Tensor], shape: Option<&[i64]>) -> Result<Tensor> {
        let wrong = |reason: String| Error::Model { path: self.path.clone(), reason: format!("{method}: {reason}") };
        let output = self.module.0.method_ts(method, arguments).map_err(|error| match Error::from(error) {
            Error::Torch(error) => match first_line(&error) {
                // Tracing writes the device of constants into the file.
                text if text.contains("same device") => {
                    wrong(format!("{text}; it was exported for another: use device 'cpu'"))
                }
                text => wrong(text),
            },
            // Lack of memory is for the caller, who may ask for less.
            fault => fault,
        })?;
        if let Some(shape) = shape.filter(|shape| output.size() != **shape) {
            return Err(wrong(format!("gave a tensor of {:?}, not {shape:?}", output.size())));
        }
        Ok(output.f_to_kind(Kind::Float)?.f_contiguous()?)
    }
}

/// libtorch tells where in the exported code it was, which helps only its author.
fn first_line(error: &tch::TchError) -> String {
    let text = error.to_string();
    let says_something = |line: &&str| !line.trim().is_empty() && !line.contains("TorchScript interpreter");
    // The message itself comes last, after the trace of the exported code, where there is one.
    let last = text.lines().rev().find(|line| line.contains("Error: ")).or_else(|| text.lines().find(says_something));
    last.unwrap_or("libtorch failed without a message").trim().to_owned()
}

impl Description {
    fn spec(self, device: Device) -> Result<Spec> {
        Ok(Spec {
            scale: self.scale,
            fills_holes: self.fills_holes,
            takes_prompt: false,
            estimates: false,
            latent_channels: self.latent_channels,
            downscale: self.downscale,
            multiple: self.multiple.unwrap_or(self.downscale),
            largest_side: self.largest_side,
            overlap: self.overlap,
            least_result: 0,
            context: self.overlap,
            latent_std: self.latent_std,
            prediction: self.scheduler.prediction_type,
            schedule: self.scheduler.schedule()?,
            steps_offset: self.scheduler.steps_offset,
            activation_bytes: self.activation_bytes,
            footprints: Footprints::default(),
            device,
            kind: Kind::Float,
        })
    }
}

impl Backbone for TorchScript {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn open<'a>(&'a self, image: &Tensor, mask: Option<&Tensor>, _prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        let no_mask = image.f_narrow(1, 0, 1)?.f_zeros_like()?;
        let known = self.call("condition", &[image, mask.unwrap_or(&no_mask)], None)?;
        let (_, _, height, width) = image.size4()?;
        let scale = self.spec.scale as i64;
        Ok(Box::new(TorchScriptSession { model: self, known, decoded: [1, 3, scale * height, scale * width] }))
    }
}

struct TorchScriptSession<'a> {
    model: &'a TorchScript,
    /// Result of the method `condition`.
    known: Tensor,
    /// Shape of the decoded picture.
    decoded: [i64; 4],
}

impl Session for TorchScriptSession<'_> {
    fn predict(&self, x: &Tensor, level: &Level) -> Result<Tensor> {
        let timestep = Tensor::f_full([0i64; 0], level.timestep, (Kind::Float, self.model.spec.device))?;
        self.model.call("predict", &[x, &timestep, &self.known], Some(&x.size()))
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.model.call("decode", &[latents, &self.known], Some(&self.decoded))
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.known]
    }
}
