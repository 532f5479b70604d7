//! Models: networks, backbones made of them, and the registry of those that there are.

pub mod backbone;
mod built_in;
pub mod calibration;
mod model_entry;
#[doc(hidden)] // Open to the tests of this workspace only.
pub mod nn;
pub mod registry;
pub mod trust;
