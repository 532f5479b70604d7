//! Lets the tests, examples and benches of this package find libtorch without `LD_LIBRARY_PATH`.

use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let Some(libtorch) = env::var_os("LIBTORCH") else { return };
    // Absolute, because the loader takes a relative path from the directory in which the program is started.
    match fs::canonicalize(&libtorch) {
        Ok(folder) => println!("cargo:rustc-link-arg=-Wl,-rpath,{}/lib", folder.display()),
        Err(error) => println!("cargo:warning=LIBTORCH={}: {error}", libtorch.display()),
    }
}
