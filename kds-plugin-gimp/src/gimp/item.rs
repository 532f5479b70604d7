//! Items: layers, groups, masks and the selection.

use std::ffi::CStr;

use super::{Gimp, Handle};
use crate::failure::Failure;
use crate::gegl::{Buffer, Rectangle};

/// Kinds of items: those that can be restored, and the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A layer with pixels.
    Layer,
    /// A group of layers.
    Group,
    /// A layer mask, a channel or the selection.
    Mask,
}

// SAFETY (of all calls below): as in the module above.
impl<H: Handle> Gimp<H> {
    /// Kind of this item.
    pub fn kind(&self, item: H) -> Kind {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            if (functions.gimp_item_is_group)(item) != 0 {
                Kind::Group
            } else if (functions.gimp_item_is_layer)(item) != 0 {
                Kind::Layer
            } else {
                Kind::Mask
            }
        }
    }

    /// The name that a person knows it by.
    pub fn name(&self, item: H) -> String {
        // SAFETY: see above; the text is ours to free.
        unsafe {
            let name = (self.functions.gimp_item_get_name)(item);
            if name.is_null() {
                return String::new();
            }
            let copy = CStr::from_ptr(name).to_string_lossy().into_owned();
            (self.functions.g_free)(name.cast());
            copy
        }
    }

    /// The image that it belongs to.
    pub fn image_of(&self, item: H) -> H {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_item_get_image)(item) }
    }

    /// True for grey pixels.
    pub fn is_gray(&self, layer: H) -> bool {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_drawable_is_gray)(layer) != 0 }
    }

    /// True for pixels that are indices into a palette.
    pub fn is_indexed(&self, layer: H) -> bool {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_drawable_is_indexed)(layer) != 0 }
    }

    /// True with an alpha channel.
    pub fn has_alpha(&self, layer: H) -> bool {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_drawable_has_alpha)(layer) != 0 }
    }

    /// Its pixels, or those of a group that it is in, are locked.
    pub fn is_locked(&self, layer: H) -> bool {
        let functions = &self.functions;
        let mut item = layer;
        while item != H::NONE {
            // SAFETY: see above.
            if unsafe { (functions.gimp_item_get_lock_content)(item) } != 0 {
                return true;
            }
            // SAFETY: see above.
            item = unsafe { (functions.gimp_item_get_parent)(item) };
        }
        false
    }

    /// The layer is still in this image.
    pub fn has_layer(&self, image: H, layer: H) -> bool {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_item_is_valid)(layer) != 0 && self.image_of(layer) == image }
    }

    /// All of it, in its own coordinates.
    pub fn bounds(&self, layer: H) -> Rectangle {
        let functions = &self.functions;
        // SAFETY: see above.
        let (width, height) =
            unsafe { ((functions.gimp_drawable_get_width)(layer), (functions.gimp_drawable_get_height)(layer)) };
        Rectangle { x: 0, y: 0, width, height }
    }

    /// Position in the image.
    pub fn offsets(&self, layer: H) -> (i32, i32) {
        let (mut x, mut y) = (0, 0);
        // SAFETY: see above.
        unsafe { (self.functions.gimp_drawable_get_offsets)(layer, &mut x, &mut y) };
        (x, y)
    }

    /// Its pixels.
    ///
    /// # Errors
    /// When it is gone.
    pub fn buffer(&self, item: H) -> Result<Buffer<'_>, Failure> {
        // SAFETY: see above; the reference is ours.
        unsafe { self.gegl.adopt((self.functions.gimp_drawable_get_buffer)(item)) }
    }
}
