//! How fast a model is on this machine, found out while the person reads the dialog.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use crate::failure::Failure;
use crate::restorer::{Restorer, Speed};

/// A measurement on a thread of its own. It is over when this is dropped.
pub struct Measurement {
    stop: Arc<AtomicBool>,
    result: Receiver<Result<Speed, Failure>>,
    thread: Option<JoinHandle<()>>,
}

impl Measurement {
    /// Starts it.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(restorer: Arc<Restorer>) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let (send, result) = channel();
        let asked_to_stop = stop.clone();
        let measure = move || {
            // Nobody listens any more when it was stopped.
            let _ = send.send(restorer.speed(&asked_to_stop));
        };
        let thread = thread::Builder::new().name("kds-measurement".into()).spawn(measure);
        let thread =
            thread.map_err(|error| Failure::new(format!("cannot start a thread ({error}); close programs")))?;
        Ok(Self { stop, result, thread: Some(thread) })
    }

    /// The speed, once, when it is known.
    pub fn result(&self) -> Option<Result<Speed, Failure>> {
        self.result.try_recv().ok()
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there is a measurement that failed.
            let _ = thread.join();
        }
    }
}
