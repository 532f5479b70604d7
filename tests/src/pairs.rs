//! Pairs of a true picture and its degraded, smaller version.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use image::RgbImage;
use image::imageops::crop_imm;

/// Enlargement from the degraded to the true picture.
pub const SCALE: u32 = 4;

/// A true picture and what to restore it from.
pub struct Pair {
    /// File name without extension.
    pub name: String,
    /// The true picture, [`SCALE`] times the size of `low`.
    pub truth: RgbImage,
    /// The degraded picture.
    pub low: RgbImage,
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

    fn new(name: String, truth: &RgbImage, low: &RgbImage, crop: u32) -> Result<Self> {
        let (mut width, mut height) = low.dimensions();
        if crop > 0 && width.max(height) > 160 {
            (width, height) = (width.min(crop), height.min(crop));
        }
        let large = (width * SCALE, height * SCALE);
        ensure!(
            truth.width() >= large.0 && truth.height() >= large.1,
            "'{name}': the truth, {:?}, is smaller than {SCALE} times the degraded picture, {large:?}",
            truth.dimensions()
        );
        let cut = |image: &RgbImage, (width, height)| crop_imm(image, 0, 0, width, height).to_image();
        Ok(Self { name, truth: cut(truth, large), low: cut(low, (width, height)) })
    }
}

/// A degraded picture of 33 x 21 pixels, for what has to be quick.
pub fn small_picture() -> Result<RgbImage> {
    let kitten = Pair::examples()?.into_iter().find(|pair| pair.name == "kitten").context("there is no kitten")?;
    Ok(crop_imm(&kitten.low, 40, 40, 33, 21).to_image())
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
