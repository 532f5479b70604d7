//! What `cargo xtask …` does, as a library so that tests can call it.

pub mod abi;
pub mod cargo;
pub mod checks;
pub mod header;
pub mod packages;
pub mod setup;
