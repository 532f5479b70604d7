//! The engine in a process of its own, which hosts share and which none of them dies with (`docs/worker.md`).
//!
//! ```text
//!   host: client ── request, memory of pictures ──▶ worker: serving ── in_process ──▶ libkds.so
//!                ◀── log, progress, answer ────────
//! ```

mod client;
pub(crate) mod connection;
pub(crate) mod message;
pub(crate) mod pixels;
pub(crate) mod place;
mod start;

pub(crate) use client::Client;
