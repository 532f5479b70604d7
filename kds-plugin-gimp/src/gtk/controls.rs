//! Widgets that show or take one value.

use std::ffi::{CStr, c_int};

use super::{Flag, Gtk, Widget};
use crate::gimp::text;

// SAFETY (of all calls below): as in the module above.
impl Gtk {
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

    /// Adds a help text.
    pub fn explain(&self, widget: Widget, help: &str) {
        // SAFETY: see above.
        unsafe { (self.functions.gtk_widget_set_tooltip_text)(widget.0, text(help).as_ptr()) }
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
}
