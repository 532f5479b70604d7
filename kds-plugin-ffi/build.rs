//! Where the library finds libtorch at run time: where it was linked, for use from the build tree.

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if let Some(torch) = std::env::var_os("LIBTORCH")
        && let Ok(folder) = std::path::Path::new(&torch).join("lib").canonicalize()
    {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
}
