//! Kernel Density Steering (Hu et al., NeurIPS 2025, arXiv 2507.05604) on libtorch.
//!
//! The only crate of the workspace that sees `tch`. [`Registry`](registry::Registry) opens a model as a
//! [`Backbone`](backbone::Backbone), [`restore`](restore::restore) runs it over a picture.
//!
//! Its floors are `computing`, `picture`, `sampling`, `models` and `restoration` (`docs/architecture.md`); their rooms have
//! their doors here.

mod computing;
mod error;
mod models;
pub mod picture;
mod restoration;
mod sampling;

pub use computing::{device, memory, threads};
pub use error::{Error, Result};
pub use models::{backbone, calibration, nn, registry, trust};
pub use picture::{alpha, colour_transfer, holes, tiling};
pub use restoration::{footprint, plan, restore, settings};
pub use sampling::{ensemble, noise, sampler, schedule, steering};
