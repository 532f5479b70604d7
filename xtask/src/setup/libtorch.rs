//! Test of a folder that may be a libtorch to build with.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// The version that the `tch` crate is bound to.
pub const VERSION: &str = "2.11.0";

/// Header with the version of a libtorch, as C macros.
const VERSION_HEADER: &str = "include/torch/headeronly/version.h";

/// The libraries that our binaries link.
const LIBRARIES: [&str; 2] = ["lib/libtorch_cpu.so", "lib/libc10.so"];

/// Fails when `torch` lacks the libraries or headers, or is of another version.
pub fn check(torch: &Path) -> Result<()> {
    for part in LIBRARIES.iter().chain(&["include"]) {
        if !torch.join(part).exists() {
            bail!("{} has no {part}, so it is no complete libtorch", torch.display());
        }
    }
    let header = torch.join(VERSION_HEADER);
    let text = fs::read_to_string(&header)
        .with_context(|| format!("cannot read {}, so it is no libtorch {VERSION}", header.display()))?;
    match version(&text) {
        Some(found) if found == VERSION => Ok(()),
        Some(found) => bail!("{} is libtorch {found}, but {VERSION} is needed", torch.display()),
        None => bail!("{} states no version, so it is no libtorch {VERSION}", header.display()),
    }
}

fn version(header: &str) -> Option<String> {
    let number = |macro_name: &str| {
        let value = header.lines().find_map(|line| line.strip_prefix("#define ")?.strip_prefix(macro_name))?;
        value.trim().parse::<u32>().ok()
    };
    let part = |name| number(&format!("TORCH_VERSION_{name} "));
    Some(format!("{}.{}.{}", part("MAJOR")?, part("MINOR")?, part("PATCH")?))
}
