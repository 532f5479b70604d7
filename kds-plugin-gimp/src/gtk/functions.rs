//! Functions of GTK, GObject and libgimpwidgets.

use std::ffi::{c_char, c_double, c_float, c_int, c_uint, c_ulong, c_void};

use super::Flag;
use super::signal::Again;
use crate::functions;

type Pointer = *mut c_void;
type Text = *const c_char;

functions! {
    /// Functions of GTK, GObject and libgimpwidgets.
    Functions {
        gimp_dialog_new(Text, Text, Pointer, c_int, Pointer, Text; ...) -> Pointer;
        gimp_window_set_transient(Pointer);
        gtk_dialog_get_content_area(Pointer) -> Pointer;
        gtk_dialog_run(Pointer) -> c_int;
        gtk_dialog_set_default_response(Pointer, c_int);
        gtk_dialog_set_response_sensitive(Pointer, c_int, Flag);
        gtk_window_set_resizable(Pointer, Flag);
        gtk_window_set_default_size(Pointer, c_int, c_int);
        gtk_widget_show_all(Pointer);
        gtk_widget_hide(Pointer);
        gtk_widget_destroy(Pointer);
        gtk_widget_set_tooltip_text(Pointer, Text);
        gtk_events_pending() -> Flag;
        gtk_main_iteration() -> Flag;
        gtk_container_add(Pointer, Pointer);
        gtk_container_set_border_width(Pointer, c_uint);
        gtk_widget_set_size_request(Pointer, c_int, c_int);
        gtk_widget_set_can_focus(Pointer, Flag);
        gtk_widget_grab_focus(Pointer);
        gtk_widget_add_events(Pointer, c_int);
        gtk_vbox_new(Flag, c_int) -> Pointer;
        gtk_hbox_new(Flag, c_int) -> Pointer;
        gtk_event_box_new() -> Pointer;
        gtk_image_new() -> Pointer;
        gtk_image_set_from_pixbuf(Pointer, Pointer);
        gdk_pixbuf_new(c_int, Flag, c_int, c_int, c_int) -> Pointer;
        gdk_pixbuf_get_pixels(Pointer) -> *mut u8;
        gdk_pixbuf_get_rowstride(Pointer) -> c_int;
        gtk_hscale_new_with_range(c_double, c_double, c_double) -> Pointer;
        gtk_scale_set_draw_value(Pointer, Flag);
        gtk_scale_set_value_pos(Pointer, c_int);
        gtk_range_set_value(Pointer, c_double);
        gtk_range_get_value(Pointer) -> c_double;
        gtk_scrolled_window_new(Pointer, Pointer) -> Pointer;
        gtk_scrolled_window_set_policy(Pointer, c_int, c_int);
        gtk_scrolled_window_add_with_viewport(Pointer, Pointer);
        gtk_box_pack_start(Pointer, Pointer, Flag, Flag, c_uint);
        gtk_table_new(c_uint, c_uint, Flag) -> Pointer;
        gtk_table_attach(Pointer, Pointer, c_uint, c_uint, c_uint, c_uint, c_int, c_int, c_uint, c_uint);
        gtk_table_set_row_spacings(Pointer, c_uint);
        gtk_table_set_col_spacings(Pointer, c_uint);
        gtk_expander_new_with_mnemonic(Text) -> Pointer;
        gtk_expander_set_expanded(Pointer, Flag);
        gtk_label_new(Text) -> Pointer;
        gtk_label_new_with_mnemonic(Text) -> Pointer;
        gtk_label_set_text(Pointer, Text);
        gtk_label_set_line_wrap(Pointer, Flag);
        gtk_label_set_width_chars(Pointer, c_int);
        gtk_label_set_max_width_chars(Pointer, c_int);
        gtk_label_set_mnemonic_widget(Pointer, Pointer);
        gtk_misc_set_alignment(Pointer, c_float, c_float);
        gtk_combo_box_text_new() -> Pointer;
        gtk_combo_box_text_append_text(Pointer, Text);
        gtk_combo_box_set_active(Pointer, c_int);
        gtk_combo_box_get_active(Pointer) -> c_int;
        gtk_spin_button_new_with_range(c_double, c_double, c_double) -> Pointer;
        gtk_spin_button_set_digits(Pointer, c_uint);
        gtk_spin_button_set_value(Pointer, c_double);
        gtk_spin_button_get_value(Pointer) -> c_double;
        gtk_spin_button_update(Pointer);
        gtk_entry_new() -> Pointer;
        gtk_entry_set_text(Pointer, Text);
        gtk_entry_get_text(Pointer) -> Text;
        gtk_entry_set_activates_default(Pointer, Flag);
        gtk_check_button_new_with_mnemonic(Text) -> Pointer;
        gtk_toggle_button_set_active(Pointer, Flag);
        gtk_toggle_button_get_active(Pointer) -> Flag;
        g_timeout_add(c_uint, Again, Pointer) -> c_uint;
        g_source_remove(c_uint) -> Flag;
        g_signal_connect_data(Pointer, Text, *const c_void, Pointer, Pointer, c_int) -> c_ulong;
        g_object_unref(Pointer);
    }
}
