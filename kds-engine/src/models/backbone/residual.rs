//! Diffusion of a residual after a first network: the built-in kds-photo-x4, kds-photo-x1 and kds-inpaint.
//!
//! The latents are the residual, pixel-unshuffled by 4 (48 channels) and divided by its standard deviation.
//!
//! - Enlarging (`tools/train/photo_x4.py`), the residual is that against the bicubic enlargement. The diffusion network sees
//!   the latents, the photograph with its amplified detail, and the guess and the features of a first network ([`Edsr`]).
//! - At the same size (`tools/train/photo_x1.py`), the residual is that against the output of a first network
//!   ([`Predictor`]), which restores the photograph. Holes, filled from what is around them, are filled better by one of the
//!   same class before (`tools/train/filler.py`). The diffusion network sees the latents, the output of the first network on
//!   their grid with its amplified detail, the hole, and the change by the first network.
//!
//! A model without a first network does with the photograph itself. At the same size, small changes may be left out
//! ([`Coring`]).

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::coring::Coring;
use super::files::{DIFFUSERS_WEIGHTS, both};
use super::recognised::{self, INDEX, Needed, Recognised, SCHEDULER};
use super::{Backbone, BackboneKind, ModelFiles, Prompt, SCALES, Session, Shared, Spec};
use crate::footprint::Footprints;
use crate::nn::{Edsr, EdsrConfig, Loading, Predictor, PredictorConfig, Scope, UNet2d, UNet2dConfig};
use crate::registry::Task;
use crate::schedule::{Level, SchedulerConfig};
use crate::{Error, Result};

/// The backbone `residual`: a folder with `model_index.json`, `unet/`, `scheduler/`, for a first network `predictor/`, and for
/// one that fills holes before it `filler/`.
pub struct Residual {
    network: Shared<UNet2d>,
    filler: Option<Shared<Predictor>>,
    first: First,
    known_channels: i64,
    index: Index,
    spec: Spec,
}

/// `model_index.json`.
#[derive(Deserialize)]
struct Index {
    /// Output pixels per input pixel.
    scale: usize,
    /// Input pixels per pixel of the latents.
    #[serde(default = "one")]
    downscale: usize,
    /// Standard deviation of the residual, for pixels in -1..1.
    residual_std: f64,
    /// The same within holes, for a model that fills them.
    hole_std: Option<f64>,
    /// Changes of the photograph are left out where they are not larger than this, for pixels in -1..1; only at the same size.
    least_change: Option<f64>,
    /// Side of the neighbourhood in which their size is measured, in pixels; odd.
    #[serde(default = "change_window")]
    change_window: usize,
    /// Side of the window, in pixels of the latents, over which detail is the difference from the mean; odd.
    detail_window: usize,
    /// Factor of the detail.
    detail_gain: f64,
    /// Library and class of the first network, in the folder `predictor`.
    predictor: Option<(String, FirstClass)>,
    /// The same of the network that fills holes, in the folder `filler`.
    filler: Option<(String, FirstClass)>,
}

/// Classes of a first network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum FirstClass {
    Predictor,
    Edsr,
}

/// The first network.
enum First {
    None,
    Restores(Shared<Predictor>),
    Enlarges(Shared<Edsr>),
}

/// Sizes of the first network, for the checks and the plan.
#[derive(Clone, Copy)]
struct FirstShape {
    /// Sides of its input are multiples of this.
    multiple: usize,
    /// Channels of its features that the diffusion network sees.
    features: usize,
}

fn one() -> usize {
    1
}

fn change_window() -> usize {
    25
}

