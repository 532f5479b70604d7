//! The NVIDIA driver: which GPUs there are. It is asked directly, because libtorch answers only with its CUDA part loaded,
//! a gigabyte of kernels, and opens the GPU, which takes hundreds of megabytes of it.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW, Symbol};

/// A GPU as the driver describes it, in the order of `CUDA_VISIBLE_DEVICES`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gpu {
    pub name: String,
    /// Compute capability, major and minor.
    pub capability: (i32, i32),
    /// Bytes of memory.
    pub total: u64,
    /// Address on the bus, by which NVML knows it.
    pub bus: String,
}

/// The GPUs, looked for once; or why there are none.
pub(super) fn gpus() -> Result<&'static [Gpu], &'static str> {
    static GPUS: OnceLock<Result<Vec<Gpu>, String>> = OnceLock::new();
    match GPUS.get_or_init(|| Cuda::open()?.gpus()) {
        Ok(gpus) => Ok(gpus),
        Err(reason) => Err(reason),
    }
}

/// Bytes of memory of a GPU that no process holds, where NVML tells.
pub(super) fn free(gpu: &Gpu) -> Option<u64> {
    static NVML: OnceLock<Option<Nvml>> = OnceLock::new();
    let free = NVML.get_or_init(Nvml::open).as_ref()?.free(&gpu.bus)?;
    // A part of a GPU (MIG) has the address of the whole.
    Some(free.min(gpu.total))
}

/// The driver's own interface.
struct Cuda {
    get_error_string: Symbol<unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int>,
    init: Symbol<unsafe extern "C" fn(c_uint) -> c_int>,
    device_get_count: Symbol<unsafe extern "C" fn(*mut c_int) -> c_int>,
    device_get: Symbol<unsafe extern "C" fn(*mut c_int, c_int) -> c_int>,
    device_get_name: Symbol<unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int>,
    device_get_attribute: Symbol<unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int>,
    device_total_mem: Symbol<unsafe extern "C" fn(*mut usize, c_int) -> c_int>,
    device_get_pci_bus_id: Symbol<unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int>,
}

const CUDA_ERROR_NO_DEVICE: c_int = 100;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;

impl Cuda {
    fn open() -> Result<Self, String> {
        let library = open("libcuda.so.1").map_err(|_| "no NVIDIA driver is installed".to_owned())?;
        let broken = |error: libloading::Error| format!("the NVIDIA driver cannot be used: {error}");
        // SAFETY: the names have had these types since CUDA 6; the library is never closed.
        unsafe {
            Ok(Self {
                get_error_string: library.get(b"cuGetErrorString").map_err(broken)?,
                init: library.get(b"cuInit").map_err(broken)?,
                device_get_count: library.get(b"cuDeviceGetCount").map_err(broken)?,
                device_get: library.get(b"cuDeviceGet").map_err(broken)?,
                device_get_name: library.get(b"cuDeviceGetName").map_err(broken)?,
                device_get_attribute: library.get(b"cuDeviceGetAttribute").map_err(broken)?,
                device_total_mem: library.get(b"cuDeviceTotalMem_v2").map_err(broken)?,
                device_get_pci_bus_id: library.get(b"cuDeviceGetPCIBusId").map_err(broken)?,
            })
        }
    }

    fn gpus(&self) -> Result<Vec<Gpu>, String> {
        // SAFETY: as the driver's documentation says of each: numbers in, buffers of the length given out.
        unsafe {
            match (self.init)(0) {
                CUDA_ERROR_NO_DEVICE => return Err("the NVIDIA driver finds no GPU".to_owned()),
                status => self.check("cuInit", status)?,
            }
            let mut count = 0;
            self.check("cuDeviceGetCount", (self.device_get_count)(&raw mut count))?;
            if count < 1 {
                return Err("the NVIDIA driver finds no GPU".to_owned());
            }
            (0..count).map(|index| self.gpu(index)).collect()
        }
    }

