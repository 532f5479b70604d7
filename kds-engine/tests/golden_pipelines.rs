//! Whole models, from their folders to the picture, against the pipelines of diffusers on the same weights and the same
//! noise (`tools/golden/pipelines.py`).

mod reference;

use std::collections::BTreeMap;

use kds_engine::backbone::{Backbone, LdmSr, ModelFiles};
use kds_engine::nn::Loading;
use kds_engine::sampler::Sampler;
use kds_engine::schedule::Spacing;
use reference::{Described, Folder, Golden, relative};
use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

/// Single precision through all steps of a pipeline.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: String,
    components: BTreeMap<String, Component>,
    scheduler: Value,
    spacing: String,
    eta: f64,
    steps: usize,
}

#[derive(Deserialize)]
struct Component {
    config: Value,
    weights: Vec<Described>,
}

impl Case {
    /// The model as diffusers would save it.
    fn folder(&self) -> Folder {
        let folder = Folder::new();
        for (name, component) in &self.components {
            folder.write_json(&format!("{name}/config.json"), &component.config);
            let weights = reference::weights(&component.weights);
            folder.write(&format!("{name}/diffusion_pytorch_model.safetensors"), &weights);
        }
        folder.write_json("scheduler/scheduler_config.json", &self.scheduler);
        folder
    }
}

#[test]
fn pipelines_agree_with_diffusers() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("pipelines.safetensors");
    let cases: Vec<Case> = golden.cases();
    assert!(cases.iter().any(|case| case.kind == "ldm-sr"));
    for case in &cases {
        let get = |name: &str| golden.tensor(&format!("{}/{name}", case.name));
        let folder = case.folder();
        let files = ModelFiles::Folder(folder.path());
        let loading = Loading::new(Device::Cpu, Kind::Float);
        let backbone: Box<dyn Backbone> = match case.kind.as_str() {
            "ldm-sr" => Box::new(LdmSr::load(&files, loading).unwrap()),
            other => panic!("unknown kind {other}"),
        };
        let condition = backbone.condition(&get("image"), None).unwrap();

        let spec = backbone.spec();
        let sampler = Sampler::Ddim { eta: case.eta };
        let spacing = Spacing::parse(&case.spacing, 0).unwrap();
        let mut trajectory = sampler.trajectory(&spec.schedule, spacing, case.steps).unwrap();
        let noise = get("noise");
        let draw = |index: usize| noise.f_select(0, index as i64).unwrap();
        let mut x = trajectory.initial(&draw(0)).unwrap();
        for (index, level) in trajectory.evaluations().to_vec().iter().enumerate() {
            let output = backbone.predict(&x, level.timestep, &condition).unwrap();
            let x0 = spec.prediction.x0(&output, &x, level).unwrap();
            let fresh: Option<Tensor> = trajectory.needs_noise(index).then(|| draw(index + 1));
            x = trajectory.advance(index, &x, &x0, fresh.as_ref()).unwrap();
        }
        let error = relative(&x, &get("latents"));
        assert!(error < TOLERANCE, "{}: latents are off by {error:e}", case.name);
        let error = relative(&backbone.decode(&x, &condition).unwrap(), &get("y"));
        assert!(error < TOLERANCE, "{}: the picture is off by {error:e}", case.name);
    }
}