impl Index {
    fn check(&self) -> std::result::Result<(), &'static str> {
        let deviation = |value: f64| value > 0.0 && value.is_finite();
        let possible = SCALES.contains(&self.scale)
            && SCALES.contains(&self.downscale)
            && (deviation(self.residual_std) && self.hole_std.is_none_or(deviation))
            && (self.detail_window % 2 == 1 && self.detail_window < 64)
            && self.detail_gain.is_finite();
        if !possible {
            return Err(
                "scale and downscale must be from 1 to 16, residual_std and hole_std positive, detail_window odd \
                        and less than 64",
            );
        }
        if self.least_change.is_some_and(|least| !deviation(least) || self.scale != 1)
            || self.change_window.is_multiple_of(2)
            || self.change_window >= 64
        {
            return Err(
                "least_change must be positive, in a model with scale 1, and change_window odd and less than 64",
            );
        }
        let class = self.class();
        if (self.hole_std.is_some() || class == Some(FirstClass::Predictor)) && self.scale != 1 {
            return Err("a model with hole_std or a predictor of the class Predictor must have scale 1");
        }
        if self.filler.as_ref().is_some_and(|(_, class)| *class != FirstClass::Predictor || self.hole_std.is_none()) {
            return Err("a filler must have the class Predictor, in a model with hole_std");
        }
        if class == Some(FirstClass::Edsr) && (self.scale == 1 || self.downscale != 1) {
            return Err("a model with a predictor of the class Edsr must have a scale above 1 and downscale 1");
        }
        Ok(())
    }

    fn class(&self) -> Option<FirstClass> {
        self.predictor.as_ref().map(|(_, class)| *class)
    }

    fn coring(&self) -> Option<Coring> {
        self.least_change.map(|threshold| Coring { threshold, window: self.change_window as i64 })
    }

    /// Output pixels along a side of a pixel of the latents.
    fn cell(&self) -> usize {
        self.scale * self.downscale
    }

    fn latent_channels(&self) -> usize {
        3 * self.cell().pow(2)
    }

    /// Channels of the conditioning inputs: the cell means of the guess and their detail; where a cell has several pixels,
    /// their differences from the mean; the hole; the output of the first network, with so many `features`.
    fn known_channels(&self, features: usize) -> usize {
        let pixels = self.downscale.pow(2);
        let within = if self.downscale > 1 { 3 * pixels } else { 0 };
        let hole = if self.hole_std.is_some() { pixels } else { 0 };
        let first = match self.class() {
            None => 0,
            Some(FirstClass::Predictor) => 3 * pixels,
            Some(FirstClass::Edsr) => self.latent_channels() + features,
        };
        6 + within + hole + first
    }
}

/// Channels of a picture and its amplified detail.
const DETAILED_CHANNELS: i64 = 6;

const UNET: &str = "unet/config.json";
const PREDICTOR: &str = "predictor/config.json";
const FILLER: &str = "filler/config.json";

/// A network that takes a filled photograph and its hole, with the multiple of its sides.
fn predictor(files: &ModelFiles, folder: &str, loading: Loading) -> Result<(usize, Shared<Predictor>)> {
    let (config, network) = files.network::<PredictorConfig, _>(folder, DIFFUSERS_WEIGHTS, loading, Predictor::new)?;
    Ok((config.multiple(), Shared(network)))
}

impl First {
    fn load(index: &Index, files: &ModelFiles, loading: Loading) -> Result<(FirstShape, Self)> {
        match index.class() {
            None => Ok((FirstShape { multiple: 1, features: 0 }, Self::None)),
            Some(FirstClass::Predictor) => {
                let (multiple, network) = predictor(files, "predictor", loading)?;
                Ok((FirstShape { multiple, features: 0 }, Self::Restores(network)))
            }
            Some(FirstClass::Edsr) => {
                let build = |scope: &Scope, config: &EdsrConfig| {
                    Edsr::new(scope, config, DETAILED_CHANNELS, index.latent_channels() as i64)
                };
                let (config, network) = files.network("predictor", DIFFUSERS_WEIGHTS, loading, build)?;
                let features = config.channels.unsigned_abs() as usize;
                Ok((FirstShape { multiple: 1, features }, Self::Enlarges(Shared(network))))
            }
        }
    }
}

impl Residual {
    /// The pipeline that the index of its folders names.
    pub(super) const PIPELINE: &str = "KdsResidualPipeline";

    /// The model in a folder of that pipeline.
    pub(super) fn recognise(files: &ModelFiles) -> Result<Option<Recognised>> {
        if recognised::pipeline(files)?.as_deref() != Some(Self::PIPELINE) {
            return Ok(None);
        }
        let mut needed = Needed::of(files);
        needed.file(INDEX)?.file(SCHEDULER)?.network("unet", DIFFUSERS_WEIGHTS)?;
        for (folder, config) in [("predictor", PREDICTOR), ("filler", FILLER)] {
            if files.contains(config) {
                needed.network(folder, DIFFUSERS_WEIGHTS)?;
            }
        }
        let index: serde_json::Value = files.read_json(INDEX)?;
        let scale = index["scale"].as_u64().unwrap_or(1).clamp(1, 16) as usize;
        Ok(Some(Recognised {
            backbone: BackboneKind::Residual,
            task: if scale > 1 { Task::SuperResolution } else { Task::Restoration },
            scale,
            options: Vec::new(),
            defaults: &[],
            files: needed.names(),
        }))
    }

