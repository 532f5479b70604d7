//! Changing and adding layers.

use std::ffi::c_int;

use super::{Flag, Gimp, Handle, text};
use crate::failure::Failure;
use crate::gegl::{Buffer, Rectangle};

/// A layer to add.
#[derive(Debug, Clone, Copy)]
pub struct NewLayer<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its size, and where it lies in the image.
    pub place: Rectangle,
    /// True for grey pixels.
    pub gray: bool,
    /// True with an alpha channel.
    pub alpha: bool,
    /// True for a visible item.
    pub visible: bool,
}

// SAFETY (of all calls below): as in the module above.
impl<H: Handle> Gimp<H> {
    /// Lets `write` fill what is then merged into a part of the layer, through the selection, as one step to undo.
    ///
    /// # Errors
    /// As `write`, and when the layer is gone.
    pub fn change(
        &self,
        layer: H,
        part: Rectangle,
        write: impl FnOnce(&Buffer<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let functions = &self.functions;
        // SAFETY: see above; the reference is ours. It is given back before the merge, which so sees all of it.
        unsafe {
            write(&self.gegl.adopt((functions.gimp_drawable_get_shadow_buffer)(layer))?)?;
            if (functions.gimp_drawable_merge_shadow)(layer, 1) == 0 {
                return Err(Failure::new("GIMP did not take the result; was the image closed?"));
            }
            (functions.gimp_drawable_update)(layer, part.x, part.y, part.width, part.height);
        }
        Ok(())
    }

    /// Adds a copy of a layer above it, with its mode, opacity, mask, visibility and filters, and lets `write` fill it. Where
    /// `part`, in the layer's coordinates, is given, the copy is cut to it, with an alpha channel.
    ///
    /// # Errors
    /// As `write`, and when memory is short.
    pub fn add_copy(
        &self,
        image: H,
        layer: H,
        name: &str,
        part: Option<Rectangle>,
        write: impl FnOnce(&Buffer<'_>) -> Result<(), Failure>,
    ) -> Result<H, Failure> {
        let functions = &self.functions;
        // SAFETY: see above. GIMP 3 takes no second argument, and does not see it.
        unsafe {
            let new = (functions.gimp_layer_copy)(layer, 0);
            if new == H::NONE {
                return Err(Failure::new("GIMP makes no copy of the layer; select a smaller part"));
            }
            (functions.gimp_item_set_name)(new, text(name).as_ptr());
            (functions.gimp_item_set_lock_content)(new, 0);
            (functions.gimp_item_set_lock_position)(new, 0);
            let (parent, position) = self.place_in_stack(image, layer);
            (functions.gimp_image_insert_layer)(image, new, parent, position);
            if let Some(part) = part {
                if !self.has_alpha(new) {
                    (functions.gimp_layer_add_alpha)(new);
                }
                (functions.gimp_layer_resize)(new, part.width, part.height, -part.x, -part.y);
            }
            write(&self.buffer(new)?)?;
            let Rectangle { width, height, .. } = self.bounds(new);
            (functions.gimp_drawable_update)(new, 0, 0, width, height);
            Ok(new)
        }
    }

    /// The group that a layer is in, and its place among the layers there.
    fn place_in_stack(&self, image: H, layer: H) -> (H, i32) {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe { ((functions.gimp_item_get_parent)(layer), (functions.gimp_image_get_item_position)(image, layer)) }
    }

    /// Gives a layer mode, opacity and visibility of another.
    pub fn resemble(&self, layer: H, other: H) {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            (functions.gimp_layer_set_mode)(layer, (functions.gimp_layer_get_mode)(other));
            (functions.gimp_layer_set_opacity)(layer, (functions.gimp_layer_get_opacity)(other));
            (functions.gimp_item_set_visible)(layer, (functions.gimp_item_get_visible)(other));
        }
    }

    /// Adds a layer above another, or as the only one, at these coordinates of the image, and lets `write` fill it.
    ///
    /// # Errors
    /// As `write`, and when memory is short.
    pub fn add_layer(
        &self,
        image: H,
        layer: &NewLayer<'_>,
        above: Option<H>,
        write: impl FnOnce(&Buffer<'_>) -> Result<(), Failure>,
    ) -> Result<H, Failure> {
        const NORMAL: c_int = 28;
        let functions = &self.functions;
        let NewLayer { name, place, gray, alpha, visible } = *layer;
        let kind = 2 * c_int::from(gray) + c_int::from(alpha);
        // SAFETY: see above.
        unsafe {
            let name = text(name);
            let new = (functions.gimp_layer_new)(image, name.as_ptr(), place.width, place.height, kind, 100.0, NORMAL);
            if new == H::NONE {
                let size = format!("{}x{}", place.width, place.height);
                return Err(Failure::new(format!("GIMP makes no layer of {size} pixels; select a smaller part")));
            }
            (functions.gimp_item_set_visible)(new, Flag::from(visible));
            let (parent, position) = above.map_or((H::NONE, 0), |other| self.place_in_stack(image, other));
            (functions.gimp_image_insert_layer)(image, new, parent, position);
            (functions.gimp_layer_set_offsets)(new, place.x, place.y);
            write(&self.buffer(new)?)?;
            (functions.gimp_drawable_update)(new, 0, 0, place.width, place.height);
            Ok(new)
        }
    }
}
