//! An accelerator in software (`tests/accelerator`): stands in for the driver and for libtorch's CUDA part, so that what
//! only happens on a GPU is tested without one.
//!
//! Its memory is readable only while a copy runs: a host that touches it by mistake ends with a segmentation fault. Its
//! arithmetic is the CPU's. It has no streams, no speed, and no rounding of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW, Symbol};

/// The folder of the libraries, which the build script has compiled.
pub fn folder() -> PathBuf {
    Path::new(env!("SOFT_ACCELERATOR_FOLDER")).to_owned()
}

/// A machine with software accelerators.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    devices: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Machine {
    /// With one device of a recent generation and 8 GiB.
    pub fn usual() -> Self {
        Self::default().device("Soft Ampere", "8.0", 8 << 30, 0)
    }

    /// With one more device: its name, compute capability, bytes of memory, and how many of them others hold.
    pub fn device(mut self, name: &str, capability: &str, bytes: u64, busy: u64) -> Self {
        self.devices.push(format!("{name}|{capability}|{bytes}|{busy}"));
        self
    }

    /// With an environment variable.
    pub fn variable(mut self, name: &'static str, value: impl ToString) -> Self {
        self.variables.push((name, value.to_string()));
        self
    }

    /// Lets a command find the devices.
    pub fn lend_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let mut path = vec![folder()];
        path.extend(std::env::var_os("LD_LIBRARY_PATH").iter().flat_map(std::env::split_paths));
        // Folders of cargo's, none of which holds a colon.
        command.env("LD_LIBRARY_PATH", std::env::join_paths(path).unwrap_or_default());
        command.env("SOFT_ACCELERATOR", self.devices.join(",")).env("OMP_WAIT_POLICY", "passive");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)))
    }

    /// Runs the body of the test of this name in a process of its own that has these devices.
    ///
    /// # Errors
    /// Where that process fails; with a signal, if it touched the memory of a device.
    pub fn run(&self, test: &str, body: impl FnOnce()) -> Result<()> {
        const INSIDE: &str = "SOFT_ACCELERATOR_TEST";
        if std::env::var(INSIDE).is_ok_and(|inside| inside == test) {
            body();
            return Ok(());
        }
        let mut command = Command::new(std::env::current_exe().context("cannot find the running test")?);
        self.lend_to(&mut command).args([test, "--exact", "--nocapture"]).env(INSIDE, test);
        let output = command.output().context("cannot start the test anew")?;
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        print!("{out}");
        if !output.status.success() {
            bail!("{test} on a software accelerator: {}\n{error}", output.status);
        }
        if !out.contains("1 passed") {
            bail!("there is no test {test}");
        }
        Ok(())
    }
}

/// What the accelerators of this process have done.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Operations that ran.
    pub operations: u64,
    /// Copies and questions for which the host waited.
    pub waits: u64,
    /// Allocations.
    pub allocations: u64,
    /// Bytes that tensors hold, on all devices.
    pub allocated: u64,
    /// The most that they have held.
    pub peak: u64,
}

fn function<T>(name: &[u8]) -> Result<Symbol<T>> {
    // SAFETY: the library that the engine loads, too; it is never closed. The types are those of kernels.cpp.
    unsafe {
        let library = Library::open(Some(folder().join("libtorch_cuda.so")), RTLD_NOW | RTLD_GLOBAL)?;
        let symbol = library.get(name)?;
        std::mem::forget(library);
        Ok(symbol)
    }
}

/// The counts so far.
pub fn counts() -> Result<Counts> {
    let mut counts = Counts::default();
    let get: Symbol<unsafe extern "C" fn(*mut Counts)> = function(b"soft_accelerator_counts")?;
    // SAFETY: writes the struct.
    unsafe { get(&raw mut counts) };
    Ok(counts)
}

/// Lets the `number`th allocation from now on fail, once; 0 lets none.
pub fn fail_allocation(number: i64) -> Result<()> {
    let set: Symbol<unsafe extern "C" fn(i64)> = function(b"soft_accelerator_fail_allocation")?;
    // SAFETY: a number.
    unsafe { set(number) };
    Ok(())
}

/// Lets everything fail from the `number`th operation from now on; 0 makes the devices whole again.
pub fn lose(number: i64) -> Result<()> {
    let set: Symbol<unsafe extern "C" fn(i64)> = function(b"soft_accelerator_lose")?;
    // SAFETY: a number.
    unsafe { set(number) };
    Ok(())
}
