//! The metrics against values of PyTorch, made by tools/golden/lpips.py.

use std::path::Path;

use image::{Rgb, RgbImage};
use kds_tests::lpips::Lpips;
use kds_tests::{bicubic, psnr};
use serde_json::Value;

const LPIPS_RELATIVE_ERROR: f64 = 1e-4;
const PSNR_ERROR: f64 = 1e-9;

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/metrics_golden.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn number(row: &Value, key: &str) -> u32 {
    row[key].as_u64().unwrap().try_into().unwrap()
}

/// The picture of `pattern` in tools/golden/lpips.py.
fn pattern(row: &Value, block: u32) -> RgbImage {
    let curvature = number(row, "curvature");
    RgbImage::from_fn(number(row, "width"), number(row, "height"), |x, y| {
        let (x, y) = (x / block * block, y / block * block);
        Rgb([0, 1, 2].map(|c| (((curvature * x * x + 7 * (3 + c) * y + (c + 1) * x * y) / 5 + 50 * c) % 256) as u8))
    })
}

fn pairs() -> Vec<(RgbImage, RgbImage, Value)> {
    let golden = golden();
    let rows = golden["pairs"].as_array().unwrap();
    let pair = |row: &Value| {
        let (first, block) = (pattern(row, 1), number(row, "block"));
        let mut second = pattern(row, block);
        if block == 1 {
            second.iter_mut().for_each(|value| *value = value.saturating_add(12));
        }
        (first, second, row.clone())
    };
    rows.iter().map(pair).collect()
}

#[test]
fn lpips_agrees_with_pytorch() {
    let lpips = Lpips::bundled().unwrap();
    for (first, second, row) in pairs() {
        let (found, expected) = (lpips.distance(&first, &second).unwrap(), row["lpips"].as_f64().unwrap());
        assert!((found / expected - 1.0).abs() <= LPIPS_RELATIVE_ERROR, "{row}: {found}");
    }
}

#[test]
fn psnr_agrees_with_numpy() {
    for (first, second, row) in pairs() {
        let (found, expected) = (psnr::luma(&first, &second).unwrap(), row["psnr"].as_f64().unwrap());
        assert!((found - expected).abs() <= PSNR_ERROR, "{row}: {found}");
    }
}

#[test]
fn an_image_is_no_distance_from_itself() {
    let (image, ..) = pairs().swap_remove(0);
    assert_eq!(Lpips::bundled().unwrap().distance(&image, &image).unwrap(), 0.0);
    assert_eq!(psnr::luma(&image, &image).unwrap(), f64::INFINITY);
}

#[test]
fn metrics_refuse_what_they_cannot_compare() {
    let lpips = Lpips::bundled().unwrap();
    let (small, large) = (RgbImage::new(8, 8), RgbImage::new(64, 64));
    assert!(lpips.distance(&small, &small).is_err() && lpips.distance(&small, &large).is_err());
    assert!(psnr::luma(&small, &small).is_err() && psnr::luma(&small, &large).is_err());
}

#[test]
fn bicubic_agrees_with_pytorch() {
    let golden = golden();
    let row = &golden["bicubic"];
    let found = bicubic::enlarge(&pattern(row, 1), number(row, "scale")).unwrap();
    let expected: Vec<u8> = row["pixels"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u8).collect();
    assert_eq!((found.width(), found.height()), (20, 16));
    // A value halfway between two grey levels may round either way in f32.
    let worst = found.as_raw().iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert_eq!((found.as_raw().len(), worst <= 1), (expected.len(), true), "worst difference {worst}");
}
