//! The commands of `cargo xtask …`, as a library so that tests can call it.

pub mod abi;
pub mod cargo;
pub mod checks;
pub mod deb;
pub mod dist;
pub mod flatpak;
pub mod fuzz;
pub mod gpu;
pub mod header;
pub mod install;
pub mod packages;
pub mod partial;
pub mod setup;
pub mod wheel;
