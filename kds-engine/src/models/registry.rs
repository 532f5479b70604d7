//! The list of models: built-in, then registry files, a later entry replacing an earlier one of the same id.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::built_in;
pub use super::model_entry::{ModelEntry, Task};
pub use crate::backbone::BackboneKind;
use crate::backbone::{ModelFiles, SCALES};
use crate::calibration::Calibration;
use crate::trust::{Sums, Trust};
use crate::{Error, Result};

/// The models that can be opened.
#[derive(Debug, Clone)]
pub struct Registry {
    models: Vec<ModelEntry>,
}

/// Registry files are written by people.
const LARGEST_FILE: u64 = 1 << 20;

impl Registry {
    /// The built-in models only.
    pub fn built_in() -> Result<Self> {
        let mut registry = Self { models: Vec::new() };
        registry.add(built_in::REGISTRY, Path::new("(built-in)"), true, |path| {
            built_in::files(path.strip_prefix("builtin:")?)
        })?;
        Ok(registry)
    }

    /// The built-in models, then `$XDG_CONFIG_HOME/kds/registry.toml` and `registry.d/*.toml`, then the file named by
    /// `KDS_REGISTRY`.
    pub fn layered() -> Result<Self> {
        let mut registry = Self::built_in()?;
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
        let config =
            std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
        if let Some(folder) = config.map(|config| config.join("kds")) {
            let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("registry.d"))
                .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
                .unwrap_or_default();
            files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
            files.sort();
            for file in std::iter::once(folder.join("registry.toml")).filter(|file| file.exists()).chain(files) {
                registry.add_file_of(&file, true)?;
            }
        }
        if let Some(file) = std::env::var_os("KDS_REGISTRY") {
            registry.add_file(Path::new(&file))?;
        }
        Ok(registry)
    }

    /// Adds the models of a registry file that is not the user's own: those that are code must say `allow_code = true`. On
    /// an error nothing is added.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        self.add_file_of(path, false)
    }

    fn add_file_of(&mut self, path: &Path, own: bool) -> Result<()> {
        let wrong = |error: std::io::Error| Error::Registry {
            path: path.to_owned(),
            reason: format!("cannot be read: {error}"),
        };
        // A device or a pipe may never end.
        let metadata = std::fs::metadata(path).map_err(wrong)?;
        if !metadata.is_file() || metadata.len() > LARGEST_FILE {
            let reason = format!("not a file of at most {} KiB", LARGEST_FILE >> 10);
            return Err(Error::Registry { path: path.to_owned(), reason });
        }
        let text = std::fs::read_to_string(path).map_err(wrong)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        self.add(&text, path, own, |model| {
            let home =
                model.strip_prefix("~/").and_then(|rest| Some(PathBuf::from(std::env::var_os("HOME")?).join(rest)));
            Some(ModelFiles::Folder(home.unwrap_or_else(|| folder.join(model))))
        })
    }

    /// The models, in the order in which they were added.
    pub fn models(&self) -> &[ModelEntry] {
        &self.models
    }

    /// The model of this id.
    pub fn find(&self, id: &str) -> Result<&ModelEntry> {
        self.models.iter().find(|model| model.id == id).ok_or_else(|| Error::UnknownModel {
            id: id.to_owned(),
            known: self.models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    fn add(&mut self, text: &str, path: &Path, own: bool, files: impl Fn(&str) -> Option<ModelFiles>) -> Result<()> {
        let wrong = |reason: String| Error::Registry { path: path.to_owned(), reason };
        // toml's own message quotes the line and points into it; a caller wants one line.
        let document: Document = toml::from_str(text).map_err(|error: toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text[..start].lines().count().max(1);
            wrong(format!("line {line}: {}", error.message().replace('\n', " ")))
        })?;
        let mut added = Vec::new();
        for model in document.model {
            let wrong = |reason: String| wrong(format!("model '{}': {reason}", model.id));
            for (name, text) in [("id", &model.id), ("title", &model.title), ("path", &model.path)] {
                if text.trim().is_empty() || text.contains(char::is_control) {
                    return Err(wrong(format!("{name} must be one line that says something")));
                }
            }
            if !SCALES.contains(&model.scale) {
                return Err(wrong(format!(
                    "scale is {}; {} to {} are possible",
                    model.scale,
                    SCALES.start(),
                    SCALES.end()
                )));
            }
            let mut defaults = checked_values(&model.defaults).map_err(&wrong)?;
            let mut for_particles = BTreeMap::new();
            for part in &model.for_particles {
                for name in ["particles", "preset"] {
                    if part.values.contains_key(name) {
                        return Err(wrong(format!(
                            "for_particles cannot set '{name}', which decides whether it holds"
                        )));
                    }
                }
                for_particles.insert(part.at_least, checked_values(&part.values).map_err(&wrong)?);
            }
            let options =
                model.backbone.options(model.options).map_err(|reason| wrong(format!("options: {reason}")))?;
            let trust = Trust::new(path, own, model.allow_code, model.sha256, model.backbone).map_err(&wrong)?;
            let files = files(&model.path).ok_or_else(|| wrong(format!("there are no files '{}'", model.path)))?;
            for (name, value) in BackboneKind::defaults(&files, &options) {
                defaults.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
            added.push(ModelEntry {
                id: model.id,
                title: model.title,
                task: model.task,
                scale: model.scale,
                backbone: model.backbone,
                options,
                files,
                defaults,
                for_particles,
                calibration: model.confidence,
                trust,
            });
        }
        tracing::debug!("registry {}: {} models", path.display(), added.len());
        for model in added {
            match self.models.iter_mut().find(|known| known.id == model.id) {
                Some(known) => *known = model,
                None => self.models.push(model),
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    model: Vec<ModelText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelText {
    id: String,
    title: String,
    task: Task,
    scale: usize,
    backbone: BackboneKind,
    path: String,
    #[serde(default)]
    allow_code: bool,
    #[serde(default)]
    sha256: Sums,
    #[serde(default)]
    options: toml::Table,
    #[serde(default)]
    defaults: BTreeMap<String, toml::Value>,
    #[serde(default)]
    for_particles: Vec<ForParticles>,
    confidence: Option<Calibration>,
}

/// `[[model.for_particles]]`: defaults from a number of particles on.
#[derive(Deserialize)]
struct ForParticles {
    at_least: usize,
    #[serde(flatten)]
    values: BTreeMap<String, toml::Value>,
}

/// Values of parameters as text, or what is wrong with one.
fn checked_values(values: &BTreeMap<String, toml::Value>) -> std::result::Result<BTreeMap<String, String>, String> {
    let mut checked = BTreeMap::new();
    for (name, value) in values {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        kds_parameters::find(name).and_then(|parameter| parameter.check(&text)).map_err(|error| error.to_string())?;
        checked.insert(name.clone(), text.trim().to_owned());
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    const GOOD: &str = r#"
[[model]]
id = "mine"
title = "My model"
task = "super-resolution"
scale = 4
backbone = "residual"
path = "models/mine"
[model.defaults]
steps = 20
strength = 0.5
bandwidth = "auto*2"
"#;

    const DIFFBIR: &str = r#"
[[model]]
id = "diffbir"
title = "DiffBIR v2"
task = "super-resolution"
scale = 4
backbone = "diffbir"
path = "diffbir"
[model.options]
version = "v2"
control = 0.9
start = "image"
[model.defaults]
guidance = 2
"#;

    fn read(text: &str) -> Result<Registry> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("registry.toml");
        std::fs::write(&file, text).unwrap();
        let mut registry = Registry::built_in()?;
        registry.add_file(&file)?;
        Ok(registry)
    }

    #[test]
    fn a_registry_file_adds_models_and_replaces_those_of_the_same_id() {
        let registry = read(GOOD).unwrap();
        let model = registry.find("mine").unwrap();
        assert_eq!(model.defaults["steps"], "20");
        assert_eq!(model.defaults["bandwidth"], "auto*2");
        assert!(model.source().ends_with("models/mine"), "{}", model.source());
        let before = registry.models().len();
        let replaced = read(&GOOD.replace("\"mine\"", "\"kds-photo-x4\"")).unwrap();
        assert_eq!(replaced.models().len(), before - 1);
        assert_eq!(replaced.find("kds-photo-x4").unwrap().title, "My model");
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        let table = [
            (GOOD.replace("title", "tittle"), "unknown field `tittle`"),
            (GOOD.replace("\"residual\"", "\"magic\""), "line 7: unknown variant `magic`"),
            (GOOD.replace("scale = 4", "scale = \"four\""), "line 6: invalid type"),
            (GOOD.replace("steps = 20", "steps = 0"), "'steps' cannot be '0'"),
            (GOOD.replace("steps = 20", "stepz = 20"), "no parameter 'stepz'"),
            (GOOD.replace("[[model]]", "[[model"), "line 2"),
            (
                GOOD.to_owned() + "[model.confidence]\nensemble = [[0.2, 5], [0.1, 7]]\n",
                "points [doubt, error] of rising doubt",
            ),
            (GOOD.to_owned() + "[[model.for_particles]]\nat_least = 8\nstepz = 2\n", "no parameter 'stepz'"),
            (GOOD.to_owned() + "[[model.for_particles]]\nat_least = 8\nparticles = 2\n", "cannot set 'particles'"),
            (GOOD.to_owned() + "[[model.for_particles]]\nsteps = 2\n", "missing field `at_least`"),
            (GOOD.replace("id = \"mine\"\n", ""), "missing field `id`"),
            (GOOD.replace("\"mine\"", "\"a\\u0000b\""), "id must be"),
            (GOOD.replace("\"My model\"", "\" \""), "title must be"),
            (GOOD.replace("scale = 4", "scale = 4294967297"), "1 to 16 are possible"),
            (GOOD.replace("scale = 4", "scale = 4\nsha256 = {'a' = '0'}"), "64 hexadecimal digits"),
            (
                GOOD.replace("scale = 4", "scale = 4\nsha256 = {'../a' = '0'}"),
                "'../a' is no file in the model's folder",
            ),
            (GOOD.replace("scale = 4", "scale = 4\nsha256 = {'/etc/passwd' = '0'}"), "'/etc/passwd' is no file"),
            (GOOD.replace("scale = 4", "scale = 4\nsha256 = {'' = '0'}"), "'' is no file"),
            (GOOD.to_owned() + "[model.options]\ncontrol = 1.0\n", "options: the backbone residual has no options"),
            (DIFFBIR.replace("control = 0.9", "control = 3.0"), "options: control is 3; 0 to 2 are possible"),
            (DIFFBIR.replace("control", "kontrol"), "options: unknown field `kontrol`"),
            (DIFFBIR.replace("image", "middle"), "options: unknown variant `middle`"),
        ];
        for (text, expected) in table {
            let message = read(&text).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("registry.toml"), "{expected}: {message}");
        }
    }

    #[test]
    fn a_backbone_has_defaults_of_its_own_behind_those_of_the_entry() {
        let defaults = read(DIFFBIR).unwrap().find("diffbir").unwrap().defaults.clone();
        assert_eq!((&defaults["preset"][..], &defaults["guidance"][..]), ("paper", "2"));
        assert!(defaults["negative"].starts_with("low quality, blurry"), "{defaults:?}");
        let later = read(&DIFFBIR.replace("\"v2\"", "\"v2.1\"")).unwrap();
        assert!(later.find("diffbir").unwrap().defaults["negative"].starts_with("painting"));
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let message = Registry::built_in().unwrap().add_file(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(message.contains("/dev/zero") && message.contains("not a file"), "{message}");
    }

    #[test]
    fn a_model_that_fills_no_mask_is_not_opened_as_one_that_does() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/kds-photo-x4");
        let text = GOOD.replace("super-resolution", "inpainting").replace("models/mine", folder);
        let registry = read(&text).unwrap();
        let message = registry.find("mine").unwrap().load(Device::Cpu, Kind::Float).err().unwrap().to_string();
        assert!(message.contains("fills no holes"), "{message}");
    }

    #[test]
    fn an_unknown_model_lists_the_known_ones() {
        let message = Registry::built_in().unwrap().find("nothing").err().unwrap().to_string();
        assert!(message.contains("kds-photo-x4"), "{message}");
    }
}
