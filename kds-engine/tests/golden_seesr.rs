//! SeeSR against its authors' pipeline on the same weights and the same noise (`tools/golden/seesr_pipelines.py`).

mod reference;

use kds_engine::backbone::{Backbone, ModelFiles, Prompt, SeeSr};
use kds_engine::nn::Loading;
use kds_engine::sampler::Sampler;
use kds_engine::schedule::Spacing;
use reference::seesr::{Case, Model};
use reference::{Golden, deviation, relative};
use tch::{Device, Kind, Tensor};

/// Single precision through all steps of a pipeline.
const TOLERANCE: f64 = 1e-4;

#[test]
fn tiles_are_given_what_is_recognised_in_the_whole_picture() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("seesr.safetensors");
    let model = golden.cases::<Model>().remove(0);
    let case = &model.cases[0];
    let folder = model.folder(case);
    let files = ModelFiles::Folder(folder.path());
    let network = SeeSr::load(&files, &case.options(), 4, Loading::new(Device::Cpu, Kind::Float)).unwrap();
    let prompt = Prompt { positive: case.prompt.clone(), negative: case.negative.clone(), guidance: case.guidance };
    let picture = golden.tensor("lq") * 2.0 - 1.0;
    let x = golden.tensor(&format!("{}/noise", case.name)).get(0);
    let level = network.spec().schedule.level(501.0).unwrap();
    let predicted = |backbone: &dyn Backbone, tile: &Tensor| {
        backbone.open(tile, None, &prompt).unwrap().predict(&x, &level).unwrap()
    };
    let whole = network.look(&|| Ok(picture.shallow_clone())).unwrap().unwrap();
    let alone = predicted(&network, &picture);
    assert!(relative(&predicted(&*whole, &picture), &alone) < 1e-6);
    // A tile of another picture, and that tile by itself.
    let other = picture.flip([3]) * 0.5;
    assert!(relative(&predicted(&*whole, &other), &predicted(&network, &other)) > 1e-3);
}

/// Finished latents of a case, and its picture, with networks in this number format.
fn run(golden: &Golden, model: &Model, case: &Case, kind: Kind) -> (Tensor, Tensor) {
    let folder = model.folder(case);
    let files = ModelFiles::Folder(folder.path());
    let network = SeeSr::load(&files, &case.options(), 4, Loading::new(Device::Cpu, kind)).unwrap();
    let prompt = Prompt { positive: case.prompt.clone(), negative: case.negative.clone(), guidance: case.guidance };
    let session = network.open(&(golden.tensor("lq") * 2.0 - 1.0), None, &prompt).unwrap();

    let spec = network.spec();
    let spacing = Spacing::parse(&case.spacing, spec.steps_offset).unwrap();
    let sampler = if case.turbo { Sampler::Ddpm } else { Sampler::Ddim { eta: 0.0 } };
    let mut trajectory = sampler.trajectory(&spec.schedule, spacing, case.steps).unwrap();
    let levels = trajectory.evaluations().to_vec();
    let drawn = golden.tensor(&format!("{}/noise", case.name));
    let noise = drawn.get(0);
    let mut x = match session.start().unwrap() {
        Some(start) => start * levels[0].alpha + noise * levels[0].sigma,
        None => trajectory.initial(&noise).unwrap(),
    };
    for (index, level) in levels.iter().enumerate() {
        let output = session.predict(&x, level).unwrap();
        let x0 = spec.prediction.x0(&output, &x, level).unwrap();
        let fresh = trajectory.needs_noise(index).then(|| drawn.get(index as i64 + 1));
        x = trajectory.advance(index, &x, &x0, fresh.as_ref()).unwrap();
    }
    let picture = session.decode(&x).unwrap();
    (x, picture)
}

#[test]
fn every_start_and_colour_correction_agrees_with_the_authors() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("seesr.safetensors");
    let model = golden.cases::<Model>().remove(0);
    assert_eq!(model.cases.len(), 3);
    for case in &model.cases {
        let (latents, picture) = run(&golden, &model, case, Kind::Float);
        for (name, found) in [("latents", &latents), ("y", &picture)] {
            let error = relative(found, &golden.tensor(&format!("{}/{name}", case.name)));
            assert!(error < TOLERANCE, "{}: {name} is off by {error:e}", case.name);
        }
    }
}

#[test]
fn a_whole_pipeline_in_16_bits_is_near_that_in_32() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("seesr.safetensors");
    let model = golden.cases::<Model>().remove(0);
    let case = &model.cases[0];
    for (kind, most) in [(Kind::BFloat16, 0.1), (Kind::Half, 0.02)] {
        let (latents, picture) = run(&golden, &model, case, kind);
        for (name, found) in [("latents", &latents), ("y", &picture)] {
            assert_eq!(found.kind(), Kind::Float);
            let share = deviation(found, &golden.tensor(&format!("{}/{name}", case.name)));
            println!("{kind:?} {name} {share:e}");
            assert!(share < most, "{kind:?}: {name} is off by {share:e}");
            assert!(share > 1e-6, "{kind:?}: {name} was computed in 32 bits");
        }
    }
}
