//! Checkpoints of the true size, as their authors publish them: every name and shape is the network's, and what is not is
//! named. The files are holes but for their headers, so a check may read nothing else.

#[path = "reference/torch_file.rs"]
mod torch_file;

use std::fs::File;
use std::io::Write;
use std::path::Path;

use kds_engine::backbone::ModelFiles;
use kds_engine::nn::names::{LdmControlNet, LdmUNet, LdmVae, OpenClipText, OwnNames};
use kds_engine::nn::*;
use serde::Deserialize;
use serde_json::{Value, json};
use torch_file::{Part, call, dictionary, integer, pickle, tensor, zip};

#[derive(Deserialize)]
struct Network {
    kind: String,
    prefix: String,
    config: Value,
    tensors: std::collections::BTreeMap<String, Vec<i64>>,
}

type Tensors = Vec<(String, Vec<i64>)>;

fn networks() -> Vec<Network> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/full_size.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

impl Network {
    fn config<T: for<'a> Deserialize<'a>>(&self) -> T {
        serde_json::from_value(self.config.clone()).unwrap()
    }

    fn tensors(&self) -> Tensors {
        self.tensors.iter().map(|(name, shape)| (name.clone(), shape.clone())).collect()
    }

    /// Checks the network in this file of the folder.
    fn check(&self, folder: &Path, file: &str) -> kds_engine::Result<()> {
        let files = ModelFiles::Folder(folder.to_owned());
        let (prefixes, loading) = ([self.prefix.as_str()], Loading::check());
        match self.kind.as_str() {
            "unet" => {
                let config: UNet2dConditionConfig = self.config();
                let names = LdmUNet::new(&config).unwrap();
                files.open(file, names, &prefixes, loading, |scope| UNet2dCondition::new(scope, &config)).map(drop)
            }
            "vae" => {
                let config: AutoencoderKlConfig = self.config();
                let names = LdmVae::new(&config.autoencoder);
                files.open(file, names, &prefixes, loading, |scope| AutoencoderKl::new(scope, &config)).map(drop)
            }
            "clip" => {
                let config: ClipTextConfig = self.config();
                let names = OpenClipText::new(&config);
                files.open(file, names, &prefixes, loading, |scope| ClipTextModel::new(scope, &config)).map(drop)
            }
            "control" => {
                let config: ControlNetConfig = self.config();
                let names = LdmControlNet::new(&config).unwrap();
                files.open(file, names, &prefixes, loading, |scope| ControlNet::new(scope, &config)).map(drop)
            }
            "bsrnet" => self.own(&files, file, |scope| Rrdb::new(scope, &RrdbConfig::default())),
            "swinir" => self.own(&files, file, |scope| SwinIr::new(scope, &SwinIrConfig::default())),
            "scunet" => self.own(&files, file, |scope| ScuNet::new(scope, &ScuNetConfig::default())),
            "ram" => self.own(&files, file, |scope| Ram::new(scope, &RamConfig::default())),
            // Updates of RAM, whose file lies beside it.
            "dape" => files
                .open_with_lora("ram.safetensors", OwnNames, &[""], &[(file, DAPE)], loading, |scope| {
                    Ram::new(scope, &RamConfig::default())
                })
                .map(drop),
            other => panic!("{other}"),
        }
    }

    fn own<N>(
        &self,
        files: &ModelFiles,
        file: &str,
        build: impl FnOnce(&Scope) -> kds_engine::Result<N>,
    ) -> kds_engine::Result<()> {
        files.open(file, OwnNames, &[""], Loading::check(), build).map(drop)
    }
}

/// Parts of the names of tensors that the files have and no computation needs.
const UNREAD: &[&str] = &[
    "text_projection",
    "logit_scale",
    "resblocks.23.",
    "attn_mask",
    "relative_position_index",
    "tag_encoder.",
    "text_decoder.",
    "tagging_head.embeddings.",
];

fn elements(shape: &[i64]) -> i64 {
    shape.iter().product()
}

/// A safetensors file with a hole for the numbers.
fn write_safetensors(path: &Path, tensors: &Tensors) {
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, shape) in tensors {
        let start = end;
        end += 4 * elements(shape);
        header.insert(name.clone(), json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]}));
    }
    let header = Value::Object(header).to_string();
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(8 + header.len() as u64 + end as u64).unwrap();
}

/// A checkpoint of Lightning with holes for the numbers.
fn write_checkpoint(path: &Path, tensors: &Tensors) {
    let keys: Vec<String> = (0..tensors.len()).map(|index| index.to_string()).collect();
    let described = tensors.iter().zip(&keys).map(|((name, shape), key)| {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        (&name[..], tensor(key, elements(shape), 0, shape, &strides))
    });
    let state = dictionary(&described.collect::<Vec<_>>());
    let callbacks = dictionary(&[("best", call("numpy.core.multiarray", "scalar", &[integer(1)]))]);
    let pickle = pickle(dictionary(&[("epoch", integer(3)), ("state_dict", state), ("callbacks", callbacks)]));
    let names: Vec<String> = keys.iter().map(|key| format!("data/{key}")).collect();
    let mut parts = vec![Part::new("data.pkl", &pickle)];
    for (name, (_, shape)) in names.iter().zip(tensors) {
        parts.push(Part { zeros: 4 * elements(shape) as u64, ..Part::new(name, &[]) });
    }
    zip(&parts, &mut File::create(path).unwrap());
}

