//! Lets what this package links find libtorch without `LD_LIBRARY_PATH`, keeps its dependencies' symbols inside, and
//! gives the library its name.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    // For what this package links itself: the arguments for a cdylib would reach the libraries that are made of this one.
    // tch and the C code in other crates export symbols of their own, which could meet the host's.
    println!("cargo::rustc-link-arg=-Wl,--exclude-libs,ALL");
    // As if there were none; but an entry that is there can be changed when the library is installed.
    println!("cargo::rustc-link-arg=-Wl,-soname,libkds.so");
    // Threads of libtorch, and of ours, may still run our code when a host closes the library.
    println!("cargo::rustc-link-arg=-Wl,-z,nodelete");
    println!("cargo::rustc-env=KDS_LIBTORCH_VERSION={}", libtorch_version().unwrap_or_default());
    // Unset, torch-sys looks for a libtorch of the system, and so does the loader.
    let Some(libtorch) = std::env::var_os("LIBTORCH") else { return };
    // Links are kept: when `cargo xtask setup` points .libtorch elsewhere, what was built before follows it.
    match std::path::absolute(&libtorch) {
        Ok(folder) => {
            // `cargo xtask install` writes another search path and soname over this one: `/.` makes room and means nothing.
            println!("cargo::rustc-link-arg=-Wl,-rpath,{}/lib{}", folder.display(), "/.".repeat(48));
        }
        Err(error) => println!("cargo::warning=LIBTORCH={}: {error}", libtorch.display()),
    }
}

/// The version of the libtorch that is built with, less what follows a plus sign; nothing where its headers do not say.
fn libtorch_version() -> Option<String> {
    let libtorch = std::path::PathBuf::from(std::env::var_os("LIBTORCH")?);
    let header = libtorch.join("include/torch/headeronly/version.h");
    let header =
        std::fs::read_to_string(header).or_else(|_| std::fs::read_to_string(libtorch.join("include/torch/version.h")));
    let header = header.ok()?;
    let part = |name: &str| {
        let line = header.lines().find_map(|line| line.strip_prefix("#define TORCH_VERSION_")?.strip_prefix(name))?;
        line.trim().parse::<u32>().ok()
    };
    Some(format!("{}.{}.{}", part("MAJOR ")?, part("MINOR ")?, part("PATCH ")?))
}
