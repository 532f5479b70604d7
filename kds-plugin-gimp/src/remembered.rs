//! The values of the last time. GIMP keeps them in its own file of parasites, so they outlive the session. GIMP 3's own
//! memory of a procedure's arguments forgets those of a run that was cancelled.

use std::ffi::{c_char, c_int, c_void};

use crate::functions;
use crate::gimp::text;
use crate::settings::Settings;
use crate::task::Task;

/// `GimpParasite`
#[repr(C)]
pub struct Parasite {
    name: *mut c_char,
    flags: u32,
    size: u32,
    data: *mut c_void,
}

const PERSISTENT: u32 = 1;

functions! {
    /// Parasites that belong to GIMP itself.
    Functions {
        gimp_get_parasite(*const c_char) -> *mut Parasite;
        gimp_attach_parasite(*const Parasite) -> c_int;
        gimp_parasite_free(*mut Parasite);
    }
}

impl Functions {
    /// Settings of the last call, or the defaults.
    pub fn recall(&self, task: Task) -> Settings {
        // SAFETY: the text lives through the call; what is returned is null or ours to free, with that many bytes.
        unsafe {
            let parasite = (self.gimp_get_parasite)(text(task.procedure()).as_ptr());
            if parasite.is_null() {
                return Settings::default();
            }
            let Parasite { size, data, .. } = *parasite;
            let bytes = if data.is_null() { &[] } else { std::slice::from_raw_parts(data.cast::<u8>(), size as usize) };
            let settings = Settings::recall(String::from_utf8_lossy(bytes).trim_end_matches('\0'));
            (self.gimp_parasite_free)(parasite);
            settings
        }
    }

    /// Remembers these.
    pub fn remember(&self, task: Task, settings: &Settings) {
        let (name, data) = (text(task.procedure()), text(&settings.remember()));
        let parasite = Parasite {
            name: name.as_ptr().cast_mut(),
            flags: PERSISTENT,
            size: data.as_bytes_with_nul().len() as u32,
            data: data.as_ptr().cast_mut().cast(),
        };
        // SAFETY: GIMP copies the parasite, which lives through the call.
        unsafe { (self.gimp_attach_parasite)(&parasite) };
    }
}
