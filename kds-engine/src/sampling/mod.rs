//! Particles from noise to latents: noise schedules, samplers, steering, and the loop over them.

pub mod ensemble;
pub mod noise;
pub mod sampler;
pub mod schedule;
pub mod steering;
