//! `include/kds.h`, generated from the sources of kds-plugin-ffi and committed, so that C users need no Rust.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// The crate that the header describes, and the header, both from the repository root.
const CRATE: &str = "kds-plugin-ffi";
const HEADER: &str = "include/kds.h";

/// The C header of the crate in this folder, by the `cbindgen.toml` that lies in it. Fails when the sources cannot be
/// parsed.
pub fn generate(crate_folder: &Path) -> Result<String> {
    let settings = crate_folder.join("cbindgen.toml");
    let config = cbindgen::Config::from_file(&settings)
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("cannot read {}", settings.display()))?;
    let bindings = cbindgen::Builder::new()
        .with_crate(crate_folder)
        .with_config(config)
        .generate()
        .with_context(|| format!("cannot generate a header from {}", crate_folder.display()))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).context("the generated header is not UTF-8")?;
    // What Rust's documentation calls safety are the conditions of a call.
    Ok(text.replace("/// # Safety\n///", "/// Requires:"))
}

/// Writes the header into the repository.
pub fn write(root: &Path) -> Result<()> {
    let path = root.join(HEADER);
    let text = generate(&root.join(CRATE))?;
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{HEADER} is written.");
    Ok(())
}

/// The committed header.
pub fn read(root: &Path) -> Result<String> {
    let path = root.join(HEADER);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Fails when the committed header is not what the sources give.
pub fn check(root: &Path) -> Result<()> {
    let committed = read(root)?;
    let generated = generate(&root.join(CRATE))?;
    if committed == generated {
        return Ok(());
    }
    let (line, difference) = first_difference(&committed, &generated);
    bail!(
        "{HEADER} is out of date, first in line {line}:\n{difference}\nTo renew it: cargo xtask header, then commit it"
    )
}

/// Number of the first line that differs, counted from 1, and what both texts have there.
fn first_difference(committed: &str, generated: &str) -> (usize, String) {
    let (mut old, mut new) = (committed.lines(), generated.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (old.next(), new.next()) {
            (old, new) if old == new && old.is_some() => continue,
            // Line ends are all that differs.
            (None, None) => return (number, "  the line ends".to_owned()),
            (old, new) => {
                let shown = |line: Option<&str>| line.unwrap_or("(end of file)").to_owned();
                return (number, format!("  committed: {}\n  generated: {}", shown(old), shown(new)));
            }
        }
    }
}
