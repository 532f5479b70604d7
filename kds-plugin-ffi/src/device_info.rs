//! Description of a device.

use std::ffi::{CString, c_char};

use kds_engine::device::{self, DeviceInfo};

use crate::structs::Sized32;
use crate::text::text;

/// One device. Strings live as long as the context.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kds_device_info {
    /// Set by the caller to `sizeof(kds_device_info)`.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Name for `kds_model_open`: "cpu", "cuda:0", ...
    pub name: *const c_char,
    /// For a person.
    pub description: *const c_char,
    /// Number formats it computes well in, separated by commas, the one that "auto" takes first.
    pub dtypes: *const c_char,
    /// Number format that "auto" takes.
    pub default_dtype: *const c_char,
    /// Bytes of memory, 0 where not known.
    pub memory_total: u64,
    /// Bytes of memory that were free when the devices were looked for, 0 where not known.
    pub memory_free: u64,
}

// SAFETY: plain data behind a u32.
unsafe impl Sized32 for kds_device_info {
    const NAME: &'static str = "kds_device_info";
    const FIRST_SIZE: usize = 56;
}

/// The strings of a `kds_device_info`.
pub(crate) struct DeviceText {
    name: CString,
    description: CString,
    dtypes: CString,
    default_dtype: CString,
    memory_total: u64,
    memory_free: u64,
}

impl DeviceText {
    pub fn new(device: &DeviceInfo) -> Self {
        let dtypes: Vec<&str> = device.kinds.iter().map(|kind| device::kind_name(*kind)).collect();
        Self {
            name: text(&device.name),
            description: text(&device.description),
            dtypes: text(&dtypes.join(",")),
            default_dtype: text(dtypes.first().copied().unwrap_or("f32")),
            memory_total: device.memory_total,
            memory_free: device.memory_free,
        }
    }

    pub fn info(&self) -> kds_device_info {
        kds_device_info {
            struct_size: size_of::<kds_device_info>() as u32,
            reserved: 0,
            name: self.name.as_ptr(),
            description: self.description.as_ptr(),
            dtypes: self.dtypes.as_ptr(),
            default_dtype: self.default_dtype.as_ptr(),
            memory_total: self.memory_total,
            memory_free: self.memory_free,
        }
    }
}
