//! SeeSR against its authors' pipeline on the same weights and the same noise (`tools/golden/seesr_pipelines.py`).

mod reference;

use kds_engine::backbone::{Backbone, ModelFiles, Prompt, SeeSr};
use kds_engine::nn::Loading;
use kds_engine::sampler::Sampler;
use kds_engine::schedule::Spacing;
use reference::seesr::Model;
use reference::{Golden, relative};
use tch::{Device, Kind, Tensor};

/// Single precision through all steps of a pipeline.
const TOLERANCE: f64 = 1e-4;

#[test]
fn every_start_and_colour_correction_agrees_with_the_authors() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("seesr.safetensors");
    let model = golden.cases::<Model>().remove(0);
    assert_eq!(model.cases.len(), 2);
    for case in &model.cases {
        let folder = model.folder(case);
        let files = ModelFiles::Folder(folder.path());
        let loading = Loading::new(Device::Cpu, Kind::Float);
        let network = SeeSr::load(&files, &case.options(), 4, loading).unwrap();
        let prompt = Prompt { positive: case.prompt.clone(), negative: case.negative.clone(), guidance: case.guidance };
        let session = network.open(&(golden.tensor("lq") * 2.0 - 1.0), None, &prompt).unwrap();

        let spec = network.spec();
        let spacing = Spacing::parse(&case.spacing, spec.steps_offset).unwrap();
        let mut trajectory = Sampler::Ddim { eta: 0.0 }.trajectory(&spec.schedule, spacing, case.steps).unwrap();
        let levels = trajectory.evaluations().to_vec();
        let noise = golden.tensor(&format!("{}/noise", case.name)).get(0);
        let mut x = match session.start().unwrap() {
            Some(start) => start * levels[0].alpha + noise * levels[0].sigma,
            None => trajectory.initial(&noise).unwrap(),
        };
        for (index, level) in levels.iter().enumerate() {
            let output = session.predict(&x, level).unwrap();
            let x0 = spec.prediction.x0(&output, &x, level).unwrap();
            x = trajectory.advance(index, &x, &x0, None).unwrap();
        }
        let check = |name: &str, found: &Tensor| {
            let error = relative(found, &golden.tensor(&format!("{}/{name}", case.name)));
            assert!(error < TOLERANCE, "{}: {name} is off by {error:e}", case.name);
        };
        check("latents", &x);
        check("y", &session.decode(&x).unwrap());
    }
}
