//! The C header: generated as C programmers expect it, and the committed one up to date.

use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::header;

/// The kinds of items that the C interface consists of.
const SAMPLE: &str = r#"
#![allow(non_camel_case_types)]
mod image;
pub use image::kds_image;

/// All is well.
pub const KDS_OK: i32 = 0;

/// A model, opened.
pub struct kds_model { name: String }

/// Called at every step; non-zero cancels.
pub type kds_progress = Option<unsafe extern "C" fn(user_data: *mut std::ffi::c_void, done: u64) -> i32>;

/// Restores `input`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_restore(
    model: *const kds_model,
    input: *const kds_image,
    progress: kds_progress,
) -> i32 { 0 }
"#;

const IMAGE: &str = r#"
/// Pixels.
#[repr(C)]
pub struct kds_image {
    /// Size of this struct.
    pub struct_size: u32,
    /// Bytes between rows.
    pub stride: usize,
}
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn a_header_has_the_names_guard_and_documentation_of_the_sources() {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path();
    fs::create_dir(package.join("src")).unwrap();
    fs::write(package.join("Cargo.toml"), "[package]\nname = 'sample'\nversion = '0.1.0'\nedition = '2024'\n").unwrap();
    fs::write(package.join("src/lib.rs"), SAMPLE).unwrap();
    fs::write(package.join("src/image.rs"), IMAGE).unwrap();
    fs::copy(root().join("kds-plugin-ffi/cbindgen.toml"), package.join("cbindgen.toml")).unwrap();

    let text = header::generate(package).unwrap();
    for part in [
        "#ifndef KDS_H",
        "extern \"C\" {",
        "#define KDS_OK 0",
        "typedef struct kds_model kds_model;",
        "typedef struct kds_image {",
        "size_t stride;",
        "} kds_image;",
        "typedef int32_t (*kds_progress)(void *user_data, uint64_t done);",
        "int32_t kds_restore(",
        "/// Bytes between rows.",
        "/// Called at every step; non-zero cancels.",
    ] {
        assert!(text.contains(part), "no '{part}' in\n{text}");
    }

    // It compiles alone and twice, as C and as C++.
    let path = package.join("kds.h");
    fs::write(&path, &text).unwrap();
    for (language, standard) in [("c", "-std=c99"), ("c++", "-std=c++11")] {
        let source = package.join("twice");
        fs::write(&source, "#include \"kds.h\"\n#include \"kds.h\"\n").unwrap();
        let output = Command::new("cc")
            .args([standard, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-x", language])
            .arg(&source)
            .output()
            .unwrap();
        assert!(output.status.success(), "{language}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn sources_that_do_not_parse_are_an_error_that_names_the_crate() {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path();
    fs::create_dir(package.join("src")).unwrap();
    fs::write(package.join("Cargo.toml"), "[package]\nname = 'sample'\nversion = '0.1.0'\nedition = '2024'\n").unwrap();
    fs::write(package.join("src/lib.rs"), "pub fn {").unwrap();
    fs::copy(root().join("kds-plugin-ffi/cbindgen.toml"), package.join("cbindgen.toml")).unwrap();
    let message = format!("{:#}", header::generate(package).unwrap_err());
    assert!(message.contains(&package.display().to_string()), "{message}");
}

#[test]
fn the_committed_header_is_up_to_date() {
    header::check(root()).unwrap();
}

#[test]
fn the_binary_interface_is_as_described() {
    xtask::abi::check(root()).unwrap();
}
