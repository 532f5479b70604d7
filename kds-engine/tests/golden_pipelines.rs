//! Whole models, from their folders to the picture, against the pipelines of diffusers on the same weights and the same
//! noise (`tools/golden/pipelines.py`).

mod reference;

use kds_engine::backbone::{Backbone, ClipTokenizer, LdmSr, ModelFiles, Prompt, SdInpaint};
use kds_engine::nn::Loading;
use kds_engine::sampler::Sampler;
use kds_engine::schedule::Spacing;
use reference::model::Case;
use reference::{Folder, Golden, relative};
use tch::{Device, Kind, Tensor};

/// Single precision through all steps of a pipeline.
const TOLERANCE: f64 = 1e-4;

#[test]
fn pipelines_agree_with_diffusers() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("pipelines.safetensors");
    let cases: Vec<Case> = golden.cases();
    for kind in ["ldm-sr", "sd-inpaint"] {
        assert!(cases.iter().any(|case| case.kind == kind));
    }
    for case in cases.iter().filter(|case| case.kind != "tokenizer") {
        let get = |name: &str| golden.tensor(&format!("{}/{name}", case.name));
        let folder = case.folder();
        let files = ModelFiles::Folder(folder.path());
        let loading = Loading::new(Device::Cpu, Kind::Float);
        let backbone: Box<dyn Backbone> = match case.kind.as_str() {
            "ldm-sr" => Box::new(LdmSr::load(&files, loading).unwrap()),
            "sd-inpaint" => Box::new(SdInpaint::load(&files, loading).unwrap()),
            other => panic!("unknown kind {other}"),
        };
        let prompt = Prompt {
            positive: case.prompt.clone(),
            negative: case.negative.clone(),
            guidance: case.guidance.unwrap_or(1.0),
        };
        let mask = golden.find(&format!("{}/mask", case.name));
        let condition = backbone.condition(&get("image"), mask.as_ref(), &prompt).unwrap();

        let spec = backbone.spec();
        let sampler = Sampler::Ddim { eta: case.eta };
        let spacing = Spacing::parse(&case.spacing, 0).unwrap().with_offset(spec.steps_offset);
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

#[test]
fn the_tokenizer_agrees_with_transformers() {
    let golden = Golden::read("pipelines.safetensors");
    let cases: Vec<Case> = golden.cases();
    let mut compared = 0;
    for case in cases.iter().filter(|case| case.kind == "tokenizer") {
        let tokenizer = case.files.as_ref().unwrap();
        let expected = golden.tensor(&format!("{}/y", case.name));
        for whole in [None, tokenizer.whole.as_ref()] {
            let folder = Folder::new();
            tokenizer.write(&folder, whole);
            let found = ClipTokenizer::load(&ModelFiles::Folder(folder.path()), tokenizer.length).unwrap();
            for (index, text) in tokenizer.texts.iter().enumerate() {
                let expected: Vec<i64> = Vec::try_from(expected.f_get(index as i64).unwrap()).unwrap();
                let found: Vec<i64> = found.encode(text).unwrap().into_iter().map(i64::from).collect();
                assert_eq!(found, expected, "{text}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 28);
}
