//! What an error of libtorch means: its messages come from cuDNN, cuBLAS, the driver and libtorch itself, and only their
//! texts tell them apart.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tch::TchError;

use crate::{Error, Result, memory};

/// A class of errors, by what can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Memory ran out, of the device or of the host: a smaller batch or tile may pass.
    OutOfMemory,
    /// The GPU answers nothing more in this process.
    DeviceLost,
    /// Anything else.
    Other,
}

/// Of libtorch, cuBLAS, cuDNN, the driver, C++ and the system. cuBLAS and cuDNN are "not initialized" where their
/// workspace could not be allocated; cuDNN finds no "engine" where none fits the memory that is left.
const OUT_OF_MEMORY: &[&str] = &[
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "unable to find an engine",
    "bad_alloc",
    "cudaerrormemoryallocation",
    "cuda_error_out_of_memory",
    "cublas_status_alloc_failed",
    "cublas_status_not_initialized",
    "cudnn_status_alloc_failed",
    "cudnn_status_not_initialized",
    "allocation_failed",
];

/// After these every later call of the process fails alike.
const DEVICE_LOST: &[&str] = &[
    "illegal memory access",
    "illegal instruction",
    "illegal address",
    "misaligned address",
    "invalid program counter",
    "invalid address space",
    "hardware stack error",
    "device-side assert",
    "unspecified launch failure",
    "launch timed out",
    "uncorrectable ecc",
    "uncorrectable nvlink",
    "unrecoverable error",
    "gpu is lost",
    "context is destroyed",
    "devices unavailable",
    "busy or unavailable",
    "cuda error: unknown error",
    "driver shutting down",
];

impl Fault {
    /// The class of a message of libtorch.
    pub fn of(message: &str) -> Self {
        let message = message.to_ascii_lowercase();
        let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
        // A GPU that is lost may fail to allocate, too; not the other way round.
        match (says(DEVICE_LOST), says(OUT_OF_MEMORY)) {
            (true, _) => Self::DeviceLost,
            (false, true) => Self::OutOfMemory,
            (false, false) => Self::Other,
        }
    }
}

/// Runs what computes, so that every failure of libtorch in it is an error. tch 0.24 frees the number in an operation such as
/// `f_mul_scalar` before it reads whether the operation failed, finds the failure then, and panics with it: where memory
/// runs out there, a run would end as a defect instead of going on with less.
pub fn caught<T, E: From<Error>>(compute: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(|panic| match message(&*panic) {
        Some(message) => Err(Error::from(TchError::Torch(message)).into()),
        None => resume_unwind(panic),
    })
}

/// Runs what computes little, and once more after the caches are emptied where memory ran out: what they keep may be all
/// that is missing.
pub fn with_emptied_cache<T>(device: tch::Device, compute: impl Fn() -> Result<T>) -> Result<T> {
    match caught(&compute) {
        Err(error) if error.ran_out_of_memory() => {
            tracing::debug!("memory ran out ({error}): once more with emptied caches");
            memory::give_back();
            super::empty_cache(device)?;
            caught(compute)
        }
        done => done,
    }
}

/// libtorch's message, where a panic is `unwrap` of tch's error.
fn message(panic: &(dyn Any + Send)) -> Option<String> {
    let (_, message) = panic.downcast_ref::<String>()?.split_once("`Err` value: Torch(\"")?;
    Some(message.trim_end_matches("\")").replace("\\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_libtorch_are_told_apart() {
        let cases = [
            (
                Fault::OutOfMemory,
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB",
            ),
            (
                Fault::OutOfMemory,
                "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: \
                                  you tried to allocate 4398046511104 bytes. Error code 12 (Cannot allocate memory)",
            ),
            (Fault::OutOfMemory, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            (Fault::OutOfMemory, "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasLtCreate(handle)`"),
            (Fault::OutOfMemory, "GET was unable to find an engine to execute this computation"),
            (Fault::OutOfMemory, "FIND was unable to find an engine to execute this computation"),
            (Fault::OutOfMemory, "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
            (Fault::OutOfMemory, "std::bad_alloc"),
            (Fault::DeviceLost, "CUDA error: an illegal memory access was encountered"),
            (Fault::DeviceLost, "CUDA error: unspecified launch failure"),
            (Fault::DeviceLost, "CUDA error: uncorrectable ECC error encountered"),
            (Fault::Other, "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1"),
            (Fault::Other, "CUDA error: no kernel image is available for execution on the device"),
        ];
        for (fault, message) in cases {
            assert_eq!(Fault::of(message), fault, "{message}");
        }
    }

    #[test]
    fn a_panic_of_tch_is_an_error_and_others_go_on() {
        let ran_out =
            || -> std::result::Result<i64, TchError> { Err(TchError::Torch("CUDA out of memory.\nframe #0".into())) };
        let error: Error = caught(|| Ok(ran_out().unwrap())).unwrap_err();
        assert!(matches!(error, Error::MemoryRanOut(_)), "{error}");
        assert!(error.to_string().contains("CUDA out of memory."), "{error}");
        assert!(!error.to_string().contains("frame"), "{error}");
        assert!(catch_unwind(|| caught(|| -> Result<()> { panic!("a defect") })).is_err());
    }
}
