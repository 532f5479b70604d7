//! The host: its suites of functions, sets of properties, and messages for the person.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::raw::{self, EffectSuite, Handle, Host, MessageSuite, ParameterSuite, PropertySuite, RectI};

static HOST: AtomicPtr<Host> = AtomicPtr::new(null_mut());
static SUITES: RwLock<Option<Suites>> = RwLock::new(None);

/// Functions of the host. They stay valid as long as it has the plug-in loaded.
#[derive(Clone, Copy)]
pub struct Suites {
    pub effect: &'static EffectSuite,
    pub parameter: &'static ParameterSuite,
    property: &'static PropertySuite,
    /// The suite, and true where it is of version 2.
    message: Option<(&'static MessageSuite, bool)>,
}

/// Keeps the host for [`load`].
pub unsafe extern "C" fn set(host: *mut Host) {
    HOST.store(host, Ordering::Release);
}

/// Fetches the suites of the host that was set.
///
/// # Errors
/// Where the host lacks one.
pub fn load() -> Result<(), String> {
    let host = HOST.load(Ordering::Acquire);
    // SAFETY: a host that was set stays valid as long as the plug-in is loaded.
    let host = unsafe { host.as_ref() }.ok_or("no host was set")?;
    let fetch_suite = host.fetch_suite.ok_or("the host has no suites")?;
    let suite = |name: &CStr, version: c_int| -> *const c_void {
        // SAFETY: as the interface says.
        unsafe { fetch_suite(host.host, name.as_ptr(), version) }
    };
    let missing = |name: &CStr| format!("the host has no {}", name.to_string_lossy());
    // SAFETY: suites of these names and versions are laid out like this, and stay where they are.
    let suites = unsafe {
        Suites {
            effect: suite(raw::EFFECT_SUITE_NAME, 1)
                .cast::<EffectSuite>()
                .as_ref()
                .ok_or_else(|| missing(raw::EFFECT_SUITE_NAME))?,
            parameter: suite(raw::PARAMETER_SUITE_NAME, 1)
                .cast::<ParameterSuite>()
                .as_ref()
                .ok_or_else(|| missing(raw::PARAMETER_SUITE_NAME))?,
            property: suite(raw::PROPERTY_SUITE_NAME, 1)
                .cast::<PropertySuite>()
                .as_ref()
                .ok_or_else(|| missing(raw::PROPERTY_SUITE_NAME))?,
            message: [2, 1].into_iter().find_map(|version| {
                let suite = suite(raw::MESSAGE_SUITE_NAME, version).cast::<MessageSuite>().as_ref()?;
                Some((suite, version == 2))
            }),
        }
    };
    *SUITES.write().unwrap_or_else(PoisonError::into_inner) = Some(suites);
    Ok(())
}

/// The suites that [`load`] has fetched.
///
/// # Errors
/// Before that.
pub fn suites() -> Result<Suites, String> {
    let suites = *SUITES.read().unwrap_or_else(PoisonError::into_inner);
    suites.ok_or_else(|| "the host uses the plug-in before it has loaded it".to_owned())
}

impl Suites {
    /// The set behind a handle.
    ///
    /// # Safety
    /// A handle that the host gave for a set of properties, or null, which has none; it lives as long as the result is used.
    pub unsafe fn properties(&self, set: Handle) -> Properties {
        Properties { set, suite: self.property }
    }

    /// Tells the person why an effect failed; the host shows it until the next success, if it can.
    ///
    /// # Safety
    /// A live effect, or null.
    pub unsafe fn tell(&self, effect: Handle, message: &str) {
        let Some((suite, is_second)) = self.message else {
            eprintln!("KDS: {message}");
            return;
        };
        let message = text(message);
        let tell = if is_second && !effect.is_null() { suite.set_persistent_message } else { suite.message };
        // SAFETY: by the contract of this function; a format, and the one string that it asks for.
        unsafe { tell(effect, raw::ERROR.as_ptr(), c"".as_ptr(), c"%s".as_ptr(), message.as_ptr()) };
    }

    /// Takes back what was told.
    ///
    /// # Safety
    /// A live effect.
    pub unsafe fn untell(&self, effect: Handle) {
        if let Some((suite, true)) = self.message {
            // SAFETY: by the contract of this function.
            unsafe { (suite.clear_persistent_message)(effect) };
        }
    }
}

/// A text for C. What follows a NUL within would be lost.
pub fn text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// A set of properties. Hosts may refuse a property that they do not know; what is set is a wish.
#[derive(Clone, Copy)]
pub struct Properties {
    set: Handle,
    suite: &'static PropertySuite,
}

impl Properties {
    pub fn set_string(&self, name: &CStr, index: c_int, value: &CStr) {
        if !self.set.is_null() {
            // SAFETY: a live set, by the contract of `Suites::properties`; the host copies the string.
            unsafe { (self.suite.set_string)(self.set, name.as_ptr(), index, value.as_ptr()) };
        }
    }

    /// A list.
    pub fn set_strings(&self, name: &CStr, values: &[&CStr]) {
        for (index, value) in (0..).zip(values) {
            self.set_string(name, index, value);
        }
    }

    pub fn set_int(&self, name: &CStr, value: c_int) {
        if !self.set.is_null() {
            // SAFETY: as in `set_string`.
            unsafe { (self.suite.set_int)(self.set, name.as_ptr(), 0, value) };
        }
    }

    pub fn set_double(&self, name: &CStr, index: c_int, value: f64) {
        if !self.set.is_null() {
            // SAFETY: as in `set_string`.
            unsafe { (self.suite.set_double)(self.set, name.as_ptr(), index, value) };
        }
    }

    pub fn int(&self, name: &CStr, index: c_int) -> Option<c_int> {
        let mut value = 0;
        // SAFETY: as in `set_string`.
        self.found(|| unsafe { (self.suite.get_int)(self.set, name.as_ptr(), index, &raw mut value) })?;
        Some(value)
    }

    pub fn double(&self, name: &CStr) -> Option<f64> {
        let mut value = 0.0;
        // SAFETY: as in `set_string`.
        self.found(|| unsafe { (self.suite.get_double)(self.set, name.as_ptr(), 0, &raw mut value) })?;
        Some(value)
    }

    pub fn pointer(&self, name: &CStr) -> Option<*mut u8> {
        let mut value = null_mut();
        // SAFETY: as in `set_string`.
        self.found(|| unsafe { (self.suite.get_pointer)(self.set, name.as_ptr(), 0, &raw mut value) })?;
        (!value.is_null()).then_some(value.cast())
    }

    pub fn string(&self, name: &CStr) -> Option<CString> {
        let mut value: *const c_char = null_mut();
        // SAFETY: as in `set_string`.
        self.found(|| unsafe { (self.suite.get_string)(self.set, name.as_ptr(), 0, &raw mut value) })?;
        // SAFETY: the host's string, which lives until the property changes.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_owned())
    }

    pub fn rectangle(&self, name: &CStr) -> Option<RectI> {
        let at = |index| self.int(name, index);
        Some(RectI { x1: at(0)?, y1: at(1)?, x2: at(2)?, y2: at(3)? })
    }

    fn found(&self, get: impl FnOnce() -> raw::Status) -> Option<()> {
        (!self.set.is_null() && get() == raw::OK).then_some(())
    }
}
