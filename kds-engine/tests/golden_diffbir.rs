//! DiffBIR against its authors' pipeline on the same weights, by the names of their files, and the same noise
//! (`tools/golden/diffbir_pipelines.py`).

mod reference;

use kds_engine::backbone::{Backbone, DiffBir, DiffBirOptions, ModelFiles, Prompt, Session};
use kds_engine::colour_transfer::ColourTransfer;
use kds_engine::nn::Loading;
use kds_engine::sampler::Sampler;
use kds_engine::schedule::{Level, Spacing};
use reference::diffbir::{Case, Model};
use reference::{Golden, deviation, relative};
use tch::{Device, Kind, Tensor};

/// Single precision through all steps of a pipeline.
const TOLERANCE: f64 = 1e-4;

fn check(golden: &Golden, name: &str, found: &Tensor) {
    let error = relative(found, &golden.tensor(name));
    assert!(error < TOLERANCE, "{name} is off by {error:e}");
}

/// Finished latents of one particle.
fn sample(golden: &Golden, case: &Case, model: &DiffBir, session: &dyn Session) -> Tensor {
    let spec = model.spec();
    let (sampler, spacing) = match case.sampler.as_str() {
        "ddim" => (Sampler::Ddim { eta: 0.0 }, Spacing::Leading { offset: spec.steps_offset }),
        "spaced" => (Sampler::Ddpm, Spacing::Linspace),
        other => panic!("unknown sampler {other}"),
    };
    let mut trajectory = sampler.trajectory(&spec.schedule, spacing, case.steps).unwrap();
    let levels = trajectory.evaluations().to_vec();
    let noise = golden.tensor(&format!("{}/noise", case.name));
    let draw = |index: usize| noise.get(index as i64);
    let mut x = match session.start().unwrap() {
        Some(start) => start * levels[0].alpha + draw(0) * levels[0].sigma,
        None => trajectory.initial(&draw(0)).unwrap(),
    };
    for (index, level) in levels.iter().enumerate() {
        let output = session.predict(&x, level).unwrap();
        let x0 = spec.prediction.x0(&output, &x, level).unwrap();
        let fresh = trajectory.needs_noise(index).then(|| draw(index + 1));
        x = trajectory.advance(index, &x, &x0, fresh.as_ref()).unwrap();
    }
    x
}

#[test]
fn every_version_start_and_sampler_agrees_with_the_authors() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("diffbir.safetensors");
    let model = golden.cases::<Model>().remove(0);
    assert_eq!(model.cases.len(), 4);
    for case in &model.cases {
        let folder = model.folder(case);
        let files = ModelFiles::Folder(folder.path());
        let loading = Loading::new(Device::Cpu, Kind::Float);
        let load = |colours| {
            let options = DiffBirOptions { colours, ..case.options() };
            DiffBir::load(&files, &options, 4, loading).unwrap()
        };
        let network = load(ColourTransfer::Wavelet);
        let image = golden.tensor("lq") * 2.0 - 1.0;
        let prompt = Prompt { positive: case.prompt.clone(), negative: case.negative.clone(), guidance: case.guidance };
        let session = network.open(&image, None, &prompt).unwrap();
        let latents = sample(&golden, case, &network, session.as_ref());
        check(&golden, &format!("{}/latents", case.name), &latents);
        check(&golden, &format!("{}/y", case.name), &session.decode(&latents).unwrap());
        let plain = format!("{}/picture", case.name);
        if golden.find(&plain).is_some() {
            let network = load(ColourTransfer::None);
            let session = network.open(&image, None, &prompt).unwrap();
            check(&golden, &plain, &session.decode(&latents).unwrap());
        }
    }
}

