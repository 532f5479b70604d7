//! TorchScript files of `tools/export_torchscript.py`, against diffusers on the same weights, and broken ones
//! (`tools/golden/torchscript.py`).

mod reference;

use std::path::{Path, PathBuf};

use kds_engine::backbone::{Backbone, Prompt, TorchScript};
use kds_engine::nn::Loading;
use kds_engine::picture::Picture;
use kds_engine::restore::restore;
use kds_engine::settings::Resolved;
use reference::{Golden, relative};
use tch::{Device, Kind};

/// Rounding of f32; the arithmetic is libtorch's on both sides.
const TOLERANCE: f64 = 1e-5;

fn load(path: &Path) -> kds_engine::Result<TorchScript> {
    TorchScript::load(path, Loading::new(Device::Cpu, Kind::Float))
}

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

#[test]
fn an_exported_pipeline_agrees_with_diffusers_at_other_sizes_than_it_was_traced_with() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("torchscript.safetensors");
    let model = load(&golden_folder().join("torchscript.pt")).unwrap();
    assert_eq!((model.spec().scale, model.spec().latent_channels, model.spec().multiple), (2, 3, 2));
    for size in ["wide", "batch"] {
        let get = |name: &str| golden.tensor(&format!("{size}/{name}"));
        let session = model.open(&get("image"), None, &Prompt::default()).unwrap();
        let level = model.spec().schedule.level(get("timestep").double_value(&[0])).unwrap();
        let error = relative(&session.predict(&get("x"), &level).unwrap(), &get("predicted"));
        assert!(error < TOLERANCE, "{size}: the prediction is off by {error:e}");
        let error = relative(&session.decode(&get("latents")).unwrap(), &get("decoded"));
        assert!(error < TOLERANCE, "{size}: the picture is off by {error:e}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let not_one = folder.path().join("text.pt");
    std::fs::write(&not_one, "no archive").unwrap();
    let cut = folder.path().join("cut.pt");
    let whole = std::fs::read(golden_folder().join("torchscript.pt")).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let broken = |name: &str| golden_folder().join("torchscript_broken").join(name).with_extension("pt");
    let table = [
        (folder.path().join("missing.pt"), "missing.pt"),
        (not_one, "text.pt"),
        (cut, "cut.pt"),
        (broken("no_methods"), "spec"),
        (broken("spec_is_a_number"), "its method 'spec' gives no text"),
        (broken("spec_is_no_json"), "its spec: expected value"),
        (broken("unknown_key"), "unknown field `colour`"),
        (broken("no_scale"), "its scale is 0; 1 to 16 are possible"),
        (broken("huge"), "its latent_channels is 1099511627776"),
        (broken("no_schedule"), "its spec: "),
    ];
    for (path, expected) in table {
        let message = load(&path).err().unwrap_or_else(|| panic!("{} loads", path.display())).to_string();
        assert!(message.contains(expected) && message.contains(path.to_str().unwrap()), "{expected}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn a_method_that_goes_wrong_ends_the_run() {
    let picture = Picture { width: 7, height: 5, values: (0..105).map(|index| index as f32 / 105.0).collect() };
    let settings = Resolved { particles: 2, steps: 2, ..Resolved::default() };
    let run = |name: &str| {
        let model = load(&golden_folder().join("torchscript_broken").join(name).with_extension("pt")).unwrap();
        restore(&model, &settings, (&picture).into(), true, &mut |_| Ok(()))
    };
    let table = [
        ("raises", "the predictor is out of order"),
        // Found where the model's memory is measured, on a small tile.
        ("other_shape", "predict: gave a tensor of [1, 1, 32, 32], not [1, 3, 32, 32]"),
        ("small_picture", "decode: gave a tensor of [1, 3, 32, "),
        ("no_numbers", "not finite"),
    ];
    for (name, expected) in table {
        let message = run(name).unwrap_err().to_string();
        assert!(message.contains(expected) && message.lines().count() == 1, "{name}: {message}");
    }
    // The sound one gives the picture back.
    let restored = run("sound").unwrap().picture.values;
    assert!(restored.iter().zip(&picture.values).all(|(found, expected)| (found - expected).abs() < 1e-6));
}
