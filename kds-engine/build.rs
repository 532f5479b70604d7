//! Lets what this package links find libtorch without `LD_LIBRARY_PATH`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    // Unset, torch-sys looks for a libtorch of the system, and so does the loader.
    let Some(libtorch) = std::env::var_os("LIBTORCH") else { return };
    // Links are kept: when `cargo xtask setup` points .libtorch elsewhere, what was built before follows it.
    match std::path::absolute(&libtorch) {
        Ok(folder) => println!("cargo::rustc-link-arg=-Wl,-rpath,{}/lib", folder.display()),
        Err(error) => println!("cargo::warning=LIBTORCH={}: {error}", libtorch.display()),
    }
}
