//! Control branches and the U-Nets that they control against the authors' modules on the same weights
//! (`tools/golden/control.py`).

mod reference;

use std::collections::BTreeMap;
use std::path::Path;

use kds_engine::nn::{
    ControlNet, ControlNetConfig, Extras, Loading, NetworkConfig, UNet2dCondition, UNet2dConditionConfig, Weights,
};
use reference::model::Component;
use reference::{Golden, relative, weights};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

/// Single precision through up to forty layers.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Case {
    name: String,
    components: BTreeMap<String, Component>,
    strength: f64,
}

impl Case {
    fn build<C: NetworkConfig, N>(
        &self,
        component: &str,
        build: impl FnOnce(&kds_engine::nn::Scope, &C) -> kds_engine::Result<N>,
    ) -> N {
        let component = &self.components[component];
        let config: C = serde_json::from_value(component.config.clone()).unwrap();
        let bytes = weights(&component.weights);
        let loading = Loading::new(Device::Cpu, Kind::Float);
        let weights = Weights::new(&bytes, Path::new(&self.name), loading).unwrap();
        let network = build(&weights.root(), &config).unwrap();
        weights.finish().unwrap();
        network
    }
}

#[test]
fn control_branches_and_controlled_networks_agree_with_their_authors() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("control.safetensors");
    let cases: Vec<Case> = golden.cases();
    assert_eq!(cases.len(), 5);
    for case in &cases {
        let find = |name: &str| golden.find(&format!("{}/{name}", case.name));
        let get = |name: &str| find(name).unwrap();
        let branch = case.build::<ControlNetConfig, _>("controlnet", ControlNet::new);
        let network = case.build::<UNet2dConditionConfig, _>("unet", UNet2dCondition::new);
        let (x, text, image) = (get("x"), get("text"), find("image"));
        let extras = Extras { text: Some(&text), image: image.as_ref(), control: None };
        let condition = branch.condition(&get("hint")).unwrap();
        let control = branch.forward(&x, 437.0, &condition, extras, case.strength).unwrap();
        let controlled = Extras { control: Some(&control), ..extras };
        let check = |name: &str, found: &Tensor| {
            let error = relative(found, &get(name));
            assert!(error < TOLERANCE, "{}: {name} is off by {error:e}", case.name);
        };
        check("middle", &control.middle);
        check("y", &network.forward(&x, 437.0, controlled).unwrap());
        // The branch matters: without it the output is another.
        assert!(relative(&network.forward(&x, 437.0, extras).unwrap(), &get("y")) > 0.01, "{}", case.name);
    }
}
