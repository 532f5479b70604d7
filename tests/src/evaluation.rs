//! How good restorations are: each method on each pair of pictures.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use image::{RgbImage, imageops};

use crate::lpips::Lpips;
use crate::pairs::Pair;
use crate::restorer::Restorer;
use crate::{bicubic, psnr, tensor};

/// A way to restore a degraded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// What takes no model: bicubic enlargement, the picture as it is, or holes filled smoothly from around them.
    Plain,
    /// One particle: the mean score over several seeds.
    Single,
    /// One particle: the seed with the lowest PSNR of each picture.
    Worst,
    /// An ensemble without steering, of which the particle nearest to the mean is taken.
    Unsteered,
    /// Kernel density steering.
    Steered,
}

/// All methods, in the order of the table.
pub const METHODS: [Method; 5] = [Method::Plain, Method::Single, Method::Worst, Method::Unsteered, Method::Steered];

impl Method {
    fn title(self) -> &'static str {
        match self {
            Self::Plain => "no model",
            Self::Single => "one particle (mean)",
            Self::Worst => "one particle (worst)",
            Self::Unsteered => "nearest to the mean, no steering",
            Self::Steered => "KDS",
        }
    }
}

/// How near a restoration comes to the truth.
#[derive(Debug, Clone, Copy)]
pub struct Score {
    /// PSNR of the luma in dB: higher is better.
    pub psnr: f64,
    /// Perceptual distance: lower is better.
    pub lpips: f64,
}

impl Score {
    fn mean(scores: &[Self]) -> Self {
        let mean = |value: fn(&Self) -> f64| scores.iter().map(value).sum::<f64>() / scores.len() as f64;
        Self { psnr: mean(|score| score.psnr), lpips: mean(|score| score.lpips) }
    }
}

/// Scores of every method on every pair, and the time that each took.
pub struct Evaluation {
    rows: [Row; METHODS.len()],
}

#[derive(Default)]
struct Row {
    scores: Vec<Score>,
    time: Duration,
}

impl Evaluation {
    /// Restores all pairs with the given job parameters (a later one overrides an earlier one of the same name), and
    /// with single particles of `singles` seeds, at least 1, from the given seed (0 where there is none) on. Into the
    /// folder `sheets` goes a picture `NAME.png` of each pair: without a model, one particle, KDS and the truth, from left
    /// to right.
    pub fn run(
        pairs: &[Pair],
        restorer: &Restorer,
        parameters: &[(&str, &str)],
        singles: u64,
        sheets: Option<&Path>,
    ) -> Result<Self> {
        let lpips = Lpips::bundled()?;
        let seed = match parameters.iter().rfind(|(name, _)| *name == "seed") {
            Some((_, value)) => value.trim().parse().with_context(|| format!("seed '{value}' is no whole number"))?,
            None => 0,
        };
        let mut evaluation = Self { rows: Default::default() };
        for pair in pairs {
            let Pair { name, truth, low, holes } = pair;
            let score = |restored: &RgbImage| -> Result<Score> {
                Ok(Score { psnr: psnr::luma(truth, restored)?, lpips: lpips.distance(truth, restored)? })
            };
            let restore = |changed: &[(&str, &str)]| -> Result<(RgbImage, Score, Duration)> {
                let start = Instant::now();
                let restored = restorer.restore_with(low, holes.as_ref(), &[parameters, changed].concat());
                let time = start.elapsed();
                let restored = restored.with_context(|| format!("cannot restore '{name}'"))?;
                let score = score(&restored)?;
                Ok((restored, score, time))
            };
            let start = Instant::now();
            let plain = without_model(pair)?;
            let time = start.elapsed();
            evaluation.add(Method::Plain, score(&plain)?, time);

            let single = (seed..seed + singles.max(1))
                .map(|seed| restore(&[("particles", "1"), ("seed", &seed.to_string())]))
                .collect::<Result<Vec<_>>>()?;
            let time = single.iter().map(|(_, _, time)| *time).sum::<Duration>() / single.len() as u32;
            let scores: Vec<Score> = single.iter().map(|(_, score, _)| *score).collect();
            let mean = Score::mean(&scores);
            evaluation.add(Method::Single, mean, time);
            let worst = scores.into_iter().min_by(|a, b| a.psnr.total_cmp(&b.psnr)).unwrap_or(mean);
            evaluation.add(Method::Worst, worst, time);

            let (_, score, time) = restore(&[("strength", "0"), ("selection", "nearest")])?;
            evaluation.add(Method::Unsteered, score, time);
            let (steered, score, time) = restore(&[])?;
            evaluation.add(Method::Steered, score, time);
            if let Some(folder) = sheets {
                let file = folder.join(format!("{name}.png"));
                let sheet = side_by_side(&[&plain, &single[0].0, &steered, truth])?;
                sheet.save(&file).with_context(|| format!("cannot write {}", file.display()))?;
            }
        }
        Ok(evaluation)
    }

    /// The mean score of a method over the pictures.
    pub fn mean(&self, method: Method) -> Score {
        Score::mean(&self.rows[method as usize].scores)
    }

    fn add(&mut self, method: Method, score: Score, time: Duration) {
        let row = &mut self.rows[method as usize];
        row.scores.push(score);
        row.time += time;
    }
}

/// Pictures of one size, from left to right.
fn side_by_side(pictures: &[&RgbImage]) -> Result<RgbImage> {
    let (width, height) = pictures.first().context("there is no picture")?.dimensions();
    let mut sheet = RgbImage::new(width * pictures.len() as u32, height);
    for (index, picture) in pictures.iter().enumerate() {
        ensure!(picture.dimensions() == (width, height), "{:?} is not {width} x {height}", picture.dimensions());
        imageops::replace(&mut sheet, *picture, index as i64 * i64::from(width), 0);
    }
    Ok(sheet)
}

fn without_model(pair: &Pair) -> Result<RgbImage> {
    let Some(holes) = &pair.holes else { return Ok(bicubic::enlarge(&pair.low, pair.scale())?) };
    let (width, height) = holes.dimensions();
    let hole = tch::Tensor::f_from_slice(holes.as_raw())?.f_view([1, 1, i64::from(height), i64::from(width)])?;
    let hole = hole.f_gt(0.0)?.f_to_kind(tch::Kind::Float)?;
    Ok(tensor::to_image(&kds_engine::holes::fill(&tensor::from_image(&pair.low)?, &hole)?)?)
}

/// A Markdown table of the means over the pictures.
impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "| method | PSNR(Y), dB | LPIPS | seconds a picture |")?;
        writeln!(f, "|---|---|---|---|")?;
        for method in METHODS {
            let Score { psnr, lpips } = self.mean(method);
            let row = &self.rows[method as usize];
            let seconds = row.time.as_secs_f64() / row.scores.len() as f64;
            writeln!(f, "| {} | {psnr:.2} | {lpips:.4} | {seconds:.2} |", method.title())?;
        }
        Ok(())
    }
}
