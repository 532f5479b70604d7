//! Diffusion backbones: everything that knows what a model's latents are.

mod files;
mod residual;

pub use files::{BuiltInFile, ModelFiles};
pub use residual::Residual;

use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::schedule::{NoiseSchedule, Prediction};

/// A diffusion model of photographs given a degraded photograph.
///
/// Everything above it (sampling, steering, tiling) knows no model but its [`Spec`]. All tensors that cross this border
/// are f32 on [`Spec::device`]; inside a backbone may compute in [`Spec::kind`].
pub trait Backbone: Send + Sync {
    /// What the model is.
    fn spec(&self) -> &Spec;

    /// What the network needs to know of one tile: `image` is `1 x 3 x h x w` in -1..1, sides multiples of
    /// [`Spec::multiple`]. `mask`, only where [`Spec::fills_holes`], is `1 x 1 x h x w`, 1 where the picture is not known
    /// and 0 elsewhere; there `image` holds what [`crate::holes::fill`] made of the surroundings. Computed once per tile.
    fn condition(&self, image: &Tensor, mask: Option<&Tensor>) -> Result<Condition>;

    /// The network's output for the states `x` (`n x C x h' x w'`, latents), all at `timestep`, as [`Spec::prediction`]
    /// says: noise, v or x0, of the shape of `x`.
    fn predict(&self, x: &Tensor, timestep: f64, condition: &Condition) -> Result<Tensor>;

    /// The picture of finished latents: `1 x C x h' x w'` to `1 x 3 x H x W` in -1..1, not clamped.
    fn decode(&self, latents: &Tensor, condition: &Condition) -> Result<Tensor>;
}

/// What [`Backbone::condition`] made of one tile: tensors that only the backbone reads.
pub struct Condition {
    /// The tile itself, `1 x 3 x h x w` in -1..1.
    pub image: Tensor,
    /// Its mask, as it was given.
    pub mask: Option<Tensor>,
    /// What is concatenated with the latents, `1 x C x h' x w'`.
    pub network_input: Tensor,
}

/// Enlargements that a model may have.
pub const SCALES: std::ops::RangeInclusive<usize> = 1..=16;

/// What a model is, for the parts of the engine that know no model.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Enlargement: output pixels per input pixel, along a side.
    pub scale: usize,
    /// Whether it can fill what a mask marks.
    pub fills_holes: bool,
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
    /// Input pixels around a hole that the network should see.
    pub context: usize,
    /// Standard deviation of the latents over photographs: the spread of an ensemble that knows nothing.
    pub latent_std: f64,
    /// What the network predicts.
    pub prediction: Prediction,
    /// The noise schedule it was trained with.
    pub schedule: NoiseSchedule,
    /// Bytes that one call of `predict` needs per particle and input pixel, beyond its argument and result.
    pub activation_bytes: usize,
    /// Where it computes.
    pub device: Device,
    /// In what it computes.
    pub kind: Kind,
}

/// A value that may be used from several threads although `tch::Tensor` is not marked so.
pub(crate) struct Shared<T>(pub T);

// SAFETY: only used for networks whose weights are never written after construction; libtorch allows concurrent
// reads of a tensor (its reference count is atomic), and `no_grad` means that no graph is recorded into them.
unsafe impl<T> Sync for Shared<T> {}