    /// # Safety
    /// After `cuInit`.
    unsafe fn gpu(&self, index: c_int) -> Result<Gpu, String> {
        let (mut device, mut major, mut minor, mut total) = (0, 0, 0, 0usize);
        let (mut name, mut bus) = ([0u8; 256], [0u8; 64]);
        // SAFETY: as above.
        unsafe {
            self.check("cuDeviceGet", (self.device_get)(&raw mut device, index))?;
            let length = name.len() as c_int;
            self.check("cuDeviceGetName", (self.device_get_name)(name.as_mut_ptr().cast(), length, device))?;
            let attribute = |number, value: *mut c_int| {
                self.check("cuDeviceGetAttribute", (self.device_get_attribute)(value, number, device))
            };
            attribute(CAPABILITY_MAJOR, &raw mut major)?;
            attribute(CAPABILITY_MINOR, &raw mut minor)?;
            self.check("cuDeviceTotalMem", (self.device_total_mem)(&raw mut total, device))?;
            let length = bus.len() as c_int;
            self.check("cuDeviceGetPCIBusId", (self.device_get_pci_bus_id)(bus.as_mut_ptr().cast(), length, device))?;
        }
        Ok(Gpu { name: text(&name), capability: (major, minor), total: total as u64, bus: text(&bus) })
    }

    fn check(&self, function: &str, status: c_int) -> Result<(), String> {
        if status == 0 {
            return Ok(());
        }
        let mut message = std::ptr::null();
        // SAFETY: the message is a constant of the driver, or stays NULL.
        let known = unsafe { (self.get_error_string)(status, &raw mut message) } == 0 && !message.is_null();
        let message = if known { unsafe { CStr::from_ptr(message) }.to_string_lossy() } else { "no message".into() };
        Err(format!("the NVIDIA driver cannot be used: {function} gave error {status} ({message})"))
    }
}

/// NVIDIA's management library, which comes with the driver.
struct Nvml {
    handle_by_bus: Symbol<unsafe extern "C" fn(*const c_char, *mut *mut c_void) -> c_int>,
    memory_info: Symbol<unsafe extern "C" fn(*mut c_void, *mut MemoryInfo) -> c_int>,
}

/// `nvmlMemory_t`.
#[repr(C)]
#[derive(Default)]
struct MemoryInfo {
    total: u64,
    free: u64,
    used: u64,
}

impl Nvml {
    fn open() -> Option<Self> {
        let library = open("libnvidia-ml.so.1").ok()?;
        // SAFETY: the names have had these types since NVML 5; the library is never closed.
        unsafe {
            let init: Symbol<unsafe extern "C" fn() -> c_int> = library.get(b"nvmlInit_v2").ok()?;
            (init() == 0).then_some(())?;
            Some(Self {
                handle_by_bus: library.get(b"nvmlDeviceGetHandleByPciBusId_v2").ok()?,
                memory_info: library.get(b"nvmlDeviceGetMemoryInfo").ok()?,
            })
        }
    }

    fn free(&self, bus: &str) -> Option<u64> {
        let bus = std::ffi::CString::new(bus).ok()?;
        let (mut handle, mut memory) = (std::ptr::null_mut(), MemoryInfo::default());
        // SAFETY: both are written before they are read.
        unsafe {
            ((self.handle_by_bus)(bus.as_ptr(), &raw mut handle) == 0).then_some(())?;
            ((self.memory_info)(handle, &raw mut memory) == 0).then_some(())?;
        }
        Some(memory.free)
    }
}

/// Opens a library for good.
pub(super) fn open(name: &(impl AsRef<std::ffi::OsStr> + ?Sized)) -> Result<&'static Library, libloading::Error> {
    // SAFETY: the initialisers of these libraries are those of the driver and of libtorch.
    let library = unsafe { Library::open(Some(name.as_ref()), RTLD_NOW | RTLD_GLOBAL) }?;
    Ok(Box::leak(Box::new(library)))
}

fn text(bytes: &[u8]) -> String {
    CStr::from_bytes_until_nul(bytes).unwrap_or_default().to_string_lossy().into_owned()
}
