//! One parameter at several values: an evaluation for each, and how the metrics go with it.

use std::str::FromStr;

use kds_parameters::Scope;

use super::{
    metric::{Metric, score},
    report::{markdown, plots},
    store::Store,
    summary::Summary,
};
use crate::{eval::Evaluation, output};

/// A parameter of a job and the values it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variation {
    /// Name in the table of parameters.
    pub name: &'static str,
    /// Values that it takes, one after the other.
    pub values: Vec<String>,
}

impl FromStr for Variation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, values) = text.split_once('=').ok_or("needs the form NAME=VALUE,VALUE,...")?;
        let parameter = kds_parameters::find(name.trim()).map_err(|error| error.to_string())?;
        if parameter.scope == Scope::Model {
            return Err(format!("'{name}' belongs to the model; run an evaluation for each"));
        }
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        for value in &values {
            let _ = parameter.check(value).map_err(|error| error.to_string())?;
        }
        Ok(Self { name: parameter.name, values })
    }
}

/// Evaluates with each value, and writes `report.md` and plots beside the folders of the evaluations; `false` when a picture
/// failed.
///
/// # Errors
/// Of the whole evaluation.
pub fn run(options: &Evaluation, variation: &Variation) -> anyhow::Result<bool> {
    let mut all_whole = true;
    let mut summaries = Vec::new();
    for value in &variation.values {
        let mut settings = options.settings.clone();
        settings.retain(|(name, _)| *name != variation.name);
        settings.push((variation.name, value.clone()));
        let output = options.output.join(folder(variation.name, value));
        let (_, summary, whole) = super::evaluate(&Evaluation { settings, output, vary: None, ..options.clone() })?;
        all_whole &= whole;
        summaries.push((value.as_str(), summary));
    }
    let report = write(&Store::beside(&options.output)?, variation, &summaries)?;
    output::print(&report)?;
    Ok(all_whole)
}

/// A folder's name for a value.
fn folder(name: &str, value: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "+-.".contains(letter) { letter } else { '_' };
    format!("{name}-{}", value.chars().map(plain).collect::<String>())
}

fn write(store: &Store, variation: &Variation, summaries: &[(&str, Summary)]) -> anyhow::Result<String> {
    let Some((_, first)) = summaries.first() else { return Ok(String::new()) };
    let count = first.pictures.len();
    let mut report = format!("# {} of {}\n\nMeans over {count} pictures.\n\n", variation.name, first.model);
    report.push_str(&markdown::table(&cells(variation, summaries)));
    for metric in first.metrics().into_iter().filter(|metric| matches!(metric, Metric::PsnrLuma | Metric::Lpips)) {
        let values: Vec<&str> = summaries.iter().map(|(value, _)| *value).collect();
        let curve = |method: &'static str, title: &str| {
            let at = |(_, summary): &(&str, Summary)| {
                let mean = summary.means.iter().find(|mean| mean.method == method)?;
                score(&mean.scores, metric)
            };
            let points = summaries.iter().map(at).collect::<Option<Vec<f64>>>()?;
            Some((title.to_owned(), points))
        };
        let curves: Vec<_> = first.means.iter().filter_map(|mean| curve(mean.method, untold(&mean.title))).collect();
        let plot = plots::curves(variation.name, &values, metric, &curves)?;
        store.write_bytes(&format!("{}.svg", plot.name), plot.svg.as_bytes())?;
        report.push_str(&format!("\n![{}]({}.svg)\n", plot.title, plot.name));
    }
    store.write_bytes("report.md", report.as_bytes())?;
    Ok(report)
}

/// The title of a method without the number of particles, which may be what varies.
fn untold(title: &str) -> &str {
    let counted = title.strip_suffix(" particles").or_else(|| title.strip_suffix(" particle"));
    counted.and_then(|title| title.rsplit_once(", ")).map_or(title, |(title, _)| title)
}

fn cells(variation: &Variation, summaries: &[(&str, Summary)]) -> markdown::Cells {
    let mut cells = Vec::new();
    for (value, summary) in summaries {
        let mut rows = markdown::means(summary).into_iter();
        let head = rows.next().unwrap_or_default();
        if cells.is_empty() {
            cells.push([variation.name.to_owned()].into_iter().chain(head).collect());
        }
        cells.extend(rows.map(|row| [(*value).to_owned()].into_iter().chain(row).collect::<Vec<_>>()));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_plain_names() {
        assert_eq!(folder("bandwidth", "auto*2"), "bandwidth-auto_2");
        assert_eq!(folder("sampler", "dpm++2m"), "sampler-dpm++2m");
        assert_eq!((untold("KDS, 4 particles"), untold("KDS, 1 particle")), ("KDS", "KDS"));
        assert_eq!(untold("one particle, mean"), "one particle, mean");
    }
}
