//! A job: the parameters of one restoration, running it, and cancelling it from elsewhere.

use std::{
    any::Any,
    cell::Cell,
    marker::PhantomData,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{
    Error, Estimate, ImageMut, ImageRef, Progress, ProgressFn, Status,
    transport::{Images, JobCalls},
};

/// A restoration with its parameters. It runs one image at a time, as often as you like; a cancelled job stays
/// cancelled, so make a new one for the next image.
pub struct Job {
    calls: Arc<dyn JobCalls>,
    // One thread at a time.
    _not_sync: PhantomData<Cell<()>>,
}

impl Job {
    pub(crate) fn new(calls: Arc<dyn JobCalls>) -> Self {
        Self { calls, _not_sync: PhantomData }
    }

    /// Sets one parameter of scope job: see [`crate::parameters::table`].
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] for an unknown name or a value that the parameter does not take.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        self.calls.set(name, value)
    }

    /// The value in force: the one that was set, else that of the preset that was set, else the model's, else the engine's.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] for an unknown name.
    pub fn get(&self, name: &str) -> Result<String, Error> {
        self.calls.get(name)
    }

    /// Size in pixels of the output for an input of this size.
    ///
    /// # Errors
    /// [`Status::InvalidImage`] for a size that the job cannot take, [`Status::InvalidArgument`] for parameters that do
    /// not go together.
    pub fn output_size(&self, width: u32, height: u32) -> Result<(u32, u32), Error> {
        self.calls.output_size(width, height)
    }

    /// Estimate for an input of this size. Nothing is allocated.
    ///
    /// # Errors
    /// As [`Job::output_size`], and [`Status::OutOfMemory`] when not even the smallest tile fits.
    pub fn estimate(&self, width: u32, height: u32) -> Result<Estimate, Error> {
        self.calls.estimate(width, height)
    }

    /// Restores `input` into `output`, which has the size of [`Job::output_size`] and is written only on success. A
    /// `mask` is a grey image of the input's size whose 1 means "restore here". A `confidence` image is grey, of the
    /// output's size: 1 where the particles agree, 0 where the picture is invention.
    ///
    /// A panic of `progress` does not reach the library: it cancels the job and becomes an error.
    ///
    /// # Errors
    /// [`Status::Cancelled`], [`Status::InvalidImage`], [`Status::InvalidArgument`], [`Status::OutOfMemory`],
    /// [`Status::DeviceUnavailable`], [`Status::WorkerLost`], and [`Status::Panic`] for a panic of `progress`.
    pub fn run(
        &mut self,
        input: ImageRef<'_>,
        mask: Option<ImageRef<'_>>,
        output: ImageMut<'_>,
        confidence: Option<ImageMut<'_>>,
        progress: Option<&mut ProgressFn<'_>>,
    ) -> Result<(), Error> {
        let images = Images { input, mask, output, confidence };
        let Some(callback) = progress else { return self.calls.run(images, None) };
        let mut listener = Listener { callback, panic: None };
        let result = self.calls.run(images, Some(&mut |progress| listener.tell(progress)));
        match listener.panic {
            Some(panic) => {
                Err(Error::new(Status::Panic, format!("the progress callback panicked: {}", describe(&*panic))))
            }
            None => result,
        }
    }

    /// A handle that cancels this job from another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle { calls: self.calls.clone() }
    }
}

/// Cancels a job from any thread, at any time: a cancel before the run counts. It keeps the job's memory alive.
#[derive(Clone)]
pub struct CancelHandle {
    calls: Arc<dyn JobCalls>,
}

impl CancelHandle {
    /// Asks the job to stop; it does within one sampler step, with [`Status::Cancelled`]. It does not wait for that.
    pub fn cancel(&self) {
        self.calls.cancel();
    }
}

/// Calls the closure, and keeps its panic.
struct Listener<'a, 'b> {
    callback: &'a mut ProgressFn<'b>,
    panic: Option<Box<dyn Any + Send>>,
}

impl Listener<'_, '_> {
    fn tell(&mut self, progress: Progress) -> ControlFlow<()> {
        if self.panic.is_some() {
            return ControlFlow::Break(());
        }
        // State that the closure left half changed is not used again: the run ends with the panic's error.
        catch_unwind(AssertUnwindSafe(|| (self.callback)(progress))).unwrap_or_else(|panic| {
            self.panic = Some(panic);
            ControlFlow::Break(())
        })
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
    use crate::Stage;

    #[test]
    fn a_panic_cancels_and_is_kept() {
        let mut callback = |_| panic!("window closed");
        let mut listener = Listener { callback: &mut callback, panic: None };
        let progress = Progress { stage: Stage::Sample, done: 1, total: 4 };
        assert_eq!(listener.tell(progress), ControlFlow::Break(()));
        assert_eq!(describe(&**listener.panic.as_ref().unwrap()), "window closed");
        assert_eq!(listener.tell(progress), ControlFlow::Break(()));
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
