//! Properties of a model.

use tch::{Device, Kind};

use crate::footprint::Footprints;
use crate::schedule::{NoiseSchedule, Prediction};

/// Enlargements that a model may have.
pub const SCALES: std::ops::RangeInclusive<usize> = 1..=16;

/// Properties of a model, for the parts of the engine that know no model.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Enlargement: output pixels per input pixel, along a side.
    pub scale: usize,
    /// True where it can fill what a mask marks.
    pub fills_holes: bool,
    /// True where it takes a prompt.
    pub takes_prompt: bool,
    /// True where a first network estimates the picture without noise ([`super::Session::estimate`]), so that the doubt about one
    /// particle is known.
    pub estimates: bool,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Input pixels per latent pixel, along a side.
    pub downscale: usize,
    /// Sides of a tile, in input pixels, must be multiples of this; it is a multiple of `downscale`.
    pub multiple: usize,
    /// Larger tiles than this, in input pixels along a side, gain nothing worth their memory.
    pub largest_side: usize,
    /// Input pixels by which neighbouring tiles should overlap.
    pub overlap: usize,
    /// Pixels along the shorter side of a result below which the model is out of its depth: smaller photographs are enlarged
    /// before it sees them, and the result is reduced. 0: it takes any size.
    pub least_result: usize,
    /// Input pixels around a hole that the network should see.
    pub context: usize,
    /// Standard deviation of the latents over photographs: the spread of an ensemble that knows nothing.
    pub latent_std: f64,
    /// Output of the network.
    pub prediction: Prediction,
    /// The noise schedule it was trained with.
    pub schedule: NoiseSchedule,
    /// Added to every timestep of the spacing `leading`.
    pub steps_offset: usize,
    /// Bytes that a third-party model says it takes per particle and input pixel; the measured number counts where it is
    /// larger. 0 for ours.
    pub activation_bytes: usize,
    /// Memory of the stages, once it has been measured.
    pub footprints: Footprints,
    /// Device of the model.
    pub device: Device,
    /// In what it computes.
    pub kind: Kind,
}

/// The spec of a third-party model, or what is impossible about it.
pub(super) fn checked(spec: Spec) -> Result<Spec, String> {
    let ranges = [
        ("scale", spec.scale, SCALES),
        ("latent_channels", spec.latent_channels, 1..=4096),
        ("downscale", spec.downscale, 1..=64),
        ("multiple", spec.multiple, 1..=1024),
        ("largest_side", spec.largest_side, 1..=1 << 16),
        ("overlap", spec.overlap, 0..=1 << 12),
        ("activation_bytes", spec.activation_bytes, 0..=1 << 30),
    ];
    for (name, value, range) in ranges {
        if !range.contains(&value) {
            return Err(format!("its {name} is {value}; {} to {} are possible", range.start(), range.end()));
        }
    }
    let Spec { multiple, downscale, .. } = spec;
    if !multiple.is_multiple_of(downscale) {
        return Err(format!("its multiple, {multiple}, is not a multiple of its downscale, {downscale}"));
    }
    if spec.fills_holes && spec.scale != 1 {
        return Err("it fills holes, so its scale must be 1".to_owned());
    }
    if !(spec.latent_std > 0.0 && spec.latent_std.is_finite()) {
        return Err(format!("its latent_std is {}, not a positive number", spec.latent_std));
    }
    Ok(Spec { largest_side: spec.largest_side.max(multiple), ..spec })
}
