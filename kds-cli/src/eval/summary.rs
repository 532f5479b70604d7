//! All pictures together: means, significance, stability.

use kds_metrics::wilcoxon;
use serde::Serialize;

use super::{
    confidence::Confidence,
    method::{Deviations, Method, Outcome, Outcomes},
    metric::{self, Metric, Scores, score},
};

/// Results of an evaluation.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The model and what it computes with.
    pub model: String,
    /// The parameters in force.
    pub parameters: Vec<(&'static str, String)>,
    /// Particles of the ensembles.
    pub particles: u64,
    /// Method by method, the means over the pictures.
    pub means: Vec<Mean>,
    /// Kernel density steering against each of the others.
    pub comparisons: Vec<Comparison>,
    /// G-STD and L-STD, where several seeds were asked for.
    pub stability: Option<StabilityMeans>,
    /// Reliability of the confidence map, with `--confidence`.
    pub confidence: Option<Confidence>,
    /// Picture by picture.
    pub pictures: Vec<Outcomes>,
}

/// A method's means over the pictures.
#[derive(Debug, Serialize)]
pub struct Mean {
    /// [`Method::key`].
    pub method: &'static str,
    /// For people.
    pub title: String,
    /// Means of the metrics.
    pub scores: Scores,
    /// Mean seconds of a picture.
    pub seconds: f64,
    /// The most bytes that any picture took, where the system says it.
    pub memory: Option<u64>,
    /// Pictures that it restored.
    pub pictures: usize,
}

/// Gain of kernel density steering over another method in one metric.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// [`Method::key`] of the other.
    pub against: &'static str,
    /// [`Metric::key`].
    pub metric: &'static str,
    /// Mean of the differences, positive where steering is better.
    pub gain: f64,
    /// Pictures on which steering is better, and all that were compared.
    pub better: (usize, usize),
    /// Chance of such ranks if neither were better (Wilcoxon's signed-rank test, two-sided).
    pub p: Option<f64>,
}

/// Means over the pictures of how much results of several seeds differ.
#[derive(Debug, Serialize)]
pub struct StabilityMeans {
    /// Seeds.
    pub seeds: u64,
    /// One particle: G-STD of each metric, and L-STD.
    pub single: (Scores, f64),
    /// Kernel density steering: the same.
    pub kds: (Scores, f64),
}

impl Summary {
    /// Puts the pictures together.
    pub fn new(
        model: String,
        parameters: Vec<(&'static str, String)>,
        particles: u64,
        seeds: u64,
        pictures: Vec<Outcomes>,
    ) -> Self {
        let means = Method::ALL.into_iter().filter_map(|method| Mean::of(method, particles, &pictures)).collect();
        let others = Method::ALL.into_iter().filter(|method| *method != Method::Kds);
        let each = others.flat_map(|method| Metric::ALL.map(|metric| (method, metric)));
        let comparisons = each.filter_map(|(method, metric)| Comparison::of(method, metric, &pictures)).collect();
        let stability = StabilityMeans::of(seeds, &pictures);
        Self { model, parameters, particles, means, comparisons, stability, confidence: None, pictures }
    }

    /// The metrics that were measured.
    pub fn metrics(&self) -> Vec<Metric> {
        let measured = |metric: &Metric| self.means.iter().any(|mean| score(&mean.scores, *metric).is_some());
        Metric::ALL.into_iter().filter(measured).collect()
    }
}

fn outcome_of(picture: &Outcomes, method: Method) -> Option<&Outcome> {
    picture.methods.iter().find(|outcome| outcome.method == method.key())
}

impl Mean {
    fn of(method: Method, particles: u64, pictures: &[Outcomes]) -> Option<Self> {
        let outcomes: Vec<&Outcome> = pictures.iter().filter_map(|picture| outcome_of(picture, method)).collect();
        let seconds = outcomes.iter().map(|outcome| outcome.cost.seconds).sum::<f64>() / outcomes.len() as f64;
        (!outcomes.is_empty()).then(|| Self {
            method: method.key(),
            title: method.title(particles),
            scores: metric::mean(outcomes.iter().map(|outcome| &outcome.scores)),
            seconds,
            memory: outcomes.iter().filter_map(|outcome| outcome.cost.memory).max(),
            pictures: outcomes.len(),
        })
    }
}

impl Comparison {
    fn of(against: Method, metric: Metric, pictures: &[Outcomes]) -> Option<Self> {
        let gain = |picture: &Outcomes| {
            let value = |method| score(&outcome_of(picture, method)?.scores, metric);
            let gain = value(Method::Kds)? - value(against)?;
            Some(if metric.rises() { gain } else { -gain })
        };
        let gains: Vec<f64> = pictures.iter().filter_map(gain).collect();
        (!gains.is_empty()).then(|| Self {
            against: against.key(),
            metric: metric.key(),
            gain: gains.iter().sum::<f64>() / gains.len() as f64,
            better: (gains.iter().filter(|gain| **gain > 0.0).count(), gains.len()),
            p: wilcoxon(&gains).map(|test| test.p),
        })
    }
}

impl StabilityMeans {
    fn of(seeds: u64, pictures: &[Outcomes]) -> Option<Self> {
        let all: Vec<_> = pictures.iter().filter_map(|picture| picture.stability.as_ref()).collect();
        let mean = |deviations: Vec<&Deviations>| {
            let pixels = deviations.iter().map(|of| of.of_pixels).sum::<f64>() / deviations.len() as f64;
            (metric::mean(deviations.iter().map(|of| &of.of_scores)), pixels)
        };
        (!all.is_empty()).then(|| Self {
            seeds,
            single: mean(all.iter().map(|stability| &stability.single).collect()),
            kds: mean(all.iter().map(|stability| &stability.kds).collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::store::Cost;

    fn outcome(method: Method, psnr: f64, lpips: f64) -> Outcome {
        let scores = Scores::from([("psnr_y".to_owned(), psnr), ("lpips".to_owned(), lpips)]);
        let cost = Cost { seconds: psnr / 10.0, memory: Some(psnr as u64) };
        Outcome { method: method.key().to_owned(), scores, cost, picture: None }
    }

    #[test]
    fn gains_are_positive_where_steering_is_better() {
        let picture = |name: &str, gain: f64| Outcomes {
            name: name.to_owned(),
            methods: vec![outcome(Method::SingleMean, 20.0, 0.5), outcome(Method::Kds, 20.0 + gain, 0.5 - gain / 10.0)],
            stability: None,
            reliability: None,
        };
        let pictures = [0.5, 1.0, 1.5, -0.25, 2.0].into_iter().enumerate();
        let pictures = pictures.map(|(index, gain)| picture(&index.to_string(), gain)).collect();
        let summary = Summary::new("m".into(), vec![], 4, 1, pictures);
        assert_eq!(summary.means.iter().map(|mean| mean.method).collect::<Vec<_>>(), ["single-mean", "kds"]);
        assert!((summary.means[1].scores["psnr_y"] - 20.95).abs() < 1e-12);
        assert_eq!((summary.means[1].memory, summary.means[1].pictures), (Some(22), 5));
        for comparison in &summary.comparisons {
            assert_eq!((comparison.against, comparison.better), ("single-mean", (4, 5)));
            // scipy.stats.wilcoxon([0.5, 1, 1.5, -0.25, 2]).pvalue
            assert!(comparison.gain > 0.0 && (comparison.p.unwrap() - 0.125).abs() < 1e-12, "{comparison:?}");
        }
        assert_eq!(summary.comparisons.len(), 2);
    }
}
