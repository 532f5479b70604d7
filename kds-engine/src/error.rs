//! Engine errors.

use std::path::PathBuf;

use kds_parameters::plain;

use crate::device::Fault;
use crate::memory;

/// Result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do next. Never a panic.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter's name or value.
    #[error(transparent)]
    Parameter(#[from] kds_parameters::InvalidParameter),

    /// Parameters that are fine each but not together, or not with this model.
    #[error("{0}")]
    Conflict(String),

    /// An image that cannot be restored: its size, its layout, its numbers.
    #[error("{0}")]
    Image(String),

    /// No model has this id.
    #[error("there is no model '{id}'; the models are {known}", id = plain(id))]
    UnknownModel {
        /// The id that was asked for.
        id: String,
        /// The ids there are.
        known: String,
    },

    /// A registry file that cannot be read or says something wrong.
    #[error("registry {path}: {reason}", path = line(path.display()), reason = line(reason))]
    Registry {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        reason: String,
    },

    /// Weights or a configuration that do not fit the architecture.
    #[error("model file {path}: {reason}", path = line(path.display()), reason = line(reason))]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the tensor where there is one.
        reason: String,
    },

    /// Two files of one model that cannot be used.
    #[error("{0}; {1}")]
    Both(Box<Error>, Box<Error>),

    /// The device that was asked for is not there or cannot be used.
    #[error("{0}")]
    Device(String),

    /// Too little memory even for the smallest tile, known before anything was allocated.
    #[error("not enough memory: {} are needed, {}", mib(*needed), bound(*memory, *allowed))]
    OutOfMemory {
        /// Bytes that the smallest possible plan needs.
        needed: u64,
        /// Bytes that may be used.
        allowed: u64,
        /// What bounds them.
        memory: memory::Kind,
    },

    /// Threads that the system does not start.
    #[error(
        "{count} threads cannot be started ({reason}); raise the limits of this process (ulimit -v, ulimit -u), or lower \
         'threads'"
    )]
    Threads {
        /// As many at once.
        count: usize,
        /// The system's.
        reason: String,
    },

    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,

    /// A model that computes something that is no number.
    #[error("the model gave values that are not finite at step {step}; try dtype 'f32'")]
    NotFinite {
        /// Sampling step, from 0.
        step: usize,
    },

    /// Memory ran out while libtorch computed, of the device or of the host.
    #[error(
        "memory ran out ({}); lower 'tile' or 'particles', close what else uses the device, or compute on another one",
        first_line(.0)
    )]
    MemoryRanOut(tch::TchError),

    /// The GPU failed; nothing of this process can use it any more.
    #[error(
        "the GPU failed ({}); start this program anew, and where it happens again, use device 'cpu' and see the system's \
         log",
        first_line(.0)
    )]
    DeviceLost(tch::TchError),

    /// Another error from inside libtorch.
    #[error("libtorch: {}", first_line(.0))]
    Torch(tch::TchError),
}

/// The one place where libtorch's errors are told apart.
impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        match Fault::of(&error.to_string()) {
            Fault::OutOfMemory => Self::MemoryRanOut(error),
            Fault::DeviceLost => Self::DeviceLost(error),
            Fault::Other => Self::Torch(error),
        }
    }
}

impl Error {
    /// Whether memory ran out or is refused, so that less at once may pass.
    pub fn ran_out_of_memory(&self) -> bool {
        match self {
            Self::OutOfMemory { .. } | Self::MemoryRanOut(_) => true,
            Self::Both(one, other) => one.ran_out_of_memory() || other.ran_out_of_memory(),
            _ => false,
        }
    }
}

fn mib(bytes: u64) -> String {
    // Up, so that what is needed never looks like what is there.
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn bound(memory: memory::Kind, bytes: u64) -> String {
    let mib = bytes >> 20;
    let less = "lower 'particles', or restore a smaller image";
    match memory {
        memory::Kind::Free => {
            let more = match memory::System::default().bound().1 {
                memory::Bound::Machine => "close other programs",
                memory::Bound::Group => "raise the limit of the control group (container)",
                memory::Bound::Limit => "raise ulimit -v or -d",
            };
            format!("{mib} MiB can be had; {more}, {less}")
        }
        memory::Kind::Given => format!("{mib} MiB may be used; raise 'memory', {less}"),
        memory::Kind::DeviceFree => {
            format!("{mib} MiB can be had on the device; close what else uses it, {less}, or use device 'cpu'")
        }
        memory::Kind::DeviceGiven => format!("{mib} MiB of the device may be used; raise 'device_memory', {less}"),
    }
}

/// Files bring names and texts of their own into a message, and a message is one line.
fn line(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    if text.contains(char::is_control) { text.escape_debug().to_string() } else { text }
}

/// libtorch's messages carry a C++ stack trace after their first line.
fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
