//! Cache of a worker: the library, and the models used last.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::worker::connection::Connection;
use crate::worker::message::{ContextSettings, JobSettings, ModelSettings, Reply};
use crate::{Context, ContextOptions, Error, Job, Library, Log, LogLevel, Model, Status};

/// Models that stay loaded when no job uses them: those that a picture is restored and then enlarged with.
const MODELS: usize = 2;
/// Contexts hold no more than the text of registries; hosts that differ in threads or registries have each their own.
const CONTEXTS: usize = 8;

#[derive(Default)]
pub(crate) struct Engine {
    kept: Mutex<Kept>,
    /// Held while a model is loaded.
    loading: Mutex<()>,
}

/// The most recently used are last.
#[derive(Default)]
struct Kept {
    library: Option<Arc<Library>>,
    contexts: Vec<(ContextSettings, Context)>,
    models: Vec<(ModelSettings, Model)>,
}

impl Engine {
    pub fn library(&self) -> Result<Arc<Library>, Error> {
        self.lock().library()
    }

    pub fn context(&self, settings: &ContextSettings) -> Result<Context, Error> {
        self.lock().context(settings)
    }

    /// A model, loaded if it is not. Where memory runs out, those that are loaded give way.
    pub fn model(&self, settings: &ModelSettings) -> Result<Model, Error> {
        let found = self.lock().find(settings);
        if let Some(model) = found {
            return Ok(model);
        }
        // One model at a time, so that two hosts that ask for the same load it once. Requests that load nothing do not wait.
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.lock().find(settings);
        if let Some(model) = found {
            return Ok(model);
        }
        let context = self.context(&settings.context)?;
        let open = || context.open_model(&settings.id, settings.device.as_deref(), settings.dtype.as_deref());
        let model = match open() {
            Err(error) if error.status == Status::OutOfMemory && self.lock().clear() => open()?,
            result => result?,
        };
        self.lock().keep(settings.clone(), model.clone());
        Ok(model)
    }

    pub fn job(&self, settings: &JobSettings) -> Result<Job, Error> {
        let mut job = self.model(&settings.model)?.new_job()?;
        for (name, value) in &settings.values {
            job.set(name, value)?;
        }
        Ok(job)
    }

    /// Lets models go that are loaded besides this one. Whether there were any.
    pub fn make_room(&self, but: &ModelSettings) -> bool {
        let mut kept = self.lock();
        let before = kept.models.len();
        kept.models.retain(|(of, _)| of == but);
        kept.models.len() < before
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// A model that is loaded.
    fn find(&mut self, settings: &ModelSettings) -> Option<Model> {
        fn names(settings: &ModelSettings) -> (&String, &Option<String>, &Option<String>) {
            (&settings.id, &settings.device, &settings.dtype)
        }
        let same = |(of, _): &(ModelSettings, _)| of.context.serves(&settings.context) && names(of) == names(settings);
        let found = self.models.iter().position(same)?;
        let (key, model) = self.models.remove(found);
        self.models.push((key, model.clone()));
        Some(model)
    }

    fn keep(&mut self, settings: ModelSettings, model: Model) {
        self.models.push((settings, model));
        let surplus = self.models.len().saturating_sub(MODELS);
        self.models.drain(..surplus);
    }

    /// Unloads all models; true where there were any.
    fn clear(&mut self) -> bool {
        let any = !self.models.is_empty();
        self.models.clear();
        any
    }

    fn library(&mut self) -> Result<Arc<Library>, Error> {
        if self.library.is_none() {
            self.library = Some(Library::open()?);
        }
        self.library.clone().ok_or_else(|| Error::new(Status::Internal, "the library is loaded and not there"))
    }

    fn context(&mut self, settings: &ContextSettings) -> Result<Context, Error> {
        let library = self.library()?;
        let (key, context) = match self.contexts.iter().position(|(of, _)| of.serves(settings)) {
            Some(found) => self.contexts.remove(found),
            None => {
                let log = Log { level: settings.level(), tell: Arc::new(tell_caller) };
                let (threads, registry) = (settings.threads, settings.registry.clone());
                let context = Context::new(&library, &ContextOptions { threads, registry, log: Some(log) })?;
                (settings.clone(), context)
            }
        };
        self.contexts.push((key, context.clone()));
        let surplus = self.contexts.len().saturating_sub(CONTEXTS);
        self.contexts.drain(..surplus);
        Ok(context)
    }
}

thread_local! {
    /// Whose call this thread makes.
    static CALLER: RefCell<Option<Arc<Connection>>> = const { RefCell::new(None) };
}

/// Makes a call, whose log goes to this connection.
pub(crate) fn for_caller<T>(connection: &Arc<Connection>, call: impl FnOnce() -> T) -> T {
    CALLER.set(Some(connection.clone()));
    let result = call();
    CALLER.set(None);
    result
}

fn tell_caller(level: LogLevel, line: &str) {
    if let Some(connection) = CALLER.with_borrow(Clone::clone) {
        // A host that is gone needs no log.
        let _ = connection.send(&Reply::<()>::Log(level, line.to_owned()), &[]);
    }
}
