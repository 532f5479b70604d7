//! Third-party models: shared libraries that implement `kds_plugin_api::backbone`.

use std::path::{Path, PathBuf};

use kds_plugin_api::backbone::{self as api, OpenBackbone, OpenTile};
use tch::{Device, Kind, Tensor};

use super::spec::checked;
use super::{Backbone, Prompt, Session, Spec};
use crate::footprint::Footprints;
use crate::schedule::{Level, NoiseSchedule, Prediction};
use crate::{Error, Result};

/// The backbone `plugin`: a shared library, which is loaded for good.
pub struct Plugin {
    library: PathBuf,
    backbone: OpenBackbone,
    spec: Spec,
}

impl Plugin {
    /// Loads the library in this file and opens its backbone, which computes on the CPU, in what it likes; so does KDS
    /// with what it gives.
    ///
    /// # Errors
    /// [`Error::Model`] for a file that is no backbone, one that does not open, or one that says impossible things of
    /// itself; [`Error::Device`] for any other device than the CPU.
    pub fn load(library: &Path, device: Device) -> Result<Self> {
        if device != Device::Cpu {
            return Err(Error::Device("a backbone of a library computes on the CPU: ask for device 'cpu'".to_owned()));
        }
        let wrong = |reason: String| Error::Model { path: library.to_owned(), reason };
        let library = &std::path::absolute(library).unwrap_or_else(|_| library.to_owned());
        let backbone = api::open(library).map_err(|error| {
            let text = error.to_string();
            let named = format!("{}: ", library.display());
            wrong(text.strip_prefix(&named).unwrap_or(&text).to_owned())
        })?;
        let backbone = backbone.map_err(|error| wrong(error.to_string()))?;
        let spec = backbone.spec().map_err(|error| wrong(error.to_string()))?;
        let spec = spec_of(spec).map_err(wrong)?;
        Ok(Self { library: library.to_owned(), backbone, spec })
    }

    fn failed(&self, error: kds_plugin_api::Error) -> Error {
        Error::Model { path: self.library.clone(), reason: format!("{error}; ask the author of the library") }
    }
}

fn spec_of(spec: api::Spec) -> std::result::Result<Spec, String> {
    let prediction = match spec.prediction {
        api::Prediction::EPSILON => Prediction::Epsilon,
        api::Prediction::V => Prediction::V,
        api::Prediction::X0 => Prediction::X0,
        api::Prediction(other) => return Err(format!("its prediction is {other}, which this version does not know")),
    };
    let alphas_cumprod = spec.alphas_cumprod.into_vec();
    checked(Spec {
        scale: spec.scale,
        fills_holes: spec.fills_holes,
        takes_prompt: false,
        estimates: false,
        latent_channels: spec.latent_channels,
        downscale: spec.downscale,
        multiple: spec.multiple,
        largest_side: spec.largest_side,
        overlap: spec.overlap,
        least_result: 0,
        context: spec.overlap,
        latent_std: spec.latent_std,
        prediction,
        schedule: NoiseSchedule::from_alphas_cumprod(alphas_cumprod).map_err(|error| error.to_string())?,
        steps_offset: 0,
        activation_bytes: spec.activation_bytes,
        footprints: Footprints::default(),
        device: Device::Cpu,
        kind: Kind::Float,
    })
}

impl Backbone for Plugin {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn open<'a>(&'a self, image: &Tensor, mask: Option<&Tensor>, _prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        let (picture, hole) = (Values::of(image)?, mask.map(Values::of).transpose()?);
        let tile = self.backbone.tile(picture.view(), hole.as_ref().map(Values::view));
        let tile = tile.map_err(|error| self.failed(error))?;
        let side = |pixels: usize| pixels * self.spec.scale;
        let [_, _, height, width] = picture.shape;
        Ok(Box::new(PluginSession { plugin: self, tile, decoded: [1, 3, side(height), side(width)] }))
    }
}

struct PluginSession<'a> {
    plugin: &'a Plugin,
    tile: OpenTile,
    /// Shape of the decoded picture.
    decoded: [usize; 4],
}

impl Session for PluginSession<'_> {
    fn predict(&self, x: &Tensor, level: &Level) -> Result<Tensor> {
        let latents = Values::of(x)?;
        // Values that it leaves unwritten are no numbers, so that they cannot pass for a prediction.
        let mut output = Values::unknown(latents.shape)?;
        let done = self.tile.predict(latents.view(), level.timestep, output.view_mut());
        done.map_err(|error| self.plugin.failed(error))?;
        output.tensor()
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let latents = Values::of(latents)?;
        let mut output = Values::unknown(self.decoded)?;
        self.tile.decode(latents.view(), output.view_mut()).map_err(|error| self.plugin.failed(error))?;
        output.tensor()
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        Vec::new()
    }
}

/// A tensor's values in memory of our own.
struct Values {
    shape: [usize; 4],
    values: Vec<f32>,
}

impl Values {
    fn of(tensor: &Tensor) -> Result<Self> {
        let (n, c, h, w) = tensor.size4()?;
        let values = Vec::try_from(&tensor.f_contiguous()?.f_reshape([-1])?)?;
        Ok(Self { shape: [n, c, h, w].map(|side| side as usize), values })
    }

    fn unknown(shape: [usize; 4]) -> Result<Self> {
        let count = shape.iter().try_fold(1usize, |product, side| product.checked_mul(*side));
        let count = count.ok_or_else(|| Error::Conflict(format!("a tensor of {shape:?} values is too large")))?;
        Ok(Self { shape, values: vec![f32::NAN; count] })
    }

    fn view(&self) -> api::Tensor<'_> {
        api::Tensor { shape: self.shape, values: &self.values }
    }

    fn view_mut(&mut self) -> api::TensorMut<'_> {
        api::TensorMut { shape: self.shape, values: &mut self.values }
    }

    fn tensor(&self) -> Result<Tensor> {
        Ok(Tensor::f_from_slice(&self.values)?.f_reshape(self.shape.map(|side| side as i64))?)
    }
}
