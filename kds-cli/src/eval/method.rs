//! The methods that are compared, and what each makes of a picture.

use image::RgbImage;
use kds_metrics::Reliability;
use kds_parameters::ERROR_WINDOW;
use serde::{Deserialize, Serialize};

use super::{
    baseline,
    metric::{self, Metric, Metrics, Scores, score},
    pairs::Pair,
    restorer::Restorer,
    store::{Cost, Run, Store},
};
use crate::progress::PictureBar;

/// A way to restore a picture, of N particles where it takes any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Bicubic enlargement, the picture as it is, or holes filled smoothly.
    Plain,
    /// One particle: the mean of the values of N seeds.
    SingleMean,
    /// One particle: of N seeds the best.
    SingleBest,
    /// One particle: of N seeds the worst.
    SingleWorst,
    /// The mean picture of N seeds.
    MeanOfN,
    /// Of N seeds the picture with the best NIQE.
    BestOfN,
    /// Kernel density steering.
    Kds,
    /// Kernel density steering, and of its particles the best.
    KdsBest,
    /// Kernel density steering, and of its particles the worst.
    KdsWorst,
    /// Kernel density steering, and of its particles the one with the best NIQE.
    KdsBestOfN,
}

impl Method {
    /// All, in the order of the tables.
    pub const ALL: [Self; 10] = [
        Self::Plain,
        Self::SingleMean,
        Self::SingleBest,
        Self::SingleWorst,
        Self::MeanOfN,
        Self::BestOfN,
        Self::Kds,
        Self::KdsBest,
        Self::KdsWorst,
        Self::KdsBestOfN,
    ];
    /// Their names on the command line and in files.
    pub const KEYS: [&str; 10] = [
        "no-model",
        "single-mean",
        "single-best",
        "single-worst",
        "mean-of-n",
        "best-of-n",
        "kds",
        "kds-best",
        "kds-worst",
        "kds-best-of-n",
    ];

    /// Its name on the command line and in files.
    pub fn key(self) -> &'static str {
        Self::KEYS[self as usize]
    }

    /// The method of this name.
    pub fn find(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.key() == key)
    }

    /// Its name for people.
    pub fn title(self, particles: u64) -> String {
        match self {
            Self::Plain => "no model".into(),
            Self::SingleMean => "one particle, mean".into(),
            Self::SingleBest => format!("one particle, best of {particles}"),
            Self::SingleWorst => format!("one particle, worst of {particles}"),
            Self::MeanOfN => format!("mean of {particles}"),
            Self::BestOfN => format!("best of {particles} by NIQE"),
            Self::Kds if particles == 1 => "KDS, 1 particle".to_owned(),
            Self::Kds => format!("KDS, {particles} particles"),
            Self::KdsBest => format!("KDS, best of {particles}"),
            Self::KdsWorst => format!("KDS, worst of {particles}"),
            Self::KdsBestOfN => format!("KDS, then best of {particles} by NIQE"),
        }
    }

    fn is_single(self) -> bool {
        matches!(self, Self::SingleMean | Self::SingleBest | Self::SingleWorst | Self::MeanOfN | Self::BestOfN)
    }

    fn is_particle(self) -> bool {
        matches!(self, Self::KdsBest | Self::KdsWorst | Self::KdsBestOfN)
    }
}

/// Result of a method on one picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// [`Method::key`].
    pub method: String,
    /// Values of the metrics.
    pub scores: Scores,
    /// Time and peak memory.
    pub cost: Cost,
    /// Its picture in the folder of the evaluation, without `.png`; none for a mean of values.
    pub picture: Option<String>,
}

/// Spread over several seeds, with and without steering (CCSR's G-STD and L-STD).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stability {
    /// One particle.
    pub single: Deviations,
    /// Kernel density steering.
    pub kds: Deviations,
}

/// Deviations over the seeds, of one picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deviations {
    /// Of the values of each metric; their mean over the pictures is G-STD.
    pub of_scores: Scores,
    /// Of the pixels; the mean over the pictures is L-STD.
    pub of_pixels: f64,
}

/// All methods on one picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcomes {
    /// The picture's name.
    pub name: String,
    /// Method by method.
    pub methods: Vec<Outcome>,
    /// Set when several seeds are evaluated.
    pub stability: Option<Stability>,
    /// Set when the confidence map is evaluated.
    #[serde(default)]
    pub reliability: Option<Reliability>,
}

/// A run with its values.
struct Scored {
    name: String,
    run: Run,
    scores: Scores,
}

