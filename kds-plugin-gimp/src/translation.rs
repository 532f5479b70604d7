//! Texts in the language of the person, by gettext. What the engine itself says stays English.
//!
//! Catalogues lie in `share/locale` of the installation, made of `po/*.po`. A text that has none is English.

use std::ffi::{CStr, OsString, c_char};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::gimp::text;

/// Name of the catalogues.
pub const DOMAIN: &str = "kds-gimp";

// Part of the C library.
unsafe extern "C" {
    fn bindtextdomain(domain: *const c_char, folder: *const c_char) -> *mut c_char;
    fn bind_textdomain_codeset(domain: *const c_char, codeset: *const c_char) -> *mut c_char;
    fn dgettext(domain: *const c_char, message: *const c_char) -> *mut c_char;
}

/// The folder of the catalogues, `../share/locale` from this program.
pub fn folder() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.parent()?.join("share/locale"))
}

/// Lets [`tr`] find the catalogues. libgimp chooses the language, by the environment that GIMP gives.
pub fn start() {
    let Some(folder) = folder() else { return };
    let folder = text(&String::from_utf8_lossy(&OsString::from(folder).into_vec()));
    // SAFETY: the texts live through the calls, and are copied.
    unsafe {
        bindtextdomain(text(DOMAIN).as_ptr(), folder.as_ptr());
        bind_textdomain_codeset(text(DOMAIN).as_ptr(), c"UTF-8".as_ptr());
    }
}

/// The text in the language of the person.
pub fn tr(message: &str) -> String {
    // The translation of the empty text is the catalogue's own description.
    if message.is_empty() {
        return String::new();
    }
    let message = text(message);
    // SAFETY: the text lives through the call; what is returned is a text that stays, or the same pointer.
    unsafe { CStr::from_ptr(dgettext(text(DOMAIN).as_ptr(), message.as_ptr())) }.to_string_lossy().into_owned()
}

/// Marks a text that is translated where it is shown.
pub const fn later(message: &'static str) -> &'static str {
    message
}

/// The translation with each `{}` replaced by the next of these.
pub fn fill(message: &str, values: &[&str]) -> String {
    let translated = tr(message);
    let mut parts = translated.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    let mut values = values.iter();
    for part in parts {
        filled += values.next().copied().unwrap_or_default();
        filled += part;
    }
    filled
}
