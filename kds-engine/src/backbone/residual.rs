//! Diffusion of the residual against bicubic enlargement, on the low-resolution grid: the built-in kds-photo-x4.
//!
//! The latents are the residual, pixel-unshuffled by the scale (4x: 48 channels) and divided by its standard deviation.
//! The network sees them concatenated with the low-resolution photograph and its amplified detail. See
//! `tools/train/photo_x4.py`.

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::files::DIFFUSERS_WEIGHTS;
use super::{Backbone, Condition, ModelFiles, SCALES, Shared, Spec, bytes_per_number};
use crate::Result;
use crate::nn::{Loading, UNet2d, UNet2dConfig};
use crate::schedule::SchedulerConfig;

/// The backbone `residual`: a folder with `model_index.json`, `unet/` and `scheduler/`.
pub struct Residual {
    network: Shared<UNet2d>,
    index: Index,
    spec: Spec,
}

/// `model_index.json`.
#[derive(Deserialize)]
struct Index {
    /// Output pixels per input pixel.
    scale: usize,
    /// Standard deviation of the residual, for pixels in -1..1.
    residual_std: f64,
    /// Side of the window, in low-resolution pixels, over which detail is the difference from the mean; odd.
    detail_window: usize,
    /// What the detail is multiplied by.
    detail_gain: f64,
}

const INDEX: &str = "model_index.json";
const UNET: &str = "unet/config.json";
const SCHEDULER: &str = "scheduler/scheduler_config.json";

impl Residual {
    /// Loads the model; the error names the file, and the key or tensor, that does not fit.
    pub fn load(files: &ModelFiles, loading: Loading) -> Result<Self> {
        let index: Index = files.read_json(INDEX)?;
        let wrong = |name: &str, reason: String| files.error(name, reason);
        let possible = SCALES.contains(&index.scale)
            && (index.residual_std > 0.0 && index.residual_std.is_finite())
            && (index.detail_window % 2 == 1 && index.detail_window < 64)
            && index.detail_gain.is_finite();
        if !possible {
            let reason = "scale must be from 1 to 16, residual_std positive, detail_window odd and less than 64";
            return Err(wrong(INDEX, reason.to_owned()));
        }
        let (config, network) = files.network::<UNet2dConfig, _>("unet", DIFFUSERS_WEIGHTS, loading, UNet2d::new)?;
        let latent_channels = 3 * index.scale * index.scale;
        let expected = (latent_channels as i64 + 6, latent_channels as i64);
        if (config.in_channels, config.out_channels) != expected {
            let (inputs, outputs) = expected;
            return Err(wrong(
                UNET,
                format!("scale {} needs in_channels {inputs} and out_channels {outputs}", index.scale),
            ));
        }
        let scheduler: SchedulerConfig = files.read_json(SCHEDULER)?;
        let schedule = scheduler.schedule().map_err(|error| wrong(SCHEDULER, error.to_string()))?;

        let multiple = config.multiple();
        let widest = config.block_out_channels[0].unsigned_abs() as usize;
        let spec = Spec {
            scale: index.scale,
            latent_channels,
            downscale: 1,
            multiple,
            overlap: 32,
            latent_std: 1.0,
            prediction: scheduler.prediction_type,
            schedule,
            // At its widest the network holds its skip connections and a few copies of a concatenated feature map.
            activation_bytes: 16 * widest * bytes_per_number(loading.kind),
            decode_bytes: 4 * 12 * index.scale * index.scale,
            device: loading.device,
            kind: loading.kind,
        };
        Ok(Self { network: Shared(network), index, spec })
    }

    /// Bicubic enlargement, as `torch.nn.functional.interpolate` does it and training did.
    fn enlarge(&self, image: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = image.size4()?;
        let scale = self.spec.scale as i64;
        Ok(image.f_upsample_bicubic2d([scale * height, scale * width], false, None::<f64>, None::<f64>)?)
    }
}

impl Backbone for Residual {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn condition(&self, image: &Tensor) -> Result<Condition> {
        let window = self.index.detail_window as i64;
        let mean = image.f_avg_pool2d([window, window], [1, 1], [window / 2, window / 2], false, false, None)?;
        let detail = image.f_sub(&mean)?.f_mul_scalar(self.index.detail_gain)?;
        Ok(Condition { image: image.shallow_clone(), network_input: Tensor::f_cat(&[image, &detail], 1)? })
    }

    fn predict(&self, x: &Tensor, timestep: f64, condition: &Condition) -> Result<Tensor> {
        let (particles, _, height, width) = x.size4()?;
        let known = condition.network_input.f_expand([particles, 6, height, width], false)?;
        let input = Tensor::f_cat(&[x, &known], 1)?.f_to_kind(self.spec.kind)?;
        let output = self.network.0.forward(&input, timestep)?;
        Ok(output.f_to_kind(Kind::Float)?.f_contiguous()?)
    }

    fn decode(&self, latents: &Tensor, condition: &Condition) -> Result<Tensor> {
        let residual = latents.f_pixel_shuffle(self.spec.scale as i64)?.f_mul_scalar(self.index.residual_std)?;
        Ok(self.enlarge(&condition.image)?.f_add(&residual)?)
    }
}
