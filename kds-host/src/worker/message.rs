//! Protocol of client and worker: JSON messages, with the pictures beside them in shared memory.
//!
//! A request names all that it needs: registry, model, device and the values of parameters. So a worker that has just been
//! started can answer it as well as one that has answered many, and nothing is lost with a worker but the call that it was
//! at.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Alpha, Error, Format, Light, LogLevel, ModelInfo, Progress};

/// The first message of a worker on a new connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Version of KDS. Messages of different versions may differ.
    pub version: String,
}

impl Hello {
    /// The greeting of this build.
    pub fn ours() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// Request of a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Answered with `Vec<ParameterInfo>`.
    Parameters,
    /// Answered with `()`: whether the registries can be read.
    Open(ContextSettings),
    /// Answered with `Vec<ModelInfo>`.
    Models(ContextSettings),
    /// Answered with `Vec<DeviceInfo>`.
    Devices(ContextSettings),
    /// Answered with `Vec<(String, String)>`.
    Describe(ContextSettings),
    /// Answered with `()`.
    CheckModel(ContextSettings, String),
    /// Answered with [`crate::RecognisedModel`]: a folder, the names of its files where only some are there, and an id.
    RecogniseModel(ContextSettings, PathBuf, Option<BTreeSet<String>>, String),
    /// Answered with [`OpenedModel`].
    OpenModel(ModelSettings),
    /// Answered with `()`: whether the job takes its values.
    Check(JobSettings),
    /// Answered with `String`: a value in force.
    Value(JobSettings, String),
    /// Answered with `(u32, u32)`.
    OutputSize(JobSettings, u32, u32),
    /// Answered with [`crate::Estimate`].
    Estimate(JobSettings, u32, u32),
    /// Answered with `()`. The memory of the pictures comes with it, in this order: input, mask, output, confidence.
    Run(JobSettings, Pictures),
    /// Stops the run that this connection waits for. It has no answer, and means nothing when nothing runs.
    Cancel,
}

/// [`crate::ContextOptions`], and what the registries were when the host opened its context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContextSettings {
    pub threads: u16,
    pub registry: Option<PathBuf>,
    pub log: Option<LogLevel>,
    /// Changes when a registry file changes: an older context, and its models, then serve this host no more.
    pub registries: u64,
}

impl ContextSettings {
    /// True when one context serves both: log lines above a host's level are filtered on the way.
    pub fn serves(&self, other: &Self) -> bool {
        let others = |settings: &Self| (settings.threads, settings.registry.clone(), settings.registries);
        others(self) == others(other) && self.level() >= other.level()
    }

    /// The least level that a context for it tells.
    pub fn level(&self) -> LogLevel {
        self.log.unwrap_or(LogLevel::Info).max(LogLevel::Info)
    }
}

/// Arguments of [`crate::Context::open_model`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModelSettings {
    pub context: ContextSettings,
    pub id: String,
    pub device: Option<String>,
    pub dtype: Option<String>,
}

/// A loaded model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OpenedModel {
    pub info: ModelInfo,
    pub device: String,
    pub dtype: String,
}

/// A model and the values that have been set, in this order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JobSettings {
    pub model: ModelSettings,
    pub values: Vec<(String, String)>,
}

/// The pictures of a run. Their rows go downwards without gaps, the samples of a pixel lie side by side.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pictures {
    pub input: Picture,
    pub mask: Option<Picture>,
    pub output: Picture,
    pub confidence: Option<Picture>,
    /// True for a run with a progress callback.
    pub progress: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Picture {
    pub format: Format,
    pub alpha: Alpha,
    pub light: Light,
    pub width: u32,
    pub height: u32,
}

impl Picture {
    /// Bytes of a row; none if that is more than a machine can have.
    pub fn row(&self) -> Option<usize> {
        (self.width as usize).checked_mul(self.format.bytes())
    }

    /// Bytes in all.
    pub fn len(&self) -> Option<usize> {
        self.row()?.checked_mul(self.height as usize)
    }
}

/// Reply of the worker: any number of log lines and progress reports, then one of the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Reply<T> {
    Log(LogLevel, String),
    Progress(Progress),
    Done(T),
    Failed(Error),
    /// The worker ends, having had no work for long, and has not begun with the request: ask the next one.
    Ended,
}
