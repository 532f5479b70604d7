//! Where widgets stand.

use std::ffi::c_int;

use super::{Gtk, Widget};
use crate::gimp::text;

// SAFETY (of all calls below): as in the module above.
impl Gtk {
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
}
