//! What runs of this process have been promised, so that runs side by side do not take the same memory twice.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tch::Device;

use super::{Bytes, System, device_free};
use crate::{Error, Result};

/// Memory of this process: what is free of the system's, less what is promised.
static POOL: Pool = Pool::new();

thread_local! {
    /// Promises that this thread holds.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// How often a run that waits for memory asks whether it shall go on waiting.
const PATIENCE: Duration = Duration::from_millis(50);

/// Memory that could be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// Bytes of the host.
    pub host: u64,
    /// Bytes of the device; `None` where it has none of its own, or does not tell.
    pub device: Option<u64>,
}

/// Memory that is free for a run on this device, beside the runs that there are.
pub fn free(device: Device) -> Free {
    POOL.lock().free(device, &System::default())
}

/// Plans a run with what is free, and promises it what it needs until the answer is dropped.
///
/// Where there is too little because other runs hold promises, it waits until one of them ends; `wait` is called
/// meanwhile, and its error ends the wait. A thread that holds a promise itself, as in a progress callback that starts
/// another run, does not wait.
///
/// # Errors
/// Those of `plan` and `wait`.
pub fn promise<T>(
    device: Device,
    mut plan: impl FnMut(Free) -> Result<(T, Bytes)>,
    wait: &mut dyn FnMut() -> Result<()>,
) -> Result<(T, Promise)> {
    let mut told = false;
    let mut promises = POOL.lock();
    loop {
        match plan(promises.free(device, &System::default())) {
            Ok((planned, bytes)) => {
                promises.take(device, bytes);
                HELD.set(HELD.get() + 1);
                return Ok((planned, Promise { device, bytes, _of_this_thread: std::marker::PhantomData }));
            }
            Err(Error::OutOfMemory { .. }) if !promises.list.is_empty() && HELD.get() == 0 => {
                if !std::mem::replace(&mut told, true) {
                    tracing::info!("waiting for memory that another run of this process uses");
                }
                promises = POOL.wait(promises);
                drop(promises);
                wait()?;
                promises = POOL.lock();
            }
            Err(error) => return Err(error),
        }
    }
}

/// Memory that a run may take. Not `Send`.
#[derive(Debug)]
pub struct Promise {
    device: Device,
    bytes: Bytes,
    _of_this_thread: std::marker::PhantomData<*const ()>,
}

impl Promise {
    /// Promises another number of bytes, no more than the first plan was allowed.
    pub fn change(&mut self, bytes: Bytes) {
        POOL.lock().change(self.device, std::mem::replace(&mut self.bytes, bytes), bytes);
        POOL.changed.notify_all();
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
        POOL.lock().give_back(self.device, self.bytes);
        POOL.changed.notify_all();
    }
}

struct Pool {
    promises: Mutex<Promises>,
    changed: Condvar,
}

/// What has been promised, and what the process held before the first of them.
struct Promises {
    list: Vec<(Device, Bytes)>,
    resident_before: u64,
}

impl Pool {
    const fn new() -> Self {
        Self { promises: Mutex::new(Promises { list: Vec::new(), resident_before: 0 }), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Promises> {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, promises: MutexGuard<'a, Promises>) -> MutexGuard<'a, Promises> {
        self.changed.wait_timeout(promises, PATIENCE).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Promises {
    fn free(&self, device: Device, system: &System) -> Free {
        let host: u64 = self.list.iter().map(|(_, bytes)| bytes.host).sum();
        // What they have taken already is missing from what is free.
        let taken = system.resident().saturating_sub(self.resident_before).min(host);
        let on_device: u64 = self.list.iter().filter(|(of, _)| *of == device).map(|(_, bytes)| bytes.device).sum();
        Free {
            host: system.available().saturating_sub(host - taken),
            // How much of it is taken cannot be told; all of it is the safe side.
            device: device_free(device).map(|free| free.saturating_sub(on_device)),
        }
    }

    fn take(&mut self, device: Device, bytes: Bytes) {
        if self.list.is_empty() {
            self.resident_before = System::default().resident();
        }
        self.list.push((device, bytes));
    }

    fn change(&mut self, device: Device, from: Bytes, to: Bytes) {
        if let Some((_, bytes)) = self.list.iter_mut().find(|held| **held == (device, from)) {
            *bytes = to;
        }
    }

    fn give_back(&mut self, device: Device, bytes: Bytes) {
        if let Some(index) = self.list.iter().position(|held| *held == (device, bytes)) {
            self.list.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const GIB: u64 = 1 << 30;

    /// A plan that fits where this much is free.
    fn needs(host: u64) -> impl FnMut(Free) -> Result<((), Bytes)> {
        move |free: Free| {
            if free.host < host {
                return Err(Error::OutOfMemory { needed: host, allowed: free.host, memory: super::super::Kind::Free });
            }
            Ok(((), Bytes { host, device: 0 }))
        }
    }

    #[test]
    fn a_second_run_waits_for_the_first_and_then_goes_on() {
        // More than half of what is free, so that no two fit.
        let most = free(Device::Cpu).host / 4 * 3;
        let first = promise(Device::Cpu, needs(most), &mut || Ok(())).unwrap();
        assert!(free(Device::Cpu).host < most);
        // On the thread that holds it, waiting would be for ever.
        let refused = promise(Device::Cpu, needs(most), &mut || Ok(())).unwrap_err();
        assert!(matches!(refused, Error::OutOfMemory { .. }), "{refused}");
        std::thread::scope(|scope| {
            let (waits, waiting) = mpsc::channel();
            let second = scope.spawn(move || {
                let mut told = || Ok(_ = waits.send(()));
                promise(Device::Cpu, needs(most), &mut told).map(drop)
            });
            waiting.recv().unwrap();
            // A wait can be given up.
            let cancelled =
                scope.spawn(move || promise(Device::Cpu, needs(most), &mut || Err(Error::Cancelled)).map(drop));
            assert!(matches!(cancelled.join().unwrap(), Err(Error::Cancelled)));
            drop(first);
            second.join().unwrap().unwrap();
        });
    }

    #[test]
    fn what_a_run_has_taken_already_is_not_counted_twice() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("proc/self")).unwrap();
        let system = |available: u64, resident: u64| {
            let write = |path: &str, text: String| std::fs::write(folder.path().join(path), text).unwrap();
            write("proc/meminfo", format!("MemAvailable: {} kB\n", available >> 10));
            write("proc/self/statm", format!("0 {} 0\n", resident >> 12));
            System::at(folder.path(), 4096)
        };
        let mut promises =
            Promises { list: vec![(Device::Cpu, Bytes { host: 4 * GIB, device: 0 })], resident_before: GIB };
        assert_eq!(promises.free(Device::Cpu, &system(10 * GIB, GIB)).host, 6 * GIB);
        assert_eq!(promises.free(Device::Cpu, &system(7 * GIB, 4 * GIB)).host, 6 * GIB);
        assert_eq!(promises.free(Device::Cpu, &system(6 * GIB, 5 * GIB)).host, 6 * GIB);
        promises.list.clear();
        assert_eq!(promises.free(Device::Cpu, &system(6 * GIB, 5 * GIB)).host, 6 * GIB);
    }
}
