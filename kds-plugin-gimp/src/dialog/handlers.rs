//! Callbacks of the widgets.

use std::ffi::{c_int, c_void};

use super::Dialog;
use super::model::Chosen;
use crate::argument::Kind;
use crate::gtk::{Handler, Widget};
use crate::guard::guard;

impl Dialog<'_> {
    /// Connects every control.
    pub(super) fn listen(&self) {
        let data: *mut c_void = std::ptr::from_ref(self).cast_mut().cast();
        for (argument, widget) in &self.controls {
            let signal = match argument.kind {
                _ if argument.name == "scale" => c"changed",
                Kind::Integer { .. } | Kind::Number { .. } => c"value-changed",
                Kind::Switch => c"toggled",
                Kind::Text { .. } | Kind::Choice(_) => c"changed",
            };
            let handler: Handler = match argument.name {
                "model" | "device" => other_model,
                "preset" => other_preset,
                "amount" => other_amount,
                "output" | "confidence" => other_place,
                _ => other_value,
            };
            // SAFETY: the handlers take a dialog, and this one lives until its window, and so the widget, is gone.
            unsafe { self.gtk.on(*widget, signal, handler, data) };
        }
        // SAFETY: as above; the viewer is a part of the dialog.
        unsafe { self.viewer.listen() };
    }
}

/// Calls `react` unless the change is our own. No panic reaches GTK.
///
/// # Safety
/// `data` points to a living [`Dialog`].
unsafe fn react(data: *mut c_void, react: impl FnOnce(&Dialog<'_>)) {
    // SAFETY: by the contract of this function.
    let dialog = unsafe { &*data.cast_const().cast::<Dialog<'_>>() };
    if !dialog.quiet.get() {
        guard(|| react(dialog), |message| dialog.gtk.say(dialog.cost, &message));
    }
}

unsafe extern "C" fn other_model(_: *mut c_void, data: *mut c_void) {
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, |dialog| dialog.load_model()) }
}

unsafe extern "C" fn other_preset(_: *mut c_void, data: *mut c_void) {
    let change = |dialog: &Dialog<'_>| {
        dialog.take_preset();
        dialog.show_cost();
        dialog.viewer.change();
    };
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, change) }
}

unsafe extern "C" fn other_amount(_: *mut c_void, data: *mut c_void) {
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, |dialog| dialog.take_amount()) }
}

unsafe extern "C" fn other_place(_: *mut c_void, data: *mut c_void) {
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, |dialog| dialog.show_cost()) }
}

unsafe extern "C" fn other_value(widget: *mut c_void, data: *mut c_void) {
    let change = |dialog: &Dialog<'_>| {
        if matches!(*dialog.chosen.borrow(), Chosen::Loading) {
            dialog.changed.borrow_mut().push(Widget::of(widget));
        }
        dialog.show_cost();
        dialog.viewer.change();
    };
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, change) }
}

/// True when there is news of the model.
pub(super) unsafe extern "C" fn look(data: *mut c_void) -> c_int {
    // SAFETY: `ask` gives its dialog.
    unsafe { react(data, |dialog| dialog.tick()) };
    1
}
