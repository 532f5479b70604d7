//! For tests: a backbone that edits the image while GIMP waits for its restoration, as a person would meanwhile.
//!
//! At the first prediction of a tile that is not black it has GIMP evaluate `edit.scm`, which
//! lies beside the library. The name of the library says what the model is: `restore.so`, `upscale.so` or `inpaint.so`. Every
//! pixel of its result is red with some blue: 255, 0, 128.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use kds_plugin_api::backbone::{Backbone, Prediction, Spec, Tensor, TensorMut, Tile, cosine_schedule};
use kds_plugin_api::{Error, Status};
use libloading::os::unix::{Library, RTLD_LAZY};

/// The result in -1..1.
const RED: [f32; 3] = [1.0, -1.0, 0.004];

struct Editing {
    kind: String,
    script: PathBuf,
}

fn open(library: &Path) -> Result<Editing, Error> {
    let kind = library.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Editing { kind, script: library.with_file_name("edit.scm") })
}

impl Backbone for Editing {
    fn spec(&self) -> Spec {
        let mut spec = Spec { prediction: Prediction::X0, ..Spec::new(1, cosine_schedule(1000)) };
        spec.latent_channels = 3;
        match self.kind.as_str() {
            "upscale" => spec.scale = 4,
            "inpaint" => spec.fills_holes = true,
            _ => {}
        }
        spec
    }

    fn tile(&self, image: Tensor<'_>, _mask: Option<Tensor<'_>>) -> Result<Box<dyn Tile>, Error> {
        // The memory of a model is measured on black pictures, before GIMP's image is seen.
        let measured = image.values.iter().all(|value| *value == 0.0);
        Ok(Box::new(EditingTile { script: self.script.clone(), edited: AtomicBool::new(measured) }))
    }
}

struct EditingTile {
    script: PathBuf,
    edited: AtomicBool,
}

impl Tile for EditingTile {
    fn predict(&self, _x: Tensor<'_>, _timestep: f64, output: TensorMut<'_>) -> Result<(), Error> {
        if !self.edited.swap(true, Ordering::Relaxed) {
            evaluate(&format!("(load \"{}\")", self.script.display()))?;
        }
        output.values.fill(0.0);
        Ok(())
    }

    fn decode(&self, _latents: Tensor<'_>, output: TensorMut<'_>) -> Result<(), Error> {
        let plane = output.values.len() / RED.len();
        output.values.chunks_exact_mut(plane).zip(RED).for_each(|(plane, value)| plane.fill(value));
        Ok(())
    }
}

/// Has GIMP evaluate Script-Fu. This process waits for the restoration, so nothing else talks to GIMP.
fn evaluate(script: &str) -> Result<(), Error> {
    const ONLY_IF_LOADED: c_int = 4;
    const NON_INTERACTIVE: c_int = 1;
    let error = |error: libloading::Error| Error::new(Status::INTERNAL, error.to_string());
    let script = CString::new(script).map_err(|error| Error::new(Status::INTERNAL, error.to_string()))?;
    let procedure = c"plug-in-script-fu-eval".as_ptr();
    let loaded = |name: &str| unsafe { Library::open(Some(name), RTLD_LAZY | ONLY_IF_LOADED) };
    // SAFETY: the functions have these types in the headers of both versions; texts live through the calls.
    unsafe {
        if let Ok(gimp) = loaded("libgimp-3.0.so.0") {
            type Pointer = *mut c_void;
            let pdb = gimp.get::<unsafe extern "C" fn() -> Pointer>(b"gimp_get_pdb").map_err(error)?;
            let look_up = gimp
                .get::<unsafe extern "C" fn(Pointer, *const c_char) -> Pointer>(b"gimp_pdb_lookup_procedure")
                .map_err(error)?;
            let run = gimp
                .get::<unsafe extern "C" fn(Pointer, *const c_char, ...) -> Pointer>(b"gimp_procedure_run")
                .map_err(error)?;
            let procedure = look_up(pdb(), procedure);
            run(
                procedure,
                c"run-mode".as_ptr(),
                NON_INTERACTIVE,
                c"script".as_ptr(),
                script.as_ptr(),
                std::ptr::null::<c_char>(),
            );
        } else {
            const INT32: c_int = 0;
            const STRING: c_int = 4;
            const END: c_int = 22;
            let gimp = loaded("libgimp-2.0.so.0").map_err(error)?;
            let run = gimp
                .get::<unsafe extern "C" fn(*const c_char, *mut c_int, ...) -> *mut c_void>(b"gimp_run_procedure")
                .map_err(error)?;
            let mut count = 0;
            run(procedure, &raw mut count, INT32, NON_INTERACTIVE, STRING, script.as_ptr(), END);
        }
    }
    Ok(())
}

kds_plugin_api::export_backbone!(open);
