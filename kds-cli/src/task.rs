//! Tasks of a call: pictures, and the files to be made of each.

use std::path::{Path, PathBuf};

use crate::{file_kind::FileKind, mark::Role, place::is_standard};

/// All tasks of a call.
#[derive(Debug)]
pub struct Plan {
    /// One after the other.
    pub tasks: Vec<Task>,
    /// True for a batch: one failure does not stop the others, and outputs that exist are skipped.
    pub batch: bool,
    /// Files left out of folders, a line each.
    pub left_out: Vec<String>,
    /// Folders in folders that cannot be read, and why.
    pub unreadable: Vec<String>,
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The picture; `-` is standard input.
    pub input: PathBuf,
    /// The restored picture; `-` is standard output.
    pub output: PathBuf,
    /// The format of the restored picture.
    pub kind: FileKind,
    /// The map of confidence, where wanted.
    pub confidence: Option<PathBuf>,
    /// The comparison, where wanted.
    pub compare: Option<PathBuf>,
}

impl Task {
    /// Every file that the task writes.
    pub fn outputs(&self) -> impl Iterator<Item = (Role, &Path)> {
        let restored = Some(&self.output).filter(|path| !is_standard(path));
        [
            (Role::Restored, restored),
            (Role::Confidence, self.confidence.as_ref()),
            (Role::Comparison, self.compare.as_ref()),
        ]
        .into_iter()
        .filter_map(|(role, path)| Some((role, path?.as_path())))
    }
}