#[test]
fn restoration_guidance_agrees_with_the_authors() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("diffbir.safetensors");
    let model = golden.cases::<Model>().remove(0);
    let case = &model.cases[1];
    let folder = model.folder(case);
    let files = ModelFiles::Folder(folder.path());
    let x0 = golden.tensor("guidance/x0");
    assert_eq!(model.guided.len(), 4);
    for guided in &model.guided {
        let options = DiffBirOptions { restoration_guidance: Some(guided.options), ..case.options() };
        options.check().unwrap();
        let network = DiffBir::load(&files, &options, 4, Loading::new(Device::Cpu, Kind::Float)).unwrap();
        let session = network.open(&(golden.tensor("lq") * 2.0 - 1.0), None, &Prompt::default()).unwrap();
        let schedule = &network.spec().schedule;
        let trajectory = Sampler::Ddpm.trajectory(schedule, Spacing::Linspace, case.steps).unwrap();
        let levels = trajectory.evaluations();
        let steps = golden.tensor(&format!("guidance/{}", guided.name));
        let mut guidings = 0;
        for (index, level) in levels.iter().enumerate() {
            let next = levels.get(index + 1).unwrap_or(&Level::CLEAN);
            let expected = steps.get(index as i64);
            match session.guide(&x0, level, next).unwrap() {
                // The movement is compared: x0 itself would hide its error.
                Some(found) => {
                    let error = relative(&(&found - &x0), &(&expected - &x0));
                    assert!(error < TOLERANCE, "{}, step {index}: off by {error:e}", guided.name);
                    guidings += 1;
                }
                None => assert_eq!(expected, x0, "{}, step {index}", guided.name),
            }
        }
        assert!(guidings >= 2, "{}: {guidings}", guided.name);
    }
}

#[test]
fn a_whole_pipeline_in_16_bits_is_near_that_in_32() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("diffbir.safetensors");
    let model = golden.cases::<Model>().remove(0);
    let case = &model.cases[1];
    let folder = model.folder(case);
    let files = ModelFiles::Folder(folder.path());
    for (kind, most) in [(Kind::BFloat16, 0.1), (Kind::Half, 0.02)] {
        let network = DiffBir::load(&files, &case.options(), 4, Loading::new(Device::Cpu, kind)).unwrap();
        let prompt = Prompt { positive: case.prompt.clone(), negative: case.negative.clone(), guidance: case.guidance };
        let session = network.open(&(golden.tensor("lq") * 2.0 - 1.0), None, &prompt).unwrap();
        let latents = sample(&golden, case, &network, session.as_ref());
        let picture = session.decode(&latents).unwrap();
        for (name, found) in [("latents", &latents), ("y", &picture)] {
            assert_eq!(found.kind(), Kind::Float);
            let share = deviation(found, &golden.tensor(&format!("{}/{name}", case.name)));
            println!("{kind:?} {name} {share:e}");
            assert!(share < most, "{kind:?}: {name} is off by {share:e}");
            assert!(share > 1e-6, "{kind:?}: {name} was computed in 32 bits");
        }
    }
}

#[test]
fn particles_in_one_batch_are_the_same_as_one_by_one() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("diffbir.safetensors");
    let model = golden.cases::<Model>().remove(0);
    let case = &model.cases[1];
    let folder = model.folder(case);
    let files = ModelFiles::Folder(folder.path());
    let network = DiffBir::load(&files, &case.options(), 4, Loading::new(Device::Cpu, Kind::Float)).unwrap();
    let prompt = Prompt { positive: case.prompt.clone(), negative: case.negative.clone(), guidance: case.guidance };
    let session = network.open(&(golden.tensor("lq") * 2.0 - 1.0), None, &prompt).unwrap();
    let x = golden.tensor(&format!("{}/noise", case.name)).view([-1, 4, 8, 16]).narrow(0, 0, 3);
    let level = network.spec().schedule.level(501.0).unwrap();
    let whole = session.predict(&x, &level).unwrap();
    for index in 0..3 {
        let one = session.predict(&x.narrow(0, index, 1), &level).unwrap();
        assert!(relative(&one, &whole.narrow(0, index, 1)) < 1e-5);
    }
}
