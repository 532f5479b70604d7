//! Recognition of the model in a folder: its backbone, its registry entry, and the files that it reads. Each backbone knows
//! its own; `kind.rs` asks them in turn.

use std::path::Path;

use serde_json::Value;

use super::files::ModelFiles;
use super::kind::BackboneKind;
use crate::registry::Task;
use crate::{Error, Result};

/// Index of a folder as diffusers saves it.
pub(super) const INDEX: &str = "model_index.json";
/// Noise schedule of a folder as diffusers saves it.
pub(super) const SCHEDULER: &str = "scheduler/scheduler_config.json";
/// Job parameters of models that the paper on Kernel Density Steering measured: its setting, with the timesteps that these
/// models are sampled with.
pub(super) const PAPER: &[(&str, &str)] = &[("preset", "paper"), ("spacing", "leading")];

/// Far beyond any model.
const MOST_SHARDS: usize = 256;

/// The model in a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognised {
    /// The architecture that reads it.
    pub backbone: BackboneKind,
    /// Its use.
    pub task: Task,
    /// Enlargement, as far as the configurations that are here tell.
    pub scale: usize,
    /// Options of the backbone that a registry entry should name.
    pub options: Vec<(&'static str, toml::Value)>,
    /// Job parameters that a registry entry should name.
    pub defaults: &'static [(&'static str, &'static str)],
    /// Names in the folder of the files that it reads, the weights of every network once.
    pub files: Vec<String>,
}

impl Recognised {
    /// The registry entry of the model in `folder`, TOML.
    ///
    /// # Errors
    /// [`Error::Model`] for a folder whose path is not UTF-8.
    pub fn entry(&self, id: &str, folder: &Path) -> Result<String> {
        let path = folder.to_str().ok_or_else(|| Error::Model {
            path: folder.to_owned(),
            reason: "its path is not UTF-8; rename it".to_owned(),
        })?;
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut text = format!(
            "[[model]]\nid = {id}\ntitle = {id}\ntask = \"{}\"\nscale = {}\nbackbone = \"{}\"\npath = {}\n",
            self.task.name(),
            self.scale,
            self.backbone.name(),
            quoted(path),
            id = quoted(id),
        );
        if !self.options.is_empty() {
            text += "[model.options]\n";
            text.extend(self.options.iter().map(|(name, value)| format!("{name} = {value}\n")));
        }
        text += "[model.defaults]\n";
        text.extend(self.defaults.iter().map(|(name, value)| format!("{name} = {}\n", quoted(value))));
        Ok(text)
    }
}

/// The class of pipeline that the index of diffusers names; `None` without an index.
pub(super) fn pipeline(files: &ModelFiles) -> Result<Option<String>> {
    if !files.contains(INDEX) {
        return Ok(None);
    }
    let index: Value = files.read_json(INDEX)?;
    Ok(Some(index["_class_name"].as_str().unwrap_or_default().to_owned()))
}

/// A JSON file, where it is here and not only listed.
pub(super) fn json_here(files: &ModelFiles, name: &str) -> Result<Option<Value>> {
    if files.path(name).is_file() { files.read_json(name).map(Some) } else { Ok(None) }
}

/// The files that a model reads, gathered one by one; the first that is missing is an error.
pub(super) struct Needed<'a> {
    files: &'a ModelFiles,
    names: Vec<String>,
}

impl<'a> Needed<'a> {
    pub fn of(files: &'a ModelFiles) -> Self {
        Self { files, names: Vec::new() }
    }

    pub fn names(self) -> Vec<String> {
        self.names
    }

    fn missing(&self, name: &str) -> Error {
        self.files.error(name, "there is no such file".to_owned())
    }

    /// A file that it cannot do without.
    pub fn file(&mut self, name: &str) -> Result<&mut Self> {
        match self.files.resolve(name) {
            Some(found) => self.names.push(found),
            None => return Err(self.missing(name)),
        }
        Ok(self)
    }

