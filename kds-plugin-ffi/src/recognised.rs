//! Models in folders that no registry names yet.

use std::collections::BTreeSet;
use std::ffi::{CString, c_char};
use std::path::Path;

use kds_engine::backbone::{ModelFiles, recognise};

use crate::context::kds_context;
use crate::error::{Failure, kds_error};
use crate::freeing::free;
use crate::guard::{guard, object, optional_string, out as writable, string};

/// A model that `kds_model_recognise` has found.
pub struct kds_recognised {
    entry: CString,
    files: CString,
}

/// Recognises the model in a folder that no registry names yet: DiffBIR and SeeSR as their authors publish them, LDM-SR and
/// Stable Diffusion for inpainting as diffusers saves them. `names` is NULL, or for a folder of which only some files are
/// there yet the names of all, relative to it, one a line; then `model_index.json` and `scheduler/scheduler_config.json` must
/// be there where they are named. `id` is what the model is to be called. Tensors are not looked at: `kds_model_check`
/// does that, once a registry has the entry. Since 1.1.
///
/// Ownership: the result is yours; free it with `kds_recognised_free`.
/// Errors: `KDS_INVALID_MODEL` for a folder that holds no model that is known, or lacks a file of it, which is named.
/// Threads: any number at once.
///
/// # Safety
/// `context` is a live context, the strings are NUL-terminated, `out` may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_model_recognise(
    context: *const kds_context,
    folder: *const c_char,
    names: *const c_char,
    id: *const c_char,
    out: *mut *mut kds_recognised,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise, as in every function of this file.
    unsafe {
        guard(error, || {
            let shared = &object(context, "context")?.shared;
            let out = writable(out, "out")?;
            let (folder, id) = (Path::new(string(folder, "folder")?), string(id, "id")?);
            let names = optional_string(names, "names")?;
            let files = match names {
                None => ModelFiles::Folder(folder.to_owned()),
                Some(names) => {
                    let names: BTreeSet<String> = names.lines().map(str::to_owned).collect();
                    ModelFiles::listed(folder, names)
                }
            };
            let text = |text: String| CString::new(text).map_err(|_| Failure::argument("a name holds a NUL character"));
            let found = shared.log.within(|| recognise(&files))?;
            let (entry, files) = (text(found.entry(id, folder)?)?, text(found.files.join("\n"))?);
            out.write(Box::into_raw(Box::new(kds_recognised { entry, files })));
            Ok(())
        })
    }
}

/// Tells what was found: `entry` is the registry entry, TOML, whose last table is `[model.defaults]`; `files` are the names of the
/// files that the model reads, relative to the folder, one a line. Either may be NULL. The strings live as long as
/// `recognised`. Since 1.1.
///
/// Ownership: the strings stay `recognised`'s.
/// Threads: any number at once.
///
/// # Safety
/// `recognised` is live, `entry` and `files` are NULL or may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_recognised_get(
    recognised: *const kds_recognised,
    entry: *mut *const c_char,
    files: *mut *const c_char,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let found = object(recognised, "recognised")?;
            for (target, text) in [(entry, &found.entry), (files, &found.files)] {
                if !target.is_null() {
                    target.write(text.as_ptr());
                }
            }
            Ok(())
        })
    }
}

/// Frees what was found. NULL is fine. Since 1.1.
///
/// Threads: no other call may use it.
///
/// # Safety
/// `recognised` is NULL or has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_recognised_free(recognised: *mut kds_recognised) {
    // SAFETY: made by `Box::into_raw`.
    unsafe { free(recognised) };
}
