//! The blocks and networks of `tools/golden/networks.py`.

use std::path::Path;

use kds_engine::nn::*;
use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{Described, Golden, relative};

const GROUPS: i64 = 4;
const EMBEDDING: i64 = 16;
const TEXT: i64 = 12;

#[derive(Deserialize)]
pub struct Case {
    name: String,
    kind: String,
    config: Value,
    weights: Vec<Described>,
}

impl Case {
    fn integer(&self, key: &str) -> i64 {
        self.config[key].as_i64().unwrap_or_else(|| panic!("{}: no {key}", self.name))
    }

    fn config<T: for<'a> Deserialize<'a>>(&self) -> T {
        serde_json::from_value(self.config.clone()).unwrap()
    }

    /// Sizes of the residual blocks; a missing shift means no embedding.
    fn resnet(&self, shift: &str, factor: f64, eps: f64) -> ResnetShape {
        let shift = &self.config[shift];
        ResnetShape {
            embedding: (!shift.is_null()).then_some(EMBEDDING),
            groups: GROUPS,
            eps,
            time_scale_shift: if shift == "scale_shift" { TimeScaleShift::ScaleShift } else { TimeScaleShift::Default },
            output_scale_factor: factor,
        }
    }

    fn mixing(&self) -> Mixing {
        let shape = TransformerShape {
            heads: 4,
            cross_attention_dim: TEXT,
            layers: 1,
            use_linear_projection: self.kind == "mid",
            groups: GROUPS,
        };
        let scale_shift = self.config["shift"] == "scale_shift";
        match self.config["block"].as_str().or(self.config["mixing"].as_str()).unwrap() {
            word if word.to_lowercase().contains("cross") => Mixing::CrossAttention { shape, image_channels: None },
            word if word.to_lowercase().contains("att") => Mixing::SelfAttention {
                head_dim: Some(4),
                groups: (self.kind != "mid" || !scale_shift).then_some(GROUPS),
            },
            _ => Mixing::None,
        }
    }

