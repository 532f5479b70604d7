//! The confidence map against the true errors, and the calibration that a registry entry takes.

use kds_host::Calibration;
use kds_metrics::{Group, Reliability, isotonic};
use kds_parameters::{ERROR_RANGE, expected_error};
use serde::Serialize;

use super::summary::Summary;

/// Shares of the pixels at which groups of rising doubt end; the doubtful tail is told in more detail.
const GROUP_ENDS: [f64; 12] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0];
/// Points of a curve rise by at least this, grey levels, so that each doubt has a confidence of its own.
const LEAST_RISE: f64 = 0.01;

/// Reliability of the confidence map.
#[derive(Debug, Serialize)]
pub struct Confidence {
    /// All pictures together.
    pub reliability: Reliability,
    /// Groups of pixels: share, claimed error in grey levels where the map claims one, measured error.
    pub groups: Vec<(f64, Option<f64>, f64)>,
    /// Above the threshold of the model: the level that it promises, what was measured, and the share of the pixels.
    pub trusted: Option<(f64, f64, f64)>,
    /// The table of a registry entry, where the map is of the spread.
    pub table: Option<String>,
}

impl Confidence {
    /// Reliability over the pictures of an evaluation; nothing where `--confidence` was not asked for.
    pub fn of(summary: &Summary, calibration: Option<Calibration>, worst_error: f64) -> Option<Self> {
        let pictures: Vec<Reliability> =
            summary.pictures.iter().filter_map(|picture| picture.reliability.clone()).collect();
        let reliability = Reliability::together(&pictures)?;
        let is_spread = summary.parameters.iter().any(|(name, value)| *name == "map" && value == "spread");
        let calibration = calibration.filter(|_| !is_spread);
        let groups = reliability.groups(&GROUP_ENDS);
        let claimed = |group: &Group| calibration.map(|calibration| group.doubt * calibration.error_range);
        let trusted = calibration.and_then(|calibration| calibration.trusted).filter(|_| summary.particles > 1);
        Some(Self {
            groups: groups.iter().map(|group| (group.share, claimed(group), group.error)).collect(),
            trusted: trusted.map(|(confidence, level)| {
                let (worst, share) = reliability.worst_below(1.0 - confidence);
                (level, worst, share)
            }),
            table: is_spread.then(|| table(&reliability, &groups, summary.particles, worst_error)),
            reliability,
        })
    }
}

/// `[model.confidence]` of a registry.
fn table(reliability: &Reliability, groups: &[Group], particles: u64, worst_error: f64) -> String {
    let curve = curve(groups);
    let points: Vec<String> = curve.iter().map(|[doubt, error]| format!("[{doubt:.4}, {error:.2}]")).collect();
    let mut text = format!(
        "[model.confidence]\n{} = [{}]\n",
        if particles > 1 { "ensemble" } else { "single" },
        points.join(", ")
    );
    if let Some(doubt) = reliability.threshold(worst_error).filter(|_| particles > 1) {
        // Rounded to the safe side.
        let confidence = ((1.0 - expected_error(&curve, doubt) / ERROR_RANGE) * 1e4).ceil() / 1e4;
        if confidence > 0.0 {
            text.push_str(&format!("trusted = {{ confidence = {confidence}, error = {worst_error:?} }}\n"));
        }
    }
    text
}

/// Points of doubt and expected error, both rising.
fn curve(groups: &[Group]) -> Vec<[f64; 2]> {
    let mut points: Vec<[f64; 2]> = Vec::new();
    for Group { doubt, error, .. } in isotonic(groups) {
        let least = points.last().map_or(0.0, |[_, before]| before + LEAST_RISE);
        points.push([doubt, error.max(least).min(255.0)]);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_rises_between_its_points() {
        let group = |doubt, error| Group { share: 0.25, doubt, error };
        let points = curve(&[group(0.1, 4.0), group(0.2, 2.0), group(0.4, 8.0), group(0.9, 30.0)]);
        assert_eq!(points.len(), 4);
        assert!(points.windows(2).all(|pair| pair[0][1] < pair[1][1] && pair[0][0] < pair[1][0]), "{points:?}");
        assert!((points[0][1] - 3.0).abs() < 1e-9 && (points[3][1] - 30.0).abs() < 1e-9, "{points:?}");
        let table = [(0.0, 3.0), (0.65, 19.0), (0.95, 30.0)];
        for (doubt, expected) in table {
            assert!(
                (expected_error(&points, doubt) - expected).abs() < 1e-9,
                "{doubt}: {}",
                expected_error(&points, doubt)
            );
        }
    }
}
