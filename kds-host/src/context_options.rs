//! Options of a context.

use std::path::PathBuf;

use crate::Log;

/// Options of a context.
#[derive(Debug, Clone, Default)]
pub struct ContextOptions {
    /// Number of threads to compute with; 0 means all cores.
    pub threads: u16,
    /// A registry file to read on top of the built-in and the user's own.
    pub registry: Option<PathBuf>,
    /// Receiver of the log.
    pub log: Option<Log>,
}
