//! Golden data whose weights are not stored but made by both sides (`tools/golden/weights.py`).
#![allow(dead_code)]

pub mod by_entry;
pub mod diffbir;
pub mod model;
pub mod networks;
pub mod peak;
pub mod pipelines;
pub mod restoration;
pub mod seesr;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use tch::{Kind, Tensor};

/// Latent pixels along a side of what the small networks of Stable Diffusion claim to be trained with: at 64 of them
/// attention takes minutes.
pub const TRAINED_CELLS: usize = 4;

/// A file of golden data.
pub struct Golden {
    bytes: Vec<u8>,
}

/// Name, shape, scale and offset of a tensor of weights.
pub type Described = (String, Vec<usize>, f64, f64);

impl Golden {
    pub fn read(name: &str) -> Self {
        // These networks are so small that threads would mostly wait for each other.
        kds_engine::threads::use_threads(1).unwrap();
        // On a machine without the repository the data lie elsewhere.
        let folder = std::env::var_os("KDS_GOLDEN").map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden"));
        Self { bytes: std::fs::read(folder.join(name)).unwrap() }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The cases that the file describes.
    pub fn cases<T: for<'a> Deserialize<'a>>(&self) -> Vec<T> {
        let (_, metadata) = SafeTensors::read_metadata(&self.bytes).unwrap();
        serde_json::from_str(&metadata.metadata().as_ref().unwrap()["cases"]).unwrap()
    }

    pub fn find(&self, name: &str) -> Option<Tensor> {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = tensors.tensor(name).ok()?;
        let shape: Vec<i64> = view.shape().iter().map(|side| *side as i64).collect();
        let kind = match view.dtype() {
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            Dtype::I64 => Kind::Int64,
            other => panic!("{other:?}"),
        };
        Some(Tensor::f_from_data_size(view.data(), &shape, kind).unwrap())
    }

    pub fn tensor(&self, name: &str) -> Tensor {
        self.find(name).unwrap_or_else(|| panic!("no tensor '{name}'"))
    }
}

/// A safetensors file of the described weights.
pub fn weights(described: &[Described]) -> Vec<u8> {
    weights_as(described, str::to_owned)
}

/// The same under other names.
pub fn weights_as(described: &[Described], mut rename: impl FnMut(&str) -> String) -> Vec<u8> {
    let names: Vec<String> = described.iter().map(|(name, ..)| rename(name)).collect();
    let values: Vec<Vec<u8>> = described
        .iter()
        .enumerate()
        .map(|(seed, (_, shape, scale, offset))| {
            let count = shape.iter().product::<usize>() as u64;
            (0..count).flat_map(|index| ((offset + scale * uniform(seed as u64, index)) as f32).to_le_bytes()).collect()
        })
        .collect();
    let views: BTreeMap<&str, TensorView> = names
        .iter()
        .zip(described.iter().zip(&values))
        .map(|(name, ((_, shape, ..), bytes))| (&name[..], TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()))
        .collect();
    safetensors::serialize(&views, None).unwrap()
}

/// The finaliser of SplitMix64 over a counter, as a multiple of 2⁻²⁴ in -0.5..0.5.
fn uniform(seed: u64, index: u64) -> f64 {
    let mut z = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(seed << 40);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 40) as f64 / f64::from(1 << 24) - 0.5
}

/// Largest difference, as a share of the largest value expected.
pub fn relative(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    let largest = |tensor: &Tensor| tensor.f_abs().unwrap().f_max().unwrap().double_value(&[]);
    let error = largest(&found.f_sub(expected).unwrap()) / largest(expected);
    // NaN would pass a comparison that asks whether it is too large.
    assert!(error.is_finite());
    error
}

/// Root of the mean squared difference, as a share of that of the values expected: 1.4 for noise of the same scale.
pub fn deviation(found: &Tensor, expected: &Tensor) -> f64 {
    let norm = |tensor: &Tensor| tensor.square().mean(Kind::Double).sqrt().double_value(&[]);
    let share = norm(&(found - expected)) / norm(expected);
    assert!(share.is_finite());
    share
}

/// A model's folder in a temporary place.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn write_json(&self, name: &str, content: &serde_json::Value) {
        self.write(name, content.to_string().as_bytes());
    }
}
