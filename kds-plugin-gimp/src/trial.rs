//! A restoration of a part for the preview, on a thread of its own.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use crate::failure::Failure;
use crate::photograph::Sample;
use crate::restorer::{Restored, Restorer};
use crate::settings::Settings;

/// A running trial. It is over when this is dropped.
pub struct Trial {
    stop: Arc<AtomicBool>,
    percent: Arc<AtomicU32>,
    outcome: Receiver<Result<Restored, Failure>>,
    thread: Option<JoinHandle<()>>,
}

impl Trial {
    /// Begins to restore a part.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(restorer: Arc<Restorer>, settings: Settings, sample: Arc<Sample>) -> Result<Self, Failure> {
        let (stop, percent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (send, outcome) = channel();
        let (asked_to_stop, told) = (stop.clone(), percent.clone());
        let restore = move || {
            let mut progress = |progress: kds_host::Progress| {
                told.store((progress.done * 100 / progress.total.max(1)) as u32, Ordering::Relaxed);
                if asked_to_stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let restored = restorer.run(&settings, &sample.pixels, sample.mask.as_ref(), true, &mut progress);
            // The receiver is gone with the dialog.
            let _ = send.send(restored);
        };
        let thread = thread::Builder::new().name("kds-preview".into()).spawn(restore);
        let thread =
            thread.map_err(|error| Failure::new(format!("cannot start a thread ({error}); close programs")))?;
        Ok(Self { stop, percent, outcome, thread: Some(thread) })
    }

    /// The outcome, once there is one.
    pub fn outcome(&self) -> Option<Result<Restored, Failure>> {
        match self.outcome.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err(Failure::new("the preview has a defect and stopped; please report it")))
            }
        }
    }

    /// How much of it is done, in percent.
    pub fn percent(&self) -> u32 {
        self.percent.load(Ordering::Relaxed)
    }

    /// Asks it to end within a step.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// It was asked to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // A panic there is a preview that failed.
            let _ = thread.join();
        }
    }
}
