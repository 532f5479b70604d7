//! The process that computes for [`Client`](crate::worker::Client)s: `kds serve`.

mod engine;
mod server;

pub use server::{Server, Serving};
