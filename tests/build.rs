//! Lets what this package links find libtorch without `LD_LIBRARY_PATH`, tells the tests their platform, and compiles the
//! software accelerator.

use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if let Ok(target) = std::env::var("TARGET") {
        println!("cargo::rustc-env=TARGET={target}");
    }
    // Unset, torch-sys looks for a libtorch of the system, and so does the loader.
    let libtorch = std::env::var_os("LIBTORCH").map(PathBuf::from);
    accelerator(libtorch.as_deref().unwrap_or(Path::new("/usr")))?;
    let Some(libtorch) = libtorch else { return Ok(()) };
    // Links are kept: when `cargo xtask setup` points .libtorch elsewhere, what was built before follows it.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}/lib", std::path::absolute(&libtorch)?.display());
    Ok(())
}

/// The libraries that stand in for the driver's and for libtorch's CUDA part, by their names.
fn accelerator(libtorch: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=accelerator");
    let folder = Path::new(&std::env::var("OUT_DIR")?).join("accelerator");
    std::fs::create_dir_all(&folder)?;
    println!("cargo::rustc-env=SOFT_ACCELERATOR_FOLDER={}", folder.display());
    let compile = |source: &str, library: &str, arguments: &[String]| -> Result<(), Box<dyn Error>> {
        let compiler =
            cc::Build::new().cpp(true).pic(true).std("c++20").opt_level(1).warnings(false).try_get_compiler()?;
        let mut command = compiler.to_command();
        command.arg("-shared").arg(Path::new("accelerator").join(source)).arg("-o").arg(folder.join(library));
        command.arg(format!("-Wl,-soname,{library}")).args(arguments);
        let status = command.status()?;
        if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
    };
    compile("driver.cpp", "libcuda.so.1", &[])?;
    std::fs::copy(folder.join("libcuda.so.1"), folder.join("libnvidia-ml.so.1"))?;
    let libtorch = libtorch.display();
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    let arguments = [
        format!("-D_GLIBCXX_USE_CXX11_ABI={abi}"),
        format!("-I{libtorch}/include"),
        format!("-I{libtorch}/include/torch/csrc/api/include"),
        format!("-L{libtorch}/lib"),
        "-ltorch_cpu".to_owned(),
        "-lc10".to_owned(),
    ];
    compile("kernels.cpp", "libtorch_cuda.so", &arguments)
}
