//! Errors: what went wrong, as a status for the program and a message for a person.

use serde::{Deserialize, Serialize};

/// An error of the library, or of loading it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Error {
    /// Kind of the error.
    pub status: Status,
    /// Message: the fault, its place, and the remedy.
    pub message: String,
}

impl Error {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

/// Kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// A value outside what the call takes.
    InvalidArgument,
    /// No such model, file or item.
    NotFound,
    /// An image description that does not fit its buffer, or the job.
    InvalidImage,
    /// A model whose files cannot be used.
    InvalidModel,
    /// A registry file that cannot be used.
    InvalidRegistry,
    /// The device is not there or cannot be used.
    DeviceUnavailable,
    /// Not enough memory.
    OutOfMemory,
    /// The job was cancelled.
    Cancelled,
    /// The job is running already.
    Busy,
    /// A defect of the library.
    Internal,
    /// The library, or a callback, panicked.
    Panic,
    /// The library could not be loaded.
    LibraryUnavailable,
    /// The worker process ended in the middle of a call: it was killed, or memory ran out. The next call starts a new one.
    WorkerLost,
    /// A status that this client does not know.
    Unknown(i32),
}

impl Status {
    /// The status of a C code other than `KDS_OK`.
    pub(crate) fn from_code(code: i32) -> Self {
        match code {
            1 => Self::InvalidArgument,
            2 => Self::NotFound,
            3 => Self::InvalidImage,
            4 => Self::InvalidModel,
            5 => Self::InvalidRegistry,
            6 => Self::DeviceUnavailable,
            7 => Self::OutOfMemory,
            8 => Self::Cancelled,
            9 => Self::Busy,
            10 => Self::Internal,
            11 => Self::Panic,
            other => Self::Unknown(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_map_to_statuses() {
        assert_eq!(Status::from_code(2), Status::NotFound);
        assert_eq!(Status::from_code(8), Status::Cancelled);
        assert_eq!(Status::from_code(11), Status::Panic);
        assert_eq!(Status::from_code(99), Status::Unknown(99));
    }
}
