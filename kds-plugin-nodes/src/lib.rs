//! Nodes for the graphs of other programs: a task, its settings and a loaded model. What differs from program to program is
//! in a shim of its own beside this crate.
//!
//! All of them compute by the worker process of [`kds_host`]: these programs bring a libtorch or an OpenMP of their own with
//! them, or load and unload plug-ins as they like, and a graph that a script has taken hours to build must not die with the
//! engine.

mod guard;
pub mod mask;
mod node;
mod picture;
mod setting;
mod task;
pub mod value;

pub use guard::caught;
pub use kds_host::{Alpha, Channels, Depth, Error, Format, ImageMut, ImageRef, Light, ModelInfo, Rows, Status};
pub use node::{Node, models};
pub use picture::Packed;
pub use setting::{Setting, Takes, settings};
pub use task::Task;
