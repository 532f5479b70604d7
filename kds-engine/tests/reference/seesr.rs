//! The small models of `tools/golden/seesr_pipelines.py`.

use std::collections::BTreeMap;

use kds_engine::backbone::SeeSrOptions;
use serde::Deserialize;
use serde_json::Value;

use super::model::{Component, Tokenizer};
use super::{Folder, weights};

/// One model with several schedulers.
#[derive(Deserialize)]
pub struct Model {
    pub components: BTreeMap<String, Component>,
    pub files: Tokenizer,
    pub cases: Vec<Case>,
    tags: Vec<String>,
    thresholds: Vec<f64>,
}

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    scheduler: Value,
    pub spacing: String,
    start: String,
    pub guidance: f64,
    strength: f64,
    colours: String,
    pub steps: usize,
    pub prompt: String,
    pub negative: String,
}

impl Case {
    pub fn options(&self) -> SeeSrOptions {
        let start = if self.start == "lr" { "image" } else { "noise" };
        let options = serde_json::json!({"control": self.strength, "start": start, "colours": self.colours});
        serde_json::from_value(options).unwrap()
    }
}

impl Model {
    /// The model's folder.
    pub fn folder(&self, case: &Case) -> Folder {
        let folder = Folder::new();
        for (name, component) in &self.components {
            if name == "dape" {
                folder.write("DAPE.safetensors", &weights(&component.weights));
                continue;
            }
            folder.write_json(&format!("{name}/config.json"), &component.config);
            let file = match name.as_str() {
                "ram" => "ram_swin_large_14m.safetensors".to_owned(),
                "text_encoder" => "text_encoder/model.safetensors".to_owned(),
                _ => format!("{name}/diffusion_pytorch_model.safetensors"),
            };
            folder.write(&file, &weights(&component.weights));
        }
        self.files.write(&folder, None);
        folder.write_json("scheduler/scheduler_config.json", &case.scheduler);
        folder.write("ram_tag_list.txt", self.tags.join("\n").as_bytes());
        let thresholds: Vec<String> = self.thresholds.iter().map(f64::to_string).collect();
        folder.write("ram_tag_list_threshold.txt", thresholds.join("\n").as_bytes());
        folder
    }
}
