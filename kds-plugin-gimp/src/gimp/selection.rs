//! Selections of pixels, and of layers in the layers dialog.

use std::ffi::c_int;

use super::{Gimp, Handle};
use crate::failure::Failure;
use crate::gegl::Rectangle;

// SAFETY (of all calls below): as in the module above.
impl<H: Handle> Gimp<H> {
    /// The part of it that the selection touches, in its own coordinates: all of it without a selection.
    pub fn selected(&self, layer: H) -> Option<Rectangle> {
        let mut part = Rectangle { x: 0, y: 0, width: 0, height: 0 };
        // SAFETY: see above.
        let touches = unsafe {
            (self.functions.gimp_drawable_mask_intersect)(
                layer,
                &mut part.x,
                &mut part.y,
                &mut part.width,
                &mut part.height,
            )
        };
        (touches != 0 && part.width > 0 && part.height > 0).then_some(part)
    }

    /// The selection, as an item with one channel; nothing if nothing is selected.
    pub fn selection(&self, image: H) -> Option<H> {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            ((functions.gimp_selection_is_empty)(image) == 0).then(|| (functions.gimp_image_get_selection)(image))
        }
    }

    /// Lets `change` work with only a rectangle selected, in the coordinates of the image, and brings the selection and the
    /// selected layers back.
    ///
    /// # Errors
    /// As `change`.
    pub fn with_selected<T>(
        &self,
        image: H,
        part: Rectangle,
        change: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        const REPLACE: c_int = 2;
        let functions = &self.functions;
        let [x, y, width, height] = [part.x, part.y, part.width, part.height].map(f64::from);
        self.keeping_selected_layers(image, || {
            // SAFETY: see above.
            let saved = unsafe {
                let saved = self.selection(image).map(|_| (functions.gimp_selection_save)(image));
                (functions.gimp_context_push)();
                (functions.gimp_context_set_feather)(0);
                (functions.gimp_image_select_rectangle)(image, REPLACE, x, y, width, height);
                (functions.gimp_context_pop)();
                saved
            };
            let result = change();
            // SAFETY: see above.
            unsafe {
                match saved {
                    Some(channel) => {
                        (functions.gimp_context_push)();
                        (functions.gimp_context_set_feather)(0);
                        (functions.gimp_image_select_item)(image, REPLACE, channel);
                        (functions.gimp_context_pop)();
                        (functions.gimp_image_remove_channel)(image, channel);
                    }
                    None => {
                        (functions.gimp_selection_none)(image);
                    }
                }
            }
            result
        })
    }

    /// Lets `change` add layers and channels, which GIMP would select in the layers dialog: those that were selected are
    /// again afterwards.
    ///
    /// # Errors
    /// As `change`.
    pub fn keeping_selected_layers<T>(
        &self,
        image: H,
        change: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let functions = &self.functions;
        // SAFETY: see above; the array is ours to free.
        let before = unsafe { (functions.gimp_image_get_selected_layers)(image) };
        let result = change();
        // SAFETY: see above.
        unsafe {
            (functions.gimp_image_set_selected_layers)(image, before);
            (functions.g_free)(H::memory(before));
        }
        result
    }

    /// Selects a layer in the layers dialog.
    pub fn select_layer(&self, image: H, layer: H) {
        let layers = [layer, H::NONE];
        // SAFETY: see above.
        unsafe { (self.functions.gimp_image_set_selected_layers)(image, H::layers(&layers)) };
    }
}
