//! Diffusion backbones: everything that knows what a model's latents are.

mod files;
mod ldm_sr;
mod plugin;
mod residual;
mod sd_inpaint;
mod sums;
mod text_encoder;
mod told;
mod torchscript;

pub use files::{BuiltInFile, ModelFiles};
pub use ldm_sr::LdmSr;
pub use plugin::Plugin;
pub use residual::Residual;
pub use sd_inpaint::SdInpaint;
pub use sums::Memory;
pub use text_encoder::{ClipTokenizer, TextEncoder};
pub use torchscript::TorchScript;

use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::footprint::Footprints;
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
    /// and 0 elsewhere; there `image` holds what [`crate::holes::fill`] made of the surroundings. `prompt` is for models
    /// with [`Spec::takes_prompt`]. Computed once per tile.
    fn condition(&self, image: &Tensor, mask: Option<&Tensor>, prompt: &Prompt) -> Result<Condition>;

    /// The network's output for the states `x` (`n x C x h' x w'`, latents), all at `timestep`, as [`Spec::prediction`]
    /// says: noise, v or x0, of the shape of `x`.
    fn predict(&self, x: &Tensor, timestep: f64, condition: &Condition) -> Result<Tensor>;

    /// Whether a first network predicts the picture without noise, so that the doubt about one particle is known.
    fn predicts(&self) -> bool {
        false
    }

    /// The latents of that prediction, `1 x C x h' x w'`; only where [`Self::predicts`].
    fn predicted(&self, _condition: &Condition) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// The picture of finished latents: `1 x C x h' x w'` to `1 x 3 x H x W` in -1..1, not clamped.
    fn decode(&self, latents: &Tensor, condition: &Condition) -> Result<Tensor>;
}

/// What [`Backbone::condition`] made of one tile: tensors that only the backbone reads.
pub struct Condition {
    /// The tile, or what is made of it before diffusion, `1 x 3 x h x w` in -1..1.
    pub image: Tensor,
    /// Its mask, as it was given.
    pub mask: Option<Tensor>,
    /// What is concatenated with the latents, `1 x C x h' x w'`.
    pub network_input: Tensor,
    /// The prompt, as the network reads it.
    pub text: Option<Text>,
    /// What the backbone of a library has made of the tile.
    pub tile: Option<kds_plugin_api::backbone::OpenTile>,
}

impl Condition {
    /// Of a model without mask and prompt.
    pub fn new(image: &Tensor, network_input: Tensor) -> Self {
        Self { image: image.shallow_clone(), mask: None, network_input, text: None, tile: None }
    }

    /// The tensors on another device; what a library has made of the tile stays where it is.
    pub fn to_device(self, device: Device) -> Result<Self> {
        let there = |tensor: &Tensor| tensor.f_to_device(device);
        let on_device = |text: Text| Ok::<_, crate::Error>(Text { tokens: there(&text.tokens)?, ..text });
        Ok(Self {
            image: there(&self.image)?,
            mask: self.mask.as_ref().map(there).transpose()?,
            network_input: there(&self.network_input)?,
            text: self.text.map(on_device).transpose()?,
            tile: self.tile,
        })
    }
}

/// What a model is told in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// What the picture shows; may be empty.
    pub positive: String,
    /// What it must not show; may be empty.
    pub negative: String,
    /// Scale of classifier-free guidance (Ho & Salimans, arXiv 2207.12598), at least 1: by how much the prediction for the
    /// prompt is extrapolated away from that for the negative prompt. At 1 only the prompt counts.
    pub guidance: f64,
}

impl Default for Prompt {
    fn default() -> Self {
        Self { positive: String::new(), negative: String::new(), guidance: 1.0 }
    }
}

/// An encoded [`Prompt`].
pub struct Text {
    /// `1 x S x C`, or with guidance above 1 `2 x S x C`: the negative prompt, then the prompt.
    pub tokens: Tensor,
    /// [`Prompt::guidance`].
    pub guidance: f64,
}

impl Text {
    /// The same on shared memory.
    fn share(&self) -> Self {
        Self { tokens: self.tokens.shallow_clone(), guidance: self.guidance }
    }
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
    /// Whether it takes a prompt.
    pub takes_prompt: bool,
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
    /// Added to every timestep of the spacing `leading`.
    pub steps_offset: usize,
    /// Bytes that a third-party model says it takes per particle and input pixel; the measured number counts where it is
    /// larger. 0 for ours.
    pub activation_bytes: usize,
    /// What the stages take, once it has been measured.
    pub footprints: Footprints,
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
