//! Parts shared by several tests.

use std::fs::{self, File};
use std::path::Path;

/// Makes `folder` look like libtorch 2.`minor`.0.
pub fn make_libtorch(folder: &Path, minor: u32) {
    for part in ["lib", "include/torch/headeronly"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    for library in ["lib/libtorch_cpu.so", "lib/libc10.so"] {
        File::create(folder.join(library)).unwrap();
    }
    let version =
        format!("#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR {minor}\n#define TORCH_VERSION_PATCH 0\n");
    fs::write(folder.join("include/torch/headeronly/version.h"), version).unwrap();
}
