//! The progress bar and messages.

use super::{Gimp, Handle, text};

// SAFETY (of all calls below): as in the module above.
impl<H: Handle> Gimp<H> {
    /// Says at the progress bar what happens, and shows the bar if it is not there.
    pub fn begin_progress(&self, what: &str) {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_progress_init)(text(what).as_ptr()) };
    }

    /// Moves the progress bar, to 1 at the end.
    pub fn progress(&self, what: &str, share: f64) {
        // SAFETY: see above.
        unsafe {
            (self.functions.gimp_progress_set_text)(text(what).as_ptr());
            (self.functions.gimp_progress_update)(share);
        }
    }

    /// Takes the progress bar away.
    pub fn end_progress(&self) {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_progress_end)() };
    }

    /// Tells the person something.
    pub fn message(&self, message: &str) {
        // SAFETY: see above.
        unsafe { (self.functions.gimp_message)(text(message).as_ptr()) };
    }
}
