//! Images.

use std::ffi::c_int;

use super::{Gimp, Handle};
use crate::failure::Failure;

// SAFETY (of all calls below): as in the module above.
impl<H: Handle> Gimp<H> {
    /// The image has not been closed.
    pub fn has_image(&self, image: H) -> bool {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_image_is_valid)(image) != 0 }
    }

    /// The image can have layers of grey pixels, or of colours.
    pub fn takes_layers(&self, image: H, gray: bool) -> bool {
        self.base_type(image) == c_int::from(gray)
    }

    /// The layers of the image are numbers of colours in a palette.
    pub fn has_palette(&self, image: H) -> bool {
        const INDEXED: c_int = 2;
        self.base_type(image) == INDEXED
    }

    fn base_type(&self, image: H) -> c_int {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_image_get_base_type)(image) }
    }

    /// Gives all layers of an image with a palette colours of their own.
    ///
    /// # Errors
    /// When GIMP does not.
    pub fn convert_to_rgb(&self, image: H) -> Result<(), Failure> {
        // SAFETY: see above.
        let converted = unsafe { (self.functions.gimp_image_convert_rgb)(image) != 0 };
        converted.then_some(()).ok_or_else(|| Failure::new("GIMP cannot convert the image to RGB colours"))
    }

    /// Size of an image.
    pub fn image_size(&self, image: H) -> (i32, i32) {
        // SAFETY: see above.
        unsafe { ((self.functions.gimp_image_get_width)(image), (self.functions.gimp_image_get_height)(image)) }
    }

    /// GIMP's number for depth and encoding of its samples, such as 150 for 8 bits of sRGB.
    pub fn precision(&self, image: H) -> i32 {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_image_get_precision)(image) }
    }

    /// Enlarges an image with all that is in it, by cubic interpolation.
    ///
    /// # Errors
    /// When it gets too large for GIMP.
    pub fn scale(&self, image: H, width: i32, height: i32) -> Result<(), Failure> {
        const CUBIC: c_int = 2;
        let functions = &self.functions;
        // SAFETY: see above.
        let scaled = unsafe {
            (functions.gimp_context_push)();
            (functions.gimp_context_set_interpolation)(CUBIC);
            let scaled = (functions.gimp_image_scale)(image, width, height);
            (functions.gimp_context_pop)();
            scaled != 0
        };
        scaled.then_some(()).ok_or_else(|| {
            Failure::new(format!(
                "GIMP cannot enlarge the image to {width}x{height} pixels; crop it, or enlarge a part"
            ))
        })
    }

    /// A new image with depth, encoding, colour profile, resolution, metadata and comment of this one. It is deleted again if
    /// `fill`, which returns a layer, fails.
    ///
    /// # Errors
    /// As `fill`, and when memory is short.
    pub fn new_image_like(
        &self,
        image: H,
        gray: bool,
        (width, height): (i32, i32),
        fill: impl FnOnce(H) -> Result<H, Failure>,
    ) -> Result<(H, H), Failure> {
        let functions = &self.functions;
        let (mut x, mut y) = (0.0, 0.0);
        // SAFETY: see above; the profile is ours to give back.
        let new = unsafe {
            let precision = (functions.gimp_image_get_precision)(image);
            let new = (functions.gimp_image_new_with_precision)(width, height, c_int::from(gray), precision);
            if new == H::NONE {
                return Err(Failure::new(format!(
                    "GIMP makes no image of {width}x{height} pixels; select a smaller part"
                )));
            }
            (functions.gimp_image_undo_disable)(new);
            let profile = (functions.gimp_image_get_color_profile)(image);
            if !profile.is_null() {
                (functions.gimp_image_set_color_profile)(new, profile);
                (functions.g_object_unref)(profile);
            }
            if (functions.gimp_image_get_resolution)(image, &mut x, &mut y) != 0 {
                (functions.gimp_image_set_resolution)(new, x, y);
            }
            let metadata = (functions.gimp_image_get_metadata)(image);
            if !metadata.is_null() {
                (functions.gimp_image_set_metadata)(new, metadata);
                (functions.g_object_unref)(metadata);
            }
            let comment = (functions.gimp_image_get_parasite)(image, c"gimp-comment".as_ptr());
            if !comment.is_null() {
                (functions.gimp_image_attach_parasite)(new, comment);
                (functions.gimp_parasite_free)(comment);
            }
            new
        };
        let filled = fill(new);
        // SAFETY: see above.
        unsafe {
            match filled {
                Ok(_) => (functions.gimp_image_undo_enable)(new),
                Err(_) => (functions.gimp_image_delete)(new),
            };
        }
        Ok((new, filled?))
    }

    /// Makes all that `change` does to the image one step to undo.
    ///
    /// # Errors
    /// As `change`.
    pub fn as_one_step<T>(&self, image: H, change: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_image_undo_group_start)(image) };
        let result = change();
        // SAFETY: see above.
        unsafe { (self.functions.gimp_image_undo_group_end)(image) };
        result
    }

    /// Opens a window for an image that has none.
    pub fn show(&self, image: H) {
        // SAFETY: see above.
        unsafe {
            (self.functions.gimp_image_clean_all)(image);
            (self.functions.gimp_display_new)(image);
        }
    }

    /// Redraws what has changed.
    pub fn redraw(&self) {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_displays_flush)() };
    }
}
