//! Pairs of a true picture and what is left of it: smaller, spoilt, or with holes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, crop_imm, resize};
use image::{GrayImage, Luma, RgbImage};
use kds_engine::noise::{self, Window};

use crate::tensor;

/// Enlargement from the degraded to the true picture.
pub const SCALE: u32 = 4;

/// A true picture and what to restore it from.
#[derive(Clone)]
pub struct Pair {
    /// File name without extension.
    pub name: String,
    /// The true picture, [`SCALE`] times the size of `low` or of its size.
    pub truth: RgbImage,
    /// The degraded picture.
    pub low: RgbImage,
    /// White where `low` is to be filled.
    pub holes: Option<GrayImage>,
}

impl Pair {
    /// Reads the pairs of two folders in the order of their names. A true picture `NAME.ext` goes with the degraded one
    /// whose file name contains `NAME`; what of the truth lies beyond the enlarged degraded picture is cut off. Degraded
    /// pictures with a side of more than 160 pixels are cut to their top left `crop` x `crop` pixels (0: not at all).
    pub fn read_folders(truth: &Path, low: &Path, crop: u32) -> Result<Vec<Self>> {
        let degraded = pictures(low)?;
        let mut pairs = Vec::new();
        for path in pictures(truth)? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let partner = degraded
                .iter()
                .find(|path| path.file_name().is_some_and(|file| file.to_string_lossy().contains(&name)))
                .with_context(|| format!("{} has no picture with '{name}' in its name", low.display()))?;
            pairs.push(Self::new(name, &read(&path)?, &read(partner)?, crop)?);
        }
        ensure!(!pairs.is_empty(), "{} has no PNG or JPEG pictures", truth.display());
        Ok(pairs)
    }

    /// The example pictures of the repository, whole.
    pub fn examples() -> Result<Vec<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/images");
        Self::read_folders(&folder.join("truth"), &folder, 0)
    }

    /// The example pictures for a task of the registry, whole.
    pub fn examples_of(task: &str) -> Result<Vec<Self>> {
        match task {
            "super-resolution" => Self::examples(),
            "restoration" => Self::same_size_examples(),
            "inpainting" => Self::examples_with_holes(),
            other => anyhow::bail!("there are no example pictures for the task '{other}'"),
        }
    }

    /// The true example pictures at half their size, blurred (0.8 pixels), noisy (8 grey levels) and with the artefacts of
    /// a JPEG of quality 50.
    pub fn same_size_examples() -> Result<Vec<Self>> {
        let spoil = |(index, Self { name, truth, .. }): (usize, Self)| {
            let truth = resize(&truth, truth.width() / 2, truth.height() / 2, FilterType::Lanczos3);
            let noisy = with_noise(&image::imageops::blur(&truth, 0.8), index as u32, 8.0)?;
            let mut jpeg = Vec::new();
            JpegEncoder::new_with_quality(&mut jpeg, 50).encode_image(&noisy)?;
            Ok(Self { name, truth, low: image::load_from_memory(&jpeg)?.into_rgb8(), holes: None })
        };
        Self::examples()?.into_iter().enumerate().map(spoil).collect()
    }

    /// The true example pictures at half their size, with a box in the middle (30 % of each side) and two scratches to
    /// fill.
    pub fn examples_with_holes() -> Result<Vec<Self>> {
        let spoil = |Self { name, truth, .. }| {
            let (width, height) = (truth.width() / 2, truth.height() / 2);
            let truth = resize(&truth, width, height, FilterType::Lanczos3);
            let middle = |position: u32, length: u32| (20 * position).abs_diff(10 * length) <= 3 * length;
            let holes = GrayImage::from_fn(width, height, |x, y| {
                let scratch = (x + y / 3) % (width * 2 / 3) < 4;
                Luma([if scratch || (middle(x, width) && middle(y, height)) { 255 } else { 0 }])
            });
            let mut low = truth.clone();
            low.pixels_mut()
                .zip(holes.pixels())
                .filter(|(_, hole)| hole.0[0] > 0)
                .for_each(|(pixel, _)| pixel.0 = [0; 3]);
            Self { name, truth, low, holes: Some(holes) }
        };
        Ok(Self::examples()?.into_iter().map(spoil).collect())
    }

    /// Output pixels per input pixel, along a side.
    pub fn scale(&self) -> u32 {
        self.truth.width() / self.low.width()
    }

    fn new(name: String, truth: &RgbImage, low: &RgbImage, crop: u32) -> Result<Self> {
        let scale = if truth.dimensions() == low.dimensions() { 1 } else { SCALE };
        let (mut width, mut height) = low.dimensions();
        if crop > 0 && width.max(height) > 160 {
            (width, height) = (width.min(crop), height.min(crop));
        }
        let large = (width * scale, height * scale);
        ensure!(
            truth.width() >= large.0 && truth.height() >= large.1,
            "'{name}': the truth, {:?}, is smaller than {scale} times the degraded picture, {large:?}",
            truth.dimensions()
        );
        let cut = |image: &RgbImage, (width, height)| crop_imm(image, 0, 0, width, height).to_image();
        Ok(Self { name, truth: cut(truth, large), low: cut(low, (width, height)), holes: None })
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