    fn run(&self, golden: &Golden, loading: Loading) -> Tensor {
        let bytes = super::weights(&self.weights);
        let weights = Weights::new(&bytes, Path::new(&self.name), loading).unwrap();
        let scope = &weights.root();
        let find = |name: &str| {
            Some(golden.find(&format!("{}/{name}", self.name))?.to_kind(loading.kind).to_device(loading.device))
        };
        let get = |name: &str| find(name).unwrap_or_else(|| panic!("{}: no {name}", self.name));
        let embedding = find("embedding").map(|embedding| embedding.f_silu().unwrap());
        let context = find("context");
        let inputs = Inputs { embedding: embedding.as_ref(), context: context.as_ref(), image_context: None };
        let last = self.config["last"] == true;
        let result = match self.kind.as_str() {
            "resnet" => {
                let factor = self.config["output_scale_factor"].as_f64().unwrap();
                let shape = self.resnet("time_scale_shift", factor, 1e-5);
                let block = ResnetBlock::new(scope, self.integer("inputs"), self.integer("outputs"), shape).unwrap();
                block.forward(&get("x"), embedding.as_ref())
            }
            "attention" => {
                let (channels, heads) = (self.integer("channels"), self.integer("heads"));
                let block = Attention::new(scope, channels, self.integer("context_channels"), heads).unwrap();
                block.forward(&get("x"), context.as_ref())
            }
            "image_attention" => {
                let (channels, width) = (self.integer("channels"), self.integer("head_dim"));
                let block = ImageAttention::new(scope, channels, Some(width), Some(GROUPS), 1e-6, 1.5).unwrap();
                block.forward(&get("x"))
            }
            "basic_transformer" => {
                let (channels, heads) = (self.integer("channels"), self.integer("heads"));
                let block = BasicTransformerBlock::new(scope, channels, TEXT, heads).unwrap();
                block.forward(get("x"), context.as_ref())
            }
            "transformer" => {
                let shape = TransformerShape {
                    heads: self.integer("heads"),
                    cross_attention_dim: TEXT,
                    layers: self.integer("layers") as usize,
                    use_linear_projection: self.config["linear"] == true,
                    groups: GROUPS,
                };
                let model = Transformer2d::new(scope, self.integer("channels"), shape).unwrap();
                model.forward(&get("x"), context.as_ref())
            }
            "down" => {
                let padding = if embedding.is_some() { 1 } else { 0 };
                let shape = self.resnet("shift", 1.0, 1e-5);
                let downsample = (!last).then_some(padding);
                DownBlock::new(scope, (8, 16), 2, self.mixing(), shape, downsample).unwrap().forward(
                    get("x"),
                    inputs,
                    |_| (),
                )
            }
            "up" => {
                let shape = self.resnet("shift", 1.0, 1e-5);
                // The layers take 16 channels, then those of the level below.
                let skips = if embedding.is_some() { [16, 8] } else { [0, 0] };
                let block = UpBlock::new(scope, (12, 16), &skips, self.mixing(), shape, !last).unwrap();
                let mut skips: Vec<Tensor> = [find("skip_0"), find("skip_1")].into_iter().flatten().collect();
                block.forward(get("x"), inputs, &mut skips)
            }
            "mid" => {
                let shape = self.resnet("shift", 1.5, 1e-5);
                MidBlock::new(scope, 16, self.mixing(), shape).unwrap().forward(&get("x"), inputs)
            }
            "unet2d" => UNet2d::new(scope, &self.config()).unwrap().forward(&get("x"), 437.0),
            "unet2d_condition" => {
                let network = UNet2dCondition::new(scope, &self.config()).unwrap();
                network.forward(&get("x"), 437.0, Extras { text: context.as_ref(), ..Extras::default() })
            }
            "vq_encode" => VqModel::new(scope, &self.config()).unwrap().encode(&get("x")),
            "vq_decode" => VqModel::new(scope, &self.config()).unwrap().decode(&get("x")),
            "kl_mean" | "kl_sample" => {
                let posterior = AutoencoderKl::new(scope, &self.config()).unwrap().encode(&get("x")).unwrap();
                find("noise").map_or(Ok(posterior.mean.shallow_clone()), |noise| posterior.sample(&noise))
            }
            "kl_decode" => AutoencoderKl::new(scope, &self.config()).unwrap().decode(&get("x")),
            "clip" => {
                let tokens = golden.tensor(&format!("{}/tokens", self.name)).to_device(loading.device);
                ClipTextModel::new(scope, &self.config()).unwrap().forward(&tokens)
            }
            other => panic!("unknown kind {other}"),
        }
        .unwrap();
        // What the reference holds and we do not read would be a part that was forgotten.
        weights.finish().unwrap();
        result
    }
}

/// What is wrong on this device, where something is: every block and network against the reference, in f32 and in 16 bits.
pub fn failures(device: Device, halves: &[Kind]) -> Vec<String> {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("networks.safetensors");
    let cases: Vec<Case> = golden.cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut failures = Vec::new();
    for case in &cases {
        let expected = golden.tensor(&format!("{}/y", case.name));
        for kind in [Kind::Float].iter().chain(halves) {
            let found = case.run(&golden, Loading::new(device, *kind)).to_device(Device::Cpu).to_kind(Kind::Float);
            let error = relative(&found, &expected);
            let tolerance = match kind {
                Kind::Float if device == Device::Cpu => 1e-5,
                // Other orders of summation: 1.4e-5 was seen on an H200.
                Kind::Float => 3e-5,
                // Where latents are quantised, a little may be another entry.
                _ if case.kind == "vq_decode" => 0.5,
                // Eight bits of mantissa through up to forty layers.
                _ => 0.06,
            };
            if error > tolerance {
                failures.push(format!("{} in {kind:?}: {error:e}", case.name));
            }
        }
    }
    failures.extend(super::restoration::failures(device, halves));
    failures
}
