//! The machine: devices, memory, threads.

pub(crate) mod convolution;
pub mod device;
pub(crate) mod filter;
pub mod memory;
pub mod threads;
pub(crate) mod values;
