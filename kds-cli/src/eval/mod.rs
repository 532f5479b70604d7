//! `kds eval`: how good restorations are, method by method, over many pictures.

mod baseline;
mod confidence;
pub mod degradation;
mod evaluation;
pub mod method;
pub mod metric;
mod pairs;
mod peak;
mod report;
mod restorer;
mod store;
mod summary;
pub mod vary;

use std::path::Path;

use serde_json::json;

use crate::{interrupt, output, progress::Progress};
use confidence::Confidence;
pub use evaluation::Evaluation;
use method::{Outcomes, SEED_STRIDE, Work};
use metric::Metrics;
use restorer::Restorer;
use store::Store;
use summary::Summary;

/// Evaluates all pictures, or goes on where it was interrupted, and writes the results; `false` when a picture failed.
///
/// # Errors
/// Of the whole evaluation: Ctrl-C, folders, models and weights that cannot be used.
pub fn run(options: &Evaluation) -> anyhow::Result<bool> {
    interrupt::install()?;
    if let Some(variation) = &options.vary {
        return vary::run(options, variation);
    }
    let (report, _, all_whole) = evaluate(options)?;
    output::print(&report)?;
    Ok(all_whole)
}

/// The report and the results of all pictures; `false` when one failed.
fn evaluate(options: &Evaluation) -> anyhow::Result<(String, Summary, bool)> {
    let sources = pairs::list(options)?;
    let metrics = Metrics::load(&options.weights)?;
    let progress = Progress::new(sources.len(), false);
    let restorer = Restorer::open(options, &progress)?;
    let parameters = restorer.parameters()?;
    let store = Store::open(&options.output, &settings(options, &restorer, &parameters))?;
    let work = Work {
        store: &store,
        metrics: &metrics,
        restorer: &restorer,
        methods: &options.methods,
        seeds: options.seeds,
        confidence: options.confidence,
    };
    let mut pictures: Vec<Outcomes> = Vec::new();
    let mut all_whole = true;
    for (index, source) in sources.iter().enumerate() {
        interrupt::check()?;
        let bar = progress.picture(Path::new(&source.name));
        let file = format!("pictures/{}/outcomes.json", source.name);
        if let Some(before) = store.read(&file) {
            pictures.push(before);
            continue;
        }
        let outcomes = source
            .read(options, restorer.scale, index as u64)
            .and_then(|pair| work.all(index as u64, &source.name, &pair, &bar))
            .and_then(|outcomes| store.write(&file, &outcomes).map(|()| outcomes));
        match outcomes {
            Ok(outcomes) => pictures.push(outcomes),
            Err(error) if error.is::<interrupt::Cancelled>() => return Err(error),
            Err(error) => {
                progress.say(&format!("{}: {error:#}", source.name));
                all_whole = false;
            }
        }
    }
    drop(progress);
    anyhow::ensure!(!pictures.is_empty(), "no picture could be evaluated");
    let mut summary =
        Summary::new(restorer.description.clone(), parameters, restorer.particles, options.seeds, pictures);
    summary.confidence = Confidence::of(&summary, restorer.calibration, options.worst_error);
    let report = report::write(&store, &summary, &sources, options, restorer.scale)?;
    Ok((report, summary, all_whole))
}

/// Inputs of the results: an evaluation is resumed only with the same.
fn settings(options: &Evaluation, restorer: &Restorer, parameters: &[(&str, String)]) -> serde_json::Value {
    let path = |path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string())
    };
    let parameters: serde_json::Map<_, _> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let mut settings = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": restorer.description,
        "truth": path(&options.truth),
        "low": path(&options.low),
        "masks": path(&options.masks),
        "degradation": options.degradation.map(|degradation| format!("{degradation:?}")),
        "reduce": options.reduce,
        "crop": options.crop,
        "seeds": options.seeds,
        "seed_stride": SEED_STRIDE,
        "confidence": options.confidence,
        "methods": options.methods.iter().map(|method| method.key()).collect::<Vec<_>>(),
        "lpips": path(&options.weights.lpips),
        "dists": path(&options.weights.dists),
        "niqe": path(&options.weights.niqe),
    });
    if let Some(settings) = settings.as_object_mut() {
        settings.extend(parameters);
    }
    settings
}
