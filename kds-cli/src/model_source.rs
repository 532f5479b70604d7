//! Sources of a model's files.

use std::{ffi::OsString, path::PathBuf};

use crate::hub::{HubAddress, NoAddress};

/// Source of a model's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder.
    Folder(PathBuf),
    /// The hub.
    Hub(HubAddress),
}

impl Source {
    /// Reads `hf:ORG/REPO` or the path of a folder.
    ///
    /// # Errors
    /// When it begins as an address and is none.
    pub fn read(text: OsString) -> Result<Self, NoAddress> {
        match text.to_str() {
            Some(address) if address.starts_with(HubAddress::PREFIX) => address.parse().map(Self::Hub),
            _ => Ok(Self::Folder(text.into())),
        }
    }
}