/// Between the seeds of two pictures: more than one picture takes. The noise at a place depends on the seed alone, so with one
/// seed for all pictures the luck of its noise would not average out over them.
pub const SEED_STRIDE: u64 = 1000;

/// A seed further on; beyond the largest that a job takes they begin again.
fn seed_after(seed: u64, further: u64) -> u64 {
    seed.wrapping_add(further) & i64::MAX as u64
}

/// One picture at work.
pub struct Work<'a> {
    /// Store of the results.
    pub store: &'a Store,
    /// The metrics.
    pub metrics: &'a Metrics,
    /// The model.
    pub restorer: &'a Restorer<'a>,
    /// The methods to compare.
    pub methods: &'a [Method],
    /// Seeds over which stability is measured; fewer than 2 measure none.
    pub seeds: u64,
    /// Measures the reliability of the confidence map.
    pub confidence: bool,
}

impl Work<'_> {
    /// Restores a picture, the one of this `index`, by each method, and measures.
    ///
    /// # Errors
    /// Of restoring and measuring the picture, and files that cannot be written.
    pub fn all(&self, index: u64, name: &str, pair: &Pair, bar: &PictureBar) -> anyhow::Result<Outcomes> {
        let measured = |run: &str, compute: &dyn Fn() -> anyhow::Result<Run>| -> anyhow::Result<Scored> {
            let run_name = run.to_owned();
            let run = self.store.run(name, run, compute)?;
            let scores = self.metrics.measure(&run.picture, pair.truth.as_ref())?;
            Ok(Scored { name: run_name, run, scores })
        };
        let particles = self.restorer.particles;
        let seed = seed_after(self.restorer.seed, SEED_STRIDE.wrapping_mul(index));
        let own = ("seed", seed.to_string());
        let restored = |run: &str, changed: &[(&str, String)]| {
            let changed = [std::slice::from_ref(&own), changed].concat();
            measured(run, &|| self.restorer.restore(pair, &changed, bar))
        };
        let wants = |method: Method| self.methods.contains(&method);
        let mut methods = Vec::new();

        if wants(Method::Plain) {
            let plain = || -> anyhow::Result<Run> {
                let picture = baseline::without_model(&pair.low, pair.holes.as_ref(), self.restorer.scale);
                Ok(Run { picture, cost: Cost::default() })
            };
            methods.push(outcome(Method::Plain, &measured("no-model", &plain)?));
        }
        let single_count = if self.methods.iter().any(|method| method.is_single()) { particles } else { 0 };
        let single_count = single_count.max(if self.seeds > 1 { self.seeds } else { 0 });
        let single = |index: u64| {
            let changed = [
                ("particles", "1".to_owned()),
                ("selection", "nearest".to_owned()),
                // Single-particle baseline: no fusion with the estimate of a first network.
                ("fusion", "0".to_owned()),
                ("seed", seed_after(seed, index).to_string()),
            ];
            restored(&format!("single-{index}"), &changed)
        };
        let singles = (0..single_count).map(single).collect::<anyhow::Result<Vec<_>>>()?;
        let of_n = &singles[..singles.len().min(particles as usize)];
        if !of_n.is_empty() {
            for method in self.methods.iter().copied().filter(|method| method.is_single()) {
                let chosen = match method {
                    Method::SingleMean => Some(mean_outcome(of_n)),
                    Method::SingleBest => best(of_n, true).map(|best| outcome(method, best)),
                    Method::SingleWorst => best(of_n, false).map(|worst| outcome(method, worst)),
                    Method::MeanOfN => {
                        let mean =
                            || -> anyhow::Result<Run> { Ok(Run { picture: mean_picture(of_n), cost: total(of_n) }) };
                        Some(outcome(method, &measured("mean-of-n", &mean)?))
                    }
                    _ => most_natural(of_n).map(|best| Outcome { cost: total(of_n), ..outcome(method, best) }),
                };
                methods.extend(chosen);
            }
        }
        let mut reliability = None;
        let kds = match &pair.truth {
            Some(truth) if self.confidence => {
                let (run, doubts) = self.restorer.restore_with_doubts(pair, std::slice::from_ref(&own), bar)?;
                // Around holes everything is known.
                let counts = |index| pair.holes.as_ref().is_none_or(|holes| holes.as_raw()[index] > 0);
                reliability = Some(Reliability::of(&run.picture, truth, &doubts, counts, ERROR_WINDOW)?);
                Some(measured("kds", &|| Ok(run.clone()))?)
            }
            _ if wants(Method::Kds) || self.seeds > 1 => Some(restored("kds", &[])?),
            _ => None,
        };
        methods.extend(kds.as_ref().filter(|_| wants(Method::Kds)).map(|kds| outcome(Method::Kds, kds)));
        let of_particles: Vec<Method> = self.methods.iter().copied().filter(|method| method.is_particle()).collect();
        if !of_particles.is_empty() {
            let particle =
                |index: u64| restored(&format!("kds-particle-{index}"), &[("selection", format!("index:{index}"))]);
            // One run samples all of them; they are run again only because a run gives one picture.
            let steered = (0..particles).map(particle).collect::<anyhow::Result<Vec<_>>>()?;
            for method in of_particles {
                let chosen = match method {
                    Method::KdsBest => best(&steered, true),
                    Method::KdsWorst => best(&steered, false),
                    _ => most_natural(&steered),
                };
                methods.extend(chosen.map(|chosen| outcome(method, chosen)));
            }
        }
        let stability = match kds {
            Some(first) if self.seeds > 1 => {
                let seeds = (1..self.seeds)
                    .map(|index| {
                        restored(&format!("kds-seed-{index}"), &[("seed", seed_after(seed, index).to_string())])
                    })
                    .collect::<anyhow::Result<Vec<_>>>()?;
                let steered: Vec<_> = std::iter::once(first).chain(seeds).collect();
                Some(Stability { single: deviations(&singles[..self.seeds as usize])?, kds: deviations(&steered)? })
            }
            _ => None,
        };
        methods.sort_by_key(|outcome| Method::KEYS.iter().position(|key| *key == outcome.method));
        Ok(Outcomes { name: name.to_owned(), methods, stability, reliability })
    }
}

