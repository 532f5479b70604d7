//! What `cargo xtask …` does, as a library so that tests can call it.

pub mod cargo;
pub mod checks;
pub mod fuzz;
pub mod header;
pub mod setup;
