//! Restoring pictures in OpenFX hosts: the plug-ins *KDS Restore* and *KDS Inpaint* (`docs/nodes.md`).

mod cache;
mod describe;
mod host;
mod image;
mod raw;
mod region;
mod render;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use kds_plugin_nodes::{Task, caught};

use crate::raw::{Handle, Plugin, Status};
use crate::render::Failure;

/// Tasks of the plug-ins. None enlarges: an effect of OpenFX has the size of what it is applied to.
const TASKS: [Task; 2] = [Task::Restore, Task::Inpaint];

static PLUGINS: [Plugin; 2] = [
    plugin(c"io.github.kds-restore.restore", main_entry::<0>),
    plugin(c"io.github.kds-restore.inpaint", main_entry::<1>),
];

type MainEntry = unsafe extern "C" fn(*const c_char, *const c_void, Handle, Handle) -> Status;

const fn plugin(identifier: &'static CStr, main_entry: MainEntry) -> Plugin {
    Plugin {
        api: raw::API.as_ptr(),
        api_version: raw::API_VERSION,
        identifier: identifier.as_ptr(),
        // Of its parameters, as projects of hosts remember them.
        version_major: 1,
        version_minor: 0,
        set_host: host::set,
        main_entry,
    }
}

/// Number of the plug-ins in the bundle.
#[unsafe(no_mangle)]
pub extern "C" fn OfxGetNumberOfPlugins() -> c_int {
    TASKS.len() as c_int
}

/// The plug-in of this number, or null.
#[unsafe(no_mangle)]
pub extern "C" fn OfxGetPlugin(number: c_int) -> *mut Plugin {
    let plugin = usize::try_from(number).ok().and_then(|number| PLUGINS.get(number));
    // Hosts read it only.
    plugin.map_or(null_mut(), |plugin| (&raw const *plugin).cast_mut())
}

unsafe extern "C" fn main_entry<const TASK: usize>(
    action: *const c_char,
    effect: *const c_void,
    arguments: Handle,
    answers: Handle,
) -> Status {
    let effect = effect.cast_mut();
    let mut status = raw::OK;
    let done = caught(|| {
        if action.is_null() {
            return Err("the host names no action".to_owned());
        }
        // SAFETY: the host passes a string, and the handles that belong to this action.
        unsafe {
            status = act(CStr::from_ptr(action), TASKS[TASK], effect, arguments, answers)?;
        }
        Ok(())
    });
    match done {
        Ok(()) => status,
        Err(message) => {
            tell(effect, &message);
            raw::FAILED
        }
    }
}

/// # Safety
/// Handles that belong to the action.
unsafe fn act(action: &CStr, task: Task, effect: Handle, arguments: Handle, answers: Handle) -> Result<Status, String> {
    // SAFETY: by the contract of this function.
    unsafe {
        match action {
            action if action == raw::LOAD => {
                if let Err(message) = host::load() {
                    eprintln!("KDS: {message}");
                    return Ok(raw::MISSING_HOST_FEATURE);
                }
            }
            action if action == raw::UNLOAD || action == raw::PURGE_CACHES => cache::clear(),
            action if action == raw::DESCRIBE => describe::plugin(effect, task, &host::suites()?)?,
            action if action == raw::DESCRIBE_IN_CONTEXT => {
                describe::in_context(effect, arguments, task, &host::suites()?)?;
            }
            action if action == raw::GET_REGION_OF_DEFINITION => {
                return Ok(region::of_definition(effect, arguments, answers, &host::suites()?));
            }
            action if action == raw::GET_REGIONS_OF_INTEREST => {
                return Ok(region::of_interest(effect, arguments, answers, &host::suites()?));
            }
            action if action == raw::RENDER => {
                let suites = host::suites()?;
                match render::render(effect, arguments, task, &suites) {
                    Ok(()) => suites.untell(effect),
                    Err(Failure::Aborted) => return Ok(raw::FAILED),
                    Err(Failure::Told(status, message)) => {
                        tell(effect, &message);
                        return Ok(status);
                    }
                }
            }
            _ => return Ok(raw::REPLY_DEFAULT),
        }
    }
    Ok(raw::OK)
}

fn tell(effect: Handle, message: &str) {
    match host::suites() {
        // SAFETY: the effect of the action that is at work.
        Ok(suites) => unsafe { suites.tell(effect, message) },
        Err(_) => eprintln!("KDS: {message}"),
    }
}
