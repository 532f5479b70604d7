//! The widgets of the dialog. What is used of GTK is the same in GTK 2 (GIMP 2.10) and GTK 3 (GIMP 3).

mod canvas;
mod controls;
mod dialog;
mod functions;
mod layout;
mod signal;

use std::ffi::{c_int, c_void};

pub use dialog::Answer;
use functions::Functions;
pub use signal::{Again, EventHandler, Handler};

use crate::failure::Failure;
use crate::symbols::Library;

type Flag = c_int;

/// GTK, started by `gimp_ui_init`.
pub struct Gtk {
    functions: Functions,
}

/// A widget. It lives as long as the window that it was put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widget(*mut c_void);

impl Widget {
    /// The one that a [`Handler`] was called for.
    pub fn of(pointer: *mut c_void) -> Self {
        Self(pointer)
    }
}

// SAFETY (of all calls below): widgets come from the functions here, and are used before their window is destroyed; each
// function here is called for widgets of its kind, which GTK checks too; texts live through the call, and GTK copies them.
impl Gtk {
    /// Looks the functions up.
    ///
    /// # Errors
    /// When one is missing.
    pub fn load(library: &Library) -> Result<Self, Failure> {
        Ok(Self { functions: Functions::load(library)? })
    }
}
