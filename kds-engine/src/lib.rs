//! Kernel Density Steering (Hu et al., NeurIPS 2025, arXiv 2507.05604) on libtorch.
//!
//! The only crate of the workspace that sees `tch`.

pub mod error;
pub mod sampler;
pub mod schedule;
pub mod steering;

pub use error::{Error, Result};
