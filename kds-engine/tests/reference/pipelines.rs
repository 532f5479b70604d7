//! Whole models, from their folders to the picture, on the noise of `tools/golden/pipelines.py`.

use kds_engine::backbone::{Backbone, LdmSr, ModelFiles, Prompt, SdInpaint};
use kds_engine::nn::Loading;
use kds_engine::sampler::Sampler;
use kds_engine::schedule::Spacing;
use tch::{Device, Tensor};

use super::model::Case;
use super::{Golden, relative};

/// The errors of latents and picture of every pipeline, by its name.
pub fn errors(loading: Loading) -> Vec<(String, f64, f64)> {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("pipelines.safetensors");
    let cases: Vec<Case> = golden.cases();
    for kind in ["ldm-sr", "sd-inpaint"] {
        assert!(cases.iter().any(|case| case.kind == kind));
    }
    cases.iter().filter(|case| case.kind != "tokenizer").map(|case| error(&golden, case, loading)).collect()
}

fn error(golden: &Golden, case: &Case, loading: Loading) -> (String, f64, f64) {
    let expected = |name: &str| golden.tensor(&format!("{}/{name}", case.name));
    let get = |name: &str| expected(name).to_device(loading.device);
    let folder = case.folder();
    let files = ModelFiles::Folder(folder.path());
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
    let mask = golden.find(&format!("{}/mask", case.name)).map(|mask| mask.to_device(loading.device));
    let session = backbone.open(&get("image"), mask.as_ref(), &prompt).unwrap();

    let spec = backbone.spec();
    let sampler = Sampler::Ddim { eta: case.eta };
    let spacing = Spacing::parse(&case.spacing, 0).unwrap().with_offset(spec.steps_offset);
    let mut trajectory = sampler.trajectory(&spec.schedule, spacing, case.steps).unwrap();
    let noise = get("noise");
    let draw = |index: usize| noise.f_select(0, index as i64).unwrap();
    let mut x = trajectory.initial(&draw(0)).unwrap();
    for (index, level) in trajectory.evaluations().to_vec().iter().enumerate() {
        let x0 = spec.prediction.x0(&session.predict(&x, level).unwrap(), &x, level).unwrap();
        let fresh: Option<Tensor> = trajectory.needs_noise(index).then(|| draw(index + 1));
        x = trajectory.advance(index, &x, &x0, fresh.as_ref()).unwrap();
    }
    let picture = session.decode(&x).unwrap();
    let off = |found: &Tensor, name: &str| relative(&found.to_device(Device::Cpu), &expected(name));
    (case.name.clone(), off(&x, "latents"), off(&picture, "y"))
}
