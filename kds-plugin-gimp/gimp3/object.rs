//! Parts of GObject and of libgimp 3 as they lie in memory.

use std::ffi::{c_char, c_int, c_uint, c_void};

type Pointer = *mut c_void;

/// `GTypeQuery`
#[repr(C)]
pub struct TypeQuery {
    class: usize,
    name: *const c_char,
    pub class_size: c_uint,
    pub instance_size: c_uint,
}

impl Default for TypeQuery {
    fn default() -> Self {
        Self { class: 0, name: std::ptr::null(), class_size: 0, instance_size: 0 }
    }
}

/// The beginning of `GimpPlugInClass`: `GObjectClass`, which is 17 words long, and the functions of libgimp.
#[repr(C)]
pub struct PlugInClass {
    parent: [usize; 17],
    pub query_procedures: Option<unsafe extern "C" fn(Pointer) -> Pointer>,
    pub init_procedures: Option<unsafe extern "C" fn(Pointer) -> Pointer>,
    pub create_procedure: Option<unsafe extern "C" fn(Pointer, *const c_char) -> Pointer>,
    pub quit: Option<unsafe extern "C" fn(Pointer)>,
    pub set_i18n: Option<unsafe extern "C" fn(Pointer, *const c_char, *mut *mut c_char, *mut *mut c_char) -> c_int>,
}
