//! Models of one's own: a shared library whose diffusion model KDS samples, steers and tiles like its built-in ones.
//!
//! A backbone is two traits of plain Rust: [`Backbone`] says what the model is and looks at a piece of a picture,
//! [`Tile`] predicts and decodes. [`export_backbone`](crate::export_backbone) makes a library of it (`crate-type =
//! ["cdylib"]`), and a registry entry makes it a model:
//!
//! ```toml
//! [[model]]
//! id = "my-model"
//! title = "My model, 2x"
//! task = "super-resolution"
//! scale = 2
//! backbone = "plugin"
//! path = "/home/me/models/libmy_model.so"
//! ```
//!
//! A whole one, without any library for networks:
//!
//! ```
//! use std::path::Path;
//!
//! use kds_plugin_api::Error;
//! use kds_plugin_api::backbone::{Backbone, Prediction, Spec, Tensor, TensorMut, Tile, cosine_schedule};
//!
//! /// Believes that every value of the picture is normally distributed around 0.
//! struct Normal;
//!
//! impl Normal {
//!     fn open(_library: &Path) -> Result<Self, Error> {
//!         Ok(Self) // A real one reads its weights here, from beside the library.
//!     }
//! }
//!
//! impl Backbone for Normal {
//!     fn spec(&self) -> Spec {
//!         Spec { latent_channels: 3, prediction: Prediction::X0, ..Spec::new(1, cosine_schedule(1000)) }
//!     }
//!
//!     fn tile(&self, _image: Tensor<'_>, _mask: Option<Tensor<'_>>) -> Result<Box<dyn Tile>, Error> {
//!         Ok(Box::new(NormalTile(cosine_schedule(1000))))
//!     }
//! }
//!
//! struct NormalTile(Vec<f64>);
//!
//! impl Tile for NormalTile {
//!     fn predict(&self, x: Tensor<'_>, timestep: f64, output: TensorMut<'_>) -> Result<(), Error> {
//!         let alpha = self.0[timestep as usize].sqrt() as f32; // The best guess of x0 is alpha x.
//!         output.values.into_iter().zip(x.values).for_each(|(guess, noisy)| *guess = alpha * noisy);
//!         Ok(())
//!     }
//!
//!     fn decode(&self, latents: Tensor<'_>, output: TensorMut<'_>) -> Result<(), Error> {
//!         output.values.copy_from_slice(latents.values); // The latents are the picture.
//!         Ok(())
//!     }
//! }
//!
//! kds_plugin_api::export_backbone!(Normal::open);
//! # fn main() {}
//! ```
//!
//! # What to know
//! - Numbers are f32, planes after each other: a tensor of shape `[n, c, h, w]` has its value of picture `i`, channel
//!   `k`, row `y`, column `x` at `((i * c + k) * h + y) * w + x`. Pictures are in -1..1, sRGB-encoded.
//! - Several threads may call one backbone, and one tile, at once.
//! - A panic is caught and becomes an error, as is anything returned with `Err`; the run that met it ends.
//! - The library is never unloaded. It may come from another compiler than `libkds.so`: the layout of what crosses is
//!   compared when it is loaded.

mod export;
pub mod interface;
mod open;

use abi_stable::StableAbi;
use abi_stable::std_types::RVec;

pub use open::{OpenBackbone, OpenTile, open};

use crate::Error;

/// A diffusion model of photographs given a degraded photograph.
pub trait Backbone: Send + Sync + 'static {
    /// Specification of the model. Asked once.
    fn spec(&self) -> Spec;

    /// Looks at a piece of a picture: `image` is `[1, 3, h, w]` in -1..1, its sides multiples of [`Spec::multiple`].
    /// `mask`, only where [`Spec::fills_holes`], is `[1, 1, h, w]`: 1 where the picture is not known, and `image` holds a
    /// smooth filling, 0 elsewhere.
    ///
    /// # Errors
    /// Whatever keeps the model from going on; the run ends with the message.
    fn tile(&self, image: Tensor<'_>, mask: Option<Tensor<'_>>) -> Result<Box<dyn Tile>, Error>;
}

/// A piece of a picture, as a model sees it.
pub trait Tile: Send + Sync {
    /// The network's output for the noisy latents `x`, `[n, latent_channels, h / downscale, w / downscale]`, at a timestep
    /// from 0 to that of pure noise, into `output` of the same shape: what [`Spec::prediction`] says.
    ///
    /// # Errors
    /// As [`Backbone::tile`].
    fn predict(&self, x: Tensor<'_>, timestep: f64, output: TensorMut<'_>) -> Result<(), Error>;

    /// The picture of finished latents `[1, latent_channels, h / downscale, w / downscale]` into `output`,
    /// `[1, 3, h * scale, w * scale]` in -1..1; what lies outside is cut off.
    ///
    /// # Errors
    /// As [`Backbone::tile`].
    fn decode(&self, latents: Tensor<'_>, output: TensorMut<'_>) -> Result<(), Error>;
}