    /// Loads the model; the error names the file, and the key or tensor, that does not fit.
    pub fn load(files: &ModelFiles, loading: Loading) -> Result<Self> {
        let index: Index = files.read_json(INDEX)?;
        let wrong = |name: &str, reason: String| files.error(name, reason);
        index.check().map_err(|reason| wrong(INDEX, reason.to_owned()))?;
        let network = files.network::<UNet2dConfig, _>("unet", DIFFUSERS_WEIGHTS, loading, UNet2d::new);
        let ((config, network), (shape, first)) = both(network, First::load(&index, files, loading))?;
        let filler = index.filler.as_ref().map(|_| predictor(files, "filler", loading)).transpose()?;
        let latent_channels = index.latent_channels();
        let known_channels = index.known_channels(shape.features);
        let (inputs, outputs) = (latent_channels + known_channels, latent_channels);
        if (config.in_channels, config.out_channels) != (inputs as i64, outputs as i64) {
            let Index { scale, downscale, .. } = index;
            return Err(wrong(
                UNET,
                format!(
                    "scale {scale} and downscale {downscale}, with the first network, need in_channels {inputs} and \
                     out_channels {outputs}"
                ),
            ));
        }
        let scheduler: SchedulerConfig = files.read_json(SCHEDULER)?;
        let schedule = scheduler.schedule().map_err(|error| wrong(SCHEDULER, error.to_string()))?;

        let multiple = config.multiple() * index.downscale;
        let filling = filler.as_ref().map_or(1, |(multiple, _)| *multiple);
        for (other, config) in [(shape.multiple, PREDICTOR), (filling, FILLER)] {
            if !multiple.is_multiple_of(other) {
                let reason =
                    format!("its sides are multiples of {other}, which must divide the {multiple} of the U-Net");
                return Err(wrong(config, reason));
            }
        }
        let spec = Spec {
            scale: index.scale,
            fills_holes: index.hole_std.is_some(),
            takes_prompt: false,
            estimates: !matches!(first, First::None),
            latent_channels,
            downscale: index.downscale,
            multiple,
            largest_side: 512 * index.downscale,
            overlap: 32 * index.downscale,
            least_result: 0,
            context: 32 * index.downscale,
            latent_std: 1.0,
            prediction: scheduler.prediction_type,
            schedule,
            steps_offset: scheduler.steps_offset,
            activation_bytes: 0,
            footprints: Footprints::default(),
            device: loading.device,
            kind: loading.kind,
        };
        let filler = filler.map(|(_, network)| network);
        Ok(Self { network: Shared(network), filler, first, known_channels: known_channels as i64, index, spec })
    }

    /// The photograph at the size of the result, to which the residual is added: enlarged bicubically as
    /// `torch.nn.functional.interpolate` does it and training did.
    fn guess(&self, image: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = image.size4()?;
        match self.spec.scale as i64 {
            1 => Ok(image.shallow_clone()),
            scale => {
                Ok(image.f_upsample_bicubic2d([scale * height, scale * width], false, None::<f64>, None::<f64>)?)
            }
        }
    }

    /// The means of the cells, their detail, and how their pixels differ from them.
    fn describe(&self, image: &Tensor) -> Result<Vec<Tensor>> {
        let (gain, window, side) =
            (self.index.detail_gain, self.index.detail_window as i64, self.spec.downscale as i64);
        let low = if side == 1 {
            image.shallow_clone()
        } else {
            image.f_avg_pool2d([side, side], [side, side], [0, 0], false, false, None)?
        };
        let mean = low.f_avg_pool2d([window, window], [1, 1], [window / 2, window / 2], false, false, None)?;
        let detail = low.f_sub(&mean)?.f_mul_scalar(gain)?;
        if side == 1 {
            return Ok(vec![low, detail]);
        }
        let (_, _, height, width) = image.size4()?;
        let fine = image.f_sub(&low.f_upsample_nearest2d([height, width], None::<f64>, None::<f64>)?)?;
        Ok(vec![low, detail, self.cells(&fine)?])
    }

    /// Amplified, on the grid of the latents.
    fn cells(&self, picture: &Tensor) -> Result<Tensor> {
        Ok(picture.f_mul_scalar(self.index.detail_gain)?.f_pixel_unshuffle(self.spec.downscale as i64)?)
    }
}

