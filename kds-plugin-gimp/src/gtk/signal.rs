//! Callbacks of widgets and timers.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;

use super::{Gtk, Widget};
use crate::event::Event;

/// Callback of a widget that changes: the widget, and the data given to [`Gtk::on`].
pub type Handler = unsafe extern "C" fn(*mut c_void, *mut c_void);

/// Callback of a widget for what the mouse or the keyboard does: the widget, the event, and the data given to
/// [`Gtk::on_event`]. 1 where that was for it.
pub type EventHandler = unsafe extern "C" fn(*mut c_void, *const Event, *mut c_void) -> c_int;

/// Callback of a timer, called until it returns 0, with the data given to [`Gtk::every`].
pub type Again = unsafe extern "C" fn(*mut c_void) -> c_int;

// SAFETY (of all calls below): as in the module above.
impl Gtk {
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
