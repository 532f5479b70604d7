//! Diffusion backbones: everything that knows what a model's latents are.

mod coring;
mod diffbir;
mod files;
mod guidance;
mod kind;
mod ldm_sr;
mod plugin;
mod prompt;
mod recognised;
mod recogniser;
mod residual;
mod restoration_guidance;
mod sd_inpaint;
mod seesr;
mod spec;
mod stable_diffusion;
mod stage1;
mod start;
mod sums;
mod text_encoder;
mod torchscript;

pub use diffbir::{DiffBir, DiffBirOptions, DiffBirVersion};
pub use files::{BuiltInFile, ModelFiles};
pub use kind::{BackboneKind, BackboneOptions, recognise};
pub use ldm_sr::LdmSr;
pub use plugin::Plugin;
pub use prompt::{Prompt, Text};
pub use recognised::Recognised;
pub use residual::Residual;
pub use restoration_guidance::{Distance, RestorationGuidance, Space};
pub use sd_inpaint::SdInpaint;
pub use seesr::{SeeSr, SeeSrOptions};
pub use spec::{SCALES, Spec};
pub use stage1::{Cleaner, Stage1};
pub use start::Start;
pub use sums::Memory;
pub use text_encoder::{ClipTokenizer, TextEncoder};
pub use torchscript::TorchScript;

use tch::{Device, Tensor};

use crate::schedule::Level;
use crate::{Error, Result};

/// A diffusion model of photographs given a degraded photograph.
///
/// Everything above it (sampling, steering, tiling) knows no model but its [`Spec`]. All tensors that cross this border
/// are f32 on [`Spec::device`]; inside a backbone may compute in [`Spec::kind`].
pub trait Backbone: Send + Sync {
    /// Properties of the model.
    fn spec(&self) -> &Spec;

    /// The model after a look at the whole picture whose tiles it will be given, for models that see more than a tile.
    /// `picture` makes it, `1 x 3 x h x w` in -1..1 on the device. `None`: a tile is all that it sees.
    fn look<'a>(&'a self, _picture: &dyn Fn() -> Result<Tensor>) -> Result<Option<Box<dyn Backbone + 'a>>> {
        Ok(None)
    }

    /// Opens a tile: all that does not depend on the state of the sampler is computed here, once. `image` is
    /// `1 x 3 x h x w` in -1..1, sides multiples of [`Spec::multiple`]. `mask`, only where [`Spec::fills_holes`], is
    /// `1 x 1 x h x w`, 1 where the picture is not known and 0 elsewhere; there `image` holds what [`crate::holes::fill`] made
    /// of the surroundings. `prompt` is for models with [`Spec::takes_prompt`].
    fn open<'a>(&'a self, image: &Tensor, mask: Option<&Tensor>, prompt: &Prompt) -> Result<Box<dyn Session + 'a>>;
}

/// A model at work on one tile.
pub trait Session {
    /// Latents at which the trajectory begins, noised to its first level, `1 x C x h' x w'`; `None`: it begins in pure noise.
    fn start(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// The network's output for the states `x` (`n x C x h' x w'`, latents), all at `level`, as [`Spec::prediction`] says:
    /// noise, v or x0, of the shape of `x`.
    fn predict(&self, x: &Tensor, level: &Level) -> Result<Tensor>;

    /// `x0` (`n x C x h' x w'`, latents) as the model guides it in a step from `level` to `next`; `None`: as it is.
    fn guide(&self, _x0: &Tensor, _level: &Level, _next: &Level) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// Latents as a first network estimates them without noise, `1 x C x h' x w'`; only where [`Spec::estimates`].
    fn estimate(&self) -> Result<Tensor> {
        Err(Error::Conflict("this model has no first network".to_owned()))
    }

    /// Share of the changes by these latents (`1 x C x h' x w'`) that the decoded picture shows, `1 x 1 x h' x w'` in 0..1; `None`:
    /// all of them. What is not shown leaves no doubt.
    fn kept(&self, _latents: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// The picture of finished latents: `1 x C x h' x w'` to `1 x 3 x H x W` in -1..1, not clamped.
    fn decode(&self, latents: &Tensor) -> Result<Tensor>;

    /// The tensors that belong to this tile alone, so that it can wait in the host's memory.
    fn tensors(&mut self) -> Vec<&mut Tensor>;
}

/// Moves the tensors of a tile to a device; what a library holds stays where it is.
pub(crate) fn move_to(session: &mut dyn Session, device: Device) -> Result<()> {
    for tensor in session.tensors() {
        *tensor = tensor.f_to_device(device)?;
    }
    Ok(())
}

/// A value that may be used from several threads although `tch::Tensor` is not marked so.
pub(crate) struct Shared<T>(pub T);

// SAFETY: only used for networks whose weights are never written after construction; libtorch allows concurrent
// reads of a tensor (its reference count is atomic), and `no_grad` means that no graph is recorded into them.
unsafe impl<T> Sync for Shared<T> {}
