//! A loaded model.

use std::{
    ptr::{NonNull, null, null_mut},
    sync::Arc,
};

use crate::{
    Error, Job, ModelInfo,
    context::{ContextHandle, filled},
    error::check,
    job::JobHandle,
    raw::{self, Api, Sized32},
    text,
};

/// A loaded model. It keeps its context alive, and may be shared between threads.
#[derive(Clone)]
pub struct Model {
    handle: Arc<ModelHandle>,
}

impl Model {
    pub(crate) fn new(handle: ModelHandle) -> Self {
        Self { handle: Arc::new(handle) }
    }

    /// What the registry says about it.
    ///
    /// # Errors
    /// Only on a defect of the library.
    pub fn info(&self) -> Result<ModelInfo, Error> {
        let api = self.handle.api();
        let mut info = raw::ModelInfo::empty();
        // SAFETY: a live model, whose strings are copied while it lives, and a writable structure.
        unsafe {
            check(api, |error| (api.kds_model_info_get)(self.handle.pointer.as_ptr(), &mut info, error))?;
            Ok(ModelInfo::copy(&info))
        }
    }

    /// The device and the number format it computes with, after the automatic choice.
    ///
    /// # Errors
    /// Only on a defect of the library.
    pub fn device(&self) -> Result<(String, String), Error> {
        let api = self.handle.api();
        let (mut device, mut dtype) = (null(), null());
        // SAFETY: a live model, whose strings are copied while it lives, and writable pointers.
        unsafe {
            check(api, |error| (api.kds_model_device)(self.handle.pointer.as_ptr(), &mut device, &mut dtype, error))?;
            Ok((text::copy(device), text::copy(dtype)))
        }
    }

    /// A new job with the model's own values of the parameters.
    ///
    /// # Errors
    /// Only on a defect of the library, or without memory.
    pub fn new_job(&self) -> Result<Job, Error> {
        let api = self.handle.api();
        let mut pointer = null_mut();
        // SAFETY: a live model and a writable pointer.
        check(api, |error| unsafe { (api.kds_job_new)(self.handle.pointer.as_ptr(), &mut pointer, error) })?;
        Ok(Job::new(JobHandle::new(filled(pointer, "kds_job_new")?, self.handle.clone())))
    }
}

/// Owns a `kds_model`.
pub(crate) struct ModelHandle {
    pointer: NonNull<raw::Model>,
    context: Arc<ContextHandle>,
}

impl ModelHandle {
    pub(crate) fn new(pointer: NonNull<raw::Model>, context: Arc<ContextHandle>) -> Self {
        Self { pointer, context }
    }

    pub(crate) fn api(&self) -> &Api {
        &self.context.library.api
    }
}

// SAFETY: the library lets any thread use a model, and its functions that take it as `const`, which are all but the one
// that frees it, run at the same time.
unsafe impl Send for ModelHandle {}
// SAFETY: as above.
unsafe impl Sync for ModelHandle {}

impl Drop for ModelHandle {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `kds_model_open` and is freed once, here.
        unsafe { (self.api().kds_model_free)(self.pointer.as_ptr()) }
    }
}
