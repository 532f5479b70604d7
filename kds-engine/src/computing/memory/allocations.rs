//! Memory that a computation allocates through libtorch.

use std::ptr::NonNull;

use tch::Device;

use crate::Result;

/// Bytes that a computation took, as libtorch's allocators told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocated {
    /// At the highest point, beyond what was there before.
    pub peak: u64,
    /// At the end: the result.
    pub kept: u64,
}

/// Runs a computation of this thread and counts the memory of a device that its tensors and libtorch's workspaces take.
/// What other threads do meanwhile is not counted, nor memory that does not come from libtorch.
///
/// # Errors
/// Those of the computation.
pub fn measured<T>(device: Device, compute: impl FnOnce() -> Result<T>) -> Result<(T, Allocated)> {
    let watch = Watch::begin(device)?;
    let value = compute()?;
    Ok((value, watch.read()))
}

/// Counts what this thread takes of a device's memory, as [`measured`], until it is dropped. Not `Send`.
pub struct Watch(NonNull<RawWatch>);

#[repr(C)]
struct RawWatch {
    _private: [u8; 0],
}

impl Watch {
    /// Begins to count.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn begin(device: Device) -> Result<Self> {
        // SAFETY: no preconditions.
        let watch = unsafe { kds_allocations_watch(device == Device::Cpu) };
        NonNull::new(watch).map(Self).ok_or_else(|| super::refused(size_of::<Allocated>() as u64))
    }

    /// What has been taken so far.
    pub fn read(&self) -> Allocated {
        let (mut now, mut peak) = (0, 0);
        // SAFETY: the watch lives.
        unsafe { kds_allocations_read(self.0.as_ptr(), &raw mut now, &raw mut peak) };
        let bytes = |count: i64| u64::try_from(count).unwrap_or(0);
        Allocated { peak: bytes(peak), kept: bytes(now) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: made by `begin` on this thread; watches end in the reverse order, as values do.
        unsafe { kds_allocations_end(self.0.as_ptr()) }
    }
}

unsafe extern "C" {
    fn kds_allocations_watch(cpu: bool) -> *mut RawWatch;
    fn kds_allocations_read(watch: *const RawWatch, now: *mut i64, peak: *mut i64);
    fn kds_allocations_end(watch: *mut RawWatch);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Kind, Tensor};

    #[test]
    fn temporaries_count_at_the_peak_and_results_to_the_end() {
        const COUNT: i64 = 1 << 20;
        let values = |device| Tensor::f_zeros([COUNT], (Kind::Float, device));
        let before = values(Device::Cpu).unwrap();
        let (result, taken) = measured(Device::Cpu, || {
            let temporary = values(Device::Cpu)?;
            Ok(temporary.f_add(&before)?)
        })
        .unwrap();
        let bytes = 4 * COUNT as u64;
        assert_eq!(taken, Allocated { peak: 2 * bytes, kept: bytes });
        drop(result);
        // Watches nest, and another thread is not seen.
        let ((_, inner), outer) = measured(Device::Cpu, || {
            let kept = values(Device::Cpu)?;
            std::thread::spawn(move || values(Device::Cpu).map(drop)).join().unwrap()?;
            let (_, inner) = measured(Device::Cpu, || Ok(values(Device::Cpu)?))?;
            Ok((kept, inner))
        })
        .unwrap();
        assert_eq!((inner.peak, outer.peak), (bytes, bytes));
    }
}
