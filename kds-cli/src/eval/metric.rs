//! The metrics of an evaluation, and the values of one picture.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context;
use image::RgbImage;
use kds_metrics::{Dists, Lpips, Niqe, psnr_luma, psnr_rgb, ssim_luma, ssim_rgb};

/// One measure of quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// PSNR of the luma, dB.
    PsnrLuma,
    /// PSNR of all channels, dB.
    PsnrRgb,
    /// SSIM of the luma.
    SsimLuma,
    /// SSIM of the channels.
    SsimRgb,
    /// LPIPS on AlexNet.
    Lpips,
    /// DISTS.
    Dists,
    /// NIQE, which needs no truth.
    Niqe,
}

/// PSNR of identical pictures, so that means stay finite.
const MOST_DECIBELS: f64 = 100.0;

impl Metric {
    /// All, in the order of the tables.
    pub const ALL: [Self; 7] =
        [Self::PsnrLuma, Self::PsnrRgb, Self::SsimLuma, Self::SsimRgb, Self::Lpips, Self::Dists, Self::Niqe];

    /// Its name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::PsnrLuma => "psnr_y",
            Self::PsnrRgb => "psnr_rgb",
            Self::SsimLuma => "ssim_y",
            Self::SsimRgb => "ssim_rgb",
            Self::Lpips => "lpips",
            Self::Dists => "dists",
            Self::Niqe => "niqe",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::PsnrLuma => "PSNR(Y), dB",
            Self::PsnrRgb => "PSNR(RGB), dB",
            Self::SsimLuma => "SSIM(Y)",
            Self::SsimRgb => "SSIM(RGB)",
            Self::Lpips => "LPIPS",
            Self::Dists => "DISTS",
            Self::Niqe => "NIQE",
        }
    }

    /// True where more is better.
    pub fn rises(self) -> bool {
        !matches!(self, Self::Lpips | Self::Dists | Self::Niqe)
    }

    /// A value with as many digits as mean anything.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::PsnrLuma | Self::PsnrRgb | Self::Niqe => format!("{value:.2}"),
            _ => format!("{value:.4}"),
        }
    }
}

/// Values by [`Metric::key`].
pub type Scores = BTreeMap<String, f64>;

/// The value of a metric, where it was measured.
pub fn score(scores: &Scores, metric: Metric) -> Option<f64> {
    scores.get(metric.key()).copied()
}

/// Mean of each metric over the scores that have it.
pub fn mean<'a>(scores: impl IntoIterator<Item = &'a Scores>) -> Scores {
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (key, value) in scores.into_iter().flatten() {
        let (sum, count) = sums.entry(key.clone()).or_default();
        *sum += value;
        *count += 1.0;
    }
    sums.into_iter().map(|(key, (sum, count))| (key, sum / count)).collect()
}

/// Files of weights; a metric without its file is left out.
#[derive(Debug, Clone, Default)]
pub struct WeightFiles {
    /// LPIPS on AlexNet.
    pub lpips: Option<PathBuf>,
    /// DISTS.
    pub dists: Option<PathBuf>,
    /// Statistics of NIQE; the built-in ones where none is named.
    pub niqe: Option<PathBuf>,
}

/// The metrics with their weights.
pub struct Metrics {
    lpips: Option<Lpips>,
    dists: Option<Dists>,
    niqe: Niqe,
}

impl Metrics {
    /// Reads the weights.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn load(files: &WeightFiles) -> anyhow::Result<Self> {
        Ok(Self {
            lpips: files.lpips.as_deref().map(Lpips::load).transpose()?,
            dists: files.dists.as_deref().map(Dists::load).transpose()?,
            niqe: files.niqe.as_deref().map_or_else(Niqe::bundled, Niqe::load)?,
        })
    }

    /// All metrics of a picture. Those that need a truth are left out without one, and those that need more pixels than
    /// it has.
    ///
    /// # Errors
    /// Pictures of different sizes.
    pub fn measure(&self, picture: &RgbImage, truth: Option<&RgbImage>) -> anyhow::Result<Scores> {
        let mut scores = Scores::new();
        let mut add = |metric: Metric, value: kds_metrics::Result<f64>| -> anyhow::Result<()> {
            match value {
                Ok(value) => {
                    let _ = scores.insert(metric.key().to_owned(), value.min(MOST_DECIBELS));
                    Ok(())
                }
                Err(kds_metrics::Error::TooSmall { .. } | kds_metrics::Error::Singular) => Ok(()),
                Err(error) => Err(error).context(metric.title()),
            }
        };
        if let Some(truth) = truth {
            add(Metric::PsnrLuma, psnr_luma(truth, picture))?;
            add(Metric::PsnrRgb, psnr_rgb(truth, picture))?;
            add(Metric::SsimLuma, ssim_luma(truth, picture))?;
            add(Metric::SsimRgb, ssim_rgb(truth, picture))?;
            if let Some(lpips) = &self.lpips {
                add(Metric::Lpips, lpips.distance(truth, picture))?;
            }
            if let Some(dists) = &self.dists {
                add(Metric::Dists, dists.distance(truth, picture))?;
            }
        }
        add(Metric::Niqe, self.niqe.value(picture))?;
        Ok(scores)
    }
}
