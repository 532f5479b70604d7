//! Sums of a model's files, and the permission to run code, by its registry entry.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use kds_parameters::plain;
use serde::Deserialize;

use crate::backbone::{Memory, ModelFiles};
use crate::registry::BackboneKind;
use crate::{Error, Result};

/// Asked before anything of a model is opened.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The registry file, for errors.
    registry: PathBuf,
    /// True where a model that is code may run.
    code: bool,
    /// SHA-256 by the names of files in the model's folder; "" is the file of a model that is a single one.
    sums: BTreeMap<String, String>,
}

/// `sha256` of a registry entry.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "sha256 is text, or a table of the model's files")]
pub(crate) enum Sums {
    /// Of a model that is one file.
    One(String),
    /// Of files in the model's folder.
    Each(BTreeMap<String, String>),
}

impl Default for Sums {
    fn default() -> Self {
        Self::Each(BTreeMap::new())
    }
}

impl Trust {
    /// By the entry of a registry file; the reason where that is wrong. In the user's `own` registry everything
    /// may run.
    pub(crate) fn new(
        registry: &Path,
        own: bool,
        allow_code: bool,
        sums: Sums,
        backbone: BackboneKind,
    ) -> Result<Self, String> {
        let sums = match (sums, backbone.is_code()) {
            (Sums::One(digits), true) => BTreeMap::from([(String::new(), digits)]),
            (Sums::Each(sums), false) => sums,
            (Sums::Each(sums), true) if sums.is_empty() => sums,
            (Sums::Each(_), true) => return Err("sha256 of a model of one file is text, and no table".to_owned()),
            (Sums::One(_), false) => {
                return Err("sha256 of a model in a folder is a table: [model.sha256], a line per file".to_owned());
            }
        };
        for (name, digits) in &sums {
            let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            if !inside || name.is_empty() != backbone.is_code() || name.contains(char::is_control) {
                return Err(format!("sha256: '{}' is no file in the model's folder", plain(name)));
            }
            if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(format!("sha256 of '{name}' must be 64 hexadecimal digits"));
            }
        }
        Ok(Self { registry: registry.to_owned(), code: own || allow_code, sums })
    }

    /// Fails where the model is code that was not allowed, or where a file has another sum.
    pub(crate) fn verify(&self, id: &str, backbone: BackboneKind, files: &ModelFiles, memory: Memory) -> Result<()> {
        if backbone.is_code() && !self.code {
            let reason = format!(
                "model '{id}' is code ({}), which can do whatever you can; if you trust it, write allow_code = true into \
                 its entry",
                backbone.name()
            );
            return Err(Error::Registry { path: self.registry.clone(), reason });
        }
        for (name, expected) in &self.sums {
            let found = files.sha256(name, memory)?;
            if !found.eq_ignore_ascii_case(expected) {
                let reason = format!("its sha256 is {found}, the registry says {expected}; fetch it again");
                return Err(Error::Model { path: files.path(name), reason });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use tch::{Device, Kind};

    /// A file that is no model: where it is opened, its error is another.
    const CODE: &str = "[[model]]\nid = 'code'\ntitle = 'Code'\ntask = 'restoration'\nscale = 1\npath = 'code.bin'\n";
    /// Of "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// The error of loading and checking such an entry.
    fn refused(backbone: &str, more: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("code.bin"), "abc").unwrap();
        let file = folder.path().join("registry.toml");
        std::fs::write(&file, format!("{CODE}backbone = '{backbone}'\n{more}\n")).unwrap();
        let mut registry = Registry::built_in().unwrap();
        registry.add_file(&file).unwrap();
        let model = registry.find("code").unwrap();
        let loaded = model.load(Device::Cpu, Kind::Float).err().unwrap().to_string();
        assert_eq!(loaded, model.check().unwrap_err().to_string());
        loaded
    }

    #[test]
    fn code_of_another_registry_is_not_opened_unless_it_is_allowed() {
        for backbone in ["plugin", "torchscript"] {
            let message = refused(backbone, "");
            assert!(message.contains("registry.toml: model 'code' is code"), "{message}");
            assert!(message.contains(backbone) && message.contains("allow_code = true"), "{message}");
            let message = refused(backbone, "allow_code = true");
            assert!(message.contains("code.bin: ") && !message.contains("allow_code"), "{message}");
        }
    }

    #[test]
    fn a_single_file_is_compared_before_it_is_opened() {
        for backbone in ["plugin", "torchscript"] {
            let other = format!("allow_code = true\nsha256 = '{}'", "0".repeat(64));
            let message = refused(backbone, &other);
            assert!(message.contains("code.bin: its sha256 is ba7816bf"), "{message}");
            assert!(!refused(backbone, &format!("allow_code = true\nsha256 = '{ABC}'")).contains("sha256"));
        }
    }

    #[test]
    fn a_folder_is_compared_before_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model_index.json"), "no JSON").unwrap();
        let file = folder.path().join("registry.toml");
        let of = |sum: &str| {
            let text = CODE.replace("code.bin", ".") + "backbone = 'residual'\n[model.sha256]\n";
            std::fs::write(&file, format!("{text}'model_index.json' = '{sum}'\n")).unwrap();
            let mut registry = Registry::built_in().unwrap();
            registry.add_file(&file).unwrap();
            registry.find("code").unwrap().load(Device::Cpu, Kind::Float).err().unwrap().to_string()
        };
        let message = of(&"0".repeat(64));
        assert!(
            message.contains("model_index.json: its sha256 is ") && message.contains("fetch it again"),
            "{message}"
        );
        let sum = message.split("its sha256 is ").nth(1).unwrap().split(',').next().unwrap().to_uppercase();
        assert!(!of(&sum).contains("sha256"), "{}", of(&sum));
    }

    #[test]
    fn sums_of_the_wrong_form_are_named() {
        let one = |backbone| Trust::new(Path::new("r"), true, false, Sums::One("0".repeat(64)), backbone);
        let each = |name: &str, backbone| {
            let sums = BTreeMap::from([(name.to_owned(), "0".repeat(64))]);
            Trust::new(Path::new("r"), true, false, Sums::Each(sums), backbone)
        };
        assert!(one(BackboneKind::Plugin).is_ok() && each("a/b", BackboneKind::Residual).is_ok());
        assert!(one(BackboneKind::Residual).unwrap_err().contains("[model.sha256]"));
        assert!(each("a", BackboneKind::TorchScript).unwrap_err().contains("is text"));
        for name in ["", "../a", "/etc/passwd"] {
            assert!(each(name, BackboneKind::Residual).unwrap_err().contains("no file in the model's folder"));
        }
    }
}
