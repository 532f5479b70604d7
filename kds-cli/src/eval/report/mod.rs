//! The results, for people and for programs.

mod crops;
mod csv;
mod html;
pub mod markdown;
pub mod plots;

use super::{pairs::Source, store::Store, summary::Summary};
use crate::eval::Evaluation;

/// Writes `results.json`, `results.csv`, `report.md`, the plots, `index.html` and, where one is fitted, `calibration.toml`; returns the report in Markdown.
///
/// # Errors
/// Files that cannot be read or written.
pub fn write(
    store: &Store,
    summary: &Summary,
    sources: &[Source],
    options: &Evaluation,
    scale: u32,
) -> anyhow::Result<String> {
    store.write("results.json", summary)?;
    store.write_bytes("results.csv", csv::table(summary).as_bytes())?;
    let plots = plots::all(summary)?;
    for plot in &plots {
        store.write_bytes(&format!("{}.svg", plot.name), plot.svg.as_bytes())?;
    }
    if let Some(table) = summary.confidence.as_ref().and_then(|confidence| confidence.table.as_ref()) {
        store.write_bytes("calibration.toml", table.as_bytes())?;
    }
    let report = markdown::report(summary, &plots);
    store.write_bytes("report.md", report.as_bytes())?;
    let crops = crops::all(store, summary, sources, options, scale)?;
    store.write_bytes("index.html", html::page(summary, &plots, &crops).as_bytes())?;
    Ok(report)
}
