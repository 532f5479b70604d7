//! libtorch's device memory and process-wide settings (`libtorch.cpp`).

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;

use tch::Tensor;

use crate::{Error, Result};

/// Memory of a GPU, in bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceMemory {
    /// All of it.
    pub total: u64,
    /// What no process holds.
    pub free: u64,
    /// What tensors of this process hold.
    pub allocated: u64,
    /// What libtorch holds in this process, its cache included.
    pub reserved: u64,
    /// The most that `allocated` has been since [`super::reset_peak`].
    pub peak: u64,
}

impl DeviceMemory {
    /// What a new tensor could take: free memory, and what libtorch keeps of tensors that are gone.
    pub fn available(&self) -> u64 {
        self.free + self.reserved.saturating_sub(self.allocated)
    }
}

unsafe extern "C" {
    fn kds_libtorch_memory(device: c_int, out: *mut DeviceMemory, message: *mut c_char, length: usize) -> c_int;
    fn kds_libtorch_reset_peak(device: c_int, message: *mut c_char, length: usize) -> c_int;
    fn kds_libtorch_empty_cache(message: *mut c_char, length: usize) -> c_int;
    fn kds_libtorch_ask(number: *const c_void, out: *mut *mut c_void, message: *mut c_char, length: usize) -> c_int;
    fn kds_libtorch_answer(answer: *const c_void, out: *mut f64, message: *mut c_char, length: usize) -> c_int;
    fn kds_libtorch_forget(answer: *mut c_void);
    fn kds_libtorch_set_policy(tf32: c_int, benchmark: c_int, message: *mut c_char, length: usize) -> c_int;
}

/// Calls a function of `libtorch.cpp`, whose last arguments are a buffer for a message.
fn call(function: impl FnOnce(*mut c_char, usize) -> c_int) -> Result<()> {
    let mut message = [0u8; 2048];
    if function(message.as_mut_ptr().cast(), message.len()) == 0 {
        return Ok(());
    }
    let text = CStr::from_bytes_until_nul(&message).unwrap_or_default().to_string_lossy().into_owned();
    Err(Error::from(tch::TchError::Torch(text)))
}

/// Memory of a GPU. Opens the GPU for this process.
pub(super) fn memory(index: usize) -> Result<DeviceMemory> {
    let mut memory = DeviceMemory::default();
    // SAFETY: the buffers are writable, and as long as they say.
    call(|message, length| unsafe { kds_libtorch_memory(number(index), &raw mut memory, message, length) })?;
    Ok(memory)
}

/// Forgets the peak of a GPU.
pub(super) fn reset_peak(index: usize) -> Result<()> {
    // SAFETY: as above.
    call(|message, length| unsafe { kds_libtorch_reset_peak(number(index), message, length) })
}

/// Gives what libtorch keeps of tensors that are gone back to the driver, on all GPUs.
pub(super) fn empty_cache() -> Result<()> {
    // SAFETY: as above.
    call(|message, length| unsafe { kds_libtorch_empty_cache(message, length) })
}

/// Whether products of f32 are rounded to TF32, and whether cuDNN tries its algorithms out.
pub(super) fn set_policy(tf32: bool, benchmark: bool) -> Result<()> {
    // SAFETY: as above.
    call(|message, length| unsafe { kds_libtorch_set_policy(tf32.into(), benchmark.into(), message, length) })
}

/// A copy of a number on its way from the device, and the event after it.
pub(super) struct Answer(NonNull<c_void>);

impl Answer {
    pub fn ask(number: &Tensor) -> Result<Self> {
        let mut answer = std::ptr::null_mut();
        // SAFETY: tch's pointer is that of an `at::Tensor`, which is only read.
        call(|message, length| unsafe { kds_libtorch_ask(number.as_ptr().cast(), &raw mut answer, message, length) })?;
        NonNull::new(answer).map(Self).ok_or_else(|| Error::Conflict("libtorch gave no answer".to_owned()))
    }

    pub fn get(&self) -> Result<f64> {
        let mut value = f64::NAN;
        // SAFETY: made by `ask`.
        call(|message, length| unsafe { kds_libtorch_answer(self.0.as_ptr(), &raw mut value, message, length) })?;
        Ok(value)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: made by `ask`.
        unsafe { kds_libtorch_forget(self.0.as_ptr()) };
    }
}

fn number(index: usize) -> c_int {
    c_int::try_from(index).unwrap_or(c_int::MAX)
}