fn outcome(method: Method, scored: &Scored) -> Outcome {
    Outcome {
        method: method.key().to_owned(),
        scores: scored.scores.clone(),
        cost: scored.run.cost,
        picture: Some(scored.name.clone()),
    }
}

/// The mean of the values, and of the time of one run.
fn mean_outcome(runs: &[Scored]) -> Outcome {
    let all = total(runs);
    Outcome {
        method: Method::SingleMean.key().to_owned(),
        scores: metric::mean(runs.iter().map(|run| &run.scores)),
        cost: Cost { seconds: all.seconds / runs.len() as f64, ..all },
        // What one particle looks like.
        picture: runs.first().map(|run| run.name.clone()),
    }
}

fn total(runs: &[Scored]) -> Cost {
    Cost {
        seconds: runs.iter().map(|run| run.run.cost.seconds).sum(),
        memory: runs.iter().filter_map(|run| run.run.cost.memory).max(),
    }
}

/// The run with the highest PSNR, or the lowest; by NIQE where there is no truth.
fn best(runs: &[Scored], highest: bool) -> Option<&Scored> {
    let metric = if runs.iter().all(|run| score(&run.scores, Metric::PsnrLuma).is_some()) {
        Metric::PsnrLuma
    } else {
        Metric::Niqe
    };
    let value = |run: &&Scored| {
        let value = score(&run.scores, metric)?;
        Some(if metric.rises() == highest { value } else { -value })
    };
    runs.iter()
        .filter(|run| value(run).is_some())
        .max_by(|a, b| value(a).unwrap_or(0.0).total_cmp(&value(b).unwrap_or(0.0)))
}

fn most_natural(runs: &[Scored]) -> Option<&Scored> {
    let niqe = |run: &&Scored| score(&run.scores, Metric::Niqe).unwrap_or(f64::INFINITY);
    runs.iter().filter(|run| niqe(run).is_finite()).min_by(|a, b| niqe(a).total_cmp(&niqe(b)))
}

fn mean_picture(runs: &[Scored]) -> RgbImage {
    let (width, height) = runs.first().map_or((0, 0), |run| run.run.picture.dimensions());
    let mut mean = RgbImage::new(width, height);
    for (index, value) in mean.iter_mut().enumerate() {
        let sum: f64 = runs.iter().map(|run| f64::from(run.run.picture.as_raw()[index])).sum();
        *value = (sum / runs.len() as f64).round() as u8;
    }
    mean
}

fn deviations(runs: &[Scored]) -> anyhow::Result<Deviations> {
    let mut of_scores = Scores::new();
    for metric in Metric::ALL {
        let values: Vec<f64> = runs.iter().filter_map(|run| score(&run.scores, metric)).collect();
        if values.len() == runs.len() {
            let _ = of_scores.insert(metric.key().to_owned(), kds_metrics::deviation(&values));
        }
    }
    let pictures: Vec<RgbImage> = runs.iter().map(|run| run.run.picture.clone()).collect();
    Ok(Deviations { of_scores, of_pixels: kds_metrics::local_deviation(&pictures)? })
}
