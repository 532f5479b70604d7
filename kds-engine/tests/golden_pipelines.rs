//! Whole models, from their folders to the picture, against the pipelines of diffusers on the same weights and the same
//! noise (`tools/golden/pipelines.py`).

mod reference;

use kds_engine::backbone::{ClipTokenizer, ModelFiles};
use kds_engine::nn::Loading;
use reference::model::Case;
use reference::{Folder, Golden};
use tch::{Device, Kind};

/// Single precision through all steps of a pipeline.
const TOLERANCE: f64 = 1e-4;

#[test]
fn pipelines_agree_with_diffusers() {
    for (name, latents, picture) in reference::pipelines::errors(Loading::new(Device::Cpu, Kind::Float)) {
        assert!(latents < TOLERANCE, "{name}: latents are off by {latents:e}");
        assert!(picture < TOLERANCE, "{name}: the picture is off by {picture:e}");
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
