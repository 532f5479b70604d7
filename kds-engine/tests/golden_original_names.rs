//! Networks whose weights have the names of original checkpoints: what the authors' own modules compute with them, ours do.

mod reference;

use std::collections::BTreeSet;
use std::path::Path;

use kds_engine::nn::names::{LdmControlNet, LdmUNet, LdmVae, OpenClipText};
use kds_engine::nn::*;
use reference::{Described, Golden, relative, weights_as};
use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: String,
    config: Value,
    weights: Vec<Described>,
}

const LOADING: Loading = Loading { device: Device::Cpu, kind: Kind::Float, check_only: false };

/// The networks of a whole checkpoint, by their prefixes there.
const PREFIXES: &[(&str, &str)] = &[
    ("unet", "model.diffusion_model."),
    ("control", "control_model."),
    ("vae", "first_stage_model."),
    ("clip", "cond_stage_model.model."),
];

fn cases() -> (Golden, Vec<Case>) {
    let golden = Golden::read("original.safetensors");
    let cases = golden.cases();
    (golden, cases)
}

impl Case {
    fn config<T: for<'a> Deserialize<'a>>(&self) -> T {
        serde_json::from_value(self.config.clone()).unwrap()
    }

    /// The weights as a file, with this before all names, and tensors of another network beside them.
    fn file(&self, prefix: &str, change: impl FnOnce(&mut Vec<Described>)) -> Vec<u8> {
        let mut described = self.weights.clone();
        described.iter_mut().for_each(|tensor| tensor.0.insert_str(0, prefix));
        if !prefix.is_empty() {
            described.push(("model_ema.diffusion_modelinput_blocks00weight".into(), vec![2], 1.0, 0.0));
        }
        change(&mut described);
        weights_as(&described, str::to_owned)
    }

    /// What our network makes of the inputs, by the names of the expected outputs.
    fn run(
        &self,
        golden: &Golden,
        bytes: &[u8],
        prefixes: &[&str],
        loading: Loading,
    ) -> kds_engine::Result<Vec<(String, Tensor)>> {
        let weights = Weights::new(bytes, Path::new("sd.ckpt"), loading)?;
        let get = |name: &str| golden.tensor(&format!("{}/{name}", self.name));
        let run = !loading.check_only;
        let none = Vec::new();
        let context = golden.find(&format!("{}/context", self.name));
        let extras = Extras { text: context.as_ref(), ..Extras::default() };
        Ok(match self.kind.as_str() {
            "unet" => {
                let config: UNet2dConditionConfig = self.config();
                let weights = weights.named(LdmUNet::new(&config).unwrap(), prefixes);
                let network = UNet2dCondition::new(&weights.root(), &config)?;
                weights.finish()?;
                if run { vec![("y".to_owned(), network.forward(&get("x"), 437.0, extras)?)] } else { none }
            }
            "control" => {
                // Controlled by a latent, which is concatenated.
                let mut config = self.config.clone();
                config["conditioning_channels"] = 4.into();
                config["conditioning_embedding_out_channels"] = Value::Array(Vec::new());
                let config: ControlNetConfig = serde_json::from_value(config).unwrap();
                let weights = weights.named(LdmControlNet::new(&config).unwrap(), prefixes);
                let network = ControlNet::new(&weights.root(), &config)?;
                weights.finish()?;
                if !run {
                    return Ok(none);
                }
                let condition = network.condition(&get("hint"))?;
                let Residuals { mut down, middle } = network.forward(&get("x"), 437.0, &condition, extras, 1.0)?;
                down.push(middle);
                down.into_iter().enumerate().map(|(index, residual)| (format!("y_{index}"), residual)).collect()
            }
            "vae" => {
                let config: AutoencoderKlConfig = self.config();
                let weights = weights.named(LdmVae::new(&config.autoencoder), prefixes);
                let network = AutoencoderKl::new(&weights.root(), &config)?;
                weights.finish()?;
                match run {
                    true => vec![
                        ("mean".to_owned(), network.encode(&get("x"))?.mean),
                        ("y".to_owned(), network.decode(&get("latents"))?),
                    ],
                    false => none,
                }
            }
            "clip" => {
                let config: ClipTextConfig = self.config();
                let weights = weights.named(OpenClipText::new(&config), prefixes);
                let network = ClipTextModel::new(&weights.root(), &config)?;
                weights.finish()?;
                if run { vec![("y".to_owned(), network.forward(&get("tokens"))?)] } else { none }
            }
            other => panic!("{other}"),
        })
    }

    fn prefix(&self) -> &'static str {
        PREFIXES.iter().find(|(kind, _)| *kind == self.kind).unwrap().1
    }
}

#[test]
fn networks_of_original_checkpoints_compute_what_their_authors_do() {
    let _guard = tch::no_grad_guard();
    let (golden, cases) = cases();
    let mut kinds = BTreeSet::new();
    for case in &cases {
        let prefix = case.prefix();
        kinds.insert(&case.kind);
        // In a checkpoint of several networks, and alone.
        for prefix in [prefix, ""] {
            let file = case.file(prefix, |_| ());
            for (name, found) in case.run(&golden, &file, &[case.prefix(), ""], LOADING).unwrap() {
                let error = relative(&found, &golden.tensor(&format!("{}/{name}", case.name)));
                assert!(error <= 1e-4, "{}: {name}: {error:e}", case.name);
            }
        }
    }
    assert_eq!(kinds.len(), PREFIXES.len());
}

/// A tensor that is missing, too much or of another shape is named as it is in the file, by a check as by loading.
#[test]
fn what_is_wrong_is_said_in_the_names_of_the_file() {
    let (golden, cases) = cases();
    for case in &cases {
        let prefix = case.prefix();
        // The tensors that nothing reads.
        let needed = |tensor: &&Described| {
            !["text_projection", "logit_scale", "attn_mask"].contains(&&*tensor.0) && !tensor.0.contains("resblocks.2.")
        };
        for (at, tensor) in case.weights.iter().filter(needed).step_by(15).enumerate() {
            let name = format!("{prefix}{}", tensor.0);
            let find = |all: &mut Vec<Described>| all.iter().position(|other| other.0 == name).unwrap();
            let loadings = if at % 8 == 0 { &[LOADING, Loading::check()][..] } else { &[Loading::check()] };
            for loading in loadings {
                let error = |file: &[u8]| case.run(&golden, file, &[prefix], *loading).unwrap_err().to_string();
                let removed = error(&case.file(prefix, |all| {
                    let index = find(all);
                    all.remove(index);
                }));
                assert!(removed.contains(&format!("tensor '{name}' is missing")), "{removed}");
                let reshaped = error(&case.file(prefix, |all| {
                    let index = find(all);
                    all[index].1.push(1);
                }));
                assert!(reshaped.contains(&format!("tensor '{name}' has shape")), "{reshaped}");
            }
        }
        let extra = format!("{prefix}odd.weight");
        for loading in [LOADING, Loading::check()] {
            let file = case.file(prefix, |all| all.push((extra.clone(), vec![2], 1.0, 0.0)));
            let error = case.run(&golden, &file, &[prefix], loading).unwrap_err().to_string();
            assert!(error.contains(&extra) && error.contains("not belong"), "{error}");
        }
    }
}
