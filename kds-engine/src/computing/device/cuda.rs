//! libtorch's CUDA part: opened at run time, because the library links the CPU part only, so that one binary serves
//! machines with and without a GPU.
//!
//! libtorch looks for its CUDA part once, at the first question about CUDA, and remembers the answer. A convolution on the
//! CPU asks such a question too. So [`prepare`] opens the CUDA part before the first tensor is made, wherever there is a
//! GPU, and whatever device is asked for.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tch::Cuda;

use super::driver::{self, Gpu};
use super::libtorch;

/// Environment variable; `off` leaves GPUs out, so that a process that will only compute on the CPU loads no kernels.
pub const SWITCH: &str = "KDS_CUDA";

const KERNELS: &str = "libtorch_cuda.so";

/// Bytes that must be free to load it.
const LOADING: u64 = 512 << 20;

/// The GPUs that libtorch could use, or why there are none. Loads no kernels.
pub(super) fn gpus() -> Result<&'static [Gpu], String> {
    if std::env::var_os(SWITCH).is_some_and(|value| value == "off") {
        return Err(format!("{SWITCH}=off leaves GPUs out"));
    }
    let gpus = driver::gpus()?;
    kernels()?;
    Ok(gpus)
}

/// Opens libtorch's CUDA part where there is a GPU for it. Call it before any tensor is made.
pub fn prepare() {
    if let Err(reason) = load() {
        tracing::debug!("CUDA is not used: {reason}");
    }
}

/// Opens libtorch's CUDA part, once; the error says why it cannot be used.
pub fn load() -> Result<(), String> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    gpus()?;
    LOADED.get_or_init(open).clone()
}

fn open() -> Result<(), String> {
    let start = std::time::Instant::now();
    let kernels = kernels()?;
    // Its initialisers end the process where memory runs out.
    crate::memory::check(LOADING).map_err(|error| format!("libtorch's CUDA part cannot be loaded: {error}"))?;
    driver::open(&kernels).map_err(|error| format!("libtorch's CUDA part cannot be loaded: {error}"))?;
    if !Cuda::is_available() || Cuda::device_count() < 1 {
        return Err(
            "libtorch finds no usable GPU: its CUDA part does not fit the driver (update the driver), or this \
                    process has used libtorch before KDS opened that part"
                .to_owned(),
        );
    }
    set_policy().map_err(|error| error.to_string())?;
    tracing::debug!("{} loaded in {:.1} s", kernels.display(), start.elapsed().as_secs_f64());
    Ok(())
}

/// What is f32 is computed in f32: networks that may be rounded are asked for in a 16-bit format. And cuDNN chooses its
/// algorithms by rules, not by trying them out: the choice by time differs from run to run, and with it the last bits of
/// a result that a seed promises; it also takes memory that no plan has counted.
fn set_policy() -> crate::Result<()> {
    libtorch::set_policy(false, false)
}

/// The file of the CUDA part, searched as the loader would: `LD_LIBRARY_PATH`, then beside libtorch's CPU part.
fn kernels() -> Result<PathBuf, String> {
    let path = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let beside = loaded("libtorch_cpu.so").and_then(|path| Some(path.parent()?.to_owned()));
    let folders = std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()).chain(beside);
    folders.map(|folder| folder.join(KERNELS)).find(|file| file.is_file()).ok_or_else(|| {
        "this libtorch has no CUDA part (libtorch_cuda.so); run `cargo xtask setup --cuda`, or install KDS with it"
            .to_owned()
    })
}

/// Where a library of this process was loaded from (Linux).
pub fn loaded(name: &str) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let file = |line: &str| line.find('/').map(|at| PathBuf::from(&line[at..]));
    maps.lines().filter_map(file).find(|path| path.file_name().is_some_and(|file| Path::new(file) == Path::new(name)))
}
