//! Jobs: the parameters of a restoration, and running it.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kds_engine::alpha::Enlarged;
use kds_engine::picture::Source;
use kds_engine::plan::{Plan, Request};
use kds_engine::registry::Task;
use kds_engine::restore::{Prepared, Progress};
use kds_engine::settings::Settings;
use kds_engine::{Error, memory, threads};

use crate::error::{Failure, KDS_BUSY, kds_error};
use crate::estimate::kds_estimate;
use crate::freeing::free;
use crate::guard::{Poison, guard, object, out as writable, string};
use crate::image::{Input, Mask, Pixels, Target, kds_image};
use crate::model::{Loaded, kds_model};
use crate::process;
use crate::progress::{kds_progress, kds_progress_info};
use crate::structs;

/// Parameters and a cancel flag. One job runs one image at a time, any number one after the other.
pub struct kds_job {
    loaded: Arc<Loaded>,
    settings: Mutex<Settings>,
    /// Strings that `kds_job_get` gave away, by parameter; `kds_job_set` forgets them.
    answers: Mutex<BTreeMap<String, CString>>,
    running: AtomicBool,
    cancelled: AtomicBool,
    poison: Poison,
}

/// Makes a job with the model's default parameters.
///
/// Ownership: the job is yours; free it with `kds_job_free`.
/// Threads: any number at once.
///
/// # Safety
/// `model` is a live model, `out` may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_job_new(
    model: *const kds_model,
    out: *mut *mut kds_job,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise, as in every function of this file.
    unsafe {
        guard(error, || {
            let loaded = object(model, "model")?.loaded.clone();
            let job = kds_job {
                settings: Mutex::new(
                    Settings::new(&loaded.entry.defaults)
                        .with_particles(loaded.entry.for_particles.clone())
                        .with_calibration(loaded.entry.calibration.clone()),
                ),
                loaded,
                answers: Mutex::default(),
                running: AtomicBool::new(false),
                cancelled: AtomicBool::new(false),
                poison: Poison::default(),
            };
            writable(out, "out")?.write(Box::into_raw(Box::new(job)));
            Ok(())
        })
    }
}

/// Frees a job, which must not be running. NULL is fine.
///
/// Threads: no other call may use the job, `kds_job_cancel` included.
///
/// # Safety
/// `job` is NULL or has not been freed, and no call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_job_free(job: *mut kds_job) {
    // SAFETY: made by `Box::into_raw`.
    unsafe { free(job) };
}

/// Sets one parameter of `KDS_SCOPE_JOB` for the runs that begin after it. Names, values and ranges: `kds_param_get`.
///
/// Errors: `KDS_INVALID_ARGUMENT` for a name that is not in the table or a value outside its range.
/// Threads: not beside another call with this job, but for `kds_job_cancel`.
///
/// # Safety
/// `job` is a live job, the strings are NUL-terminated, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_job_set(
    job: *mut kds_job,
    key: *const c_char,
    value: *const c_char,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let (key, value) = (string(key, "key")?, string(value, "value")?);
            let job = object(job.cast_const(), "job")?;
            job.poison.protect(|| Ok(lock(&job.settings).set(key, value)?))?;
            let mut answers = lock(&job.answers);
            match key {
                // It changes what is in force of others.
                "preset" => answers.clear(),
                _ => drop(answers.remove(key)),
            }
            Ok(())
        })
    }
}

/// The value in force of one parameter: the job's, else that of the job's `preset`, else the model's, else the table's.
///
/// Ownership: the string stays the job's and lives until this parameter or `preset` is set or the job is freed.
/// Errors: `KDS_INVALID_ARGUMENT` for a name that is not in the table.
/// Threads: any number at once.
///
/// # Safety
/// `job` is a live job, `key` is NUL-terminated, `value` may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_job_get(
    job: *const kds_job,
    key: *const c_char,
    value: *mut *const c_char,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let job = object(job, "job")?;
            let value = writable(value, "value")?;
            let key = string(key, "key")?;
            let text = job.poison.protect(|| Ok(lock(&job.settings).get(key)?))?;
            let mut answers = lock(&job.answers);
            let answer = answers.entry(key.to_owned()).or_insert_with(|| CString::new(text).unwrap_or_default());
            value.write(answer.as_ptr());
            Ok(())
        })
    }
}

