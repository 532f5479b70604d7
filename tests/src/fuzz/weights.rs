//! Any bytes as the files of a model.

use std::borrow::Cow;

use kds_engine::backbone::{Backbone, ModelFiles, Residual};
use kds_engine::nn::Loading;
use kds_engine::picture::Picture;
use kds_engine::restore::restore;
use kds_engine::settings::Resolved;
use kds_engine::threads;
use tch::{Device, Kind};

use super::{assert_one_line, folder, tiny_model};

/// Loads the bytes as a model, and restores a picture with what could be loaded.
///
/// The bytes are `model_index.json`, `unet/config.json` and `scheduler_config.json`, each after its length in two bytes
/// (little-endian; 0 stands for the file of [`tiny_model`]), then the weights.
pub fn weights(bytes: &[u8]) {
    let (index, rest) = part(bytes, tiny_model::INDEX);
    let (config, rest) = part(rest, tiny_model::CONFIG);
    let (scheduler, weights) = part(rest, tiny_model::SCHEDULER);
    let folder = folder().join("model");
    tiny_model::write_files(&folder, [&index, &config, &scheduler, weights]).unwrap();

    let kind = if bytes.len().is_multiple_of(2) { Kind::Float } else { Kind::BFloat16 };
    let model = match Residual::load(&ModelFiles::Folder(folder.clone()), Loading::new(Device::Cpu, kind)) {
        Ok(model) => model,
        Err(error) => {
            let message = error.to_string();
            assert_one_line(&message);
            assert!(message.contains(folder.to_str().unwrap()), "no file is named in: {message}");
            return;
        }
    };
    threads::use_threads(1).unwrap();
    let spec = model.spec();
    assert!((1..=16).contains(&spec.scale) && spec.multiple >= 1);
    let (width, height) = (7, 5);
    let values = (0..3 * width * height).map(|index| index as f32 / 105.0).collect();
    let settings = Resolved { particles: 2, steps: 1, ..Resolved::default() };
    match restore(&model, &settings, (&Picture { width, height, values }).into(), true, &mut |_| Ok(())) {
        Ok(restored) => {
            let (picture, confidence) = (restored.picture, restored.confidence.unwrap());
            assert_eq!((picture.width, picture.height), (width * spec.scale, height * spec.scale));
            let mut all = picture.values.iter().chain(&confidence);
            assert!(all.all(|value| (0.0..=1.0).contains(value)), "a result outside 0..1");
        }
        Err(error) => assert_one_line(&error.to_string()),
    }
}

/// The input of [`weights`] that holds these files; an empty text stands for the file of [`tiny_model`].
pub fn inputs(texts: [&str; 3], weights: &[u8]) -> Vec<u8> {
    let mut input = Vec::new();
    for text in texts {
        let length = u16::try_from(text.len()).expect("configurations are short");
        input.extend(length.to_le_bytes());
        input.extend(text.bytes());
    }
    input.extend(weights);
    input
}

fn part<'a>(bytes: &'a [u8], default: &'static str) -> (Cow<'a, [u8]>, &'a [u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else { return (Cow::Borrowed(default.as_bytes()), &[]) };
    match usize::from(u16::from_le_bytes(*length)) {
        0 => (Cow::Borrowed(default.as_bytes()), rest),
        length => {
            let (text, rest) = rest.split_at(length.min(rest.len()));
            (Cow::Borrowed(text), rest)
        }
    }
}
