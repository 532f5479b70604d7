//! The way to the engine, which is one of two: in this process ([`crate::in_process`]) or a worker process
//! ([`crate::worker`]). The public types hold one of these and do not know which.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::{
    ContextOptions, DeviceInfo, Error, Estimate, ImageMut, ImageRef, ModelInfo, ParameterInfo, ProgressFn,
    RecognisedModel,
};

/// Calls behind [`crate::Library`].
pub(crate) trait Transport: Send + Sync {
    fn path(&self) -> &Path;
    fn version(&self) -> String;
    fn parameters(&self) -> Result<Vec<ParameterInfo>, Error>;
    fn context(self: Arc<Self>, options: &ContextOptions) -> Result<Arc<dyn ContextCalls>, Error>;
}

/// Calls behind [`crate::Context`].
pub(crate) trait ContextCalls: Send + Sync {
    fn models(&self) -> Result<Vec<ModelInfo>, Error>;
    fn devices(&self) -> Result<Vec<DeviceInfo>, Error>;
    fn describe(&self) -> Result<Vec<(String, String)>, Error>;
    fn check_model(&self, id: &str) -> Result<(), Error>;
    fn recognise_model(
        &self,
        folder: &Path,
        names: Option<&BTreeSet<String>>,
        id: &str,
    ) -> Result<RecognisedModel, Error>;
    fn open_model(
        self: Arc<Self>,
        id: &str,
        device: Option<&str>,
        dtype: Option<&str>,
    ) -> Result<Arc<dyn ModelCalls>, Error>;
}

/// Calls behind [`crate::Model`].
pub(crate) trait ModelCalls: Send + Sync {
    fn info(&self) -> Result<ModelInfo, Error>;
    fn device(&self) -> Result<(String, String), Error>;
    fn new_job(self: Arc<Self>) -> Result<Arc<dyn JobCalls>, Error>;
}

/// Calls behind [`crate::Job`]. One thread at a time calls these; `cancel` alone may come from any thread at any time.
pub(crate) trait JobCalls: Send + Sync {
    fn set(&self, name: &str, value: &str) -> Result<(), Error>;
    fn get(&self, name: &str) -> Result<String, Error>;
    fn output_size(&self, width: u32, height: u32) -> Result<(u32, u32), Error>;
    fn estimate(&self, width: u32, height: u32) -> Result<Estimate, Error>;
    fn run(&self, images: Images<'_>, progress: Option<&mut ProgressFn<'_>>) -> Result<(), Error>;
    fn cancel(&self);
}

/// The pictures of a run.
pub(crate) struct Images<'a> {
    pub input: ImageRef<'a>,
    pub mask: Option<ImageRef<'a>>,
    pub output: ImageMut<'a>,
    pub confidence: Option<ImageMut<'a>>,
}
