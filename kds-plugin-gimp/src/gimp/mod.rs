//! GIMP, whichever version: images, layers, progress and messages.

use std::ffi::{CString, c_int, c_void};

mod functions;
mod image;
mod item;
mod layer;
mod progress;
mod selection;

pub use item::Kind;
pub use layer::NewLayer;

use functions::Functions;

use crate::failure::Failure;
use crate::gegl::Gegl;
use crate::symbols::Library;

/// Handle of an image or a layer: a number in GIMP 2.10, an object in GIMP 3.
pub trait Handle: Copy + PartialEq {
    /// The layers that are selected in the layers dialog: one in GIMP 2.10, an array that ends with null in GIMP 3.
    type Layers: Copy;
    /// No image, no layer.
    const NONE: Self;
    /// A layer, followed by [`Handle::NONE`], as layers that are selected.
    fn layers(layer: &[Self; 2]) -> Self::Layers;
    /// The memory of an array that libgimp gave, to be freed.
    fn memory(layers: Self::Layers) -> *mut c_void;
}

impl Handle for i32 {
    type Layers = Self;
    const NONE: Self = -1;

    fn layers(layer: &[Self; 2]) -> Self {
        layer[0]
    }

    fn memory(_: Self) -> *mut c_void {
        std::ptr::null_mut()
    }
}

impl Handle for *mut c_void {
    type Layers = *const Self;
    const NONE: Self = std::ptr::null_mut();

    fn layers(layer: &[Self; 2]) -> *const Self {
        layer.as_ptr()
    }

    fn memory(layers: *const Self) -> *mut c_void {
        layers.cast_mut().cast()
    }
}

type Flag = c_int;

/// The libgimp that this process was started by. `H` stands for images, layers and all other items.
pub struct Gimp<H: Handle> {
    functions: Functions<H>,
    gegl: Gegl,
}

// SAFETY (of all calls below): libgimp checks the handles that it gets, and a handle of something that is gone is an
// error that it reports; out-parameters are writable; texts live through the call. A plug-in has one thread that calls it.
impl<H: Handle> Gimp<H> {
    /// Looks up what is needed of libgimp, and starts GEGL.
    ///
    /// # Errors
    /// When a function is missing.
    pub fn new(library: &Library) -> Result<Self, Failure> {
        Ok(Self { functions: Functions::load(library)?, gegl: Gegl::start(library)? })
    }
}

/// A text for libgimp, which ends at a NUL should it hold one.
pub fn text(text: &str) -> CString {
    CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default()
}