/// Specification of a model. Begin with [`Spec::new`].
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct Spec {
    /// Output pixels per input pixel, along a side: 1 to 16.
    pub scale: usize,
    /// True for a model that can fill holes marked by a mask; only with scale 1.
    pub fills_holes: bool,
    /// Channels of the latents, 1 to 4096.
    pub latent_channels: usize,
    /// Input pixels per latent pixel, along a side: 1 to 64.
    pub downscale: usize,
    /// Sides of a tile, in input pixels, are multiples of this, itself a multiple of `downscale`; at most 1024.
    pub multiple: usize,
    /// Largest side of a tile, in input pixels.
    pub largest_side: usize,
    /// Input pixels by which neighbouring tiles overlap: how far the model looks.
    pub overlap: usize,
    /// Standard deviation of the latents over photographs.
    pub latent_std: f64,
    /// Quantity that the network predicts.
    pub prediction: Prediction,
    /// The product of 1 - beta up to each training timestep, falling, within 0..1: [`cosine_schedule`] or
    /// [`scaled_linear_schedule`].
    pub alphas_cumprod: RVec<f64>,
    /// Bytes that one call of `predict` needs per latent and input pixel, beyond its argument and result.
    pub activation_bytes: usize,
}

impl Spec {
    /// A model whose latents are as large as its input: three channels, v-prediction, tiles of at most 512 pixels that
    /// overlap by 32.
    pub fn new(scale: usize, alphas_cumprod: impl Into<RVec<f64>>) -> Self {
        Self {
            scale,
            fills_holes: false,
            latent_channels: 3,
            downscale: 1,
            multiple: 1,
            largest_side: 512,
            overlap: 32,
            latent_std: 1.0,
            prediction: Prediction::V,
            alphas_cumprod: alphas_cumprod.into(),
            activation_bytes: 64,
        }
    }
}

/// Quantity that a network predicts, of x = sqrt(a) x0 + sqrt(1 - a) noise with a of `alphas_cumprod`.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prediction(pub u32);

impl Prediction {
    /// The noise.
    pub const EPSILON: Self = Self(0);
    /// v = sqrt(a) noise - sqrt(1 - a) x0 (Salimans & Ho 2022).
    pub const V: Self = Self(1);
    /// x0, the clean latents.
    pub const X0: Self = Self(2);
}

/// Values to read, planes after each other.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    /// Pictures, channels, rows, columns.
    pub shape: [usize; 4],
    /// Their values, as many as the product of the shape.
    pub values: &'a [f32],
}

/// Values to write, otherwise as [`Tensor`].
#[derive(Debug)]
pub struct TensorMut<'a> {
    /// Pictures, channels, rows, columns.
    pub shape: [usize; 4],
    /// Their values, as many as the product of the shape.
    pub values: &'a mut [f32],
}

/// `alphas_cumprod` of the cosine schedule (Nichol & Dhariwal 2021), diffusers' `squaredcos_cap_v2`.
pub fn cosine_schedule(timesteps: usize) -> Vec<f64> {
    let bar = |step: usize| {
        let time = step as f64 / timesteps as f64;
        ((time + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2)
    };
    cumulative((0..timesteps).map(|step| (1.0 - bar(step + 1) / bar(step)).min(0.999)))
}

/// `alphas_cumprod` of Stable Diffusion's schedule, diffusers' `scaled_linear`: the square root of beta grows evenly.
pub fn scaled_linear_schedule(timesteps: usize, beta_start: f64, beta_end: f64) -> Vec<f64> {
    let (start, end) = (beta_start.sqrt(), beta_end.sqrt());
    let last = timesteps.saturating_sub(1).max(1) as f64;
    cumulative((0..timesteps).map(|step| (start + (end - start) * step as f64 / last).powi(2)))
}

fn cumulative(betas: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut product = 1.0;
    betas
        .map(|beta| {
            product *= 1.0 - beta;
            product
        })
        .collect()
}

/// Exports a backbone from a library: `export_backbone!(open)`, once, in a crate of `crate-type = ["cdylib"]`.
///
/// `open` is a `fn(&Path) -> Result<B, Error>` for some [`Backbone`] `B`. It is given the absolute path of the
/// library, beside which a model may keep its files.
#[macro_export]
macro_rules! export_backbone {
    ($open:expr) => {
        const _: () = {
            // The function that `abi_stable` looks for has not changed its name.
            assert!($crate::backbone::interface::is_loader_name("_1as_0lib_1header_0root_bmodule_bloader"));
            use $crate::abi_stable::library::{
                __call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult,
            };
            use $crate::abi_stable::std_types::RStr;
            use $crate::backbone::interface::{self, Answer, BackboneModule_Ref, BackboneObject};

            // What `abi_stable::export_root_module` writes, which would need `abi_stable` among the author's dependencies.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            static HEADER: LibHeader = {
                extern "C" fn erased() -> RootModuleResult {
                    __call_root_module_loader(root_module)
                }
                // SAFETY: made of the loader of this very module.
                unsafe { LibHeader::from_constructor::<BackboneModule_Ref>(erased, CheckTypeLayout::Yes) }
            };

            fn root_module() -> BackboneModule_Ref {
                interface::module(kds_backbone_open)
            }

            extern "C" fn kds_backbone_open(library: RStr<'_>) -> Answer<BackboneObject> {
                interface::opened(library, $open)
            }
        };
    };
}
