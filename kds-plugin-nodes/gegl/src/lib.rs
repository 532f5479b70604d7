//! Restoring pictures in GEGL's graphs: `kds:restore`, `kds:upscale`, `kds:inpaint` (`docs/nodes.md`).

mod buffer;
mod operation;
mod process;
mod property;
mod raw;

use std::ffi::{CString, c_char, c_int};
use std::ptr::{null, null_mut};

use kds_plugin_nodes::{Task, caught};

use crate::raw::{LEVEL_MESSAGE, MODULE_ABI_VERSION, ModuleInfo, Operation, Pointer};

/// First call of the loader. Its answer is the reason why the plug-in cannot be used, or null. From here on the plug-in stays
/// loaded: GEGL opens and closes it as it likes, but the types that it registers and the worker's client do not come and go.
///
/// # Safety
/// GModule calls it as its interface says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn g_module_check_init(module: Pointer) -> *const c_char {
    match caught(raw::functions) {
        Ok(functions) => {
            // SAFETY: a live module.
            unsafe { (functions.g_module_make_resident)(module) };
            null()
        }
        // Kept for as long as the program runs.
        Err(reason) => text(&reason).into_raw(),
    }
}

/// GEGL's question for the version of the interface.
///
/// # Safety
/// GEGL calls it as its interface says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gegl_module_query(_: Pointer) -> *const ModuleInfo {
    static INFO: ModuleInfo = ModuleInfo { abi_version: MODULE_ABI_VERSION };
    &raw const INFO
}

/// GEGL's request to name the operations. False says that there are none.
///
/// # Safety
/// GEGL calls it as its interface says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gegl_module_register(module: Pointer) -> c_int {
    for task in Task::ALL {
        // SAFETY: GEGL passes a live module.
        if let Err(reason) = caught(|| unsafe { operation::register(module, task) }) {
            tell(task, &reason);
            return 0;
        }
    }
    1
}

/// Name of an operation.
fn name(task: Task) -> String {
    format!("kds:{}", task.name().to_lowercase())
}

/// A text for C. What follows a NUL within would be lost.
fn text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// Tells the person an error. Of the domain GEGL, GIMP shows messages in a window; warnings it shows on the terminal only.
fn tell(task: Task, message: &str) {
    let message = text(&format!("{}: {message}", name(task)));
    if let Ok(functions) = raw::functions() {
        // SAFETY: a format, and the one string that it asks for.
        unsafe { (functions.g_log)(c"GEGL".as_ptr(), LEVEL_MESSAGE, c"%s".as_ptr(), message.as_ptr()) }
    }
}

/// Tells GEGL the share that is done. Its listeners may do what they like, such as change a property of this operation.
fn tell_progress(operation: *mut Operation, share: f64) {
    if let Ok(functions) = raw::functions() {
        // SAFETY: a live operation, by the contract of those who call this while they process.
        unsafe { (functions.gegl_operation_progress)(operation, share.clamp(0.0, 1.0), null_mut()) }
    }
}
