//! Where to compute: the CPU or a GPU, its memory, its number formats, its faults.

mod answer;
mod choice;
mod cuda;
mod driver;
mod fault;
mod formats;
mod libtorch;

pub use answer::Answer;
pub use cuda::{SWITCH, load as load_cuda, loaded as loaded_library, prepare};
pub use fault::{Fault, caught, with_emptied_cache};
pub use formats::{kind_name, parse_kind, wider_than_f16};
pub use libtorch::DeviceMemory;

use tch::{Device, Kind, Tensor};

use crate::{Error, Result, memory as host};

/// A device that can be asked for by [`DeviceInfo::name`].
#[derive(Debug, Clone)]
pub struct DeviceInfo {
    /// `cpu`, `cuda:0`, ...
    pub name: String,
    /// For a person.
    pub description: String,
    /// Number formats it computes well in, the one that `auto` takes first.
    pub kinds: Vec<Kind>,
    /// Bytes of memory, 0 when not known.
    pub memory_total: u64,
    /// Bytes that no process holds, 0 when not known.
    pub memory_free: u64,
}

/// The devices of this machine; the CPU comes first. Loads no kernels.
pub fn devices() -> Vec<DeviceInfo> {
    let mut devices = vec![DeviceInfo {
        name: "cpu".to_owned(),
        description: cpu_description(),
        kinds: formats::of(Device::Cpu),
        memory_total: host::total(),
        memory_free: host::available(),
    }];
    for (index, gpu) in cuda::gpus().unwrap_or_default().iter().enumerate() {
        let (major, minor) = gpu.capability;
        devices.push(DeviceInfo {
            name: format!("cuda:{index}"),
            description: format!("{}, compute capability {major}.{minor}", gpu.name),
            kinds: formats::of_capability(gpu.capability),
            memory_total: gpu.total,
            memory_free: driver::free(gpu).unwrap_or(0),
        });
    }
    devices
}

/// A tensor of the host, on a device, without waiting for what the device is at: the driver has read memory that is not pinned when
/// the call returns (CUDA Runtime API, *API synchronization behavior*). Pictures and waiting tiles are not pinned, since that takes
/// memory from all other programs, and one copy for a tile is nothing beside its steps.
pub fn upload(tensor: &Tensor, device: Device) -> Result<Tensor> {
    Ok(tensor.f_to_device_(device, tensor.kind(), true, false)?)
}

/// Number of GPUs that libtorch could use, or why there are none. Loads no kernels.
pub fn gpus() -> std::result::Result<usize, String> {
    cuda::gpus().map(<[_]>::len)
}

/// A device, and why it is the one.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Where to compute.
    pub device: Device,
    /// For a person.
    pub reason: String,
}

/// The device of a name, ready for tensors: `auto`, `cpu`, `cuda` or `cuda:K`.
///
/// # Errors
/// [`Error::Parameter`] for another name, [`Error::Device`] for a GPU that is not there or cannot be used; `auto` takes the
/// CPU then.
pub fn choose(name: &str) -> Result<Choice> {
    kds_parameters::find("device")?.check(name)?;
    let name = name.trim();
    let asked = || format!("'{name}' was asked for");
    let index = match name {
        "auto" => return Ok(choose_automatically()),
        "cpu" => {
            prepare();
            return Ok(Choice { device: Device::Cpu, reason: asked() });
        }
        "cuda" => 0,
        other => other.trim_start_matches("cuda:").parse::<usize>().unwrap_or(0),
    };
    let unusable =
        |reason: String| Error::Device(format!("device '{name}' cannot be used: {reason}; use device 'cpu'"));
    let count = cuda::gpus().map_err(unusable)?.len();
    if index >= count {
        return Err(Error::Device(format!(
            "device '{name}' is not there: this machine has {count} CUDA devices; use device 'auto'"
        )));
    }
    load_cuda().map_err(unusable)?;
    Ok(Choice { device: Device::Cuda(index), reason: asked() })
}

fn choose_automatically() -> Choice {
    let gpu = || {
        let gpus: Vec<_> = cuda::gpus()?.iter().map(|gpu| (gpu.clone(), driver::free(gpu))).collect();
        let (index, reason) = choice::best(&gpus)?;
        load_cuda()?;
        Ok(Choice { device: Device::Cuda(index), reason })
    };
    gpu().unwrap_or_else(|reason: String| {
        prepare();
        Choice { device: Device::Cpu, reason }
    })
}

/// What [`choose`] would answer to `auto`, without loading kernels: the name of the device, and the reason.
pub fn automatic() -> (String, String) {
    let gpus = cuda::gpus().map(|gpus| gpus.iter().map(|gpu| (gpu.clone(), driver::free(gpu))).collect::<Vec<_>>());
    match gpus.and_then(|gpus| choice::best(&gpus)) {
        Ok((index, reason)) => (format!("cuda:{index}"), reason),
        Err(reason) => ("cpu".to_owned(), reason),
    }
}

/// The device of a name, as [`choose`] finds it.
pub fn parse(name: &str) -> Result<Device> {
    Ok(choose(name)?.device)
}

/// The name of a device, as [`parse`] reads it.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

/// Memory of a GPU; `None` for the CPU, whose memory [`crate::memory`] knows. Opens the GPU for this process.
///
/// # Errors
/// As [`choose`], and what libtorch answers.
pub fn memory(device: Device) -> Result<Option<DeviceMemory>> {
    let Device::Cuda(index) = device else { return Ok(None) };
    load_cuda().map_err(Error::Device)?;
    libtorch::memory(index).map(Some)
}

/// Begins to measure [`DeviceMemory::peak`] anew; nothing on the CPU.
pub fn reset_peak(device: Device) -> Result<()> {
    let Device::Cuda(index) = device else { return Ok(()) };
    load_cuda().map_err(Error::Device)?;
    libtorch::reset_peak(index)
}

/// Gives what libtorch keeps of tensors that are gone back to the driver, on all GPUs; nothing on the CPU.
pub fn empty_cache(device: Device) -> Result<()> {
    let Device::Cuda(_) = device else { return Ok(()) };
    load_cuda().map_err(Error::Device)?;
    libtorch::empty_cache()
}

fn cpu_description() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        text.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1)).unwrap_or("CPU").trim();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let bf16 = if formats::has_bf16_arithmetic() { ", bf16 arithmetic" } else { "" };
    format!("{model}, {cores} cores{bf16}")
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
        assert_eq!(memory(Device::Cpu).unwrap(), None);
        empty_cache(Device::Cpu).unwrap();
    }

    #[test]
    fn a_device_that_is_not_there_is_refused_with_a_way_out() {
        if load_cuda().is_err() {
            let message = parse("cuda").unwrap_err().to_string();
            assert!(message.contains("use device 'cpu'"), "{message}");
            assert_eq!(parse("auto").unwrap(), Device::Cpu);
            assert_eq!(automatic().0, "cpu");
        }
        assert!(parse("cuda:99").is_err());
        assert!(parse("tpu").is_err());
    }
}
