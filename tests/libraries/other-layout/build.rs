//! Lets the types of this package pass for those of kds-plugin-api, so that nothing but their layout differs.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=CARGO_PKG_NAME=kds-plugin-api");
}