/// The size that the result for an image of this size will have, with the parameters set so far.
///
/// Errors: `KDS_INVALID_ARGUMENT` where a side is 0 or the result's would not fit 32 bits, or where the parameters do not
/// fit together.
/// Threads: any number at once.
///
/// # Safety
/// `job` is a live job, the out-parameters may be written, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_job_output_size(
    job: *const kds_job,
    width: u32,
    height: u32,
    out_width: *mut u32,
    out_height: *mut u32,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let job = object(job, "job")?;
            let (out_width, out_height) = (writable(out_width, "out_width")?, writable(out_height, "out_height")?);
            let scale = job.poison.protect(|| job.scale())?;
            let enlarge = |side: u32| {
                side.checked_mul(scale).filter(|_| side > 0).ok_or_else(|| {
                    Failure::argument(format!("an image of {width} x {height} pixels cannot be enlarged {scale} times"))
                })
            };
            let (width, height) = (enlarge(width)?, enlarge(height)?);
            out_width.write(width);
            out_height.write(height);
            Ok(())
        })
    }
}

/// Work and memory of a run for an image of this size, with the parameters set so far: alpha and a confidence map
/// counted. The first call for a model runs it on a small tile, to measure what it takes.
///
/// Errors: `KDS_OUT_OF_MEMORY` where it would not fit the budget, `KDS_INVALID_IMAGE` for a size that cannot be
/// restored, `KDS_INVALID_ARGUMENT` for parameters that do not fit together.
/// Threads: any number at once.
///
/// # Safety
/// `job` is a live job, `out` has its `struct_size` set, `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_job_estimate(
    job: *const kds_job,
    width: u32,
    height: u32,
    out: *mut kds_estimate,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let job = object(job, "job")?;
            process::check()?;
            let estimate = job.poison.protect(|| job.estimate(width as usize, height as usize))?;
            structs::write(out, &estimate)
        })
    }
}

/// Restores `input` into the caller's buffer `output`, which has the size that `kds_job_output_size` tells and any
/// format. `mask` is for models that need one, else NULL: gray, of the input's size; white is what to fill, black keeps its
/// pixels exactly as they are, and between the two the result is blended in.
/// `confidence` is NULL or a gray image of the output's size: white where the particles agree, black where they differ
/// as much as photographs do; of a calibrated model it means an expected error (`error_range` of `kds_model_info`).
///
/// The input is read before anything is written, so input and output may overlap; `output` and `confidence` may not
/// overlap each other. They are written only on success. `progress` may be NULL.
///
/// Errors: `KDS_INVALID_IMAGE`, naming the image and what is wrong with it; `KDS_INVALID_ARGUMENT`; `KDS_BUSY` where the
/// job is running already; `KDS_CANCELLED` after `kds_job_cancel` or a `progress` that returned other than 0;
/// `KDS_OUT_OF_MEMORY`; `KDS_INTERNAL`.
/// Threads: any number of jobs at once, of one model too; one run per job. They share the processor's cores: jobs side
/// by side are no faster than one after the other.
///
/// # Safety
/// `job` is a live job; the images are valid, their buffers `len` bytes long; `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_job_run(
    job: *mut kds_job,
    input: *const kds_image,
    mask: *const kds_image,
    output: *const kds_image,
    confidence: *const kds_image,
    progress: kds_progress,
    user_data: *mut c_void,
    error: *mut *mut kds_error,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(error, || {
            let job = object(job.cast_const(), "job")?;
            process::check()?;
            if job.running.swap(true, Ordering::AcqRel) {
                return Err(Failure::new(KDS_BUSY, "this job is running already; make one job per thread"));
            }
            let _running = Running(&job.running);
            let run = || job.run(input, mask, output, confidence, progress, user_data);
            job.poison.protect(|| job.loaded.log.within(run))
        })
    }
}

/// Cancels the job's runs, the present one and all later ones: it stops within a step of the sampler, with
/// `KDS_CANCELLED`. From any thread and from signal handlers, at any time while the job lives. NULL is fine.
///
/// Threads: any number at once, beside every call but `kds_job_free`.
///
/// # Safety
/// `job` is NULL or a live job.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_job_cancel(job: *const kds_job) {
    // SAFETY: the caller's promise.
    if let Some(job) = unsafe { job.as_ref() } {
        job.cancelled.store(true, Ordering::Release);
    }
}

