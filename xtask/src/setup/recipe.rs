//! Libraries for each kind of machine.

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

    /// Packages to fetch.
    pub fn recipe(self) -> Recipe {
        match self {
            // The package holds the whole of libtorch. Its CPU library is linked to two small libraries of the CUDA
            // toolkit all the same; the other dependencies serve GPUs and Python.
            Self::Cpu => Recipe {
                name: format!("libtorch-{VERSION}-cpu"),
                title: format!("libtorch {VERSION} for the CPU"),
                requirements: include_str!("libtorch-cpu.txt"),
                fetched: "0.55 GB",
                unpacked: "1.2 GB",
                disk_space: 2_500_000_000,
            },
            Self::Cuda => Recipe {
                name: format!("libtorch-{VERSION}-cuda"),
                title: format!("libtorch {VERSION} for NVIDIA GPUs and the CPU"),
                requirements: include_str!("libtorch-cuda.txt"),
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
    /// Description, for a person.
    pub title: String,
    /// Requirements file of pip: every package by its version and the SHA-256 of its wheels.
    pub requirements: &'static str,
    /// About how much is fetched, for a person.
    pub fetched: &'static str,
    /// About how much it takes in the end, for a person.
    pub unpacked: &'static str,
    /// Bytes that must be free: the packages as fetched, once more in pip's own cache, and unpacked.
    pub disk_space: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_by_version_and_sums() {
        for variant in [Variant::Cpu, Variant::Cuda] {
            let text = variant.recipe().requirements;
            assert!(text.contains(&format!("torch=={VERSION} ")), "{variant:?}: renew the requirements");
            let logical = text.replace("\\\n", " ");
            let packages: Vec<&str> = logical.lines().filter(|line| !line.starts_with('#')).collect();
            assert!(packages.len() >= 3, "{packages:?}");
            for package in packages {
                let (name, sums) = package.split_once("--hash=").unwrap_or_else(|| panic!("no sum: {package}"));
                let version = name.split([';', ' ']).next().unwrap_or_default();
                assert!(version.contains("==") && !version.contains('*'), "no version: {name}");
                for sum in sums.split("--hash=") {
                    let digits = sum.trim().strip_prefix("sha256:").unwrap();
                    assert!(digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{digits}");
                }
            }
        }
    }
}
