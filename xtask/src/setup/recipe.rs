//! What is fetched for which machine.

use super::libtorch::VERSION;
use std::path::Path;

/// Which hardware the libraries serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The CPU only.
    Cpu,
    /// NVIDIA GPUs, and the CPU.
    Cuda,
}

impl Variant {
    /// [`Variant::Cuda`] where an NVIDIA driver is installed.
    pub fn of_this_machine() -> Self {
        const SIGNS_OF_A_DRIVER: [&str; 6] = [
            "/proc/driver/nvidia/version",
            "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
            "/usr/lib/aarch64-linux-gnu/libcuda.so.1",
            "/usr/lib64/libcuda.so.1",
            "/usr/lib/libcuda.so.1",
            "/usr/lib/wsl/lib/libcuda.so.1",
        ];
        if SIGNS_OF_A_DRIVER.iter().any(|path| Path::new(path).exists()) { Self::Cuda } else { Self::Cpu }
    }

    /// What to fetch.
    pub fn recipe(self) -> Recipe {
        let torch = format!("torch=={VERSION}");
        match self {
            // The package holds the whole of libtorch. Its CPU library is linked to two small libraries of the CUDA
            // toolkit all the same; the other dependencies serve GPUs and Python.
            Self::Cpu => Recipe {
                name: format!("libtorch-{VERSION}-cpu"),
                title: format!("libtorch {VERSION} for the CPU"),
                pip_arguments: ["--no-deps", &torch, "nvidia-cuda-runtime==13.0.*", "nvidia-cuda-cupti==13.0.*"]
                    .map(str::to_owned)
                    .to_vec(),
                fetched: "0.55 GB",
                unpacked: "1.2 GB",
                disk_space: 2_500_000_000,
            },
            Self::Cuda => Recipe {
                name: format!("libtorch-{VERSION}-cuda"),
                title: format!("libtorch {VERSION} for NVIDIA GPUs and the CPU"),
                pip_arguments: vec![torch],
                fetched: "2.7 GB",
                unpacked: "4.5 GB",
                disk_space: 10_500_000_000,
            },
        }
    }
}

/// One thing to fetch.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Name of its folder in the cache.
    pub name: String,
    /// What it is, for a person.
    pub title: String,
    /// What `pip install` is asked for.
    pub pip_arguments: Vec<String>,
    /// About how much is fetched, for a person.
    pub fetched: &'static str,
    /// About how much it takes in the end, for a person.
    pub unpacked: &'static str,
    /// Bytes that must be free: the packages as fetched, once more in pip's own cache, and unpacked.
    pub disk_space: u64,
}
