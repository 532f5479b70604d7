//! GIMP, whichever version: images, layers, progress and messages.

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_void};

use crate::failure::Failure;
use crate::functions;
use crate::gegl::{Buffer, Gegl, Rectangle};
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

type Text = *const c_char;
type Flag = c_int;

functions! {
    /// Functions of libgimp.
    Functions<H: Handle> {
        gimp_image_get_width ["gimp_image_get_width", "gimp_image_width"] (H) -> c_int;
        gimp_image_get_height ["gimp_image_get_height", "gimp_image_height"] (H) -> c_int;
        gimp_image_get_precision(H) -> c_int;
        gimp_image_get_base_type ["gimp_image_get_base_type", "gimp_image_base_type"] (H) -> c_int;
        gimp_image_is_valid(H) -> Flag;
        gimp_image_new_with_precision(c_int, c_int, c_int, c_int) -> H;
        gimp_image_get_color_profile(H) -> *mut c_void;
        gimp_image_set_color_profile(H, *mut c_void) -> Flag;
        gimp_image_get_resolution(H, *mut c_double, *mut c_double) -> Flag;
        gimp_image_set_resolution(H, c_double, c_double) -> Flag;
        gimp_image_get_selection(H) -> H;
        gimp_image_get_selected_layers ["gimp_image_get_selected_layers", "gimp_image_get_active_layer"] (H) -> H::Layers;
        gimp_image_set_selected_layers ["gimp_image_set_selected_layers", "gimp_image_set_active_layer"]
            (H, H::Layers) -> Flag;
        gimp_image_select_rectangle(H, c_int, c_double, c_double, c_double, c_double) -> Flag;
        gimp_image_select_item(H, c_int, H) -> Flag;
        gimp_image_remove_channel(H, H) -> Flag;
        gimp_selection_is_empty(H) -> Flag;
        gimp_selection_none(H) -> Flag;
        gimp_selection_save(H) -> H;
        gimp_image_scale(H, c_int, c_int) -> Flag;
        gimp_image_insert_layer(H, H, H, c_int) -> Flag;
        gimp_image_get_item_position(H, H) -> c_int;
        gimp_image_undo_group_start(H) -> Flag;
        gimp_image_undo_group_end(H) -> Flag;
        gimp_image_undo_disable(H) -> Flag;
        gimp_image_undo_enable(H) -> Flag;
        gimp_image_clean_all(H) -> Flag;
        gimp_image_convert_rgb(H) -> Flag;
        gimp_image_get_metadata(H) -> *mut c_void;
        gimp_image_set_metadata(H, *mut c_void) -> Flag;
        gimp_image_get_parasite(H, Text) -> *mut c_void;
        gimp_image_attach_parasite(H, *mut c_void) -> Flag;
        gimp_parasite_free(*mut c_void);
        gimp_image_delete(H) -> Flag;
        gimp_context_push() -> Flag;
        gimp_context_pop() -> Flag;
        gimp_context_set_interpolation(c_int) -> Flag;
        gimp_context_set_feather(Flag) -> Flag;
        gimp_item_is_valid(H) -> Flag;
        gimp_item_get_image(H) -> H;
        gimp_item_get_parent(H) -> H;
        gimp_item_get_name(H) -> *mut c_char;
        gimp_item_is_layer(H) -> Flag;
        gimp_item_is_group(H) -> Flag;
        gimp_item_get_lock_content(H) -> Flag;
        gimp_item_set_lock_content(H, Flag) -> Flag;
        gimp_item_set_lock_position(H, Flag) -> Flag;
        gimp_item_set_name(H, Text) -> Flag;
        gimp_item_get_visible(H) -> Flag;
        gimp_item_set_visible(H, Flag) -> Flag;
        gimp_layer_copy(H, Flag) -> H;
        gimp_layer_add_alpha(H) -> Flag;
        gimp_layer_resize(H, c_int, c_int, c_int, c_int) -> Flag;
        gimp_layer_get_mode(H) -> c_int;
        gimp_layer_set_mode(H, c_int) -> Flag;
        gimp_layer_get_opacity(H) -> c_double;
        gimp_layer_set_opacity(H, c_double) -> Flag;
        gimp_layer_new(H, Text, c_int, c_int, c_int, c_double, c_int) -> H;
        gimp_layer_set_offsets(H, c_int, c_int) -> Flag;
        gimp_drawable_get_width ["gimp_drawable_get_width", "gimp_drawable_width"] (H) -> c_int;
        gimp_drawable_get_height ["gimp_drawable_get_height", "gimp_drawable_height"] (H) -> c_int;
        gimp_drawable_get_offsets ["gimp_drawable_get_offsets", "gimp_drawable_offsets"]
            (H, *mut c_int, *mut c_int) -> Flag;
        gimp_drawable_has_alpha(H) -> Flag;
        gimp_drawable_is_gray(H) -> Flag;
        gimp_drawable_is_indexed(H) -> Flag;
        gimp_drawable_mask_intersect(H, *mut c_int, *mut c_int, *mut c_int, *mut c_int) -> Flag;
        gimp_drawable_get_buffer(H) -> *mut c_void;
        gimp_drawable_get_shadow_buffer(H) -> *mut c_void;
        gimp_drawable_merge_shadow(H, Flag) -> Flag;
        gimp_drawable_update(H, c_int, c_int, c_int, c_int) -> Flag;
        gimp_progress_init(Text) -> Flag;
        gimp_progress_set_text(Text) -> Flag;
        gimp_progress_update(c_double) -> Flag;
        gimp_progress_end() -> Flag;
        gimp_message(Text) -> Flag;
        gimp_display_new(H) -> H;
        gimp_displays_flush() -> Flag;
        g_object_unref(*mut c_void);
        g_free(*mut c_void);
    }
}

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

    /// Its pixels.
    ///
    /// # Errors
    /// When it is gone.
    pub fn buffer(&self, item: H) -> Result<Buffer<'_>, Failure> {
        // SAFETY: see above; the reference is ours.
        unsafe { self.gegl.adopt((self.functions.gimp_drawable_get_buffer)(item)) }
    }

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

    /// Says at the progress bar what happens, and shows the bar if it is not there.
    pub fn begin_progress(&self, what: &str) {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_progress_init)(text(what).as_ptr()) };
    }

    /// Moves the progress bar, to 1 at the end.
    pub fn progress(&self, what: &str, share: f64) {
        // SAFETY: see above.
        unsafe {
            (self.functions.gimp_progress_set_text)(text(what).as_ptr());
            (self.functions.gimp_progress_update)(share);
        }
    }

    /// Takes the progress bar away.
    pub fn end_progress(&self) {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_progress_end)() };
    }

    /// Tells the person something.
    pub fn message(&self, message: &str) {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_message)(text(message).as_ptr()) };
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

/// A text for libgimp, which ends at a NUL should it hold one.
pub fn text(text: &str) -> CString {
    CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default()
}
