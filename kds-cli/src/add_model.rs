//! `kds models add`: a model in a folder or of the hub becomes an entry of the user's registry. The library knows which model
//! it is and which of its files are read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, anyhow, bail};
use kds_host::{Context, Library, configuration};

use crate::{hub, model_source::Source, options::Models, output};

/// Title of a model.
fn name(source: &Source) -> anyhow::Result<PathBuf> {
    match source {
        Source::Folder(folder) => whole_path(folder),
        Source::Hub(address) => Ok(address.name().into()),
    }
}

/// The folder that the model's files are in, downloaded before where they have to be, and the SHA-256 of those whose
/// origin is known.
fn folder(source: &Source, context: &Context) -> anyhow::Result<(PathBuf, BTreeMap<String, String>)> {
    match source {
        Source::Folder(folder) => Ok((whole_path(folder)?, BTreeMap::new())),
        Source::Hub(address) => {
            let needs = |folder: &Path, names: Option<&BTreeSet<String>>| {
                Ok(context.recognise_model(folder, names, address.name())?.files)
            };
            let fetched = hub::fetch(address, &needs)?;
            Ok((whole_path(&fetched.folder)?, fetched.sums))
        }
    }
}

fn whole_path(folder: &Path) -> anyhow::Result<PathBuf> {
    folder.canonicalize().with_context(|| format!("{} cannot be read", folder.display()))
}

/// Checks the model and, if it is whole, writes `registry.d/ID.toml` of the user's configuration.
///
/// # Errors
/// When the source holds no model that is known, the id is taken, or the model is not whole; nothing is written then.
pub fn add(
    library: &Arc<Library>,
    options: &Models,
    context: &Context,
    source: &Source,
    id: Option<&str>,
) -> anyhow::Result<bool> {
    let id = match id {
        Some(id) => id.to_owned(),
        None => id_of(&name(source)?),
    };
    if id.is_empty() || id.contains(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))) || id.starts_with('.')
    {
        bail!("'{id}' cannot be a model's id: letters, digits, '-', '_' and '.' are possible; name one by --id");
    }
    if context.models()?.iter().any(|model| model.id == id) {
        bail!("there is a model '{id}' already; name another id by --id");
    }
    let (folder, sums) = folder(source, context)?;
    let recognised = context
        .recognise_model(&folder, None, &id)
        .map_err(|error| anyhow!("{error}; complete the folder, or name one that holds a whole model"))?;
    let entry = recognised.entry + &vouched(&sums);
    let mut trial = tempfile::Builder::new().suffix(".toml").tempfile()?;
    trial.write_all(entry.as_bytes())?;
    let mut trial_options = options.library.context_options(output::say);
    trial_options.registry = Some(trial.path().to_owned());
    Context::new(library, &trial_options)?.check_model(&id)?;

    let folder = configuration::registries()
        .context("neither XDG_CONFIG_HOME nor HOME is set; set one to where the registry should be")?;
    let file = folder.join("registry.d").join(format!("{id}.toml"));
    write(&file, &entry).with_context(|| format!("{} cannot be made", file.display()))?;
    output::print(&format!("{id}: added by {}\n", file.display()))?;
    Ok(true)
}

/// Writes a registry file all at once: nobody reads half of one.
fn write(file: &Path, entry: &str) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // As any new file; the system takes away what the user's umask says.
    let mut whole = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    whole.write_all(entry.as_bytes())?;
    // Never over a file that somebody wrote: its models may have other ids.
    whole.persist_noclobber(file)?;
    Ok(())
}

/// The folder's name in lower case, with hyphens for what an id cannot have.
fn id_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let words = name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// The table of sums for the end of a registry entry.
fn vouched(sums: &BTreeMap<String, String>) -> String {
    if sums.is_empty() {
        return String::new();
    }
    let lines = sums.iter().map(|(name, sum)| format!("{} = \"{sum}\"\n", toml::Value::String(name.clone())));
    std::iter::once("[model.sha256]\n".to_owned()).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_name() {
        assert_eq!(id_of(Path::new("/models/LDM Super_Resolution 4x")), "ldm-super-resolution-4x");
        assert_eq!(id_of(Path::new("/models/sd-2.1")), "sd-2.1");
        assert_eq!(id_of(Path::new("/")), "");
    }

    #[test]
    fn sums_are_a_table_of_the_entry() {
        assert_eq!(vouched(&BTreeMap::new()), "");
        let sums = BTreeMap::from([("unet/\"a\".bin".to_owned(), "0".repeat(64))]);
        let parsed: toml::Table = toml::from_str(&format!("[[model]]\n[model.defaults]\n{}", vouched(&sums))).unwrap();
        assert_eq!(parsed["model"][0]["sha256"]["unet/\"a\".bin"].as_str(), Some(&*"0".repeat(64)));
    }
}
