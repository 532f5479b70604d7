//! The widgets of the dialog. What is used of GTK is the same in GTK 2 (GIMP 2.10) and GTK 3 (GIMP 3).

use std::ffi::{CStr, c_char, c_double, c_float, c_int, c_uint, c_ulong, c_void};
use std::ptr::{null, null_mut};

use crate::event::Event;
use crate::failure::Failure;
use crate::functions;
use crate::gimp::text;
use crate::symbols::Library;
use crate::translation::{later, tr};

type Pointer = *mut c_void;
type Text = *const c_char;
type Flag = c_int;
/// Callback of a widget that changes: the widget, and the data given to [`Gtk::on`].
pub type Handler = unsafe extern "C" fn(Pointer, Pointer);

/// Callback of a widget for what the mouse or the keyboard does: the widget, the event, and the data given to
/// [`Gtk::on_event`]. 1 where that was for it.
pub type EventHandler = unsafe extern "C" fn(Pointer, *const Event, Pointer) -> c_int;

/// Callback of a timer, called until it returns 0, with the data given to [`Gtk::every`].
pub type Again = unsafe extern "C" fn(Pointer) -> c_int;

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

/// GTK, started by `gimp_ui_init`.
pub struct Gtk {
    functions: Functions,
}

/// A widget. It lives as long as the window that it was put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widget(Pointer);

impl Widget {
    /// The one that a [`Handler`] was called for.
    pub fn of(pointer: *mut c_void) -> Self {
        Self(pointer)
    }
}

// SAFETY (of all calls below): widgets come from the functions here, and are used before their window is destroyed; each
// function here is called for widgets of its kind, which GTK checks too; texts live through the call, and GTK copies them.
impl Gtk {
    /// Looks the functions up.
    ///
    /// # Errors
    /// When one is missing.
    pub fn load(library: &Library) -> Result<Self, Failure> {
        Ok(Self { functions: Functions::load(library)? })
    }

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