    /// A file that it can do without.
    pub fn perhaps(&mut self, name: &str) -> &mut Self {
        self.names.extend(self.files.resolve(name));
        self
    }

    /// The weights of a network: the first of these names in `folder`, with the shards of an index.
    pub fn weights(&mut self, folder: &str, names: &[&str]) -> Result<&mut Self> {
        let mut candidates = names.iter().map(|name| format!("{folder}/{name}"));
        let Some(name) = candidates.find(|name| self.files.contains(name)) else {
            let first = names.first().copied().unwrap_or_default();
            return Err(self.missing(&format!("{folder}/{first}")));
        };
        for shard in self.shards(&name)? {
            self.file(&shard)?;
        }
        self.file(&name)
    }

    /// Configuration and weights of a network in the layout of diffusers.
    pub fn network(&mut self, folder: &str, names: &[&str]) -> Result<&mut Self> {
        self.file(&format!("{folder}/config.json"))?.weights(folder, names)
    }

    /// CLIP's tokenizer, whole or in parts.
    pub fn tokenizer(&mut self) -> Result<&mut Self> {
        let whole = "tokenizer/tokenizer.json";
        if self.files.contains(whole) {
            self.file(whole)?;
        } else {
            self.file("tokenizer/vocab.json")?.file("tokenizer/merges.txt")?;
        }
        Ok(self.perhaps("tokenizer/special_tokens_map.json").perhaps("tokenizer/tokenizer_config.json"))
    }

