//! Keeps the plug-in loaded when a host closes it, as hosts do that look for plug-ins: its client of the worker goes on.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
