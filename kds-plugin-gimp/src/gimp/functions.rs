//! Functions of libgimp.

use std::ffi::{c_char, c_double, c_int, c_void};

use super::{Flag, Handle};
use crate::functions;

type Text = *const c_char;

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
