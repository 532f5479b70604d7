//! Any bytes as a registry file.

use std::collections::BTreeSet;

use kds_engine::registry::Registry;
use kds_engine::settings::Settings;
use tch::{Device, Kind};

use super::{assert_one_line, folder, tiny_model};

/// Adds the bytes as a registry file to the built-in models, lists them, and opens those that the file adds.
pub fn registry(bytes: &[u8]) {
    let folder = folder();
    let file = folder.join("registry.toml");
    std::fs::write(&file, bytes).unwrap();
    // A path of the file may lead here: a model that can be opened.
    if !folder.join("tiny").exists() {
        tiny_model::write(&folder.join("tiny")).unwrap();
    }

    let mut registry = Registry::built_in().unwrap();
    let built_in = registry.models().len();
    if let Err(error) = registry.add_file(&file) {
        let message = error.to_string();
        assert_one_line(&message);
        assert!(message.contains(file.to_str().unwrap()), "no file is named in: {message}");
        assert_eq!(registry.models().len(), built_in, "a file with a mistake has added models");
        return;
    }
    let ids: BTreeSet<&str> = registry.models().iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids.len(), registry.models().len(), "two models have one id");
    for model in registry.models() {
        assert_eq!(registry.find(&model.id).unwrap().id, model.id);
        [&model.id, &model.title, &model.source()].into_iter().for_each(|text| assert_one_line(text));
        assert!((1..=16).contains(&model.scale), "{}", model.scale);
        if let Err(error) = Settings::new(&model.defaults).resolve() {
            assert_one_line(&error.to_string());
        }
        let source = std::path::PathBuf::from(model.source());
        // Folders of this machine that are not ours are left alone.
        if source.starts_with(&folder) || !source.exists() && model.source() != "built-in" {
            match model.load(Device::Cpu, Kind::Float) {
                Ok(backbone) => assert_eq!(backbone.spec().scale, model.scale),
                Err(error) => assert_one_line(&error.to_string()),
            }
        }
    }
    if let Err(error) = registry.find("\n no such\0model") {
        assert_one_line(&error.to_string());
    }
}
