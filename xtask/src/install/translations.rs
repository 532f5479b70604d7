//! Catalogues of the plug-ins' texts: `po/*.po` as gettext reads them.

use super::tree::{Entry, Tree};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Sources, from the repository.
const SOURCES: &str = "kds-plugin-gimp/po";
/// Name of the catalogues, see `kds-plugin-gimp/src/translation.rs`.
const DOMAIN: &str = "kds-gimp";

/// Adds the catalogue of every language.
pub fn add(tree: &mut Tree, root: &Path) -> Result<()> {
    let folder = root.join(SOURCES);
    for source in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let source = source.with_context(|| format!("cannot read {}", folder.display()))?.path();
        let Some(language) = source.file_name().and_then(|name| name.to_str()?.strip_suffix(".po")) else { continue };
        let place = format!("share/locale/{language}/LC_MESSAGES/{DOMAIN}.mo");
        tree.add(place, Entry::File(compiled(&source)?));
    }
    Ok(())
}

/// The bytes of a compiled catalogue.
fn compiled(source: &Path) -> Result<Vec<u8>> {
    let catalogue = polib::po_file::parse(source)
        .map_err(|error| anyhow::anyhow!("{error}"))
        .with_context(|| format!("{} is no catalogue", source.display()))?;
    let written = tempfile::NamedTempFile::new().context("cannot create a temporary file")?;
    polib::mo_file::write(&catalogue, written.path())
        .map_err(|error| anyhow::anyhow!("{error}"))
        .with_context(|| format!("cannot compile {}", source.display()))?;
    fs::read(written.path()).with_context(|| format!("cannot read {}", written.path().display()))
}
