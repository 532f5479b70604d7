//! Signals that ask to stop (Ctrl-C, termination, the end of the terminal): the first cancels what is computed, the second
//! ends the program. One that the caller had ignored, as `nohup` does, stays ignored.

use std::{
    io, mem, ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    thread,
};

use anyhow::Context;
use kds_host::CancelHandle;
use libc::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::output;

/// The first signal received; 0 before.
static RECEIVED: AtomicI32 = AtomicI32::new(0);
static RUNNING: Mutex<Option<CancelHandle>> = Mutex::new(None);

/// Stopped by a signal.
#[derive(Debug, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// Listens to the signals from now on.
///
/// # Errors
/// When the system refuses the handlers.
pub fn install() -> anyhow::Result<()> {
    let heard = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(heard).context("cannot listen to signals")?;
    // On a thread, so that receiving may lock and print.
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().for_each(receive))
        .context("cannot listen to signals")?;
    Ok(())
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: all zeros are a valid sigaction, and with a null pointer sigaction only asks.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

fn receive(signal: i32) {
    if RECEIVED.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        // SAFETY: ends the process at once. Handlers of a usual exit would run while the library still computes.
        unsafe { libc::_exit(i32::from(exit_code())) }
    }
    output::say(match signal {
        SIGINT => "stopping; press Ctrl-C again to stop at once",
        _ => "stopping; a second signal stops at once",
    });
    if let Some(job) = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        job.cancel();
    }
}

/// The exit code of a run that a signal stopped, as shells have it: 128 and the signal's number.
pub fn exit_code() -> u8 {
    match RECEIVED.load(Ordering::SeqCst) {
        0 => 128 + SIGINT as u8,
        signal => 128 + signal as u8,
    }
}

/// Goes on only when no signal was received.
///
/// # Errors
/// [`Cancelled`].
pub fn check() -> Result<(), Cancelled> {
    if RECEIVED.load(Ordering::SeqCst) != 0 { Err(Cancelled) } else { Ok(()) }
}

/// Waits until the file can be read, or has come to its end.
///
/// # Errors
/// [`Cancelled`] when a signal comes first; the system's when it refuses to wait.
pub fn wait_for_input(file: &impl std::os::fd::AsRawFd) -> anyhow::Result<()> {
    const MILLISECONDS: i32 = 100;
    loop {
        check()?;
        let mut poll = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, which lives until the call returns.
        match unsafe { libc::poll(&mut poll, 1, MILLISECONDS) } {
            0 => {}
            1.. => return Ok(()),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error.into());
                }
            }
        }
    }
}

/// Lets a signal cancel this job until the guard is dropped; it counts also when it came before.
pub fn cancels(job: CancelHandle) -> Guard {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if RECEIVED.load(Ordering::SeqCst) != 0 {
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
