//! Jobs: the parameters of a restoration, running it, cancelling it.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use abi_stable::StableAbi;
use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::ROption;

use super::info::{Estimate, Progress, Size};
use super::interface::{CancellerObject, JobObject, ListenerInterface, ListenerInterface_TO};
use crate::error::{Error, Status};
use crate::image::{Image, ImageMut};

/// A restoration with its parameters. It runs one image at a time, as often as you like, on any thread; for several at
/// once, make several jobs. A cancelled job stays cancelled.
pub struct Job {
    object: JobObject,
}

impl Job {
    pub(super) fn new(object: JobObject) -> Self {
        Self { object }
    }

    /// Sets one parameter: see [`Library::parameters`](super::Library::parameters).
    ///
    /// # Errors
    /// [`Status::INVALID_ARGUMENT`] for a name that is not in the table or a value outside its range.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        self.object.set(name.into(), value.into()).into_result()
    }

    /// The value in force of one parameter: the job's, else the model's, else the table's.
    ///
    /// # Errors
    /// [`Status::INVALID_ARGUMENT`] for a name that is not in the table.
    pub fn get(&self, name: &str) -> Result<String, Error> {
        Ok(self.object.get(name.into()).into_result()?.into_string())
    }

    /// The size that the result for an image of this size will have, in pixels.
    ///
    /// # Errors
    /// [`Status::INVALID_ARGUMENT`] for a size that cannot be enlarged, or parameters that do not go together.
    pub fn output_size(&self, width: u32, height: u32) -> Result<Size, Error> {
        self.object.output_size(Size { width, height }).into_result()
    }

    /// Work and memory of a run for an image of this size. Nothing large is allocated.
    ///
    /// # Errors
    /// As [`Job::output_size`], and [`Status::OUT_OF_MEMORY`] where it would not fit the memory budget.
    pub fn estimate(&self, width: u32, height: u32) -> Result<Estimate, Error> {
        self.object.estimate(Size { width, height }).into_result()
    }

    /// A handle that cancels this job, from any thread, before the run as well as during it.
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle { object: Arc::new(self.object.canceller()) }
    }

    /// Restores. `progress` is called on this thread, at every step and tile; `Break` cancels this run. The images are
    /// written on success only.
    ///
    /// A panic of `progress` does not reach the library: it cancels this run and becomes an error.
    ///
    /// # Errors
    /// [`Status::INVALID_IMAGE`], [`Status::INVALID_ARGUMENT`], [`Status::OUT_OF_MEMORY`], [`Status::CANCELLED`],
    /// [`Status::PANIC`] for a panic of `progress` or of the library.
    pub fn restore(
        &mut self,
        images: Images<'_>,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut panic = None;
        let listener = Listener { progress: &mut progress, panic: &mut panic };
        let object = ListenerInterface_TO::from_value(listener, TD_Opaque);
        let result = self.object.restore(images, object).into_result();
        match panic {
            Some(panic) => Err(Error::new(Status::PANIC, format!("the progress closure panicked: {panic}"))),
            None => result,
        }
    }
}

/// The images of a run.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct Images<'a> {
    /// Image to restore, in any format.
    pub input: Image<'a>,
    /// Receives the result: of the size of [`Job::output_size`], in any format.
    pub output: ImageMut<'a>,
    /// For models that need one: gray, of the input's size, white where to fill.
    pub mask: ROption<Image<'a>>,
    /// Receives how far the particles agree: gray, of the output's size, white where they do and black where they differ
    /// as much as photographs do.
    pub confidence: ROption<ImageMut<'a>>,
}

impl<'a> Images<'a> {
    /// Restore `input` into `output`.
    pub fn new(input: Image<'a>, output: ImageMut<'a>) -> Self {
        Self { input, output, mask: ROption::RNone, confidence: ROption::RNone }
    }

    /// With the mask that models for inpainting need.
    pub fn with_mask(self, mask: Image<'a>) -> Self {
        Self { mask: ROption::RSome(mask), ..self }
    }

    /// With an image that receives the confidence.
    pub fn with_confidence(self, confidence: ImageMut<'a>) -> Self {
        Self { confidence: ROption::RSome(confidence), ..self }
    }
}

/// Cancels a job, from any thread, at any time: also before the run, also when the job is gone.
#[derive(Clone)]
pub struct CancelHandle {
    object: Arc<CancellerObject>,
}

impl CancelHandle {
    /// Cancels the job's runs, the present one and all later ones: it stops within a step of the sampler, with
    /// [`Status::CANCELLED`]. Neither waits nor locks.
    pub fn cancel(&self) {
        self.object.cancel();
    }
}

/// The host's closure, and what it said when it panicked. The library drops the listener, so what could panic when it is
/// dropped is borrowed only.
struct Listener<'a, F> {
    progress: &'a mut F,
    panic: &'a mut Option<String>,
}

impl<F: FnMut(Progress) -> ControlFlow<()>> ListenerInterface for Listener<'_, F> {
    fn report(&mut self, progress: Progress) -> bool {
        if self.panic.is_some() {
            return false;
        }
        // State that the closure left half changed is not used again: the run ends with an error.
        match catch_unwind(AssertUnwindSafe(|| (self.progress)(progress))) {
            Ok(flow) => flow.is_continue(),
            Err(panic) => {
                *self.panic = Some(describe(&*panic));
                false
            }
        }
    }
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").replace('\n', " ")
}
