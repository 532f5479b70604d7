//! The engine in a process of its own, which hosts share and which none of them dies with (`docs/worker.md`).
//!
//! ```text
//!   host: client ── request, memory of pictures ──▶ worker: server ── in_process ──▶ libkds.so
//!                ◀── log, progress, answer ────────
//! ```

mod client;
mod connection;
mod engine;
mod message;
mod pixels;
mod place;
mod server;
mod start;

pub(crate) use client::Client;
pub use server::{Server, Serving};
