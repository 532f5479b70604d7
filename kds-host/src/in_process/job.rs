//! Jobs of the library.

use std::{
    ffi::c_void,
    ops::ControlFlow,
    ptr::{NonNull, null, null_mut},
    sync::Arc,
};

use super::{
    call::check,
    image,
    model::ModelHandle,
    raw::{self, Api, Sized32},
    text,
};
use crate::{
    Error, Estimate, Progress, ProgressFn, Stage,
    transport::{Images, JobCalls},
};

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

impl JobCalls for JobHandle {
    fn set(&self, name: &str, value: &str) -> Result<(), Error> {
        let (name, value) = (text::pass("parameter", name)?, text::pass("value", value)?);
        let api = self.api();
        // SAFETY: a live job, used by this thread alone, and strings that live through the call.
        check(api, |error| unsafe { (api.kds_job_set)(self.pointer.as_ptr(), name.as_ptr(), value.as_ptr(), error) })
    }

    fn get(&self, name: &str) -> Result<String, Error> {
        let name = text::pass("parameter", name)?;
        let api = self.api();
        let mut value = null();
        // SAFETY: a live job, used by this thread alone, so that the value stays valid until it is copied.
        unsafe {
            check(api, |error| (api.kds_job_get)(self.pointer.as_ptr(), name.as_ptr(), &mut value, error))?;
            Ok(text::copy(value))
        }
    }

    fn output_size(&self, width: u32, height: u32) -> Result<(u32, u32), Error> {
        let api = self.api();
        let (mut out_width, mut out_height) = (0, 0);
        // SAFETY: a live job and writable numbers.
        check(api, |error| unsafe {
            let job = self.pointer.as_ptr();
            (api.kds_job_output_size)(job, width, height, &mut out_width, &mut out_height, error)
        })?;
        Ok((out_width, out_height))
    }

    fn estimate(&self, width: u32, height: u32) -> Result<Estimate, Error> {
        let api = self.api();
        let mut estimate = raw::Estimate::empty();
        // SAFETY: a live job and a writable structure.
        check(api, |error| unsafe {
            (api.kds_job_estimate)(self.pointer.as_ptr(), width, height, &mut estimate, error)
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

    fn run(&self, images: Images<'_>, progress: Option<&mut ProgressFn<'_>>) -> Result<(), Error> {
        let Images { input, mask, mut output, mut confidence } = images;
        let (mut input, mut mask) = (image::input(&input), mask.as_ref().map(image::input));
        let (mut output, mut confidence) = (image::output(&mut output), confidence.as_mut().map(image::output));
        let optional = |image: &mut Option<image::Described>| image.as_mut().map_or(null(), image::Described::image);
        let mut listener = progress;
        let callback: raw::ProgressCallback = if listener.is_some() { Some(report) } else { None };
        let user_data = listener.as_mut().map_or(null_mut(), |listener| std::ptr::from_mut(listener).cast::<c_void>());
        // SAFETY: a live job that one thread uses; the images describe memory that their views checked and borrow through
        // the call, the written ones exclusively; `user_data` is what `report` expects, or null together with a null
        // callback.
        check(self.api(), |error| unsafe {
            (self.api().kds_job_run)(
                self.pointer.as_ptr(),
                input.image(),
                optional(&mut mask),
                output.image(),
                optional(&mut confidence),
                callback,
                user_data,
                error,
            )
        })
    }

    fn cancel(&self) {
        // SAFETY: the handle keeps the job alive, and the library allows this call at any time from any thread.
        unsafe { (self.api().kds_job_cancel)(self.pointer.as_ptr()) }
    }
}

// SAFETY: a job may move between threads, and the only function that is called while another thread uses it is
// `kds_job_cancel`, which the library allows. All others go through `crate::Job`, which is not `Sync`.
unsafe impl Send for JobHandle {}
// SAFETY: as above.
unsafe impl Sync for JobHandle {}

impl Drop for JobHandle {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `kds_job_new` and is freed once, here, when neither job nor cancel handle is left.
        unsafe { (self.api().kds_job_free)(self.pointer.as_ptr()) }
    }
}

/// Hands a report of the library to the closure, which never panics: `crate::Job` catches what the host's does.
unsafe extern "C" fn report(user_data: *mut c_void, info: *const raw::ProgressInfo) -> i32 {
    if user_data.is_null() || info.is_null() {
        return 0;
    }
    // SAFETY: `run` passes its closure, which outlives the run, and the library calls this on the thread inside the run
    // only, so nothing else refers to it now.
    let listener = unsafe { &mut *user_data.cast::<&mut ProgressFn<'_>>() };
    // SAFETY: the library passes a live structure.
    let info = unsafe { &*info };
    let stage = match info.stage {
        0 => Stage::Prepare,
        1 => Stage::Sample,
        2 => Stage::Decode,
        _ => Stage::Finish,
    };
    match listener(Progress { stage, done: info.done, total: info.total }) {
        ControlFlow::Continue(()) => 0,
        ControlFlow::Break(()) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_reach_the_closure_and_its_answer_the_library() {
        let mut seen = Vec::new();
        let mut closure = |progress: Progress| {
            seen.push(progress);
            if progress.done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut listener: &mut ProgressFn<'_> = &mut closure;
        let mut call = |done| {
            let info =
                raw::ProgressInfo { struct_size: size_of::<raw::ProgressInfo>() as u32, stage: 1, done, total: 4 };
            // SAFETY: both pointers are live through the call, as in `run`.
            unsafe { report(std::ptr::from_mut(&mut listener).cast(), &info) }
        };
        assert_eq!((call(1), call(2)), (0, 1));
        assert_eq!(seen[1], Progress { stage: Stage::Sample, done: 2, total: 4 });
    }
}
