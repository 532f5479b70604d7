//! The networks and colour corrections of `tools/golden/restoration.py`.

use std::path::Path;

use kds_engine::backbone::{Cleaner, Stage1};
use kds_engine::colour_transfer;
use kds_engine::nn::*;
use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{Described, Golden, relative};

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: String,
    config: Value,
    weights: Vec<Described>,
}

fn config<T: for<'a> Deserialize<'a>>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

impl Case {
    fn run(&self, golden: &Golden, loading: Loading) -> Tensor {
        let bytes = super::weights(&self.weights);
        let weights = Weights::new(&bytes, Path::new(&self.name), loading).unwrap();
        let scope = &weights.root();
        let get = |name: &str| golden.tensor(&format!("{}/{name}", self.name)).to_device(loading.device);
        let x = || get("x").to_kind(loading.kind);
        let result = match self.kind.as_str() {
            "rrdb" => Rrdb::new(scope, &config(&self.config)).unwrap().forward(&x()),
            "swinir" => SwinIr::new(scope, &config(&self.config)).unwrap().forward(&x()),
            "scunet" => ScuNet::new(scope, &config(&self.config)).unwrap().forward(&x()),
            "ram_prepare" => Ram::new(scope, &config(&self.config)).unwrap().prepare(&get("x")),
            "ram_embeddings" => Ram::new(scope, &config(&self.config)).unwrap().embeddings(&x()),
            "ram_logits" => {
                let network = Ram::new(scope, &config(&self.config)).unwrap();
                let logits = network.logits(&network.embeddings(&x()).unwrap()).unwrap();
                if loading.kind == Kind::Float {
                    self.tags(&logits);
                }
                Ok(logits)
            }
            "clip" => ClipTextModel::new(scope, &config(&self.config)).unwrap().forward(&get("tokens")),
            "wavelet" => colour_transfer::wavelet(&get("x"), &get("colours")),
            "adain" => colour_transfer::adain(&get("x"), &get("colours")),
            stage => self.stage1(stage, scope, &get("x"), loading),
        }
        .unwrap();
        // What the reference holds and we do not read would be a part that was forgotten.
        weights.finish().unwrap();
        result
    }

    /// The tags of these logits are those of the reference.
    fn tags(&self, logits: &Tensor) {
        let (names, thresholds): (Vec<String>, Vec<f64>) =
            (config(&self.config["names"]), config(&self.config["thresholds"]));
        let thresholds: Vec<String> = thresholds.iter().map(f64::to_string).collect();
        let list = TagList::parse(&names.join("\n"), Some(&thresholds.join("\n"))).unwrap();
        assert_eq!(list.of(logits).unwrap(), config::<Vec<String>>(&self.config["found"]), "{}", self.name);
    }

    fn stage1(&self, stage: &str, scope: &Scope, x: &Tensor, loading: Loading) -> kds_engine::Result<Tensor> {
        let network = &self.config["network"];
        let cleaner = match stage {
            "stage1_bsrnet" => Cleaner::BsrNet(Rrdb::new(scope, &config(network))?),
            "stage1_scunet" => Cleaner::ScuNet(ScuNet::new(scope, &config(network))?),
            "stage1_swinir" => {
                let config: SwinIrConfig = config(network);
                Cleaner::SwinIr(SwinIr::new(scope, &config)?, config.multiple() as i64)
            }
            other => panic!("unknown kind {other}"),
        };
        let cleaned = Stage1::new(cleaner, loading.kind).clean(x, config(&self.config["size"]))?;
        let every = self.config["every"].as_i64().unwrap();
        Ok(cleaned.slice(2, None, None, every).slice(3, None, None, every))
    }
}

/// What is wrong on this device, where something is: every case against the reference, in f32 and in 16 bits.
pub fn failures(device: Device, halves: &[Kind]) -> Vec<String> {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("restoration.safetensors");
    let cases: Vec<Case> = golden.cases();
    assert!(cases.len() >= 17, "{}", cases.len());
    let mut failures = Vec::new();
    for case in &cases {
        let expected = golden.tensor(&format!("{}/y", case.name));
        // The pictures of stage 1 are large, and what 16 bits do to its networks is seen on small ones.
        let halves = if case.kind.starts_with("stage1") { &[] } else { halves };
        for kind in [Kind::Float].iter().chain(halves) {
            let found = case.run(&golden, Loading::new(device, *kind)).to_device(Device::Cpu).to_kind(Kind::Float);
            let error = relative(&found, &expected);
            let tolerance = if *kind == Kind::Float { 1e-5 } else { 0.06 };
            if error > tolerance {
                failures.push(format!("{} in {kind:?}: {error:e}", case.name));
            }
        }
    }
    failures
}
