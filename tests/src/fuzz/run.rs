//! The call that computes: `kds_job_run`, small enough to be made many times a second.

use std::ffi::c_void;

use arbitrary::Arbitrary;
use kds::*;

use super::arguments::{library_string, seldom};
use super::calls::Job;
use super::images::Image;
use super::outcome::{ErrorArgument, free};

/// The arguments of a run.
#[derive(Debug, Arbitrary)]
pub struct Run {
    input: Image,
    #[arbitrary(with = seldom)]
    mask: Option<Image>,
    output: Image,
    #[arbitrary(with = seldom)]
    confidence: Option<Image>,
    /// The input lies where the result goes.
    in_place: bool,
    #[arbitrary(with = seldom)]
    no_input: Option<()>,
    #[arbitrary(with = seldom)]
    progress: Option<(Reaction, u8)>,
}

/// What the caller's function does at one of its calls.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Reaction {
    Watch,
    Stop,
    Cancel,
    RunAgain,
}

/// Particles x steps x moves that are computed to the end.
const MOST_WORK: u64 = 12;

/// What the caller's function knows and notes.
struct Listener {
    job: *mut kds_job,
    reaction: Reaction,
    at: u64,
    calls: u64,
    last: u64,
    stopped: bool,
    /// A panic must not leave the function, so a complaint waits here.
    complaint: Option<String>,
}

impl Run {
    /// Runs the job (NULL where there is none), and asserts what the header promises. Gives whether it succeeded.
    ///
    /// # Safety
    /// The job is live.
    pub unsafe fn perform(
        &self,
        job: Option<&mut Job>,
        mut error: ErrorArgument,
        errors: &mut Vec<*mut kds_error>,
    ) -> bool {
        let mut input = self.input.hold(None);
        let pointer = job.as_ref().map_or(std::ptr::null_mut(), |job| job.handle);
        let (width, height) = input.size();
        let (mut out_width, mut out_height) = (0, 0);
        // SAFETY: the job is NULL or live; NULL is refused.
        let known = unsafe {
            kds_job_output_size(pointer, width, height, &mut out_width, &mut out_height, std::ptr::null_mut())
        };
        let size = (known == KDS_OK).then_some((out_width, out_height));
        let mut mask =
            self.mask.as_ref().map(|mask| mask.hold(Some(input.size()).filter(|size| size.0 > 0 && size.1 > 0)));
        let mut output = self.output.hold(size);
        let mut confidence = self.confidence.as_ref().map(|image| image.hold(size));
        let in_place = self.in_place && input.lay_over(&output);

        let (mut reaction, mut at) = self.progress.map_or((Reaction::Watch, 0), |(reaction, at)| (reaction, at.into()));
        // SAFETY: the job is live.
        if job.as_ref().is_some_and(|job| unsafe { work(job.handle) } > MOST_WORK) {
            (reaction, at) = (Reaction::Stop, at.min(2));
        }
        let mut listener = Listener { job: pointer, reaction, at, calls: 0, last: 0, stopped: false, complaint: None };
        let image = |held: &mut Option<super::images::Held>| {
            held.as_mut().map_or(std::ptr::null(), |held| held.record.pointer::<kds_image>().cast_const())
        };
        // SAFETY: every buffer is as long as its image says; the job is NULL or live.
        let status = unsafe {
            kds_job_run(
                pointer,
                if self.no_input.is_some() { std::ptr::null() } else { input.record.pointer() },
                image(&mut mask),
                output.record.pointer(),
                image(&mut confidence),
                Some(listen),
                (&raw mut listener).cast(),
                error.pointer(),
            )
        };
        let succeeded = error.settle(status, errors);
        assert_eq!(listener.complaint, None);
        if succeeded {
            assert!(!listener.stopped, "a run that was stopped has succeeded");
            assert!(job.as_ref().is_some_and(|job| !job.cancelled), "a run of a cancelled job has succeeded");
            assert!(mask.is_none(), "a model that takes no mask took one");
            output.assert_written();
            confidence.iter().for_each(|image| image.assert_written());
        } else {
            output.assert_untouched();
            confidence.iter().for_each(|image| image.assert_untouched());
        }
        if listener.stopped {
            assert_eq!(status, KDS_CANCELLED);
        }
        if !in_place {
            input.assert_untouched();
        }
        mask.iter().for_each(|mask| mask.assert_untouched());
        if let (Some(job), Reaction::Cancel, true) = (job, reaction, listener.stopped) {
            job.cancelled = true;
        }
        succeeded
    }
}

/// Evaluations of the network and moves of steering that a run of this job takes per tile.
///
/// # Safety
/// The job is live.
unsafe fn work(job: *mut kds_job) -> u64 {
    [c"particles", c"steps", c"iterations"]
        .into_iter()
        .map(|key| {
            let mut value = std::ptr::null();
            // SAFETY: the caller's promise.
            let status = unsafe { kds_job_get(job, key.as_ptr(), &mut value, std::ptr::null_mut()) };
            assert_eq!(status, KDS_OK, "{key:?}");
            // SAFETY: the library's string.
            unsafe { library_string(value) }.trim().parse::<u64>().expect("a whole number")
        })
        .product()
}

/// The caller's function.
unsafe extern "C" fn listen(user_data: *mut c_void, info: *const kds_progress_info) -> i32 {
    // SAFETY: what `perform` gave, and what the library gives.
    let (listener, info) = unsafe { (&mut *user_data.cast::<Listener>(), &*info) };
    let known = info.struct_size as usize == size_of::<kds_progress_info>()
        && (KDS_STAGE_PREPARE..=KDS_STAGE_FINISH).contains(&info.stage);
    if !known || info.done > info.total || info.done < listener.last {
        let kds_progress_info { stage, done, total, .. } = *info;
        listener.complaint = Some(format!("stage {stage}, {done} of {total} after {}", listener.last));
    }
    listener.last = info.done;
    listener.calls += 1;
    if listener.calls <= listener.at {
        return 0;
    }
    match listener.reaction {
        Reaction::Watch => return 0,
        Reaction::Stop => listener.stopped = true,
        // SAFETY: the job is live while it runs.
        Reaction::Cancel => unsafe {
            listener.stopped = true;
            kds_job_cancel(listener.job);
            return 0;
        },
        Reaction::RunAgain => {
            let none = std::ptr::null();
            let mut error = std::ptr::null_mut();
            // SAFETY: NULL for everything else is refused.
            let status = unsafe {
                kds_job_run(listener.job, none, none, none, none, None, std::ptr::null_mut(), &raw mut error)
            };
            if status != KDS_BUSY || error.is_null() {
                listener.complaint = Some(format!("a second run of the job ended with status {status}"));
            }
            // SAFETY: given by the call above, or NULL.
            unsafe { free(error) };
            return 0;
        }
    }
    1
}
