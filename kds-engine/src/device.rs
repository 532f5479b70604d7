//! Where to compute, and in which number format.
//!
//! The library links only libtorch's CPU part. libtorch looks for its CUDA part once, at the first question about CUDA,
//! and remembers the answer: so [`load_cuda`] opens it before any such question is asked.

use std::sync::OnceLock;

use tch::{Cuda, Device, Kind};

use crate::{Error, Result, memory};

/// A device that can be asked for by [`DeviceInfo::name`].
#[derive(Debug, Clone)]
pub struct DeviceInfo {
    /// `cpu`, `cuda:0`, ...
    pub name: String,
    /// For a person.
    pub description: String,
    /// Number formats it computes well in, fastest first.
    pub kinds: Vec<Kind>,
    /// Bytes of memory, 0 when not known.
    pub memory_total: u64,
    /// Bytes free, 0 when not known.
    pub memory_free: u64,
}

/// The devices of this machine; the CPU comes first.
pub fn devices() -> Vec<DeviceInfo> {
    let mut devices = vec![DeviceInfo {
        name: "cpu".to_owned(),
        description: cpu_description(),
        kinds: kinds(Device::Cpu),
        memory_total: memory::total(),
        memory_free: memory::available(),
    }];
    if load_cuda().is_ok() {
        devices.extend((0..Cuda::device_count().max(0) as usize).map(|index| DeviceInfo {
            name: format!("cuda:{index}"),
            description: "NVIDIA GPU".to_owned(),
            kinds: kinds(Device::Cuda(index)),
            memory_total: 0,
            memory_free: 0,
        }));
    }
    devices
}

/// The device of a name: `auto`, `cpu`, `cuda` or `cuda:K`.
pub fn parse(name: &str) -> Result<Device> {
    kds_parameters::find("device")?.check(name)?;
    let index = match name.trim() {
        "cpu" => return Ok(Device::Cpu),
        "auto" => return Ok(if load_cuda().is_ok() { Device::Cuda(0) } else { Device::Cpu }),
        "cuda" => 0,
        other => other.trim_start_matches("cuda:").parse::<usize>().unwrap_or(0),
    };
    load_cuda()
        .map_err(|reason| Error::Device(format!("device '{name}' cannot be used: {reason}; use device 'cpu'")))?;
    match Cuda::device_count().max(0) as usize {
        count if index < count => Ok(Device::Cuda(index)),
        count => Err(Error::Device(format!("device '{name}' is not there: this machine has {count} CUDA devices"))),
    }
}

/// The name of a device, as [`parse`] reads it.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

/// The number format of a name, for a device: `auto` takes the fastest that the device computes well in.
pub fn parse_kind(name: &str, device: Device) -> Result<Kind> {
    kds_parameters::find("dtype")?.check(name)?;
    let kinds = kinds(device);
    let kind = match name.trim() {
        "f32" => Kind::Float,
        "bf16" => Kind::BFloat16,
        "f16" => Kind::Half,
        _ => kinds[0],
    };
    if kind == Kind::Half && device == Device::Cpu {
        return Err(Error::Device("dtype 'f16' needs a GPU; on the CPU use 'f32' or 'bf16'".to_owned()));
    }
    Ok(kind)
}

/// The name of a number format, as [`parse_kind`] reads it.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::BFloat16 => "bf16",
        Kind::Half => "f16",
        _ => "f32",
    }
}

fn kinds(device: Device) -> Vec<Kind> {
    match device {
        Device::Cuda(_) => vec![Kind::BFloat16, Kind::Half, Kind::Float],
        _ if has_bf16_arithmetic() => vec![Kind::BFloat16, Kind::Float],
        _ => vec![Kind::Float],
    }
}

/// Without these instructions libtorch computes bf16 by way of f32, slower than f32 itself.
fn has_bf16_arithmetic() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

fn cpu_description() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        text.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1)).unwrap_or("CPU").trim();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let bf16 = if has_bf16_arithmetic() { ", bf16 arithmetic" } else { "" };
    format!("{model}, {cores} cores{bf16}")
}

/// Opens libtorch's CUDA part, once; the error says why it cannot be used.
pub fn load_cuda() -> std::result::Result<(), &'static str> {
    static LOADED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        let open = |name: &str| {
            use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
            // SAFETY: the initialisers of these libraries are those of the driver and of libtorch.
            unsafe { Library::open(Some(name), RTLD_NOW | RTLD_GLOBAL) }
        };
        // Without a driver there is nothing to ask, and no reason to read a gigabyte of kernels.
        let driver = open("libcuda.so.1").map_err(|_| "no NVIDIA driver is installed".to_owned())?;
        std::mem::forget(driver);
        let kernels = open("libtorch_cuda.so").map_err(|error| {
            format!("this libtorch has no CUDA part that loads ({error}); run `cargo xtask setup --cuda`")
        })?;
        std::mem::forget(kernels);
        if Cuda::is_available() { Ok(()) } else { Err("the NVIDIA driver finds no usable GPU".to_owned()) }
    });
    if let Err(reason) = loaded {
        tracing::debug!("CUDA is not used: {reason}");
    }
    loaded.as_ref().copied().map_err(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there() {
        let devices = devices();
        assert_eq!(devices[0].name, "cpu");
        assert_eq!(parse("cpu").unwrap(), Device::Cpu);
        assert_eq!(name(parse("cpu").unwrap()), "cpu");
    }

    #[test]
    fn a_device_that_is_not_there_is_refused_with_a_way_out() {
        if load_cuda().is_err() {
            let message = parse("cuda").unwrap_err().to_string();
            assert!(message.contains("use device 'cpu'"), "{message}");
            assert_eq!(parse("auto").unwrap(), Device::Cpu);
        }
        assert!(parse("cuda:99").is_err());
        assert!(parse("tpu").is_err());
    }

    #[test]
    fn number_formats_are_read() {
        assert_eq!(parse_kind("f32", Device::Cpu).unwrap(), Kind::Float);
        assert_eq!(kind_name(parse_kind("bf16", Device::Cpu).unwrap()), "bf16");
        assert!(parse_kind("f16", Device::Cpu).is_err());
        assert!(parse_kind("int8", Device::Cpu).is_err());
    }
}
