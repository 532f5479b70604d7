//! The pipelines of diffusers that there is a backbone for, and which of their files it reads.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// The file that tells a pipeline.
pub const INDEX: &str = "model_index.json";

/// A pipeline that there is a backbone for.
pub struct Pipeline {
    class: &'static str,
    /// What reads it.
    pub backbone: Backbone,
    /// Folders of its networks, and by which names their weights can be stored.
    networks: &'static [(&'static str, &'static [&'static str])],
    /// Networks that some models have.
    optional: &'static [(&'static str, &'static [&'static str])],
    tokenizer: bool,
}

/// The backbones that read pipelines of diffusers.
#[derive(Clone, Copy)]
pub enum Backbone {
    /// Latent diffusion super-resolution.
    LdmSr,
    /// Inpainting by Stable Diffusion.
    SdInpaint,
    /// Our own.
    Residual,
}

impl Backbone {
    /// The word used in registries.
    pub fn name(self) -> &'static str {
        match self {
            Self::LdmSr => "ldm-sr",
            Self::SdInpaint => "sd-inpaint",
            Self::Residual => "residual",
        }
    }
}

// In the order in which the library looks for them, so that what is chosen here is what it opens.
const DIFFUSERS_WEIGHTS: &[&str] = &[
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.bin",
    "diffusion_pytorch_model.bin.index.json",
    "diffusion_pytorch_model.fp16.bin",
];
const TRANSFORMERS_WEIGHTS: &[&str] = &[
    "model.safetensors",
    "model.safetensors.index.json",
    "model.fp16.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "pytorch_model.fp16.bin",
];

const PIPELINES: &[Pipeline] = &[
    Pipeline {
        class: "LDMSuperResolutionPipeline",
        backbone: Backbone::LdmSr,
        networks: &[("unet", DIFFUSERS_WEIGHTS), ("vqvae", DIFFUSERS_WEIGHTS)],
        optional: &[],
        tokenizer: false,
    },
    Pipeline {
        class: "StableDiffusionInpaintPipeline",
        backbone: Backbone::SdInpaint,
        networks: &[("unet", DIFFUSERS_WEIGHTS), ("vae", DIFFUSERS_WEIGHTS), ("text_encoder", TRANSFORMERS_WEIGHTS)],
        optional: &[],
        tokenizer: true,
    },
    Pipeline {
        class: "KdsResidualPipeline",
        backbone: Backbone::Residual,
        networks: &[("unet", DIFFUSERS_WEIGHTS)],
        optional: &[("predictor", DIFFUSERS_WEIGHTS)],
        tokenizer: false,
    },
];

impl Pipeline {
    /// The pipeline that the index in `folder` tells of.
    ///
    /// # Errors
    /// When there is no index, or no backbone for what it names.
    pub fn of(folder: &Path) -> anyhow::Result<&'static Self> {
        let index = read_json(folder, INDEX)?;
        let class = index["_class_name"].as_str().unwrap_or_default();
        let Some(pipeline) = PIPELINES.iter().find(|pipeline| pipeline.class == class) else {
            let known = PIPELINES.iter().map(|pipeline| pipeline.class).collect::<Vec<_>>().join(", ");
            bail!("{}: there is no backbone for '{class}'; known are {known}", folder.join(INDEX).display())
        };
        Ok(pipeline)
    }

    /// The files that the backbone reads, the weights of every network once; `there` tells what the model has.
    ///
    /// # Errors
    /// The name of a file that it cannot do without.
    pub fn files(&self, there: impl Fn(&str) -> bool) -> Result<Vec<String>, String> {
        let needed = |name: String| if there(&name) { Ok(name) } else { Err(name) };
        let mut files = vec![needed(INDEX.to_owned())?, needed("scheduler/scheduler_config.json".to_owned())?];
        let optional = self.optional.iter().filter(|(network, _)| there(&format!("{network}/config.json")));
        for (network, weights) in self.networks.iter().chain(optional) {
            files.push(needed(format!("{network}/config.json"))?);
            let mut names = weights.iter().map(|name| format!("{network}/{name}"));
            let first = format!("{network}/{}", weights.first().copied().unwrap_or_default());
            let weights = names.find(|name| there(name)).ok_or(first)?;
            files.extend(shards(&weights, &there)?);
            files.push(weights);
        }
        if self.tokenizer {
            let whole = "tokenizer/tokenizer.json";
            let names: &[&str] =
                if there(whole) { &[whole] } else { &["tokenizer/vocab.json", "tokenizer/merges.txt"] };
            for name in names {
                files.push(needed((*name).to_owned())?);
            }
            let special = ["tokenizer/special_tokens_map.json", "tokenizer/tokenizer_config.json"];
            files.extend(special.into_iter().filter(|name| there(name)).map(str::to_owned));
        }
        Ok(files)
    }
}

