//! The small models of `tools/golden/pipelines.py`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Described, Folder, Golden, weights};

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub kind: String,
    pub components: BTreeMap<String, Component>,
    #[serde(default)]
    pub scheduler: Value,
    #[serde(default)]
    pub spacing: String,
    #[serde(default)]
    pub eta: f64,
    pub steps: usize,
    pub files: Option<Tokenizer>,
    #[serde(default)]
    pub prompt: String,
    #[serde(default)]
    pub negative: String,
    pub guidance: Option<f64>,
}

#[derive(Deserialize)]
pub struct Tokenizer {
    pub vocab: Value,
    pub merges: Vec<(String, String)>,
    pub padding: String,
    pub length: usize,
    #[serde(default)]
    pub texts: Vec<String>,
    pub whole: Option<Value>,
}

impl Tokenizer {
    /// As old versions of transformers write it, or in one file as new ones do.
    pub fn write(&self, folder: &Folder, whole: Option<&Value>) {
        let special = json!({"bos_token": {"content": "<|startoftext|>"}, "pad_token": self.padding});
        folder.write_json("tokenizer/special_tokens_map.json", &special);
        folder.write_json("tokenizer/tokenizer_config.json", &json!({"model_max_length": self.length}));
        if let Some(whole) = whole {
            return folder.write_json("tokenizer/tokenizer.json", whole);
        }
        folder.write_json("tokenizer/vocab.json", &self.vocab);
        let lines: String = self.merges.iter().map(|(left, right)| format!("{left} {right}\n")).collect();
        folder.write("tokenizer/merges.txt", format!("#version: 0.2\n{lines}").as_bytes());
    }
}

#[derive(Deserialize)]
pub struct Component {
    pub config: Value,
    pub weights: Vec<Described>,
}

impl Case {
    /// The model as diffusers would save it.
    pub fn folder(&self) -> Folder {
        let folder = Folder::new();
        for (name, component) in &self.components {
            folder.write_json(&format!("{name}/config.json"), &component.config);
            let bytes = weights(&component.weights);
            let file = if name == "text_encoder" { "model" } else { "diffusion_pytorch_model" };
            folder.write(&format!("{name}/{file}.safetensors"), &bytes);
        }
        if let Some(tokenizer) = &self.files {
            tokenizer.write(&folder, None);
        }
        folder.write_json("scheduler/scheduler_config.json", &self.scheduler);
        folder
    }
}

/// The case of this name.
pub fn case(name: &str) -> Case {
    Golden::read("pipelines.safetensors").cases::<Case>().into_iter().find(|case| case.name == name).unwrap()
}
