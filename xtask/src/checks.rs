//! `cargo xtask test`: every check, in the order in which a failure is cheapest to find.

use crate::cargo;
use crate::packages::{self, Requirement};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::time::Instant;

/// Checks, and the cargo arguments of each. The build comes before the tests because some of them load
/// libkds.so or run the kds command.
const CHECKS: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("build", &["build", "--workspace"]),
    ("tests", &["test", "--workspace"]),
];

/// Programs that the tests need beside Rust and a compiler.
pub const NEEDED: &[Requirement] = &[
    ("cmake", "cmake"),
    ("pkg-config", "pkg-config"),
    ("valgrind", "valgrind"),
    ("abidw", "abigail-tools"),
    ("abidiff", "abigail-tools"),
    ("mmdebstrap", "mmdebstrap"),
    ("gimp-2.10", "gimp"),
    ("Xvfb", "xvfb"),
    ("xdotool", "xdotool"),
    ("import", "imagemagick"),
    ("exiftool", "libimage-exiftool-perl"),
    // Brings the colour profile of four inks that a test uses.
    ("gs", "ghostscript"),
    ("gegl", "gegl"),
    ("gegl-0.4.pc", "libgegl-dev"),
];

/// Runs all checks and stops at the first that fails.
pub fn run(root: &Path) -> Result<()> {
    let start = Instant::now();
    packages::ensure(NEEDED)?;
    for (name, arguments) in CHECKS {
        let shown = format!("cargo {}", arguments.join(" "));
        eprintln!("\n==> {name}: {shown}");
        // Tests that want a plug-in to panic would print more backtrace than all the rest, and hide the message of one that fails.
        let mut command = cargo::command(root);
        command.args(*arguments).env("RUST_BACKTRACE", "0");
        let status = command.status().with_context(|| format!("cannot start '{shown}'"))?;
        if !status.success() {
            bail!("{name} failed ({status}); to see it alone: {shown}");
        }
    }
    eprintln!("\nAll checks passed in {:.0} s: format, lints, build, tests.", start.elapsed().as_secs_f64());
    Ok(())
}
