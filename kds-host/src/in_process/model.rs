//! Models of the library.

use std::{
    ptr::{NonNull, null, null_mut},
    sync::Arc,
};

use super::{
    call::check,
    context::{ContextHandle, filled, model_info},
    job::JobHandle,
    raw::{self, Api, Sized32},
    text,
};
use crate::{
    Error, ModelInfo,
    transport::{JobCalls, ModelCalls},
};

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

impl ModelCalls for ModelHandle {
    fn info(&self) -> Result<ModelInfo, Error> {
        let api = self.api();
        let mut info = raw::ModelInfo::empty();
        // SAFETY: a live model, whose strings are copied while it lives, and a writable structure.
        unsafe {
            check(api, |error| (api.kds_model_info_get)(self.pointer.as_ptr(), &mut info, error))?;
            Ok(model_info(&info))
        }
    }

    fn device(&self) -> Result<(String, String), Error> {
        let api = self.api();
        let (mut device, mut dtype) = (null(), null());
        // SAFETY: a live model, whose strings are copied while it lives, and writable pointers.
        unsafe {
            check(api, |error| (api.kds_model_device)(self.pointer.as_ptr(), &mut device, &mut dtype, error))?;
            Ok((text::copy(device), text::copy(dtype)))
        }
    }

    fn new_job(self: Arc<Self>) -> Result<Arc<dyn JobCalls>, Error> {
        let api = self.api();
        let mut pointer = null_mut();
        // SAFETY: a live model and a writable pointer.
        check(api, |error| unsafe { (api.kds_job_new)(self.pointer.as_ptr(), &mut pointer, error) })?;
        Ok(Arc::new(JobHandle::new(filled(pointer, "kds_job_new")?, self.clone())))
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
