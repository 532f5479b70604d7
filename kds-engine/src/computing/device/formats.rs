//! Number formats: which a device computes well in.

use tch::{Device, Kind};

use super::cuda;
use crate::{Error, Result};

/// The fastest number format of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Speed {
    /// No tensor cores (before 7.0): 16 bits gain little, and on many of these cards lose.
    F32,
    /// Tensor cores for f16 only: Volta and Turing (7.x).
    F16,
    /// Tensor cores for bf16 too, which has the range of f32: Ampere and later (from 8.0).
    Bf16,
}

pub(super) fn speed((major, _minor): (i32, i32)) -> Speed {
    match major {
        8.. => Speed::Bf16,
        7 => Speed::F16,
        _ => Speed::F32,
    }
}

/// Number formats that a device computes well in, the one that `auto` takes first.
pub(super) fn of(device: Device) -> Vec<Kind> {
    match device {
        Device::Cuda(index) => of_capability(capability(index).unwrap_or((8, 0))),
        _ if has_bf16_arithmetic() => vec![Kind::BFloat16, Kind::Float],
        _ => vec![Kind::Float],
    }
}

pub(super) fn of_capability(capability: (i32, i32)) -> Vec<Kind> {
    match speed(capability) {
        Speed::Bf16 => vec![Kind::BFloat16, Kind::Half, Kind::Float],
        Speed::F16 => vec![Kind::Half, Kind::Float],
        Speed::F32 => vec![Kind::Float, Kind::Half],
    }
}

fn capability(index: usize) -> Option<(i32, i32)> {
    cuda::gpus().ok()?.get(index).map(|gpu| gpu.capability)
}

/// The number format of a name, for a device: `auto` takes the fastest that the device computes well in.
pub fn parse_kind(name: &str, device: Device) -> Result<Kind> {
    kds_parameters::find("dtype")?.check(name)?;
    let kinds = of(device);
    let kind = match name.trim() {
        "f32" => Kind::Float,
        "bf16" => Kind::BFloat16,
        "f16" => Kind::Half,
        _ => kinds[0],
    };
    if kind == Kind::Half && device == Device::Cpu {
        return Err(Error::Device("dtype 'f16' needs a GPU; on the CPU use 'f32' or 'bf16'".to_owned()));
    }
    if !kinds.contains(&kind) {
        let (kind, better) = (kind_name(kind), kind_name(kinds[0]));
        tracing::warn!("{} computes {kind} slowly; '{better}' is faster", super::name(device));
    }
    Ok(kind)
}

/// The format to go on with where f16, whose numbers end at 65504, overflows: bf16 where the device computes well in it,
/// else f32.
pub fn wider_than_f16(device: Device) -> Kind {
    if of(device).contains(&Kind::BFloat16) { Kind::BFloat16 } else { Kind::Float }
}

/// The name of a number format, as [`parse_kind`] reads it.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::BFloat16 => "bf16",
        Kind::Half => "f16",
        _ => "f32",
    }
}

/// Without these instructions libtorch computes bf16 by way of f32, slower than f32 itself.
pub(super) fn has_bf16_arithmetic() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_formats_are_read() {
        assert_eq!(parse_kind("f32", Device::Cpu).unwrap(), Kind::Float);
        assert_eq!(kind_name(parse_kind("bf16", Device::Cpu).unwrap()), "bf16");
        assert!(parse_kind("f16", Device::Cpu).is_err());
        assert!(parse_kind("int8", Device::Cpu).is_err());
    }

    #[test]
    fn auto_is_what_the_generation_has_tensor_cores_for() {
        let auto = |capability| of_capability(capability)[0];
        assert_eq!(auto((12, 0)), Kind::BFloat16);
        assert_eq!(auto((8, 0)), Kind::BFloat16);
        assert_eq!(auto((7, 5)), Kind::Half);
        assert_eq!(auto((6, 1)), Kind::Float);
    }
}
