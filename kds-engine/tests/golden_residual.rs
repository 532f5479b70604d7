//! The backbone of the built-in models against the code that trained them (`tools/golden/residual.py`).

use std::path::{Path, PathBuf};

use kds_engine::backbone::{Backbone, ModelFiles, Prompt, Residual};
use kds_engine::holes;
use kds_engine::nn::Loading;
use safetensors::SafeTensors;
use tch::{Device, Kind, Tensor};

/// Rounding of f32 over a few layers.
const TOLERANCE: f64 = 1e-5;

struct Golden {
    folder: PathBuf,
    bytes: Vec<u8>,
}

impl Golden {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name);
        Self { bytes: std::fs::read(folder.join("golden.safetensors")).unwrap(), folder }
    }

    fn tensor(&self, name: &str) -> Tensor {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = tensors.tensor(name).unwrap();
        let shape: Vec<i64> = view.shape().iter().map(|side| *side as i64).collect();
        Tensor::f_from_data_size(view.data(), &shape, Kind::Float).unwrap()
    }

    fn check(&self, name: &str, found: &Tensor) {
        let expected = self.tensor(name);
        assert_eq!(found.size(), expected.size(), "{name}");
        let difference = (found - &expected).abs().max() / expected.abs().max();
        assert!(difference.double_value(&[]) < TOLERANCE, "{name}: {difference:?}");
    }

    /// What the network says and what becomes of latents, for this image and mask.
    fn check_backbone(&self, image: &Tensor, mask: Option<&Tensor>) {
        let model =
            Residual::load(&ModelFiles::Folder(self.folder.clone()), Loading::new(Device::Cpu, Kind::Float)).unwrap();
        let session = model.open(image, mask, &Prompt::default()).unwrap();
        let level = model.spec().schedule.level(self.tensor("timestep").double_value(&[0])).unwrap();
        self.check("predicted", &session.predict(&self.tensor("x"), &level).unwrap());
        self.check("decoded", &session.decode(&self.tensor("latents")).unwrap());
    }
}

#[test]
fn a_model_that_enlarges_agrees_with_its_training() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("residual_x4");
    golden.check_backbone(&golden.tensor("image"), None);
}

#[test]
fn a_model_that_fills_holes_agrees_with_its_training() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("residual_x1");
    let mask = golden.tensor("mask");
    let filled = holes::fill(&golden.tensor("image"), &mask).unwrap();
    golden.check("filled", &filled);
    golden.check_backbone(&filled, Some(&mask));
}
