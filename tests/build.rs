//! Lets the tests and measurements find libtorch without LD_LIBRARY_PATH, and tells them their platform.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Ok(target) = std::env::var("TARGET") {
        println!("cargo:rustc-env=TARGET={target}");
    }
    // Unset, torch-sys looks for a libtorch of the system, and so does the loader.
    let Some(folder) = std::env::var_os("LIBTORCH") else { return };
    let libraries = Path::new(&folder).join("lib");
    match libraries.canonicalize() {
        Ok(path) => println!("cargo:rustc-link-arg=-Wl,-rpath,{}", path.display()),
        Err(error) => println!("cargo:warning={}: {error}; run `cargo xtask setup`", libraries.display()),
    }
}
