//! Loading a model, and measuring how fast it is on this machine, while the person reads the dialog.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use crate::failure::Failure;
use crate::restorer::{Models, Restorer, Speed};
use crate::settings::Settings;

/// Stages of loading.
pub enum News {
    /// The model, or why it cannot be used; then nothing follows.
    Loaded(Result<Arc<Restorer>, Failure>),
    /// Its speed.
    Measured(Result<Speed, Failure>),
}

/// Loading and measuring on a thread of its own. It is over when this is dropped.
pub struct Loading {
    stop: Arc<AtomicBool>,
    news: Receiver<News>,
    thread: Option<JoinHandle<()>>,
}

impl Loading {
    /// Starts to load the model that these settings choose.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(models: Arc<Models>, settings: Settings) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let (send, news) = channel();
        let asked_to_stop = stop.clone();
        let load = move || {
            let loaded = models.load(&settings).map(Arc::new);
            // The receiver is gone when loading was stopped.
            let _ = send.send(News::Loaded(loaded.clone()));
            if let (Ok(restorer), false) = (loaded, asked_to_stop.load(Ordering::Relaxed)) {
                let _ = send.send(News::Measured(restorer.speed(&asked_to_stop)));
            }
        };
        let thread = thread::Builder::new().name("kds-loading".into()).spawn(load);
        let thread =
            thread.map_err(|error| Failure::new(format!("cannot start a thread ({error}); close programs")))?;
        Ok(Self { stop, news, thread: Some(thread) })
    }

    /// New stages since the last call.
    pub fn news(&self) -> Option<News> {
        self.news.try_recv().ok()
    }

    /// Asks it to end soon; whether it has ended.
    pub fn stop(&self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // A panic there is a measurement that failed.
            let _ = thread.join();
        }
    }
}
