//! The engine in this process: `libkds.so`, loaded when a host first needs it.

mod addresses;
mod call;
mod context;
mod image;
mod job;
mod library;
mod log;
mod model;
mod raw;
mod text;

pub(crate) use library::Library;
