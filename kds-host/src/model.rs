//! A loaded model.

use std::sync::Arc;

use crate::{Error, Job, ModelInfo, transport::ModelCalls};

/// A loaded model. It keeps its context alive, and may be shared between threads.
#[derive(Clone)]
pub struct Model {
    calls: Arc<dyn ModelCalls>,
}

impl Model {
    pub(crate) fn new(calls: Arc<dyn ModelCalls>) -> Self {
        Self { calls }
    }

    /// Its registry entry.
    ///
    /// # Errors
    /// Only on a defect of the library.
    pub fn info(&self) -> Result<ModelInfo, Error> {
        self.calls.info()
    }

    /// The device and the number format it computes with, after the automatic choice.
    ///
    /// # Errors
    /// Only on a defect of the library.
    pub fn device(&self) -> Result<(String, String), Error> {
        self.calls.device()
    }

    /// A new job with the model's own values of the parameters.
    ///
    /// # Errors
    /// Only on a defect of the library, or without memory.
    pub fn new_job(&self) -> Result<Job, Error> {
        Ok(Job::new(self.calls.clone().new_job()?))
    }
}
