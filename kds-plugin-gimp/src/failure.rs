//! Why a procedure did not do what it was called for.

use kds_host::{Error, Status};

/// The two ways to end without a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The person changed their mind; nothing to say.
    #[error("cancelled")]
    Cancelled,
    /// Cause, and what to do next.
    #[error("{0}")]
    Message(String),
}

impl Failure {
    /// A message for a person.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.status {
            Status::Cancelled => Self::Cancelled,
            Status::OutOfMemory => Self::Message(format!(
                "{}. In GIMP: select a part of the picture and restore that, or choose fewer particles",
                error.message
            )),
            Status::DeviceUnavailable => {
                Self::Message(format!("{}. In GIMP: choose the device 'auto' or 'cpu'", error.message))
            }
            _ => Self::Message(error.message),
        }
    }
}
