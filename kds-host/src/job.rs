//! A job: the parameters of one restoration, running it, and cancelling it from elsewhere.

use std::{
    any::Any,
    cell::Cell,
    ffi::c_void,
    marker::PhantomData,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::{NonNull, null, null_mut},
    sync::Arc,
};

use crate::{
    Error, ImageMut, ImageRef, Status,
    error::check,
    model::ModelHandle,
    raw::{self, Api, Sized32},
    text,
};

/// A restoration with its parameters. It runs one image at a time, as often as you like; a cancelled job stays
/// cancelled, so make a new one for the next image.
pub struct Job {
    handle: Arc<JobHandle>,
    // A value that `get` returns is valid until the next call on the job: one thread at a time.
    _not_sync: PhantomData<Cell<()>>,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it does now.
    pub stage: Stage,
    /// Sampler steps done, over all tiles.
    pub done: u64,
    /// Sampler steps in all, over all tiles.
    pub total: u64,
}

/// Stages of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reads the input and plans the tiles.
    Prepare,
    /// Samples and steers the particles.
    Sample,
    /// Decodes the chosen particles.
    Decode,
    /// Joins the tiles and writes the output.
    Finish,
}

impl Stage {
    fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Prepare,
            1 => Self::Sample,
            2 => Self::Decode,
            _ => Self::Finish,
        }
    }
}

/// Called on the thread inside [`Job::run`]; `Break` cancels.
pub type ProgressFn<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// What a job will need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Width of a tile in input pixels.
    pub tile_width: u32,
    /// Height of a tile in input pixels.
    pub tile_height: u32,
    /// Particles that go through the network at once.
    pub batch: u32,
    /// Number of tiles.
    pub tiles: u64,
    /// Bytes that the process will hold at the highest point.
    pub memory: u64,
    /// Sampler steps in all, over all tiles, as [`Progress`] counts them.
    pub evaluations: u64,
    /// Of `memory`, bytes that the run takes; 0 from a library that does not tell.
    pub host_memory: u64,
    /// Bytes that the run takes on the GPU; 0 on the CPU.
    pub device_memory: u64,
}

impl Job {
    pub(crate) fn new(handle: JobHandle) -> Self {
        Self { handle: Arc::new(handle), _not_sync: PhantomData }
    }

    /// Sets one parameter of scope job: see [`crate::parameters::table`].
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] for an unknown name or a value that the parameter does not take.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let (name, value) = (text::pass("parameter", name)?, text::pass("value", value)?);
        let api = self.handle.api();
        // SAFETY: a live job, used by this thread alone, and strings that live through the call.
        check(api, |error| unsafe {
            (api.kds_job_set)(self.handle.pointer.as_ptr(), name.as_ptr(), value.as_ptr(), error)
        })
    }

    /// The value in force: the one that was set, else that of the preset that was set, else the model's, else the engine's.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] for an unknown name.
    pub fn get(&self, name: &str) -> Result<String, Error> {
        let name = text::pass("parameter", name)?;
        let api = self.handle.api();
        let mut value = null();
        // SAFETY: a live job, used by this thread alone, so that the value stays valid until it is copied.
        unsafe {
            check(api, |error| (api.kds_job_get)(self.handle.pointer.as_ptr(), name.as_ptr(), &mut value, error))?;
            Ok(text::copy(value))
        }
    }

    /// Size in pixels of the output for an input of this size.
    ///
    /// # Errors
    /// [`Status::InvalidImage`] for a size that the job cannot take, [`Status::InvalidArgument`] for parameters that do
    /// not go together.
    pub fn output_size(&self, width: u32, height: u32) -> Result<(u32, u32), Error> {
        let api = self.handle.api();
        let (mut out_width, mut out_height) = (0, 0);
        // SAFETY: a live job and writable numbers.
        check(api, |error| unsafe {
            let job = self.handle.pointer.as_ptr();
            (api.kds_job_output_size)(job, width, height, &mut out_width, &mut out_height, error)
        })?;
        Ok((out_width, out_height))
    }

    /// What the job will need for an input of this size. Nothing is allocated.
    ///
    /// # Errors
    /// Those of [`Job::output_size`], and [`Status::OutOfMemory`] when not even the smallest tile fits.
    pub fn estimate(&self, width: u32, height: u32) -> Result<Estimate, Error> {
        let api = self.handle.api();
        let mut estimate = raw::Estimate::empty();
        // SAFETY: a live job and a writable structure.
        check(api, |error| unsafe {
            (api.kds_job_estimate)(self.handle.pointer.as_ptr(), width, height, &mut estimate, error)
        })?;
        Ok(Estimate {
            tile_width: estimate.tile_width,
            tile_height: estimate.tile_height,
            batch: estimate.batch,
            tiles: estimate.tiles,
            memory: estimate.memory,
            evaluations: estimate.evaluations,
            host_memory: estimate.host_memory,
            device_memory: estimate.device_memory,
        })
    }

    /// Restores `input` into `output`, which has the size of [`Job::output_size`] and is written only on success. A
    /// `mask` is a grey image of the input's size whose 1 means "restore here". A `confidence` image is grey, of the
    /// output's size: 1 where the particles agree, 0 where the picture is invention.
    ///
    /// A panic of `progress` does not reach the library: it cancels the job and becomes an error.
    ///
    /// # Errors
    /// [`Status::Cancelled`], [`Status::InvalidImage`], [`Status::InvalidArgument`], [`Status::OutOfMemory`],
    /// [`Status::DeviceUnavailable`], and [`Status::Panic`] for a panic of `progress`.
    pub fn run(
        &mut self,
        input: ImageRef<'_>,
        mask: Option<ImageRef<'_>>,
        mut output: ImageMut<'_>,
        confidence: Option<ImageMut<'_>>,
        progress: Option<&mut ProgressFn<'_>>,
    ) -> Result<(), Error> {
        let (input, mask) = (input.raw(), mask.map(|mask| mask.raw()));
        let (output, confidence) = (output.raw(), confidence.map(|mut confidence| confidence.raw()));
        let api = self.handle.api();
        let callback: raw::ProgressCallback = if progress.is_some() { Some(report) } else { None };
        let mut listener = progress.map(|callback| Listener { callback, panic: None });
        let user_data = listener.as_mut().map_or(null_mut(), |listener| std::ptr::from_mut(listener).cast::<c_void>());
        let optional = |image: &Option<raw::Image>| image.as_ref().map_or(null(), std::ptr::from_ref);
        // SAFETY: a live job that this call borrows alone; the images describe memory that their views checked and
        // borrow through the call, the written ones exclusively; `user_data` is what `report` expects, or null together
        // with a null callback.
        let result = check(api, |error| unsafe {
            (api.kds_job_run)(
                self.handle.pointer.as_ptr(),
                &input,
                optional(&mask),
                &output,
                optional(&confidence),
                callback,
                user_data,
                error,
            )
        });
        match listener.and_then(|listener| listener.panic) {
            Some(panic) => {
                Err(Error::new(Status::Panic, format!("the progress callback panicked: {}", describe(&*panic))))
            }
            None => result,
        }
    }

    /// A handle that cancels this job from another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle { handle: self.handle.clone() }
    }
}

