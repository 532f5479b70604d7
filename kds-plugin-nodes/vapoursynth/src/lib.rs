//! Restoring clips in VapourSynth: `core.kds.Restore`, `Upscale`, `Inpaint`, `Models`, `Version` (`docs/nodes.md`).

mod filter;
mod frame;
mod map;
mod raw;

use std::ffi::{CString, c_int, c_void};

use kds_plugin_nodes::{Takes, Task, caught, models, settings};

use crate::map::{In, Out};
use crate::raw::{API_VERSION, Api, Core, Map, Plugin, PluginApi};

/// VapourSynth's first call: names the functions.
///
/// # Safety
/// VapourSynth calls it as its interface says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn VapourSynthPluginInit2(plugin: *mut Plugin, api: *const PluginApi) {
    let number = |text: &str| text.parse::<c_int>().unwrap_or(0);
    let version = number(env!("CARGO_PKG_VERSION_MAJOR")) << 16 | number(env!("CARGO_PKG_VERSION_MINOR"));
    // SAFETY: VapourSynth passes a live table and plug-in; it copies the strings. The functions stay where they are as long
    // as the plug-in is loaded.
    unsafe {
        let api = &*api;
        let (id, space) = (c"io.github.kds-restore.kds", c"kds");
        let title = c"Restoration by Kernel Density Steering";
        (api.config_plugin)(id.as_ptr(), space.as_ptr(), title.as_ptr(), version, API_VERSION, 0, plugin);
        for (index, task) in Task::ALL.into_iter().enumerate() {
            let (Ok(name), Ok(arguments)) = (CString::new(task.name()), CString::new(arguments(task))) else {
                continue;
            };
            let clip = c"clip:vnode;".as_ptr();
            // The number of the task goes along in place of a pointer.
            let task = std::ptr::without_provenance_mut(index);
            (api.register_function)(name.as_ptr(), arguments.as_ptr(), clip, create, task, plugin);
        }
        let none = std::ptr::null_mut();
        let listed = c"id:data[];title:data[];task:data[];scale:int[];".as_ptr();
        (api.register_function)(c"Models".as_ptr(), c"".as_ptr(), listed, list_models, none, plugin);
        (api.register_function)(
            c"Version".as_ptr(),
            c"".as_ptr(),
            c"version:data;".as_ptr(),
            tell_version,
            none,
            plugin,
        );
    }
}

/// The arguments of a function, as VapourSynth writes them.
fn arguments(task: Task) -> String {
    let mask = if task == Task::Inpaint { "mask:vnode;" } else { "" };
    let settings = settings(task).map(|setting| {
        let kind = match setting.takes {
            Takes::Integer(..) => "int",
            Takes::Number(..) => "float",
            Takes::Text | Takes::Choice(_) => "data",
        };
        format!("{}:{kind}:opt;", setting.name)
    });
    format!("clip:vnode;{mask}{}", settings.collect::<String>())
}

unsafe extern "C" fn create(input: *const Map, output: *mut Map, task: *mut c_void, core: *mut Core, api: *const Api) {
    // SAFETY: VapourSynth passes live maps and its table.
    let (api, input, output) = unsafe { (&*api, In::new(input, &*api), Out::new(output, &*api)) };
    let task = Task::ALL[task.addr() % Task::ALL.len()];
    // SAFETY: as above, and a live core.
    guarded(&output, task.name(), || unsafe { filter::create(task, &input, &output, core, api) });
}

unsafe extern "C" fn list_models(_: *const Map, output: *mut Map, _: *mut c_void, _: *mut Core, api: *const Api) {
    // SAFETY: VapourSynth passes a live map and its table.
    let output = unsafe { Out::new(output, &*api) };
    guarded(&output, "Models", || {
        for model in models().map_err(|error| error.message)? {
            output.append_text(c"id", &model.id);
            output.append_text(c"title", &model.title);
            output.append_text(c"task", &model.task);
            output.append_int(c"scale", i64::from(model.scale));
        }
        Ok(())
    });
}

unsafe extern "C" fn tell_version(_: *const Map, output: *mut Map, _: *mut c_void, _: *mut Core, api: *const Api) {
    // SAFETY: VapourSynth passes a live map and its table.
    let output = unsafe { Out::new(output, &*api) };
    output.append_text(c"version", env!("CARGO_PKG_VERSION"));
}

/// Makes errors, and panics, errors of the function.
fn guarded(output: &Out<'_>, name: &str, call: impl FnOnce() -> Result<(), String>) {
    if let Err(message) = caught(call) {
        output.set_error(&format!("kds.{name}: {message}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_written_as_vapoursynth_reads_them() {
        let restore = arguments(Task::Restore);
        assert!(restore.starts_with("clip:vnode;model:data:opt;particles:int:opt;steps:int:opt;strength:float:opt;"));
        assert!(!restore.contains("scale:") && arguments(Task::Upscale).contains(";scale:int:opt;"));
        assert!(arguments(Task::Inpaint).starts_with("clip:vnode;mask:vnode;model:data:opt;"));
    }
}
