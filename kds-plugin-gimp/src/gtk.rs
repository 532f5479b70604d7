//! The widgets of the dialog. What is used of GTK is the same in GTK 2 (GIMP 2.10) and GTK 3 (GIMP 3).

use std::ffi::{CStr, c_char, c_double, c_float, c_int, c_uint, c_ulong, c_void};
use std::ptr::{null, null_mut};

use crate::failure::Failure;
use crate::functions;
use crate::gimp::text;
use crate::symbols::Library;

type Pointer = *mut c_void;
type Text = *const c_char;
type Flag = c_int;
/// Callback of a widget that changes: the widget, and the data given to [`Gtk::on`].
pub type Handler = unsafe extern "C" fn(Pointer, Pointer);

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
        gtk_widget_show_all(Pointer);
        gtk_widget_hide(Pointer);
        gtk_widget_destroy(Pointer);
        gtk_widget_set_tooltip_text(Pointer, Text);
        gtk_events_pending() -> Flag;
        gtk_main_iteration() -> Flag;
        gtk_container_add(Pointer, Pointer);
        gtk_container_set_border_width(Pointer, c_uint);
        gtk_vbox_new(Flag, c_int) -> Pointer;
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
        g_signal_connect_data(Pointer, Text, Handler, Pointer, Pointer, c_int) -> c_ulong;
    }
}

/// `GTK_RESPONSE_OK`
const OK: c_int = -5;
/// `GTK_RESPONSE_CANCEL`
const CANCEL: c_int = -6;

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

    /// A dialog in the style of GIMP, with Cancel and the button of this label.
    pub fn dialog(&self, title: &str, role: &str, button: &str) -> Widget {
        let (title, role, button) = (text(title), text(role), text(button));
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
                c"_Cancel".as_ptr(),
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

    /// Shows the dialog until it is answered: whether by the button, rather than by Cancel or by closing it.
    pub fn answer(&self, dialog: Widget) -> bool {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_dialog_run)(dialog.0) == OK }
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

    /// The part of the dialog above its buttons, in which things stand below each other.
    pub fn content(&self, dialog: Widget) -> Widget {
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            let column = (functions.gtk_vbox_new)(0, 12);
            (functions.gtk_container_set_border_width)(column, 12);
            let area = (functions.gtk_dialog_get_content_area)(dialog.0);
            (functions.gtk_box_pack_start)(area, column, 1, 1, 0);
            Widget(column)
        }
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
        const WIDTH: c_int = 52;
        let functions = &self.functions;
        // SAFETY: see above.
        unsafe {
            let label = (functions.gtk_label_new)(c"".as_ptr());
            (functions.gtk_misc_set_alignment)(label, 0.0, 0.0);
            (functions.gtk_label_set_line_wrap)(label, 1);
            (functions.gtk_label_set_width_chars)(label, WIDTH);
            (functions.gtk_label_set_max_width_chars)(label, WIDTH);
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
