//! The small models of `tools/golden/diffbir_pipelines.py`.

use std::collections::BTreeMap;

use kds_engine::backbone::{DiffBirOptions, DiffBirVersion, RestorationGuidance, Start};
use safetensors::SafeTensors;
use serde::Deserialize;

use super::model::{Component, Tokenizer};
use super::{Folder, TRAINED_CELLS, weights, weights_as};

/// One model in several versions.
#[derive(Deserialize)]
pub struct Model {
    pub components: BTreeMap<String, Component>,
    pub files: Tokenizer,
    pub cases: Vec<Case>,
    pub guided: Vec<Guided>,
}

/// A case of restoration guidance.
#[derive(Deserialize)]
pub struct Guided {
    pub name: String,
    #[serde(flatten)]
    pub options: RestorationGuidance,
}

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub version: DiffBirVersion,
    pub sampler: String,
    start: String,
    pub guidance: f64,
    rescale: bool,
    strength: f64,
    pub steps: usize,
    pub prompt: String,
    pub negative: String,
}

impl Case {
    pub fn options(&self) -> DiffBirOptions {
        DiffBirOptions {
            control: self.strength,
            start: if self.start == "cond" { Start::Image } else { Start::Noise },
            rising_guidance: self.rescale,
            ..DiffBirOptions::default()
        }
    }
}

impl Model {
    /// A folder with the authors' files of the case's version, by their names, and the configurations that the smaller
    /// networks need.
    pub fn folder(&self, case: &Case) -> Folder {
        let folder = Folder::new();
        for (name, component) in &self.components {
            let mut config = component.config.clone();
            if name == "unet" {
                config["sample_size"] = TRAINED_CELLS.into();
            }
            folder.write_json(&format!("{name}/config.json"), &config);
        }
        std::fs::remove_dir_all(folder.path().join("controlnet")).unwrap();
        self.files.write(&folder, None);
        let (diffusion, branch, cleaner) = match case.version {
            DiffBirVersion::V1 => ("v2-1_512-ema-pruned", "v1_general", "general_swinir_v1"),
            DiffBirVersion::V2 => ("v2-1_512-ema-pruned", "v2", "BSRNet"),
            DiffBirVersion::V21 => ("sd2.1-base-zsnr-laionaes5", "DiffBIR_v2.1", "realesrgan_s4_swinir_100k"),
        };
        folder.write(&format!("{branch}.safetensors"), &weights(&self.components["controlnet"].weights));
        folder.write(&format!("{cleaner}.safetensors"), &weights(&self.components["stage1"].weights));
        folder.write(&format!("{diffusion}.safetensors"), &self.stable_diffusion());
        folder
    }

    /// The file that holds the U-Net, the autoencoder and the text encoder.
    pub fn stable_diffusion(&self) -> Vec<u8> {
        let parts =
            [("unet", "model.diffusion_model."), ("vae", "first_stage_model."), ("text_encoder", "cond_stage_model.")];
        let parts = parts
            .map(|(name, prefix)| weights_as(&self.components[name].weights, |tensor| format!("{prefix}{tensor}")));
        let all = parts.iter().flat_map(|bytes| {
            let tensors = SafeTensors::deserialize(bytes).unwrap();
            tensors.iter().map(|(name, view)| (name.to_owned(), view)).collect::<Vec<_>>()
        });
        safetensors::serialize(all.collect::<BTreeMap<_, _>>(), None).unwrap()
    }
}
