//! Options of the library's context, which all commands that compute have in common.

use std::{path::PathBuf, sync::Arc};

use kds_host::{ContextOptions, Log, LogLevel};

/// Options of a context.
#[derive(Debug, Clone)]
pub struct Library {
    /// Extra registry file.
    pub registry: Option<PathBuf>,
    /// Number of threads; 0 means all cores.
    pub threads: u16,
    /// Level from which on the library's log goes to standard error.
    pub log_level: LogLevel,
}

impl Library {
    /// Nothing named.
    pub fn none() -> Self {
        Self { registry: None, threads: 0, log_level: LogLevel::Warn }
    }

    /// The same for [`kds_host::Context::new`], its log written by `say`.
    pub fn context_options(&self, say: impl Fn(&str) + Send + Sync + 'static) -> ContextOptions {
        let log = Log { level: self.log_level, tell: Arc::new(move |_, line| say(line)) };
        ContextOptions { threads: self.threads, registry: self.registry.clone(), log: Some(log) }
    }
}
