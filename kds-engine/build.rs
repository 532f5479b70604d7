//! Compiles what tch has no names for, and lets what this package links find libtorch without `LD_LIBRARY_PATH`.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    // Unset, torch-sys looks for a libtorch of the system, and so does the loader.
    let libtorch = std::env::var_os("LIBTORCH").map(PathBuf::from);
    compile(libtorch.clone().unwrap_or_else(|| "/usr".into()));
    let Some(libtorch) = libtorch else { return };
    // Links are kept: when `cargo xtask setup` points .libtorch elsewhere, what was built before follows it.
    match std::path::absolute(&libtorch) {
        Ok(folder) => println!("cargo::rustc-link-arg=-Wl,-rpath,{}/lib", folder.display()),
        Err(error) => println!("cargo::warning=LIBTORCH={}: {error}", libtorch.display()),
    }
}

/// With the headers and the flags that torch-sys compiles its own C++ with.
fn compile(libtorch: PathBuf) {
    const SOURCES: &[&str] = &["src/computing/device/libtorch.cpp", "src/computing/memory/allocations.cpp"];
    SOURCES.iter().for_each(|source| println!("cargo::rerun-if-changed={source}"));
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo::rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let headers = std::env::var_os("LIBTORCH_INCLUDE").map_or(libtorch, PathBuf::from).join("include");
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    cc::Build::new()
        .cpp(true)
        .pic(true)
        .std("c++17")
        .define("_GLIBCXX_USE_CXX11_ABI", &*abi)
        .include(headers)
        .warnings(false)
        .files(SOURCES)
        .compile("kds_libtorch");
}
