//! What a model of others tells of itself, checked before anything is built upon it.

use tch::{Device, Kind};

use super::{SCALES, Spec};
use crate::schedule::{NoiseSchedule, Prediction};

/// The fields of [`Spec`] of the same names; the network computes in f32.
pub struct Told {
    pub scale: usize,
    pub fills_holes: bool,
    pub latent_channels: usize,
    pub downscale: usize,
    pub multiple: usize,
    pub largest_side: usize,
    pub overlap: usize,
    pub latent_std: f64,
    pub prediction: Prediction,
    pub schedule: NoiseSchedule,
    pub steps_offset: usize,
    pub activation_bytes: usize,
    pub device: Device,
}

impl Told {
    /// The spec, or what is impossible about it.
    pub fn check(self) -> Result<Spec, String> {
        let ranges = [
            ("scale", self.scale, SCALES),
            ("latent_channels", self.latent_channels, 1..=4096),
            ("downscale", self.downscale, 1..=64),
            ("multiple", self.multiple, 1..=1024),
            ("largest_side", self.largest_side, 1..=1 << 16),
            ("overlap", self.overlap, 0..=1 << 12),
            ("activation_bytes", self.activation_bytes, 0..=1 << 30),
        ];
        for (name, value, range) in ranges {
            if !range.contains(&value) {
                return Err(format!("its {name} is {value}; {} to {} are possible", range.start(), range.end()));
            }
        }
        let Self { multiple, downscale, .. } = self;
        if !multiple.is_multiple_of(downscale) {
            return Err(format!("its multiple, {multiple}, is not a multiple of its downscale, {downscale}"));
        }
        if self.fills_holes && self.scale != 1 {
            return Err("it fills holes, so its scale must be 1".to_owned());
        }
        if !(self.latent_std > 0.0 && self.latent_std.is_finite()) {
            return Err(format!("its latent_std is {}, not a positive number", self.latent_std));
        }
        Ok(Spec {
            scale: self.scale,
            fills_holes: self.fills_holes,
            takes_prompt: false,
            latent_channels: self.latent_channels,
            downscale,
            multiple,
            largest_side: self.largest_side.max(multiple),
            overlap: self.overlap,
            context: self.overlap,
            latent_std: self.latent_std,
            prediction: self.prediction,
            schedule: self.schedule,
            steps_offset: self.steps_offset,
            activation_bytes: self.activation_bytes,
            // The picture itself a few times over.
            decode_bytes: self.activation_bytes.max(4 * 12 * self.scale * self.scale),
            device: self.device,
            kind: Kind::Float,
        })
    }
}
