//! Kernel Density Steering (Hu et al., NeurIPS 2025, arXiv 2507.05604) on libtorch.
//!
//! The only crate of the workspace that sees `tch`. [`Registry`](registry::Registry) opens a model as a
//! [`Backbone`](backbone::Backbone), [`restore`](restore::restore) runs it over a picture.

pub mod alpha;
pub mod backbone;
pub mod calibration;
pub mod colour_transfer;
pub mod device;
pub mod ensemble;
pub mod error;
pub mod footprint;
mod grey;
pub mod holes;
mod known;
pub mod memory;
pub mod nn;
pub mod noise;
pub mod picture;
pub mod plan;
pub mod registry;
pub mod restore;
pub mod sampler;
pub mod schedule;
pub mod settings;
pub mod steering;
pub mod threads;
pub mod tiling;
pub mod trust;
mod values;

pub use error::{Error, Result};