impl kds_job {
    fn scale(&self) -> Result<u32, Failure> {
        let scale = lock(&self.settings).resolve()?.scale;
        let most = self.loaded.backbone().spec().scale;
        match scale {
            0 => Ok(most as u32),
            scale if scale <= most => Ok(scale as u32),
            _ => Err(Failure::argument(format!("scale {scale} is more than the model's {most}; use {most} or less"))),
        }
    }

    fn estimate(&self, width: usize, height: usize) -> Result<kds_estimate, Failure> {
        let settings = lock(&self.settings).resolve()?;
        let backbone = self.loaded.backbone();
        let request = Request::of_size(width, height, self.loaded.entry.task == Task::Inpainting);
        threads::use_threads(self.loaded.threads)?;
        let free = memory::free(backbone.spec().device);
        let plan = self.loaded.log.within(|| Plan::new(&*backbone, &settings, request, (width, height), free))?;
        Ok(kds_estimate::of(&plan))
    }

    /// # Safety
    /// As `kds_job_run`.
    unsafe fn run(
        &self,
        input: *const kds_image,
        mask: *const kds_image,
        output: *const kds_image,
        confidence: *const kds_image,
        progress: kds_progress,
        user_data: *mut c_void,
    ) -> Result<(), Failure> {
        let settings = lock(&self.settings).resolve()?;
        let scale = self.scale()? as usize;
        let needs_mask = self.loaded.entry.task == Task::Inpainting;
        if mask.is_null() == needs_mask {
            return Err(Failure::argument(match needs_mask {
                true => "mask is NULL; this model fills holes: pass a gray image, white where to fill",
                false => "this model takes no mask; pass NULL, or open a model for inpainting",
            }));
        }
        // SAFETY: the caller's promise, for all images.
        let input = unsafe { Input::new(input)? };
        let mask = match needs_mask {
            true => Some(unsafe { Mask::new(mask, &input)? }),
            false => None,
        };
        let (input_width, input_height) = input.size();
        let (width, height) = (input_width * scale, input_height * scale);
        let output = unsafe { Target::new(output, "output", width, height)? };
        let confidence = match confidence.is_null() {
            true => None,
            false => Some(unsafe { Target::new(confidence, "confidence", width, height)? }),
        };

        threads::use_threads(self.loaded.threads)?;
        let mut tell = |progress_now: Progress| {
            let info = kds_progress_info {
                struct_size: size_of::<kds_progress_info>() as u32,
                stage: progress_now.stage as i32,
                done: progress_now.done,
                total: progress_now.total,
            };
            // SAFETY: the caller's function and data.
            let asked = progress.is_some_and(|progress| unsafe { progress(user_data, &raw const info) } != 0);
            if asked || self.cancelled.load(Ordering::Acquire) { Err(Error::Cancelled) } else { Ok(()) }
        };
        // Where there is nothing to sample, as with a mask that is all black, no step of the sampler asks.
        if self.cancelled.load(Ordering::Acquire) {
            return Err(Error::Cancelled.into());
        }
        let request = Request {
            width: input_width,
            height: input_height,
            alpha: input.has_alpha(),
            mask: mask.is_some(),
            confidence: confidence.is_some(),
            output_bytes: output.pixel_bytes(),
        };
        // Nothing large is allocated before the plan is made and its memory is promised.
        let backbone = self.loaded.backbone();
        let prepared = Prepared::new(&*backbone, &settings, request, &mut tell)?;
        let Pixels { picture, alpha } = input.read()?;
        let mask = mask.map(|mask| mask.read()).transpose()?;
        let source = Source { picture: &picture, alpha: alpha.as_deref(), mask: mask.as_deref() };
        let restored = match prepared.run(source, &mut tell) {
            Err(error @ Error::NotFinite { .. }) => match self.loaded.wider_than(&*backbone)? {
                Some(wider) => Prepared::new(&*wider, &settings, request, &mut tell)?.run(source, &mut tell)?,
                None => return Err(error.into()),
            },
            restored => restored?,
        };
        let alpha = alpha.as_ref().filter(|_| output.has_alpha());
        let alpha = alpha.map(|alpha| Enlarged::new(alpha, input_width, scale)).transpose()?;
        // Nothing can fail from here on.
        output.write(&restored.picture, alpha);
        if let (Some(target), Some(map)) = (confidence, restored.confidence) {
            target.write_gray(&map);
        }
        Ok(())
    }
}

/// Takes the flag down again, however the run ends.
struct Running<'a>(&'a AtomicBool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A panic while a lock was held has poisoned the handle itself, so the poison of the lock is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
