//! The suite for a machine with a GPU: asked for by `KDS_TEST_CUDA=1`, and failing where none can be used. Without a GPU
//! `accelerator.rs` asks the same of one in software.

use std::process::Command;

use kds_engine::device;
use kds_engine::nn::Loading;
use kds_tests::pairs::small_picture;
use kds_tests::restorer::{Options, Restorer};
use tch::{Device, Kind};

#[path = "../../kds-engine/tests/reference/mod.rs"]
mod reference;

const VARIABLE: &str = "KDS_TEST_CUDA";

#[test]
fn a_gpu_is_used_where_one_is_asked_for() {
    if std::env::var(VARIABLE).is_ok_and(|value| value == "1") {
        return suite();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["a_gpu_is_used_where_one_is_asked_for", "--exact", "--nocapture"]);
    let output = command.env(VARIABLE, "1").env(device::SWITCH, "off").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(!output.status.success() && text.contains("KDS_TEST_CUDA=1 asks for a GPU"), "{text}");
}

fn suite() {
    let place = device::choose("cuda").unwrap_or_else(|error| panic!("{VARIABLE}=1 asks for a GPU: {error}")).device;
    let picture = small_picture().unwrap();
    let restore = |model: &str, device: &str, dtype: &str| {
        let options = Options { model: Some(model), device: Some(device), dtype: Some(dtype), threads: 0 };
        let restorer = Restorer::open(&options).unwrap();
        restorer.restore(&picture, &[("particles", "3"), ("steps", "3")]).unwrap()
    };
    for model in ["kds-photo-x4", "kds-photo-x1"] {
        let expected = restore(model, "cpu", "f32");
        for (dtype, most) in [("f32", 2), ("bf16", 24), ("f16", 24)] {
            let found = restore(model, "cuda", dtype);
            let off = expected.iter().zip(found.iter()).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(off <= Some(most), "{model} in {dtype}: {off:?} grey levels");
        }
    }
    assert_ne!(place, Device::Cpu);
    let failures = reference::networks::failures(place, &[Kind::BFloat16, Kind::Half]);
    assert!(failures.is_empty(), "{failures:#?}");
    for (name, latents, picture) in reference::pipelines::errors(Loading::new(place, Kind::Float)) {
        assert!(latents < 1e-3 && picture < 1e-3, "{name}: {latents:e}, {picture:e}");
    }
}
