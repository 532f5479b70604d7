//! `libkds.so`: the C interface of KDS.
//!
//! Ownership: every handle that a function gives through an out-parameter belongs to the caller, who frees it with the
//! `*_free` function of its type, once, in any order. Strings that a function gives belong to the handle they came from.
//!
//! Errors: every call that can fail returns a status and takes `error` last, which may be NULL. Only on failure is an
//! error object written there; it belongs to the caller. Out-parameters are written only on success.
//!
//! Threads: calls on different handles may run at once, and so may calls that take a `const` handle. What else may
//! run at once is said at each function.
//!
//! Structs start with `struct_size`, which the caller sets to `sizeof` of the struct as its header declares it. They grow
//! at the end only, and have no unnamed padding, which the next field would fall into unseen.
#![allow(non_camel_case_types)]

mod context;
mod device_info;
mod error;
mod estimate;
mod freeing;
mod guard;
mod image;
mod job;
mod log;
mod model;
mod model_info;
mod parameters;
mod process;
mod progress;
mod recognised;
#[doc(hidden)]
pub mod rust_interface;
mod structs;
mod text;

pub use context::*;
pub use device_info::*;
pub use error::*;
pub use estimate::*;
pub use image::*;
pub use job::*;
pub use log::*;
pub use model::*;
pub use model_info::*;
pub use parameters::*;
pub use progress::*;
pub use recognised::*;

use std::ffi::c_char;

#[cfg(panic = "abort")]
compile_error!("libkds must not be built with panic=abort: a panic has to become KDS_PANIC instead of ending the host");

/// Major version of this interface: within it, functions and struct fields are only ever added.
pub const KDS_ABI_VERSION: u32 = 1;

/// Minor version of this interface: raised whenever something is added.
pub const KDS_ABI_MINOR: u32 = 1;

/// The major version of the library that was loaded: a program can use a library whose major version equals its
/// `KDS_ABI_VERSION`.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn kds_abi_version() -> u32 {
    KDS_ABI_VERSION
}

/// The minor version of the library that was loaded. One below the program's `KDS_ABI_MINOR` lacks what later versions
/// added, and writes 0 into struct fields that it does not know. Since 1.1: where `dlsym` finds no such function, it is 0.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn kds_abi_minor() -> u32 {
    KDS_ABI_MINOR
}

/// The version of the library, such as "0.1.0"; static.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn kds_version_string() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
