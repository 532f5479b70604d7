//! A node: a model that is loaded in the worker, and the values it is used with.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use kds_host::{Context, ContextOptions, Error, ImageMut, ImageRef, Job, Library, Model, ModelInfo, Progress, Status};

use crate::Task;

/// A task with its settings. Frames may be restored at the same time.
pub struct Node {
    model: Model,
    info: ModelInfo,
    values: Vec<(String, String)>,
}

/// The engine, found once for all nodes of a program.
fn library() -> Result<Arc<Library>, Error> {
    static LIBRARY: Mutex<Option<Arc<Library>>> = Mutex::new(None);
    let mut library = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
    if library.is_none() {
        *library = Some(Library::worker()?);
    }
    library
        .clone()
        .ok_or_else(|| Error { status: Status::Internal, message: "the worker was found and is lost".into() })
}

/// The models of all registries.
///
/// # Errors
/// Where no worker can be started, or a registry is damaged.
pub fn models() -> Result<Vec<ModelInfo>, Error> {
    Context::new(&library()?, &ContextOptions::default())?.models()
}

impl Node {
    /// Loads the model that the settings name, or the first that does the task, and checks their values.
    ///
    /// # Errors
    /// Where the model, the device or a value cannot be used.
    pub fn open(task: Task, settings: Vec<(String, String)>) -> Result<Self, Error> {
        let of = |name: &str| settings.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str());
        let context = Context::new(&library()?, &ContextOptions::default())?;
        let info = choose(task, of("model"), context.models()?)?;
        let model = context.open_model(&info.id, of("device"), of("dtype"))?;
        let of_job = |(name, _): &(String, String)| !["model", "device", "dtype"].contains(&name.as_str());
        let values = settings.into_iter().filter(of_job).collect();
        let node = Self { model, info, values };
        node.job()?;
        Ok(node)
    }

    fn job(&self) -> Result<Job, Error> {
        let mut job = self.model.new_job()?;
        for (name, value) in &self.values {
            job.set(name, value)?;
        }
        Ok(job)
    }

    /// Size of the result for a picture of this size.
    ///
    /// # Errors
    /// For a size that the model cannot take.
    pub fn output_size(&self, width: u32, height: u32) -> Result<(u32, u32), Error> {
        self.job()?.output_size(width, height)
    }

    /// True for nodes that take a mask.
    pub fn needs_mask(&self) -> bool {
        self.info.needs_mask
    }

    /// Restores a picture into one of the size of [`Node::output_size`] and the same format. The mask is of the picture's size and
    /// grey; where it is not 0, the picture is filled. Without a seed of its own a picture has that of the settings, so that the
    /// same picture always becomes the same. The share that is done, from 0 to 1, is told on this thread; `Break` cancels.
    ///
    /// # Errors
    /// Errors of the worker, and its end; [`Cancelled`](Status::Cancelled). Then nothing is written.
    pub fn restore(
        &self,
        picture: ImageRef<'_>,
        mask: Option<ImageRef<'_>>,
        mut restored: ImageMut<'_>,
        seed: Option<i64>,
        progress: Option<&mut dyn FnMut(f64) -> ControlFlow<()>>,
    ) -> Result<(), Error> {
        let mut job = self.job()?;
        if let Some(seed) = seed {
            job.set("seed", &seed.to_string())?;
        }
        match progress {
            None => job.run(picture, mask, restored.again(), None, None)?,
            Some(tell) => {
                let mut tell = |Progress { done, total, .. }| tell(done as f64 / total.max(1) as f64);
                job.run(picture, mask, restored.again(), None, Some(&mut tell))?;
            }
        }
        restored.carry_excess(&picture, mask.as_ref());
        Ok(())
    }
}

fn choose(task: Task, named: Option<&str>, models: Vec<ModelInfo>) -> Result<ModelInfo, Error> {
    let known: Vec<_> = models.iter().filter(|model| model.task == task.of_models()).map(|model| &*model.id).collect();
    let message = match named {
        Some(named) => {
            format!("there is no model '{named}' for {}; choose one of: {}", task.of_models(), known.join(", "))
        }
        None => format!("there is no model for {}; 'kds models add' adds one", task.of_models()),
    };
    let fits = |model: &ModelInfo| model.task == task.of_models() && named.is_none_or(|named| named == model.id);
    models.into_iter().find(fits).ok_or(Error { status: Status::NotFound, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_that_is_named_or_the_first_of_the_task_is_taken() {
        let model = |id: &str, task: Task| ModelInfo {
            id: id.into(),
            title: String::new(),
            task: task.of_models().into(),
            backbone: String::new(),
            source: String::new(),
            scale: 1,
            needs_mask: false,
            calibration: None,
        };
        let models = || vec![model("a", Task::Upscale), model("b", Task::Restore), model("c", Task::Restore)];
        assert_eq!(choose(Task::Restore, None, models()).unwrap().id, "b");
        assert_eq!(choose(Task::Restore, Some("c"), models()).unwrap().id, "c");
        let error = choose(Task::Restore, Some("a"), models()).unwrap_err();
        assert_eq!(error.message, "there is no model 'a' for restoration; choose one of: b, c");
        assert_eq!(choose(Task::Inpaint, None, models()).unwrap_err().status, Status::NotFound);
    }
}
