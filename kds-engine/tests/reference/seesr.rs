//! The small models of `tools/golden/seesr_pipelines.py`.

use std::collections::BTreeMap;

use kds_engine::backbone::SeeSrOptions;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::Deserialize;
use serde_json::Value;

use super::model::{Component, Tokenizer};
use super::{Folder, TRAINED_CELLS, weights};

/// A safetensors file without some of its tensors.
fn kept(bytes: &[u8], keep: impl Fn(&str) -> bool) -> Vec<u8> {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let all: BTreeMap<String, _> = tensors.iter().map(|(name, view)| (name.to_owned(), view)).collect();
    safetensors::serialize(all.into_iter().filter(|(name, _)| keep(name)), None).unwrap()
}

/// A safetensors file with zeros in some of its tensors.
fn zeroed(bytes: &[u8], keep: impl Fn(&str) -> bool) -> Vec<u8> {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let zeros = vec![0u8; bytes.len()];
    let all: BTreeMap<String, _> = tensors
        .iter()
        .map(|(name, view)| {
            let data = if keep(name) { view.data() } else { &zeros[..view.data().len()] };
            (name.to_owned(), TensorView::new(view.dtype(), view.shape().to_vec(), data).unwrap())
        })
        .collect();
    safetensors::serialize(all, None).unwrap()
}

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
    pub turbo: bool,
}

impl Case {
    pub fn options(&self) -> SeeSrOptions {
        let start = if self.start == "lr" { "image" } else { "noise" };
        let options =
            serde_json::json!({"control": self.strength, "start": start, "colours": self.colours, "turbo": self.turbo});
        serde_json::from_value(options).unwrap()
    }
}

impl Model {
    /// The model's folder: all in one, or for the case with SD-Turbo as in the authors' checkout.
    pub fn folder(&self, case: &Case) -> Folder {
        let (base, own, ram) = match case.turbo {
            true => ("preset/models/sd-turbo/", "preset/models/seesr/", "preset/models/"),
            false => ("", "", ""),
        };
        let folder = Folder::new();
        for (name, component) in &self.components {
            let place = match name.as_str() {
                "controlnet" => own,
                "ram" | "dape" => "",
                _ => base,
            };
            let file = match name.as_str() {
                "dape" => format!("{ram}DAPE.safetensors"),
                "ram" => format!("{ram}ram_swin_large_14m.safetensors"),
                "text_encoder" => format!("{place}text_encoder/model.safetensors"),
                _ => format!("{place}{name}/diffusion_pytorch_model.safetensors"),
            };
            let mut config = component.config.clone();
            let mut bytes = weights(&component.weights);
            if name == "unet" {
                config["sample_size"] = TRAINED_CELLS.into();
            }
            if case.turbo && name == "unet" {
                config["use_image_cross_attention"] = false.into();
                // The attentions are in SeeSR's file, whose other weights are of no use.
                let attention = |name: &str| name.contains("image_attentions");
                let filled = bytes.clone();
                folder.write(&format!("{own}unet/diffusion_pytorch_model.safetensors"), &zeroed(&filled, attention));
                bytes = kept(&filled, |name| !attention(name));
            }
            if name != "dape" {
                folder.write_json(&format!("{place}{name}/config.json"), &config);
            }
            folder.write(&file, &bytes);
        }
        self.files.write(&folder, None);
        if case.turbo {
            std::fs::rename(folder.path().join("tokenizer"), folder.path().join(base).join("tokenizer")).unwrap();
        }
        folder.write_json(&format!("{base}scheduler/scheduler_config.json"), &case.scheduler);
        let tags = if case.turbo { "ram/data/" } else { "" };
        folder.write(&format!("{tags}ram_tag_list.txt"), self.tags.join("\n").as_bytes());
        let thresholds: Vec<String> = self.thresholds.iter().map(f64::to_string).collect();
        folder.write(&format!("{tags}ram_tag_list_threshold.txt"), thresholds.join("\n").as_bytes());
        folder
    }
}
