//! Peak memory, of the process on the CPU and of the device elsewhere.

use kds_engine::{device, memory};
use tch::Device;

/// Counts anew from here; returns the bytes held now.
pub fn begin(place: Device) -> u64 {
    if place == Device::Cpu {
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        return memory::resident();
    }
    device::empty_cache(place).unwrap();
    device::reset_peak(place).unwrap();
    device::memory(place).unwrap().unwrap().allocated
}

/// Bytes held at the most since then.
pub fn end(place: Device) -> u64 {
    if place != Device::Cpu {
        return device::memory(place).unwrap().unwrap().peak;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}
