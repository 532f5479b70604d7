//! Ctrl-C: the first cancels what is computed, the second ends the program.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Context;
use kds_host::CancelHandle;

use crate::output;

static PRESSED: AtomicBool = AtomicBool::new(false);
static RUNNING: Mutex<Option<CancelHandle>> = Mutex::new(None);

/// Stopped by Ctrl-C.
#[derive(Debug, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// Listens to Ctrl-C (and to being asked to terminate) from now on.
///
/// # Errors
/// When the system refuses the handler.
pub fn install() -> anyhow::Result<()> {
    // The handler runs on a thread of its own, so it may lock and print.
    ctrlc::set_handler(|| {
        if PRESSED.swap(true, Ordering::SeqCst) {
            // SAFETY: ends the process at once. Handlers of a usual exit would run while the library still computes.
            unsafe { libc::_exit(i32::from(crate::CANCELLED)) }
        }
        output::say("stopping; press Ctrl-C again to stop at once");
        if let Some(job) = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            job.cancel();
        }
    })
    .context("cannot listen to Ctrl-C")
}

/// Goes on only when Ctrl-C was not pressed.
///
/// # Errors
/// [`Cancelled`].
pub fn check() -> Result<(), Cancelled> {
    if PRESSED.load(Ordering::SeqCst) { Err(Cancelled) } else { Ok(()) }
}

/// Lets Ctrl-C cancel this job until the guard is dropped; it counts also when it was pressed before.
pub fn cancels(job: CancelHandle) -> Guard {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if PRESSED.load(Ordering::SeqCst) {
        job.cancel();
    }
    *running = Some(job);
    Guard
}

/// See [`cancels`].
pub struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
