//! Windows: the dialog with its buttons, and a text to read.

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};

use super::{Flag, Gtk, Widget};
use crate::gimp::text;
use crate::translation::{later, tr};

/// `GTK_RESPONSE_OK`
const OK: c_int = -5;
/// `GTK_RESPONSE_CANCEL`
const CANCEL: c_int = -6;
const RESET: c_int = 1;
const HELP: c_int = 2;

/// An answer to a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Its button.
    Yes,
    /// Cancel, or the window was closed.
    No,
    /// Reset.
    Reset,
    /// Help.
    Help,
}

// SAFETY (of all calls below): as in the module above.
impl Gtk {
    /// A dialog in the style of GIMP, with Help, Reset, Cancel and the button of this label.
    pub fn dialog(&self, title: &str, role: &str, button: &str) -> Widget {
        let (title, role, button) = (text(title), text(role), text(button));
        let [help, reset, cancel] = [later("_Help"), later("Rese_t"), later("_Cancel")].map(|label| text(&tr(label)));
        let functions = &self.functions;
        // SAFETY: see above; the list of buttons ends with null.
        unsafe {
            let dialog = (functions.gimp_dialog_new)(
                title.as_ptr(),
                role.as_ptr(),
                null_mut(),
                0,
                null_mut(),
                null(),
                help.as_ptr(),
                HELP,
                reset.as_ptr(),
                RESET,
                cancel.as_ptr(),
                CANCEL,
                button.as_ptr(),
                OK,
                null::<c_void>(),
            );
            (functions.gtk_dialog_set_default_response)(dialog, OK);
            (functions.gtk_window_set_resizable)(dialog, 0);
            (functions.gimp_window_set_transient)(dialog);
            Widget(dialog)
        }
    }

    /// Shows the dialog until it is answered.
    pub fn answer(&self, dialog: Widget) -> Answer {
        // SAFETY: see above.
        match unsafe { (self.functions.gtk_dialog_run)(dialog.0) } {
            OK => Answer::Yes,
            RESET => Answer::Reset,
            HELP => Answer::Help,
            _ => Answer::No,
        }
    }

    /// Shows a text until its window is closed.
    pub fn tell(&self, title: &str, message: &str) {
        const AUTOMATIC: c_int = 1;
        let (title, close) = (text(title), text(&tr("_Close")));
        let functions = &self.functions;
        let label = self.label();
        self.say(label, message);
        // SAFETY: see above; the list of buttons ends with null.
        unsafe {
            let dialog = (functions.gimp_dialog_new)(
                title.as_ptr(),
                c"kds-help".as_ptr(),
                null_mut(),
                0,
                null_mut(),
                null(),
                close.as_ptr(),
                CANCEL,
                null::<c_void>(),
            );
            let scrolled = (functions.gtk_scrolled_window_new)(null_mut(), null_mut());
            (functions.gtk_scrolled_window_set_policy)(scrolled, AUTOMATIC, AUTOMATIC);
            (functions.gtk_container_set_border_width)(scrolled, 12);
            (functions.gtk_scrolled_window_add_with_viewport)(scrolled, label.0);
            (functions.gtk_box_pack_start)((functions.gtk_dialog_get_content_area)(dialog), scrolled, 1, 1, 0);
            (functions.gtk_window_set_default_size)(dialog, 480, 420);
            (functions.gtk_widget_show_all)(dialog);
            (functions.gtk_dialog_run)(dialog);
            (functions.gtk_widget_destroy)(dialog);
        }
    }

    /// State of the dialog's button: pressable or greyed out.
    pub fn allow(&self, dialog: Widget, allowed: bool) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_dialog_set_response_sensitive)(dialog.0, OK, Flag::from(allowed)) }
    }

    /// Takes the dialog off the screen, at once; its widgets can be read still.
    pub fn hide(&self, dialog: Widget) {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            (functions.gtk_widget_hide)(dialog.0);
            while (functions.gtk_events_pending)() != 0 {
                (functions.gtk_main_iteration)();
            }
        }
    }

    /// Ends the dialog.
    pub fn close(&self, dialog: Widget) {
        let functions = &self.functions;
        // SAFETY: see above; nothing uses the widgets afterwards.
        unsafe {
            (functions.gtk_widget_destroy)(dialog.0);
            while (functions.gtk_events_pending)() != 0 {
                (functions.gtk_main_iteration)();
            }
        }
    }

    /// Shows all that is in the dialog.
    pub fn show(&self, dialog: Widget) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_widget_show_all)(dialog.0) }
    }
}
