//! Pairs of an evaluation: pictures to restore, with their truth where there is one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use image::{
    GrayImage, RgbImage,
    imageops::{FilterType, crop_imm, resize},
};

use super::degradation::Degradation;
use crate::{colour, eval::Evaluation, read};

/// A picture to restore. It is read when its turn comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name of the file to restore, or of the truth, without its ending.
    pub name: String,
    truth: Option<PathBuf>,
    low: Option<PathBuf>,
    mask: Option<PathBuf>,
}

/// A picture to restore with what belongs to it.
pub struct Pair {
    /// The true picture, of the size of the result.
    pub truth: Option<RgbImage>,
    /// The picture to restore.
    pub low: RgbImage,
    /// White where it is to be filled.
    pub holes: Option<GrayImage>,
}

/// Lists the pictures of the folders in the order of their names. To a true picture `NAME.png` belongs the one to restore
/// that is called so, or else the first whose name holds `NAME`; likewise its mask.
///
/// # Errors
/// A folder that cannot be read or holds no pictures, and a picture without partner.
pub fn list(options: &Evaluation) -> anyhow::Result<Vec<Source>> {
    let lows = options.low.as_deref().map(pictures).transpose()?;
    let masks = options.masks.as_deref().map(pictures).transpose()?;
    let first = options.truth.as_deref().or(options.low.as_deref());
    let folder = first.context("there is nothing to evaluate: name --truth, --low or both")?;
    let mut sources = Vec::new();
    for path in pictures(folder)? {
        let name = stem(&path);
        let partner = |paths: &Option<Vec<PathBuf>>, of: &Option<PathBuf>| -> anyhow::Result<Option<PathBuf>> {
            let Some(paths) = paths else { return Ok(None) };
            let exact = paths.iter().find(|path| stem(path) == name);
            let found = exact.or_else(|| paths.iter().find(|path| stem(path).contains(&name)));
            let folder = of.as_deref().unwrap_or(Path::new("")).display();
            Ok(Some(found.with_context(|| format!("{folder} has no picture with '{name}' in its name"))?.clone()))
        };
        let (low, mask) = (partner(&lows, &options.low)?, partner(&masks, &options.masks)?);
        sources.push(Source { truth: options.truth.as_ref().map(|_| path.clone()), low, mask, name });
    }
    // Results lie in folders of these names.
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = sources.windows(2).find(|pair| pair[0].name == pair[1].name) {
        bail!("two pictures of {} are called '{}'; rename one", folder.display(), pair[0].name);
    }
    if options.limit > 0 {
        sources.truncate(options.limit);
    }
    Ok(sources)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn pictures(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("the folder {} cannot be read", folder.display());
    let entries = fs::read_dir(folder).with_context(unreadable)?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().with_context(unreadable)?;
    paths.retain(|path| {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        path.is_file() && ["png", "jpg", "jpeg", "webp", "tif", "tiff"].iter().any(|known| extension == *known)
    });
    paths.sort();
    ensure!(!paths.is_empty(), "{} holds no pictures", folder.display());
    Ok(paths)
}

/// The picture in sRGB, as the model sees it and as metrics are defined.
fn read(path: &Path) -> anyhow::Result<RgbImage> {
    Ok(colour::in_srgb(&read::read(path)?.0)?.into_rgb8())
}

fn cut(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    crop_imm(image, 0, 0, width.min(image.width()), height.min(image.height())).to_image()
}

impl Source {
    /// Reads it for a model that enlarges by `scale`; `index` makes the noise of each picture another one.
    ///
    /// # Errors
    /// A file that is no picture, and a truth that is too small.
    pub fn read(&self, options: &Evaluation, scale: u32, index: u64) -> anyhow::Result<Pair> {
        let most = |side: u32| if options.crop == 0 { side } else { side.min(options.crop) };
        let truth = self.truth.as_deref().map(read).transpose()?.map(|truth| match options.reduce {
            0 | 1 => truth,
            by => resize(&truth, (truth.width() / by).max(1), (truth.height() / by).max(1), FilterType::Lanczos3),
        });
        let Some(low) = &self.low else {
            let truth = truth.context("there is neither a truth nor a picture to restore")?;
            let (width, height) = (most(truth.width() / scale), most(truth.height() / scale));
            ensure!(width > 0 && height > 0, "'{}' is too small to be reduced by {scale}", self.name);
            let truth = cut(&truth, width * scale, height * scale);
            let (low, holes) = options.degradation.unwrap_or(Degradation::Bicubic).apply(&truth, scale, index)?;
            return Ok(Pair { truth: Some(truth), low, holes });
        };
        let low = read(low)?;
        let (width, height) = (most(low.width()), most(low.height()));
        let low = cut(&low, width, height);
        let fits = |truth: RgbImage| {
            let (found, needed) = (truth.dimensions(), (width * scale, height * scale));
            ensure!(
                found.0 >= needed.0 && found.1 >= needed.1,
                "'{}': the truth has {} x {} pixels, but the result of this model will have {} x {}",
                self.name,
                found.0,
                found.1,
                needed.0,
                needed.1
            );
            Ok(cut(&truth, needed.0, needed.1))
        };
        let holes = self.mask.as_deref().map(|path| -> anyhow::Result<GrayImage> {
            let mask = read::read(path)?.0.image.into_luma8();
            Ok(crop_imm(&mask, 0, 0, width, height).to_image())
        });
        Ok(Pair { truth: truth.map(fits).transpose()?, low, holes: holes.transpose()? })
    }
}
