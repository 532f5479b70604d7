//! `kds models add`: a model as diffusers saves it, in a folder or of the hub, becomes an entry of the user's registry.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use kds_host::{Context, Library};

use crate::{
    hub,
    model_source::Source,
    options::Models,
    output,
    pipeline::{self, Backbone, INDEX, Pipeline},
};

/// Title of a model.
fn name(source: &Source) -> anyhow::Result<PathBuf> {
    match source {
        Source::Folder(folder) => whole_path(folder),
        Source::Hub(address) => Ok(address.name().into()),
    }
}

/// The folder that the model's files are in, downloaded before where they have to be, and the SHA-256 of those whose
/// origin is known.
fn folder(source: &Source) -> anyhow::Result<(PathBuf, BTreeMap<String, String>)> {
    match source {
        Source::Folder(folder) => Ok((whole_path(folder)?, BTreeMap::new())),
        Source::Hub(address) => {
            let fetched = hub::fetch(address)?;
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
    let (folder, sums) = folder(source)?;
    let entry = entry(&folder, &id, &sums)?;
    let mut trial = tempfile::Builder::new().suffix(".toml").tempfile()?;
    trial.write_all(entry.as_bytes())?;
    let mut trial_options = options.library.context_options(output::say);
    trial_options.registry = Some(trial.path().to_owned());
    Context::new(library, &trial_options)?.check_model(&id)?;

    let file = configuration()?.join("kds/registry.d").join(format!("{id}.toml"));
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

/// Where the library looks for registries of the user.
fn configuration() -> anyhow::Result<PathBuf> {
    let named = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    named.or_else(home).context("neither XDG_CONFIG_HOME nor HOME is set; set one to where the registry should be")
}

/// The folder's name in lower case, with hyphens for what an id cannot have.
fn id_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let words = name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// Defaults of third-party models: the setting of the paper, with the timesteps that these models are sampled with.
const PAPER: &str = "preset = \"paper\"\nspacing = \"leading\"\n";

/// The registry entry of a model in diffusers' layout.
fn entry(folder: &Path, id: &str, sums: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let pipeline = Pipeline::of(folder)?;
    let (task, scale, defaults) = match pipeline.backbone {
        Backbone::LdmSr => {
            let config = pipeline::read_json(folder, "vqvae/config.json")?;
            let levels = config["block_out_channels"].as_array().map_or(1, Vec::len);
            ("super-resolution", 1u64 << (levels.clamp(1, 16) - 1), PAPER)
        }
        Backbone::SdInpaint => ("inpainting", 1, PAPER),
        Backbone::Residual => {
            let scale = pipeline::read_json(folder, INDEX)?["scale"].as_u64().unwrap_or(1);
            (if scale > 1 { "super-resolution" } else { "restoration" }, scale, "")
        }
    };
    let backbone = pipeline.backbone.name();
    let path = folder.to_str().with_context(|| format!("{} is not UTF-8; rename it", folder.display()))?;
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let (id, path) = (quoted(id), quoted(path));
    let mut text = format!(
        "[[model]]\nid = {id}\ntitle = {id}\ntask = \"{task}\"\nscale = {scale}\nbackbone = \"{backbone}\"\n\
         path = {path}\n[model.defaults]\n{defaults}"
    );
    if !sums.is_empty() {
        text += "[model.sha256]\n";
        text.extend(sums.iter().map(|(name, sum)| format!("{} = \"{sum}\"\n", quoted(name))));
    }
    Ok(text)
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
    fn entries_are_made_of_what_the_folder_says() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert!(entry(folder.path(), "x", &BTreeMap::new()).unwrap_err().to_string().contains("model_index.json"));
        write("model_index.json", r#"{"_class_name": "LDMSuperResolutionPipeline"}"#);
        write("vqvae/config.json", r#"{"block_out_channels": [128, 256, 512]}"#);
        let text = entry(folder.path(), "x", &BTreeMap::new()).unwrap();
        let parsed: toml::Table = toml::from_str(&text).unwrap();
        let model = &parsed["model"][0];
        assert_eq!((model["scale"].as_integer(), model["backbone"].as_str()), (Some(4), Some("ldm-sr")));
        assert_eq!(model["path"].as_str(), folder.path().to_str());
        assert_eq!(model["defaults"]["preset"].as_str(), Some("paper"));
        assert!(model.get("sha256").is_none());
        let sums = BTreeMap::from([("unet/a.bin".to_owned(), "0".repeat(64))]);
        let parsed: toml::Table = toml::from_str(&entry(folder.path(), "x", &sums).unwrap()).unwrap();
        assert_eq!(parsed["model"][0]["sha256"]["unet/a.bin"].as_str(), Some(&*"0".repeat(64)));
        write("model_index.json", r#"{"_class_name": "FluxPipeline"}"#);
        assert!(
            entry(folder.path(), "x", &BTreeMap::new())
                .unwrap_err()
                .to_string()
                .contains("no backbone for 'FluxPipeline'")
        );
    }
}