/// The files beside an index of weights that hold them: `model-00001-of-00003.safetensors` of `model.safetensors.index.json`.
/// None for other files.
///
/// # Errors
/// The name of the first that is missing.
fn shards(name: &str, there: impl Fn(&str) -> bool) -> Result<Vec<String>, String> {
    /// Far beyond any model.
    const MOST: usize = 256;
    let Some((stem, end)) = name.strip_suffix(".index.json").and_then(|weights| weights.rsplit_once('.')) else {
        return Ok(Vec::new());
    };
    let shard = |index: usize, count: usize| format!("{stem}-{index:05}-of-{count:05}.{end}");
    let Some(count) = (1..=MOST).find(|count| there(&shard(1, *count))) else { return Err(shard(1, 1)) };
    let names = (1..=count).map(|index| shard(index, count));
    names.map(|name| if there(&name) { Ok(name) } else { Err(name) }).collect()
}

/// A JSON file of a model.
///
/// # Errors
/// When it cannot be read, or is no JSON.
pub fn read_json(folder: &Path, name: &str) -> anyhow::Result<Value> {
    let path = folder.join(name);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read: is this a folder as diffusers saves it?", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inpainting() -> &'static Pipeline {
        PIPELINES.iter().find(|pipeline| pipeline.class == "StableDiffusionInpaintPipeline").unwrap()
    }

    #[test]
    fn weights_are_chosen_once_and_safetensors_first() {
        let all = inpainting().files(|_| true).unwrap();
        assert_eq!(
            all,
            [
                "model_index.json",
                "scheduler/scheduler_config.json",
                "unet/config.json",
                "unet/diffusion_pytorch_model.safetensors",
                "vae/config.json",
                "vae/diffusion_pytorch_model.safetensors",
                "text_encoder/config.json",
                "text_encoder/model.safetensors",
                "tokenizer/tokenizer.json",
                "tokenizer/special_tokens_map.json",
                "tokenizer/tokenizer_config.json",
            ]
        );
        let half =
            inpainting().files(|name| !name.ends_with("model.safetensors") && !name.contains(".index.")).unwrap();
        assert!(half.contains(&"vae/diffusion_pytorch_model.fp16.safetensors".to_owned()), "{half:?}");
        let pickled = inpainting().files(|name| !name.contains(".safetensors")).unwrap();
        assert!(pickled.contains(&"text_encoder/pytorch_model.bin".to_owned()), "{pickled:?}");
    }

    #[test]
    fn shards_come_with_their_index() {
        let there = |name: &str| {
            !name.ends_with("model.safetensors") && (!name.contains("-of-") || name.contains("-of-00003."))
        };
        let all = inpainting().files(there).unwrap();
        for name in ["-00001-of-00003.safetensors", "-00003-of-00003.safetensors", ".safetensors.index.json"] {
            assert!(all.contains(&format!("unet/diffusion_pytorch_model{name}")), "{name} of {all:?}");
        }
        let missing = inpainting().files(|name| there(name) && !name.contains("-00002-")).unwrap_err();
        assert_eq!(missing, "unet/diffusion_pytorch_model-00002-of-00003.safetensors");
    }

    #[test]
    fn a_tokenizer_may_be_in_parts() {
        let parts = inpainting().files(|name| !name.ends_with("tokenizer.json") && !name.contains("special")).unwrap();
        assert_eq!(
            parts[parts.len() - 3..],
            ["tokenizer/vocab.json", "tokenizer/merges.txt", "tokenizer/tokenizer_config.json"]
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |suffix: &str| inpainting().files(|name| !name.contains(suffix)).unwrap_err();
        assert_eq!(missing("scheduler"), "scheduler/scheduler_config.json");
        assert_eq!(missing("vae/diffusion"), "vae/diffusion_pytorch_model.safetensors");
        assert_eq!(missing("tokenizer/"), "tokenizer/vocab.json");
    }
}
