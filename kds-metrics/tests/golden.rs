//! The metrics against values of independent implementations: tools/golden/metrics.py and tools/golden/lpips.py.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use kds_metrics::{Dists, Lpips, Niqe, Tensor, Weights, psnr_luma, psnr_rgb, ssim_luma, ssim_rgb, wilcoxon};
use serde_json::Value;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(here(path)).unwrap()).unwrap()
}

fn rows(golden: &Value, key: &str) -> Vec<Value> {
    golden[key].as_array().unwrap().clone()
}

fn count(row: &Value, key: &str) -> u32 {
    row[key].as_u64().unwrap().try_into().unwrap()
}

/// The picture of `pattern` in the scripts.
fn pattern(row: &Value, block: u32) -> RgbImage {
    let curvature = count(row, "curvature");
    RgbImage::from_fn(count(row, "width"), count(row, "height"), |x, y| {
        let (x, y) = (x / block * block, y / block * block);
        Rgb([0, 1, 2].map(|c| (((curvature * x * x + 7 * (3 + c) * y + (c + 1) * x * y) / 5 + 50 * c) % 256) as u8))
    })
}

fn pairs(golden: &Value) -> Vec<(RgbImage, RgbImage, Value)> {
    let pair = |row: Value| {
        let (first, block) = (pattern(&row, 1), count(&row, "block"));
        let mut second = pattern(&row, block);
        if block == 1 {
            second.iter_mut().for_each(|value| *value = value.saturating_add(12));
        }
        (first, second, row)
    };
    rows(golden, "pairs").into_iter().map(pair).collect()
}

/// Fails where a value is off by more than this share of what is expected.
fn check(found: f64, row: &Value, key: &str, relative: f64) {
    let expected = row[key].as_f64().unwrap();
    assert!((found / expected - 1.0).abs() <= relative, "{key}: {found} instead of {expected} in {row}");
}

#[test]
fn psnr_and_ssim_agree_with_numpy_and_scikit_image() {
    for (first, second, row) in pairs(&read("tests/golden.json")) {
        check(psnr_luma(&first, &second).unwrap(), &row, "psnr_luma", 1e-12);
        check(psnr_rgb(&first, &second).unwrap(), &row, "psnr_rgb", 1e-12);
        check(ssim_luma(&first, &second).unwrap(), &row, "ssim_luma", 1e-9);
        check(ssim_rgb(&first, &second).unwrap(), &row, "ssim_rgb", 1e-9);
    }
}

#[test]
fn lpips_agrees_with_pytorch() {
    let lpips = Lpips::load(&here("../tests/data/lpips_alex.safetensors")).unwrap();
    for (first, second, row) in pairs(&read("../tests/data/metrics_golden.json")) {
        check(lpips.distance(&first, &second).unwrap(), &row, "lpips", 1e-4);
        check(psnr_luma(&first, &second).unwrap(), &row, "psnr", 1e-9);
    }
}

/// `number` of the script.
fn number(seed: u64, count: usize) -> impl Iterator<Item = f64> {
    (0..count as u64).map(move |index| {
        let mixed = (index + seed * 1_000_003).wrapping_mul(2_654_435_761) % (1 << 32);
        mixed as f64 / f64::from(2u32).powi(32) - 0.5
    })
}

/// The network of `made_vgg` and the weights of `made_dists` in the script.
fn made_dists() -> Dists {
    let mut tensors = HashMap::new();
    let mut add = |name: String, shape: Vec<usize>, values: Vec<f64>| tensors.insert(name, Tensor { shape, values });
    let (mut layer, mut channels) = (0, 3);
    for stage in [&[64, 64][..], &[128, 128], &[256; 3], &[512; 3], &[512; 3]] {
        for &width in stage {
            let deviation = (2.0 / (9 * channels) as f64).sqrt() * 12f64.sqrt();
            let weights = number(layer, width * channels * 9).map(|value| value * deviation).collect();
            add(format!("features.{layer}.weight"), vec![width, channels, 3, 3], weights);
            let bias = number(100 + layer, width).map(|value| value / 10.0).collect();
            add(format!("features.{layer}.bias"), vec![width], bias);
            (layer, channels) = (layer + 2, width);
        }
        // A pooling lies between the stages.
        layer += 1;
    }
    add("alpha".to_owned(), vec![1, 1475, 1, 1], number(200, 1475).map(|value| value + 0.6).collect());
    add("beta".to_owned(), vec![1, 1475, 1, 1], number(300, 1475).map(|value| value + 0.6).collect());
    Dists::new(Weights::made(Path::new("made"), tensors)).unwrap()
}

#[test]
fn dists_agrees_with_the_authors() {
    let dists = made_dists();
    for (first, second, row) in pairs(&read("tests/golden.json")) {
        check(dists.distance(&first, &second).unwrap(), &row, "dists", 1e-3);
        assert!(dists.distance(&first, &first).unwrap().abs() < 1e-9);
    }
}

#[test]
fn niqe_agrees_with_pyiqa() {
    let niqe = Niqe::bundled().unwrap();
    // Shapes are looked up in steps of 0.001; of two that fit alike, rounding chooses.
    for row in rows(&read("tests/golden.json"), "pictures") {
        check(niqe.value(&pattern(&row, count(&row, "block"))).unwrap(), &row, "niqe", 2e-4);
    }
}

#[test]
fn wilcoxon_agrees_with_scipy() {
    for row in rows(&read("tests/golden.json"), "tests") {
        let differences: Vec<f64> = rows(&row, "differences").iter().map(|value| value.as_f64().unwrap()).collect();
        let found = wilcoxon(&differences).unwrap();
        assert_eq!(found.statistic, row["statistic"].as_f64().unwrap());
        check(found.p, &row, "p", 1e-9);
    }
    assert!(wilcoxon(&[]).is_none() && wilcoxon(&[0.0, 0.0]).is_none() && wilcoxon(&[1.0, f64::INFINITY]).is_none());
}

#[test]
fn a_picture_is_no_distance_from_itself() {
    let (picture, ..) = pairs(&read("tests/golden.json")).swap_remove(0);
    let lpips = Lpips::load(&here("../tests/data/lpips_alex.safetensors")).unwrap();
    assert_eq!(lpips.distance(&picture, &picture).unwrap(), 0.0);
    assert_eq!(psnr_luma(&picture, &picture).unwrap(), f64::INFINITY);
    assert!((ssim_rgb(&picture, &picture).unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let lpips = Lpips::load(&here("../tests/data/lpips_alex.safetensors")).unwrap();
    let (small, large, flat) = (RgbImage::new(8, 8), RgbImage::new(64, 64), RgbImage::new(300, 300));
    for (first, second) in [(&small, &small), (&small, &large)] {
        assert!(lpips.distance(first, second).is_err());
        assert!(psnr_luma(first, second).is_err() && psnr_rgb(first, second).is_err());
        assert!(ssim_luma(first, second).is_err() && ssim_rgb(first, second).is_err());
    }
    let niqe = Niqe::bundled().unwrap();
    assert!(niqe.value(&large).unwrap_err().to_string().contains("96 x 96"));
    assert!(niqe.value(&flat).is_err());
    let message = Lpips::load(&here("data/niqe_photographs.safetensors")).unwrap_err().to_string();
    assert!(message.contains("features.0.weight"), "{message}");
}
