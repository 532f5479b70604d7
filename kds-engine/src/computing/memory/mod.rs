//! Memory: what the system has, what the runs of this process have been promised, and what a computation takes.

mod allocations;
mod pool;

use kds_parameters::MemoryBudget;
use tch::Device;

pub use allocations::{Allocated, Watch, measured};
pub use kds_memory::{Bound, System};
pub use pool::{Free, Promise, free, promise};

use crate::{Error, Result};

/// Bytes of the host and of the device; on the CPU everything is the host's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes {
    /// In the host's memory.
    pub host: u64,
    /// In the memory of the device.
    pub device: u64,
}

/// Which bound was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Free memory of the host.
    Free,
    /// The parameter `memory`.
    Given,
    /// Free memory of the device.
    DeviceFree,
    /// The parameter `device_memory`.
    DeviceGiven,
}

/// How much of what is free a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes within which tiles and batches are chosen.
    pub wanted: u64,
    /// Bytes that the smallest tile may take where it does not fit those.
    pub most: u64,
    /// What bounds it.
    pub kind: Kind,
}

impl Allowance {
    /// Of the host's memory. A number of bytes is never more than is free; `auto` is half of that, and up to seven eighths
    /// where nothing else helps.
    pub fn of_host(budget: MemoryBudget, free: u64) -> Self {
        Self::new(budget, free, [Kind::Free, Kind::Given])
    }

    /// Of the device's memory, which other programs rarely need: `auto` is seven eighths of what is free.
    pub fn of_device(budget: MemoryBudget, free: Option<u64>) -> Self {
        let free = free.unwrap_or(u64::MAX);
        let allowance = Self::new(budget, free, [Kind::DeviceFree, Kind::DeviceGiven]);
        Self { wanted: allowance.most, ..allowance }
    }

    fn new(budget: MemoryBudget, free: u64, [not_asked, asked]: [Kind; 2]) -> Self {
        match budget {
            MemoryBudget::Auto => Self { wanted: free / 2, most: free / 8 * 7, kind: not_asked },
            MemoryBudget::Bytes(bytes) if bytes <= free => Self { wanted: bytes, most: bytes, kind: asked },
            MemoryBudget::Bytes(_) => Self { wanted: free, most: free, kind: not_asked },
        }
    }
}

/// Bytes without which nothing is computed: what libtorch sets up at the first operations is in no plan.
pub const LEAST: u64 = 64 << 20;

/// Bytes that the process holds now (resident set), 0 where the system does not tell.
pub fn resident() -> u64 {
    System::default().resident()
}

/// Bytes that this process could still take; [`System::available`].
pub fn available() -> u64 {
    System::default().available()
}

/// Bytes of memory in the machine; [`System::total`].
pub fn total() -> u64 {
    System::default().total()
}

/// Free bytes of a device with memory of its own, what libtorch keeps there for later included; `None` for the CPU, and
/// where it does not tell.
pub(crate) fn device_free(device: Device) -> Option<u64> {
    let memory = crate::device::memory(device).ok()??;
    Some(memory.free + memory.reserved.saturating_sub(memory.allocated))
}

/// Numbers that are 0.
///
/// # Errors
/// [`Error::OutOfMemory`], where a vector would abort the process.
pub fn zeros(count: usize) -> Result<Vec<f32>> {
    let mut values = reserved(count)?;
    values.resize(count, 0.0);
    Ok(values)
}

/// An empty vector with room for this many numbers.
///
/// # Errors
/// As [`zeros`].
pub fn reserved(count: usize) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    let bytes = (count as u64).saturating_mul(size_of::<f32>() as u64);
    values.try_reserve_exact(count).map_err(|_| refused(bytes))?;
    Ok(values)
}

/// Refuses what is more than the process could still take.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn check(bytes: u64) -> Result<()> {
    if bytes > available() { Err(refused(bytes)) } else { Ok(()) }
}

/// The error of a request that the system refuses.
pub fn refused(bytes: u64) -> Error {
    Error::OutOfMemory { needed: bytes, allowed: available(), memory: Kind::Free }
}

/// Gives what the allocator of this process keeps for later back to the system: a host goes on for hours after a run.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: any thread may call it at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Prepares the allocator of this process, once, before the first large tensor and the first thread.
///
/// glibc soon keeps freed blocks of up to 32 MiB for later, and feature maps of many sizes leave so many holes that a run
/// takes twice what its tensors hold: blocks of some MiB go back to the system at once. And it reserves 64 MiB of addresses
/// for each thread: where those are limited, threads share them.
pub fn prepare_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE: libc::c_int = 4 << 20;
        static ONCE: std::sync::Once = std::sync::Once::new();
        // SAFETY: any thread may call it at any time.
        ONCE.call_once(|| unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
            if System::default().limits_addresses() {
                libc::mallopt(libc::M_ARENA_MAX, 1);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_bytes_is_never_more_than_is_free() {
        let bytes = MemoryBudget::Bytes;
        let allowance = |wanted, most, kind| Allowance { wanted, most, kind };
        assert_eq!(Allowance::of_host(bytes(600), 800), allowance(600, 600, Kind::Given));
        assert_eq!(Allowance::of_host(bytes(900), 800), allowance(800, 800, Kind::Free));
        assert_eq!(Allowance::of_host(MemoryBudget::Auto, 800), allowance(400, 700, Kind::Free));
        assert_eq!(Allowance::of_device(MemoryBudget::Auto, Some(800)), allowance(700, 700, Kind::DeviceFree));
        assert_eq!(Allowance::of_device(bytes(600), None), allowance(600, 600, Kind::DeviceGiven));
    }

    #[test]
    fn too_much_is_an_error() {
        let error = zeros(1 << 60).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
        assert_eq!(zeros(3).unwrap(), [0.0; 3]);
    }
}