/// Cancels a job from any thread, at any time: a cancel before the run counts. It keeps the job's memory alive.
#[derive(Clone)]
pub struct CancelHandle {
    handle: Arc<JobHandle>,
}

impl CancelHandle {
    /// Asks the job to stop; it does within one sampler step, with [`Status::Cancelled`]. Neither waits nor locks.
    pub fn cancel(&self) {
        // SAFETY: the handle keeps the job alive, and the library allows this call at any time from any thread.
        unsafe { (self.handle.api().kds_job_cancel)(self.handle.pointer.as_ptr()) }
    }
}

/// Owns a `kds_job`.
pub(crate) struct JobHandle {
    pointer: NonNull<raw::Job>,
    model: Arc<ModelHandle>,
}

impl JobHandle {
    pub(crate) fn new(pointer: NonNull<raw::Job>, model: Arc<ModelHandle>) -> Self {
        Self { pointer, model }
    }

    fn api(&self) -> &Api {
        self.model.api()
    }
}

// SAFETY: a job may move between threads, and the only function that is called while another thread uses it is
// `kds_job_cancel`, which the library allows. All others go through `Job`, which is not `Sync`.
unsafe impl Send for JobHandle {}
// SAFETY: as above.
unsafe impl Sync for JobHandle {}

impl Drop for JobHandle {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `kds_job_new` and is freed once, here, when neither job nor cancel handle is left.
        unsafe { (self.api().kds_job_free)(self.pointer.as_ptr()) }
    }
}

/// What `report` gets as user data.
struct Listener<'a, 'b> {
    callback: &'a mut ProgressFn<'b>,
    panic: Option<Box<dyn Any + Send>>,
}

/// Hands a report of the library to the closure. No panic leaves it.
unsafe extern "C" fn report(user_data: *mut c_void, info: *const raw::ProgressInfo) -> i32 {
    if user_data.is_null() || info.is_null() {
        return 0;
    }
    // SAFETY: `Job::run` passes its `Listener`, which outlives the run, and the library calls this on the thread inside
    // the run only, so nothing else refers to it now.
    let listener = unsafe { &mut *user_data.cast::<Listener<'_, '_>>() };
    // SAFETY: the library passes a live structure.
    let info = unsafe { &*info };
    if listener.panic.is_some() {
        return 1;
    }
    let progress = Progress { stage: Stage::from_code(info.stage), done: info.done, total: info.total };
    // What the closure left half done is seen by nobody: the run ends with the panic's error.
    match catch_unwind(AssertUnwindSafe(|| (listener.callback)(progress))) {
        Ok(ControlFlow::Continue(())) => 0,
        Ok(ControlFlow::Break(())) => 1,
        Err(panic) => {
            listener.panic = Some(panic);
            1
        }
    }
}

fn describe(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(callback: &mut ProgressFn<'_>, done: u64) -> (i32, Option<String>) {
        let mut listener = Listener { callback, panic: None };
        let info = raw::ProgressInfo { struct_size: size_of::<raw::ProgressInfo>() as u32, stage: 1, done, total: 4 };
        // SAFETY: both pointers are live through the call, as in `Job::run`.
        let answer = unsafe { report(std::ptr::from_mut(&mut listener).cast(), &info) };
        (answer, listener.panic.map(|panic| describe(&*panic).to_owned()))
    }

    #[test]
    fn reports_reach_the_closure_and_its_answer_the_library() {
        let mut seen = Vec::new();
        let mut closure = |progress: Progress| {
            seen.push(progress);
            if progress.done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert_eq!(call(&mut closure, 1).0, 0);
        assert_eq!(call(&mut closure, 2).0, 1);
        assert_eq!(seen[1], Progress { stage: Stage::Sample, done: 2, total: 4 });
    }

    #[test]
    fn a_panic_cancels_and_is_kept() {
        let (answer, panic) = call(&mut |_| panic!("window closed"), 1);
        assert_eq!(answer, 1);
        assert_eq!(panic.as_deref(), Some("window closed"));
    }

    #[test]
    fn cancel_handles_go_to_other_threads() {
        fn crosses_threads<T: Send + Sync>() {}
        fn moves<T: Send>() {}
        crosses_threads::<CancelHandle>();
        crosses_threads::<crate::Model>();
        moves::<Job>();
    }
}