impl Backbone for Residual {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn open<'a>(&'a self, image: &Tensor, mask: Option<&Tensor>, _prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        let hole = match mask {
            Some(mask) => mask.shallow_clone(),
            None => image.f_narrow(1, 0, 1)?.f_zeros_like()?,
        };
        let better = match (&self.filler, mask) {
            (Some(filler), Some(mask)) => {
                Some(filler.0.forward(image, mask, self.spec.kind)?.f_where_self(&mask.f_gt(0.0)?, image)?)
            }
            _ => None,
        };
        let image = better.as_ref().unwrap_or(image);
        let guess = match &self.first {
            First::Restores(first) => first.0.forward(image, &hole, self.spec.kind)?,
            First::Enlarges(_) | First::None => image.shallow_clone(),
        };
        let mut known = self.describe(&guess)?;
        if self.spec.fills_holes {
            known.push(hole.f_pixel_unshuffle(self.spec.downscale as i64)?);
        }
        match &self.first {
            First::Restores(_) => known.push(self.cells(&image.f_sub(&guess)?)?),
            First::Enlarges(first) => {
                let (latents, features) = first.0.forward(&Tensor::f_cat(&known, 1)?.f_to_kind(self.spec.kind)?)?;
                known.extend([latents.f_to_kind(Kind::Float)?, features.f_to_kind(Kind::Float)?]);
            }
            First::None => {}
        }
        let known = Tensor::f_cat(&known, 1)?;
        // With holes only these are shown of the result.
        let image = (self.index.least_change.is_some() && mask.is_none()).then(|| image.shallow_clone());
        Ok(Box::new(ResidualSession { model: self, image, guess, mask: mask.map(Tensor::shallow_clone), known }))
    }
}

struct ResidualSession<'a> {
    model: &'a Residual,
    /// The photograph itself, where small changes are left out, `1 x 3 x h x w`.
    image: Option<Tensor>,
    /// The photograph, restored by the first network at the same size, `1 x 3 x h x w`.
    guess: Tensor,
    /// `1 x 1 x h x w`.
    mask: Option<Tensor>,
    /// Conditioning inputs of the diffusion network, `1 x C x h' x w'`.
    known: Tensor,
}

impl Session for ResidualSession<'_> {
    fn predict(&self, x: &Tensor, level: &Level) -> Result<Tensor> {
        let (particles, _, height, width) = x.size4()?;
        let known = self.known.f_expand([particles, self.model.known_channels, height, width], false)?;
        let input = Tensor::f_cat(&[x, &known], 1)?.f_to_kind(self.model.spec.kind)?;
        let output = self.model.network.0.forward(&input, level.timestep)?;
        Ok(output.f_to_kind(Kind::Float)?.f_contiguous()?)
    }

    fn estimate(&self) -> Result<Tensor> {
        let channels = self.model.spec.latent_channels as i64;
        match self.model.first {
            First::None => Err(Error::Conflict("this model has no first network".to_owned())),
            // The residual is that against its output.
            First::Restores(_) => {
                let (_, _, height, width) = self.known.size4()?;
                Ok(Tensor::f_zeros([1, channels, height, width], (Kind::Float, self.known.device()))?)
            }
            First::Enlarges(_) => Ok(self.known.f_narrow(1, DETAILED_CHANNELS, channels)?),
        }
    }

    fn kept(&self, latents: &Tensor) -> Result<Option<Tensor>> {
        let (Some(coring), Some(image)) = (self.model.index.coring(), &self.image) else { return Ok(None) };
        let share = coring.share(&self.restored(latents)?.f_sub(image)?)?;
        let side = self.model.spec.downscale as i64;
        Ok(Some(share.f_avg_pool2d([side, side], [side, side], [0, 0], false, false, None)?))
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let restored = self.restored(latents)?;
        match (self.model.index.coring(), &self.image) {
            (Some(coring), Some(image)) => coring.apply(image, &restored),
            _ => Ok(restored),
        }
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        [&mut self.guess, &mut self.known].into_iter().chain(&mut self.mask).chain(&mut self.image).collect()
    }
}

impl ResidualSession<'_> {
    /// The picture of finished latents, with all that it changes.
    fn restored(&self, latents: &Tensor) -> Result<Tensor> {
        let index = &self.model.index;
        let residual = latents.f_pixel_shuffle(index.cell() as i64)?;
        let outside = residual.f_mul_scalar(index.residual_std)?;
        let residual = match (&self.mask, index.hole_std) {
            (Some(mask), Some(hole_std)) => {
                residual.f_mul_scalar(hole_std)?.f_where_self(&mask.f_gt(0.0)?, &outside)?
            }
            _ => outside,
        };
        Ok(self.model.guess(&self.guess)?.f_add(&residual)?)
    }
}