#[test]
fn checkpoints_as_they_are_published_pass() {
    let networks = networks();
    let folder = tempfile::tempdir().unwrap();
    // Stable Diffusion 2.1 is one file, with the averages that training left and the constants of its schedule.
    let mut whole: Tensors =
        networks.iter().filter(|network| !network.prefix.is_empty()).flat_map(Network::tensors).collect();
    whole.extend(["betas", "alphas_cumprod"].map(|name| (name.to_owned(), vec![1000])));
    whole.push(("model_ema.diffusion_modelinput_blocks00weight".to_owned(), vec![320, 4, 3, 3]));
    write_checkpoint(&folder.path().join("v2-1_512-ema-pruned.ckpt"), &whole);
    assert!(std::fs::metadata(folder.path().join("v2-1_512-ema-pruned.ckpt")).unwrap().len() > 5_000_000_000);
    write_safetensors(&folder.path().join("v2-1_512-ema-pruned.safetensors"), &whole);
    for network in &networks {
        let mut files = ["v2-1_512-ema-pruned.ckpt".to_owned(), "v2-1_512-ema-pruned.safetensors".to_owned()];
        if network.prefix.is_empty() {
            files = [format!("{}.pth", network.kind), format!("{}.safetensors", network.kind)];
            write_checkpoint(&folder.path().join(&files[0]), &network.tensors());
            write_safetensors(&folder.path().join(&files[1]), &network.tensors());
        }
        for file in &files {
            network.check(folder.path(), file).unwrap_or_else(|error| panic!("{}: {error}", network.kind));
        }
    }
    assert_eq!(networks.len(), 9);
}

#[test]
fn a_tensor_that_is_removed_renamed_or_reshaped_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let networks = networks();
    let ram = networks.iter().find(|network| network.kind == "ram").unwrap();
    write_safetensors(&folder.path().join("ram.safetensors"), &ram.tensors());
    for network in networks.iter().filter(|network| network.kind != "dape") {
        let refused = |tensors: &Tensors, words: &[String]| {
            write_safetensors(&folder.path().join("changed.safetensors"), tensors);
            let error = network.check(folder.path(), "changed.safetensors").unwrap_err().to_string();
            let missing: Vec<_> = words.iter().filter(|word| !error.contains(*word)).collect();
            assert!(missing.is_empty(), "{}: no {missing:?} in: {error}", network.kind);
            // Nothing else is wrong.
            assert_eq!(error.matches("tensor '").count(), words.len(), "{error}");
        };
        let tensors = network.tensors();
        let mut tried = 0;
        for (at, (name, shape)) in tensors.iter().enumerate().step_by(29) {
            // Tensors of the file that nothing reads.
            if UNREAD.iter().any(|unread| name.contains(unread)) {
                continue;
            }
            tried += 1;
            let mut removed = tensors.clone();
            removed.remove(at);
            let missing = format!("tensor '{name}' is missing");
            refused(&removed, std::slice::from_ref(&missing));

            let mut renamed = tensors.clone();
            renamed[at].0 = format!("{name}_x");
            // RAM's file holds more than is read, so nothing in it is too much.
            let extra = format!("tensor '{name}_x' does not belong");
            refused(
                &renamed,
                &[&[missing][..], if network.kind == "ram" { &[] } else { std::slice::from_ref(&extra) }].concat(),
            );

            let mut reshaped = tensors.clone();
            reshaped[at].1[0] += 3;
            let found = &reshaped[at].1;
            let wrong = format!("tensor '{name}' has shape {found:?}, the architecture needs {shape:?}");
            refused(&reshaped, &[wrong]);
        }
        assert!(tried >= 8, "{}: {tried}", network.kind);
    }
}

/// Updates that miss their layer, or do not fit it, are named as well.
#[test]
fn updates_of_the_true_size_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let networks = networks();
    let of = |kind: &str| networks.iter().find(|network| network.kind == kind).unwrap();
    let (ram, dape) = (of("ram"), of("dape"));
    write_safetensors(&folder.path().join("ram.safetensors"), &ram.tensors());
    let check = |tensors: &Tensors| {
        write_safetensors(&folder.path().join("dape.safetensors"), tensors);
        dape.check(folder.path(), "dape.safetensors")
    };
    let tensors = dape.tensors();
    check(&tensors).unwrap();
    let name = "visual_encoder.layers.2.blocks.7.attn.qkv.lora_A";
    let at = tensors.iter().position(|tensor| tensor.0 == name).unwrap();
    let refused = |change: &dyn Fn(&mut Tensors), word: &str| {
        let mut changed = tensors.clone();
        change(&mut changed);
        let error = check(&changed).unwrap_err().to_string();
        assert!(error.contains("visual_encoder.layers.2.blocks.7.attn.") && error.contains(word), "{error}");
    };
    refused(&|all| drop(all.remove(at)), "half");
    refused(&|all| all[at].1[0] = 8, "does not fit");
    refused(
        &|all| all.iter_mut().for_each(|tensor| tensor.0 = tensor.0.replace("blocks.7.attn.qkv", "blocks.7.attn.x")),
        "meets no layer",
    );
    // Checkpoints older than the authors' code call the tagging head otherwise.
    let older = ram.tensors().into_iter().map(|(name, shape)| (name.replace("tagging_head.", "vision_multi."), shape));
    write_safetensors(&folder.path().join("ram.safetensors"), &older.collect());
    check(&tensors).unwrap();
}
