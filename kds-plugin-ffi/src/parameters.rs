//! The parameter table.

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

use kds_parameters::{Group, Kind, Scope, table};

use crate::error::{Failure, KDS_NOT_FOUND, kds_error};
use crate::guard::guard;
use crate::structs::{self, Sized32};

/// `kind`: a whole number from `min` to `max`.
pub const KDS_PARAM_INTEGER: i32 = 0;
/// `kind`: a number from `min` to `max`.
pub const KDS_PARAM_NUMBER: i32 = 1;
/// `kind`: one of `choices`.
pub const KDS_PARAM_CHOICE: i32 = 2;
/// `kind`: text of the form that `help` describes.
pub const KDS_PARAM_TEXT: i32 = 3;

/// `scope`: an argument of `kds_model_open`.
pub const KDS_SCOPE_MODEL: i32 = 0;
/// `scope`: set by `kds_job_set`.
pub const KDS_SCOPE_JOB: i32 = 1;

/// One parameter. All strings are static.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kds_param {
    /// Set by the caller to `sizeof(kds_param)`.
    pub struct_size: u32,
    /// One of `KDS_PARAM_*`.
    pub kind: i32,
    /// The key of `kds_job_set`.
    pub name: *const c_char,
    /// A few words for a label.
    pub title: *const c_char,
    /// One or two sentences for a person.
    pub help: *const c_char,
    /// Value where neither the call nor the model names one.
    pub default_value: *const c_char,
    /// The words of `KDS_PARAM_CHOICE`, separated by commas; "" otherwise.
    pub choices: *const c_char,
    /// Smallest value of a number; 0 otherwise.
    pub min: f64,
    /// Largest value of a number; 0 otherwise.
    pub max: f64,
    /// 0: for everyone, 1: for those who look for it.
    pub group: i32,
    /// One of `KDS_SCOPE_*`.
    pub scope: i32,
}

// SAFETY: plain data behind a u32.
unsafe impl Sized32 for kds_param {
    const NAME: &'static str = "kds_param";
    const FIRST_SIZE: usize = 72;
}

/// Number of parameters.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn kds_param_count() -> usize {
    table().len()
}

/// Describes one parameter.
///
/// Errors: `KDS_NOT_FOUND` for an index from `kds_param_count()` on.
/// Ownership: the strings are static.
/// Threads: any.
///
/// # Safety
/// `out` is NULL or a `kds_param` with its `struct_size` set; `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_param_get(index: usize, out: *mut kds_param, error: *mut *mut kds_error) -> i32 {
    let body = || {
        let found = described().get(index).map(|described| &described.param);
        let count = table().len();
        let param = found.ok_or_else(|| Failure::new(KDS_NOT_FOUND, format!("parameter {index} of {count}")))?;
        // SAFETY: the caller's promise.
        unsafe { structs::write(out, param) }
    };
    // SAFETY: the caller's promise.
    unsafe { guard(error, body) }
}

/// A parameter and the strings it points to.
struct Described {
    param: kds_param,
    _strings: Vec<CString>,
}

// SAFETY: the pointers lead to strings that are never changed or freed.
unsafe impl Send for Described {}
// SAFETY: as above.
unsafe impl Sync for Described {}

fn described() -> &'static [Described] {
    static DESCRIBED: OnceLock<Vec<Described>> = OnceLock::new();
    DESCRIBED.get_or_init(|| {
        let describe = |parameter: &kds_parameters::Parameter| {
            let (kind, choices, min, max) = match parameter.kind {
                Kind::Integer { min, max } => (KDS_PARAM_INTEGER, String::new(), min as f64, max as f64),
                Kind::Number { min, max } => (KDS_PARAM_NUMBER, String::new(), min, max),
                Kind::Choice(words) => (KDS_PARAM_CHOICE, words.join(","), 0.0, 0.0),
                _ => (KDS_PARAM_TEXT, String::new(), 0.0, 0.0),
            };
            let texts = [parameter.name, parameter.title, parameter.help, parameter.default, &choices];
            let strings: Vec<CString> = texts.into_iter().map(|text| CString::new(text).unwrap_or_default()).collect();
            let param = kds_param {
                struct_size: size_of::<kds_param>() as u32,
                kind,
                name: strings[0].as_ptr(),
                title: strings[1].as_ptr(),
                help: strings[2].as_ptr(),
                default_value: strings[3].as_ptr(),
                choices: strings[4].as_ptr(),
                min,
                max,
                group: i32::from(parameter.group == Group::Advanced),
                scope: if parameter.scope == Scope::Model { KDS_SCOPE_MODEL } else { KDS_SCOPE_JOB },
            };
            Described { param, _strings: strings }
        };
        table().iter().map(describe).collect()
    })
}
