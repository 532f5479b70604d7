//! A picture that mouse and keyboard move.

use std::ffi::c_int;

use super::{Gtk, Widget};

// SAFETY (of all calls below): as in the module above.
impl Gtk {
    /// A picture of this size that gets what mouse and keyboard do: the whole, and the picture in its upper left corner.
    pub fn canvas(&self, side: i32) -> (Widget, Widget) {
        /// `GDK_BUTTON1_MOTION_MASK | GDK_BUTTON_PRESS_MASK | GDK_BUTTON_RELEASE_MASK | GDK_KEY_PRESS_MASK | GDK_SCROLL_MASK`
        const EVENTS: c_int = 1 << 5 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 21;
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            let (canvas, image) = ((functions.gtk_event_box_new)(), (functions.gtk_image_new)());
            (functions.gtk_misc_set_alignment)(image, 0.0, 0.0);
            (functions.gtk_container_add)(canvas, image);
            (functions.gtk_widget_set_size_request)(canvas, side, side);
            (functions.gtk_widget_set_can_focus)(canvas, 1);
            (functions.gtk_widget_add_events)(canvas, EVENTS);
            (Widget(canvas), Widget(image))
        }
    }

    /// Shows pixels of three bytes, as many rows as columns, in the picture of [`Gtk::canvas`].
    pub fn show_pixels(&self, image: Widget, side: i32, pixels: &[u8]) {
        const RGB: c_int = 0;
        let functions = &self.functions;
        let row = 3 * usize::try_from(side).unwrap_or(0);
        // SAFETY: see above; the buffer has that many rows of so many bytes, and the picture keeps it.
        unsafe {
            let buffer = (functions.gdk_pixbuf_new)(RGB, 0, 8, side, side);
            if buffer.is_null() {
                return;
            }
            let to = (functions.gdk_pixbuf_get_pixels)(buffer);
            let stride = usize::try_from((functions.gdk_pixbuf_get_rowstride)(buffer)).unwrap_or(row);
            for (index, from) in pixels.chunks_exact(row.max(1)).take(row / 3).enumerate() {
                std::ptr::copy_nonoverlapping(from.as_ptr(), to.add(index * stride), row);
            }
            (functions.gtk_image_set_from_pixbuf)(image.0, buffer);
            (functions.g_object_unref)(buffer);
        }
    }

    /// Gives a widget the keyboard.
    pub fn focus(&self, widget: Widget) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_widget_grab_focus)(widget.0) }
    }
}
