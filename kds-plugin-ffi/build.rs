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
