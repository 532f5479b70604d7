//! Log of the library.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(i32)]
pub enum LogLevel {
    /// Something failed; the call that failed says so too.
    Error = 1,
    /// Something went on in another way than asked for.
    Warn = 2,
    /// Progress of a run.
    Info = 3,
    /// Details for finding a defect.
    Debug = 4,
}

/// Is told each line of the log, on the thread inside the call that it is about.
#[derive(Clone)]
pub struct Log {
    /// The least that is told.
    pub level: LogLevel,
    /// Takes a line.
    pub tell: Arc<Tell>,
}

/// Receives a log line.
pub type Tell = dyn Fn(LogLevel, &str) + Send + Sync;

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Log").field("level", &self.level).finish_non_exhaustive()
    }
}
