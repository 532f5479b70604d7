//! Arguments and results of procedures as GIMP 2.10 lays them out in memory (`libgimp/gimp.h`).

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_void};

/// `GimpPDBArgType`
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Type(c_int);

impl Type {
    pub const INT32: Self = Self(0);
    pub const FLOAT: Self = Self(3);
    pub const STRING: Self = Self(4);
    pub const IMAGE: Self = Self(13);
    pub const LAYER: Self = Self(14);
    pub const DRAWABLE: Self = Self(16);
    const STATUS: Self = Self(21);
}

/// `GIMP_PDB_EXECUTION_ERROR`
pub const EXECUTION_ERROR: i32 = 0;
/// `GIMP_PDB_SUCCESS`
pub const SUCCESS: i32 = 3;
/// `GIMP_PDB_CANCEL`
pub const CANCEL: i32 = 4;

/// `GimpParamData`, whose largest member is a parasite or a colour.
#[repr(C)]
#[derive(Clone, Copy)]
pub union Data {
    pub integer: i32,
    pub number: c_double,
    pub string: *mut c_char,
    pointer: *mut c_void,
    largest: [u64; 4],
}

/// `GimpParam`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Param {
    kind: Type,
    pub data: Data,
}

/// `GimpParamDef`
#[repr(C)]
pub struct ParamDef {
    pub kind: Type,
    pub name: *const c_char,
    pub description: *const c_char,
}

/// `GimpPlugInInfo`
#[repr(C)]
pub struct PlugInInfo {
    pub init: Option<unsafe extern "C" fn()>,
    pub quit: Option<unsafe extern "C" fn()>,
    pub query: Option<unsafe extern "C" fn()>,
    pub run: Option<unsafe extern "C" fn(*const c_char, c_int, *const Param, *mut c_int, *mut *mut Param)>,
}

fn integer(kind: Type, integer: i32) -> Param {
    let mut data = Data { largest: [0; 4] };
    data.integer = integer;
    Param { kind, data }
}

pub fn status(status: i32) -> Param {
    integer(Type::STATUS, status)
}

pub fn image(image: i32) -> Param {
    integer(Type::IMAGE, image)
}

pub fn layer(layer: i32) -> Param {
    integer(Type::LAYER, layer)
}

/// The text is never freed: results are given once, at the end of the process.
pub fn string(text: CString) -> Param {
    let mut data = Data { largest: [0; 4] };
    data.string = text.into_raw();
    Param { kind: Type::STRING, data }
}

/// Copies a text; null is the empty text.
///
/// # Safety
/// `text` is null or a text.
pub unsafe fn read(text: *const c_char) -> String {
    // SAFETY: by the contract of this function.
    if text.is_null() { String::new() } else { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() }
}
