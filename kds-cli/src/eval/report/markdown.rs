//! `report.md`.

use super::{super::summary::Summary, plots::Plot};
use crate::eval::{
    confidence::Confidence,
    method::Method,
    metric::{Metric, score},
};

/// The cells of a table, its head first.
pub type Cells = Vec<Vec<String>>;

pub fn report(summary: &Summary, plots: &[Plot]) -> String {
    let mut text = format!("# Evaluation of {}\n\n{}\n\n", summary.model, about(summary));
    text.push_str(&table(&means(summary)));
    text.push_str("\nTime is that of one picture; memory is the peak of the process.\n");
    let comparisons = comparisons(summary);
    if comparisons.len() > 1 {
        text.push_str(&format!("\n## What steering gains\n\n{GAINS}\n\n"));
        text.push_str(&table(&comparisons));
    }
    if let Some(cells) = stability(summary) {
        text.push_str(&format!("\n## Stability\n\n{STABILITY}\n\n"));
        text.push_str(&table(&cells));
    }
    if let Some(confidence) = &summary.confidence {
        text.push_str(&format!("\n## Confidence\n\n{}\n\n", about_confidence(confidence)));
        text.push_str(&table(&reliability(confidence)));
    }
    for plot in plots {
        text.push_str(&format!("\n![{}]({}.svg)\n", plot.title, plot.name));
    }
    text
}

/// Caption of the second table.
pub const GAINS: &str = "Mean gain of KDS on each other method (positive: KDS is better), pictures on which it is better, and \
                         p of Wilcoxon's signed-rank test.";
/// Caption of the third table.
pub const STABILITY: &str = "Standard deviation over the seeds: of each metric (G-STD) and of the pixels, from 0 to 1 (L-STD); less \
                             is steadier.";

/// One sentence on what was evaluated.
pub fn about(summary: &Summary) -> String {
    let set: Vec<String> = summary
        .parameters
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let count = summary.pictures.len();
    format!("{count} {}; {}.", if count == 1 { "picture" } else { "pictures" }, set.join(", "))
}

/// The table of means.
pub fn means(summary: &Summary) -> Cells {
    let metrics = summary.metrics();
    let head = ["method".to_owned()].into_iter().chain(metrics.iter().map(|metric| titled(*metric)));
    let mut cells = vec![head.chain(["seconds".to_owned(), "memory, MiB".to_owned()]).collect::<Vec<_>>()];
    for mean in &summary.means {
        let value = |metric: &Metric| score(&mean.scores, *metric).map_or("–".to_owned(), |value| metric.show(value));
        let memory = mean.memory.map_or("–".to_owned(), |bytes| (bytes >> 20).to_string());
        let row = [mean.title.clone()].into_iter().chain(metrics.iter().map(value));
        cells.push(row.chain([format!("{:.2}", mean.seconds), memory]).collect());
    }
    cells
}

/// A metric with an arrow to where it is better.
fn titled(metric: Metric) -> String {
    format!("{} {}", metric.title(), if metric.rises() { "↑" } else { "↓" })
}

/// The table of gains, a row for each other method.
pub fn comparisons(summary: &Summary) -> Cells {
    let metrics = summary.metrics();
    let head = ["KDS against".to_owned()].into_iter().chain(metrics.iter().map(|metric| metric.title().to_owned()));
    let mut cells = vec![head.collect::<Vec<_>>()];
    for method in Method::ALL {
        let of = |metric: &Metric| {
            summary.comparisons.iter().find(|found| found.against == method.key() && found.metric == metric.key())
        };
        if metrics.iter().all(|metric| of(metric).is_none()) {
            continue;
        }
        let cell = |metric: &Metric| {
            of(metric).map_or("–".to_owned(), |found| {
                let gain = metric.show(found.gain);
                let sign = if found.gain > 0.0 { "+" } else { "" };
                let p = found.p.map_or("–".to_owned(), chance);
                format!("{sign}{gain} ({} of {}, p {p})", found.better.0, found.better.1)
            })
        };
        cells.push([method.title(summary.particles)].into_iter().chain(metrics.iter().map(cell)).collect());
    }
    cells
}

fn chance(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// The table of deviations over the seeds.
pub fn stability(summary: &Summary) -> Option<Cells> {
    let stability = summary.stability.as_ref()?;
    let metrics = summary.metrics();
    let head = [format!("{} seeds", stability.seeds)];
    let head = head.into_iter().chain(metrics.iter().map(|metric| format!("G-STD {}", metric.title())));
    let mut cells = vec![head.chain(["L-STD".to_owned()]).collect::<Vec<_>>()];
    for (title, (scores, pixels)) in [("one particle", &stability.single), ("KDS", &stability.kds)] {
        let value = |metric: &Metric| score(scores, *metric).map_or("–".to_owned(), |value| format!("{value:.4}"));
        let row = [title.to_owned()].into_iter().chain(metrics.iter().map(value));
        cells.push(row.chain([format!("{pixels:.5}")]).collect());
    }
    Some(cells)
}

/// Reliability of the confidence map, in sentences.
pub fn about_confidence(confidence: &Confidence) -> String {
    let Confidence { reliability, trusted, table, .. } = confidence;
    let mean = |curve: &[f64]| curve.iter().sum::<f64>() / curve.len().max(1) as f64;
    let mut text = format!(
        "Correlation of doubt and error, as means over 9 x 9 pixels: {:.2}. Mean error over the sparsification curve: {:.2} \
         levels of 255; with a perfect map {:.2}, without one {:.2}.",
        reliability.correlation,
        mean(&reliability.sparsification),
        mean(&reliability.oracle),
        reliability.sparsification.first().copied().unwrap_or(0.0)
    );
    if let Some((level, worst, share)) = trusted {
        text.push_str(&format!(
            " Above the model's threshold lie {:.0} % of the pixels; the worst error of a picture there is {worst:.1} levels in \
             the mean (promised: at most {level})."
            , 100.0 * share
        ));
    }
    if table.is_some() {
        text.push_str(" calibration.toml holds the table for the model's registry entry.");
    }
    text
}

/// The groups of rising doubt.
pub fn reliability(confidence: &Confidence) -> Cells {
    let mut cells =
        vec![["pixels, most reliable first", "expected error", "measured error"].map(str::to_owned).to_vec()];
    for (share, claimed, measured) in &confidence.groups {
        let claimed = claimed.map_or("–".to_owned(), |error| format!("{error:.1}"));
        cells.push(vec![format!("{:.0} %", 100.0 * share), claimed, format!("{measured:.1}")]);
    }
    cells
}

/// A table in Markdown.
pub fn table(cells: &Cells) -> String {
    let mut text = String::new();
    for (index, row) in cells.iter().enumerate() {
        text.push_str(&format!(
            "| {} |\n",
            row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | ")
        ));
        if index == 0 {
            text.push_str(&format!("|{}\n", "---|".repeat(row.len())));
        }
    }
    text
}
