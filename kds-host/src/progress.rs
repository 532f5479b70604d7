//! Progress of a job.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

/// Progress of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Current stage.
    pub stage: Stage,
    /// Evaluations of the network done, over all tiles.
    pub done: u64,
    /// Evaluations of the network in all, one for each particle, level and tile.
    pub total: u64,
}

/// Stages of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// Called on the thread inside [`crate::Job::run`]; `Break` cancels.
pub type ProgressFn<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;