    /// The shards of an index, by the names that all programs give them: the index itself may be listed only.
    fn shards(&self, name: &str) -> Result<Vec<String>> {
        let Some((stem, end)) = name.strip_suffix(".index.json").and_then(|weights| weights.rsplit_once('.')) else {
            return Ok(Vec::new());
        };
        if self.files.path(name).is_file() {
            return self.files.shards(name);
        }
        let shard = |index: usize, count: usize| format!("{stem}-{index:05}-of-{count:05}.{end}");
        let Some(count) = (1..=MOST_SHARDS).find(|count| self.files.contains(&shard(1, *count))) else {
            return Err(self.missing(&shard(1, 1)));
        };
        Ok((1..=count).map(|index| shard(index, count)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::recognise;
    use super::*;

    /// Recognises a folder with these JSON files, of which the names of all files are known.
    fn recognised(json: &[(&str, &str)], names: &[&str]) -> Result<Recognised> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in json {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let names = json.iter().map(|(name, _)| name).chain(names).map(|name| (*name).to_owned());
        recognise(&ModelFiles::listed(folder.path(), names.collect()))
    }

    const INPAINTING: (&str, &str) = (INDEX, r#"{"_class_name": "StableDiffusionInpaintPipeline"}"#);
    const ALL: &[&str] = &[
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "text_encoder/pytorch_model.bin",
        "tokenizer/tokenizer.json",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "tokenizer/tokenizer_config.json",
        "safety_checker/model.safetensors",
    ];

    fn without(part: &str) -> Vec<&'static str> {
        ALL.iter().copied().filter(|name| !name.contains(part)).collect()
    }

    #[test]
    fn weights_are_chosen_once_and_safetensors_first() {
        let found = recognised(&[INPAINTING], ALL).unwrap();
        assert_eq!((found.backbone, found.task, found.scale), (BackboneKind::SdInpaint, Task::Inpainting, 1));
        let expected: BTreeSet<&str> = [
            INDEX,
            "scheduler/scheduler_config.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "tokenizer/tokenizer.json",
            "tokenizer/tokenizer_config.json",
        ]
        .into();
        assert_eq!(found.files.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
        let half = recognised(&[INPAINTING], &without("unet/diffusion_pytorch_model.safetensors")).unwrap();
        assert!(half.files.contains(&"unet/diffusion_pytorch_model.fp16.safetensors".to_owned()), "{half:?}");
        let pickled = recognised(&[INPAINTING], &without("text_encoder/model")).unwrap();
        assert!(pickled.files.contains(&"text_encoder/pytorch_model.bin".to_owned()), "{pickled:?}");
    }

    #[test]
    fn shards_come_with_their_index() {
        let shards = [1, 2, 3].map(|shard| format!("unet/diffusion_pytorch_model-0000{shard}-of-00003.safetensors"));
        let mut names = without("unet/diffusion");
        names.push("unet/diffusion_pytorch_model.safetensors.index.json");
        names.extend(shards.iter().map(String::as_str));
        let found = recognised(&[INPAINTING], &names).unwrap();
        assert!(names[names.len() - 4..].iter().all(|name| found.files.iter().any(|file| file == name)), "{found:?}");
        names.retain(|name| !name.contains("-00002-"));
        let message = recognised(&[INPAINTING], &names).unwrap_err().to_string();
        assert!(message.contains("unet/diffusion_pytorch_model-00002-of-00003.safetensors"), "{message}");
    }

    #[test]
    fn a_missing_file_is_named() {
        for (part, name) in [
            ("scheduler", "scheduler/scheduler_config.json"),
            ("vae/diffusion", "vae/diffusion_pytorch_model.safetensors"),
            ("tokenizer/", "tokenizer/vocab.json"),
        ] {
            let message = recognised(&[INPAINTING], &without(part)).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("no such file"), "{message}");
        }
    }

    #[test]
    fn an_unknown_folder_hears_what_is_known() {
        let message = recognised(&[(INDEX, r#"{"_class_name": "FluxPipeline"}"#)], ALL).unwrap_err().to_string();
        assert!(message.contains("no backbone for 'FluxPipeline'") && message.contains("Inpaint"), "{message}");
        let message = recognised(&[], &["notes.txt"]).unwrap_err().to_string();
        assert!(message.contains(INDEX) && message.contains("DiffBIR") && message.contains("SeeSR"), "{message}");
    }

    #[test]
    fn an_entry_is_made_of_what_the_folder_says() {
        let index = (INDEX, r#"{"_class_name": "LDMSuperResolutionPipeline"}"#);
        let vqvae = ("vqvae/config.json", r#"{"block_out_channels": [128, 256, 512]}"#);
        let names = [
            "scheduler/scheduler_config.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.bin",
            "vqvae/diffusion_pytorch_model.bin",
        ];
        let found = recognised(&[index, vqvae], &names).unwrap();
        let parsed: toml::Table = toml::from_str(&found.entry("x y", Path::new("/a \"b\"")).unwrap()).unwrap();
        let model = &parsed["model"][0];
        assert_eq!((model["scale"].as_integer(), model["backbone"].as_str()), (Some(4), Some("ldm-sr")));
        assert_eq!((model["id"].as_str(), model["path"].as_str()), (Some("x y"), Some("/a \"b\"")));
        assert_eq!(model["defaults"]["preset"].as_str(), Some("paper"));
    }

    #[test]
    fn the_authors_files_of_diffbir_tell_its_version() {
        let common = ["v2-1_512-ema-pruned.ckpt", "BSRNet.pth", "tokenizer/tokenizer.json"];
        let found = recognised(&[], &[&common[..], &["v2.pth"]].concat()).unwrap();
        assert_eq!((found.backbone, found.scale), (BackboneKind::DiffBir, 4));
        assert_eq!(found.options, [("version", toml::Value::String("v2".to_owned()))]);
        assert_eq!(found.files.len(), 4);
        // In the folders of the authors' checkout, beside the files of another version that are not all there.
        let names = [
            "weights/v2-1_512-ema-pruned.ckpt",
            "weights/BSRNet.pth",
            "weights/v2.pth",
            "weights/DiffBIR_v2.1.pt",
            "tokenizer/tokenizer.json",
        ];
        let found = recognised(&[], &names).unwrap();
        assert_eq!(found.options, [("version", toml::Value::String("v2".to_owned()))]);
        assert!(found.files.contains(&"weights/v2.pth".to_owned()) && found.files.len() == 4, "{found:?}");
        let message = recognised(&[], &["v2.pth", "BSRNet.pth"]).unwrap_err().to_string();
        assert!(
            message.contains("Stable Diffusion is missing") && message.contains("v2-1_512-ema-pruned"),
            "{message}"
        );
    }

    #[test]
    fn a_schedule_of_diffusers_tells_the_version_of_diffbir() {
        for (schedule, version) in
            [(r#"{"prediction_type": "v_prediction"}"#, "v2.1"), (r#"{"prediction_type": "epsilon"}"#, "v2")]
        {
            let names = [
                "unet/config.json",
                "unet/diffusion_pytorch_model.safetensors",
                "vae/config.json",
                "vae/diffusion_pytorch_model.safetensors",
                "text_encoder/config.json",
                "text_encoder/model.safetensors",
                "tokenizer/tokenizer.json",
                "controlnet/config.json",
                "controlnet/diffusion_pytorch_model.safetensors",
                "BSRNet.pth",
                "general_swinir_v1.ckpt",
            ];
            let found = recognised(&[(SCHEDULER, schedule)], &names).unwrap();
            assert_eq!(found.options, [("version", toml::Value::String(version.to_owned()))]);
            let first = if version == "v2" { "BSRNet.pth" } else { "general_swinir_v1.ckpt" };
            assert!(found.files.contains(&first.to_owned()), "{found:?}");
        }
    }

    #[test]
    fn the_folders_of_seesr_are_found_in_its_authors_checkout() {
        let models = [
            "seesr/unet/config.json",
            "seesr/unet/diffusion_pytorch_model.safetensors",
            "seesr/controlnet/config.json",
            "seesr/controlnet/diffusion_pytorch_model.safetensors",
            "BASE/vae/config.json",
            "BASE/vae/diffusion_pytorch_model.safetensors",
            "BASE/unet/config.json",
            "BASE/unet/diffusion_pytorch_model.safetensors",
            "BASE/text_encoder/config.json",
            "BASE/text_encoder/model.safetensors",
            "BASE/tokenizer/tokenizer.json",
            "BASE/scheduler/scheduler_config.json",
            "ram_swin_large_14m.pth",
            "DAPE.pth",
        ];
        let in_checkout = |base: &str| -> Vec<String> {
            let tags = ["ram/data/ram_tag_list.txt", "ram/data/ram_tag_list_threshold.txt"].map(str::to_owned);
            models.iter().map(|name| format!("preset/models/{}", name.replace("BASE", base))).chain(tags).collect()
        };
        let find = |names: &[String]| recognised(&[], &names.iter().map(String::as_str).collect::<Vec<_>>());
        let found = find(&in_checkout("stable-diffusion-2-base")).unwrap();
        assert_eq!((found.backbone, found.scale, found.options.len()), (BackboneKind::SeeSr, 4, 0));
        assert!(found.files.contains(&"preset/models/seesr/unet/config.json".to_owned()), "{found:?}");
        assert!(found.files.contains(&"ram/data/ram_tag_list.txt".to_owned()) && found.files.len() == 14, "{found:?}");
        let turbo = find(&in_checkout("sd-turbo")).unwrap();
        assert_eq!(turbo.options, [("turbo", toml::Value::Boolean(true))]);
        assert!(turbo.files.contains(&"preset/models/sd-turbo/unet/config.json".to_owned()), "{turbo:?}");
        let mut names = in_checkout("stable-diffusion-2-base");
        names.retain(|name| !name.contains("DAPE"));
        let message = find(&names).unwrap_err().to_string();
        assert!(message.contains("DAPE.pth"), "{message}");
    }
}