    /// The part of the dialog above its buttons: two columns, in which things stand below each other.
    pub fn columns(&self, dialog: Widget) -> (Widget, Widget) {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            let row = (functions.gtk_hbox_new)(0, 12);
            (functions.gtk_container_set_border_width)(row, 12);
            let area = (functions.gtk_dialog_get_content_area)(dialog.0);
            (functions.gtk_box_pack_start)(area, row, 1, 1, 0);
            let columns = (self.column(), self.column());
            (functions.gtk_box_pack_start)(row, columns.0.0, 0, 0, 0);
            (functions.gtk_box_pack_start)(row, columns.1.0, 1, 1, 0);
            columns
        }
    }

    /// Things that stand below each other.
    fn column(&self) -> Widget {
        // SAFETY: see above.
        Widget(unsafe { (self.functions.gtk_vbox_new)(0, 12) })
    }

    /// Puts a widget below the others.
    pub fn append(&self, column: Widget, widget: Widget) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_box_pack_start)(column.0, widget.0, 0, 0, 0) }
    }

    /// A table of labels and what they are for.
    pub fn table(&self) -> Widget {
        let functions = &self.functions;
        // SAFETY: see above. It grows with its rows.
        unsafe {
            let table = (functions.gtk_table_new)(1, 2, 0);
            (functions.gtk_table_set_row_spacings)(table, 6);
            (functions.gtk_table_set_col_spacings)(table, 6);
            Widget(table)
        }
    }

    /// Puts a widget into a row of a table, behind a label if it has one, with a help text for both.
    pub fn attach(&self, table: Widget, row: u32, label: Option<&str>, widget: Widget, help: &str) {
        const FILL: c_int = 4;
        const EXPAND_AND_FILL: c_int = 5;
        let functions = &self.functions;
        let help = text(help);
        // SAFETY: see above.
        unsafe {
            if let Some(label) = label {
                let label = (functions.gtk_label_new_with_mnemonic)(text(&format!("{label}:")).as_ptr());
                (functions.gtk_misc_set_alignment)(label, 0.0, 0.5);
                (functions.gtk_label_set_mnemonic_widget)(label, widget.0);
                (functions.gtk_widget_set_tooltip_text)(label, help.as_ptr());
                (functions.gtk_table_attach)(table.0, label, 0, 1, row, row + 1, FILL, FILL, 0, 0);
            }
            let left = u32::from(label.is_some());
            (functions.gtk_table_attach)(table.0, widget.0, left, 2, row, row + 1, EXPAND_AND_FILL, FILL, 0, 0);
            if !help.is_empty() {
                (functions.gtk_widget_set_tooltip_text)(widget.0, help.as_ptr());
            }
        }
    }

    /// A part that is shown on request.
    pub fn expander(&self, label: &str, content: Widget) -> Widget {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            let expander = (functions.gtk_expander_new_with_mnemonic)(text(label).as_ptr());
            (functions.gtk_container_set_border_width)(content.0, 6);
            (functions.gtk_container_add)(expander, content.0);
            Widget(expander)
        }
    }

    /// Shows the content of an expander.
    pub fn open(&self, expander: Widget) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_expander_set_expanded)(expander.0, 1) };
    }

    /// Lines of text.
    pub fn label(&self) -> Widget {
        self.label_of(52)
    }

    /// Lines of text of about so many letters.
    pub fn label_of(&self, width: i32) -> Widget {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            let label = (functions.gtk_label_new)(c"".as_ptr());
            (functions.gtk_misc_set_alignment)(label, 0.0, 0.0);
            (functions.gtk_label_set_line_wrap)(label, 1);
            (functions.gtk_label_set_width_chars)(label, width);
            (functions.gtk_label_set_max_width_chars)(label, width);
            Widget(label)
        }
    }

    /// Changes lines of text.
    pub fn say(&self, label: Widget, line: &str) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_label_set_text)(label.0, text(line).as_ptr()) }
    }

    /// One of several.
    pub fn combo<'a>(&self, choices: impl IntoIterator<Item = &'a str>) -> Widget {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            let combo = (functions.gtk_combo_box_text_new)();
            for choice in choices {
                (functions.gtk_combo_box_text_append_text)(combo, text(choice).as_ptr());
            }
            Widget(combo)
        }
    }

    /// Position of the chosen entry; -1 for none.
    pub fn chosen(&self, combo: Widget) -> i32 {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_combo_box_get_active)(combo.0) }
    }

    /// Chooses one of several.
    pub fn choose(&self, combo: Widget, position: i32) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_combo_box_set_active)(combo.0, position) }
    }

    /// A number from 0 to 100 on a line, with the number beside it or without.
    pub fn slider(&self, shows_number: bool) -> Widget {
        const RIGHT: c_int = 1;
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            let slider = (functions.gtk_hscale_new_with_range)(0.0, 100.0, 1.0);
            (functions.gtk_scale_set_draw_value)(slider, Flag::from(shows_number));
            (functions.gtk_scale_set_value_pos)(slider, RIGHT);
            Widget(slider)
        }
    }

    /// The number of a slider.
    pub fn position(&self, slider: Widget) -> f64 {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_range_get_value)(slider.0) }
    }

    /// Moves a slider.
    pub fn set_position(&self, slider: Widget, value: f64) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_range_set_value)(slider.0, value) }
    }

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

    /// Adds a help text.
    pub fn explain(&self, widget: Widget, help: &str) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_widget_set_tooltip_text)(widget.0, text(help).as_ptr()) }
    }

    /// A number.
    pub fn spin(&self, min: f64, max: f64, step: f64, digits: u32) -> Widget {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            let spin = (functions.gtk_spin_button_new_with_range)(min, max, step);
            (functions.gtk_spin_button_set_digits)(spin, digits);
            (functions.gtk_entry_set_activates_default)(spin, 1);
            Widget(spin)
        }
    }

    /// The number, what was just typed included.
    pub fn number(&self, spin: Widget) -> f64 {
        // SAFETY: see above.
        unsafe {
            (self.functions.gtk_spin_button_update)(spin.0);
            (self.functions.gtk_spin_button_get_value)(spin.0)
        }
    }

    /// Changes a number.
    pub fn set_number(&self, spin: Widget, value: f64) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_spin_button_set_value)(spin.0, value) }
    }

    /// A line to type.
    pub fn entry(&self) -> Widget {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            let entry = (functions.gtk_entry_new)();
            (functions.gtk_entry_set_activates_default)(entry, 1);
            Widget(entry)
        }
    }

    /// The line that was typed.
    pub fn typed(&self, entry: Widget) -> String {
        // SAFETY: see above; the text is copied at once.
        unsafe { CStr::from_ptr((self.functions.gtk_entry_get_text)(entry.0)).to_string_lossy().trim().to_owned() }
    }

    /// Changes the line.
    pub fn set_typed(&self, entry: Widget, line: &str) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_entry_set_text)(entry.0, text(line).as_ptr()) }
    }

    /// A box to tick.
    pub fn check(&self, label: &str) -> Widget {
        // SAFETY: see above.
        Widget(unsafe { (self.functions.gtk_check_button_new_with_mnemonic)(text(label).as_ptr()) })
    }

    /// State of a tick box.
    pub fn ticked(&self, check: Widget) -> bool {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_toggle_button_get_active)(check.0) != 0 }
    }

    /// Ticks it, or not.
    pub fn tick(&self, check: Widget, ticked: bool) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_toggle_button_set_active)(check.0, Flag::from(ticked)) }
    }

    /// Calls `handler` with `data` whenever the widget emits the signal.
    ///
    /// # Safety
    /// `handler` takes this `data`, which lives as long as the widget.
    pub unsafe fn on(&self, widget: Widget, signal: &CStr, handler: Handler, data: *mut c_void) {
        // SAFETY: see above; the signals that are used here have no further arguments.
        unsafe {
            let handler = handler as *const c_void;
            (self.functions.g_signal_connect_data)(widget.0, signal.as_ptr(), handler, data, null_mut(), 0);
        }
    }

    /// Calls `handler` with `data` for each event of this signal.
    ///
    /// # Safety
    /// `handler` takes this `data`, which lives as long as the widget; the signal has an event.
    pub unsafe fn on_event(&self, widget: Widget, signal: &CStr, handler: EventHandler, data: *mut c_void) {
        // SAFETY: see above.
        unsafe {
            let handler = handler as *const c_void;
            (self.functions.g_signal_connect_data)(widget.0, signal.as_ptr(), handler, data, null_mut(), 0);
        }
    }

    /// Calls `handler` with `data` so often, until [`Gtk::stop`] with what is returned.
    ///
    /// # Safety
    /// `handler` takes this `data`, which lives until then.
    pub unsafe fn every(&self, milliseconds: u32, handler: Again, data: *mut c_void) -> u32 {
        // SAFETY: by the contract of this function.
        unsafe { (self.functions.g_timeout_add)(milliseconds, handler, data) }
    }

    /// No further calls.
    pub fn stop(&self, source: u32) {
        // SAFETY: a source of `every`, whose handler has always returned 1.
        unsafe { (self.functions.g_source_remove)(source) };
    }
}
