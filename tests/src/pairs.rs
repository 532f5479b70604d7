//! The example pictures: true ones and what is left of them, smaller or spoilt.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, crop_imm, resize};
use kds_engine::noise::{self, Window};

use crate::tensor;

/// A true picture and what to restore it from.
#[derive(Clone)]
pub struct Pair {
    /// File name without extension.
    pub name: String,
    /// The true picture, four times the size of `low` or of its size.
    pub truth: RgbImage,
    /// The degraded picture.
    pub low: RgbImage,
}

impl Pair {
    /// The example pictures of the repository, whole.
    pub fn examples() -> Result<Vec<Self>> {
        let low = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/images");
        let pair = |truth: PathBuf| -> Result<Self> {
            let name = truth.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let low = read(&low.join(truth.file_name().unwrap_or_default()))?;
            Ok(Self { name, truth: read(&truth)?, low })
        };
        pictures(&low.join("truth"))?.into_iter().map(pair).collect()
    }

    /// The true example pictures at half their size, blurred (0.8 pixels), noisy (8 grey levels) and with the artefacts of
    /// a JPEG of quality 50.
    pub fn same_size_examples() -> Result<Vec<Self>> {
        let spoil = |(index, Self { name, truth, .. }): (usize, Self)| {
            let truth = resize(&truth, truth.width() / 2, truth.height() / 2, FilterType::Lanczos3);
            let noisy = with_noise(&image::imageops::blur(&truth, 0.8), index as u32, 8.0)?;
            let mut jpeg = Vec::new();
            JpegEncoder::new_with_quality(&mut jpeg, 50).encode_image(&noisy)?;
            Ok(Self { name, truth, low: image::load_from_memory(&jpeg)?.into_rgb8() })
        };
        Self::examples()?.into_iter().enumerate().map(spoil).collect()
    }
}

/// A degraded picture of 33 x 21 pixels, for what has to be quick; with noise of 15 grey levels, so that every model finds
/// something to do.
pub fn small_picture() -> Result<RgbImage> {
    let kitten = Pair::examples()?.into_iter().find(|pair| pair.name == "kitten").context("there is no kitten")?;
    with_noise(&crop_imm(&kitten.low, 40, 40, 33, 21).to_image(), 0, 15.0)
}

/// Adds noise of this deviation, in grey levels: another one for every seed.
fn with_noise(picture: &RgbImage, seed: u32, deviation: f64) -> Result<RgbImage> {
    let window = Window { x: 0, y: 0, width: picture.width() as usize, height: picture.height() as usize };
    let noise = noise::normal(1, seed, 1, 3, window, tch::Device::Cpu)?;
    Ok(tensor::to_image(&(tensor::from_image(picture)? + noise * (deviation / 127.5)))?)
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        ["png", "jpg", "jpeg"].iter().any(|known| extension == *known)
    });
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<RgbImage> {
    Ok(image::open(path).with_context(|| format!("cannot read {}", path.display()))?.into_rgb8())
}
