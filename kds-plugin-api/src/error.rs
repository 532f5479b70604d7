//! Errors: what went wrong, as a status for the program and a message for a person.

use std::fmt;

use abi_stable::StableAbi;
use abi_stable::std_types::RString;

/// An error of the library.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Kind of error.
    pub status: Status,
    /// Cause, place, and what to do next: one line.
    pub message: RString,
}

/// Kinds of errors: the numbers of `KDS_INVALID_ARGUMENT` ... in `kds.h`. A newer library may know more than these.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub i32);

impl Status {
    /// An argument or a parameter is wrong.
    pub const INVALID_ARGUMENT: Self = Self(1);
    /// There is no model of that id.
    pub const NOT_FOUND: Self = Self(2);
    /// The image's format, size or values cannot be used.
    pub const INVALID_IMAGE: Self = Self(3);
    /// The model's files are broken or belong to another architecture.
    pub const INVALID_MODEL: Self = Self(4);
    /// A registry file cannot be read.
    pub const INVALID_REGISTRY: Self = Self(5);
    /// The device that was asked for cannot be used.
    pub const DEVICE_UNAVAILABLE: Self = Self(6);
    /// The memory budget is too small, or memory ran out.
    pub const OUT_OF_MEMORY: Self = Self(7);
    /// The run was cancelled.
    pub const CANCELLED: Self = Self(8);
    /// The job is running already.
    pub const BUSY: Self = Self(9);
    /// libtorch failed, or the model computed something that is no number.
    pub const INTERNAL: Self = Self(10);
    /// A panic was caught: one of the library, which is a defect, after which the job it happened in answers nothing
    /// else; or one of the host's progress closure, after which the job is as usable as before.
    pub const PANIC: Self = Self(11);

    /// Its name, such as `INVALID_ARGUMENT`; `UNKNOWN` for a number that this version does not know.
    pub fn name(self) -> &'static str {
        match self {
            Self::INVALID_ARGUMENT => "INVALID_ARGUMENT",
            Self::NOT_FOUND => "NOT_FOUND",
            Self::INVALID_IMAGE => "INVALID_IMAGE",
            Self::INVALID_MODEL => "INVALID_MODEL",
            Self::INVALID_REGISTRY => "INVALID_REGISTRY",
            Self::DEVICE_UNAVAILABLE => "DEVICE_UNAVAILABLE",
            Self::OUT_OF_MEMORY => "OUT_OF_MEMORY",
            Self::CANCELLED => "CANCELLED",
            Self::BUSY => "BUSY",
            Self::INTERNAL => "INTERNAL",
            Self::PANIC => "PANIC",
            _ => "UNKNOWN",
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}({})", self.name(), self.0)
    }
}

impl Error {
    /// An error with this message.
    pub fn new(status: Status, message: impl Into<RString>) -> Self {
        Self { status, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
