//! Measures restoration on a set of picture pairs and prints the means as a Markdown table.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use kds_tests::evaluation::Evaluation;
use kds_tests::pairs::Pair;
use kds_tests::restorer::{Options, Restorer};

/// Measure PSNR(Y) and LPIPS of what takes no model (bicubic enlargement, no change, smooth filling), of single particles, and ensembles without and with steering
#[derive(Parser)]
#[command(name = "evaluate")]
struct Arguments {
    /// Folder of the true pictures; left out with --low: the example pictures of the repository
    #[arg(long, requires = "low")]
    truth: Option<PathBuf>,
    /// Folder of the degraded pictures, of the same size or a quarter of it, each with the name of its truth in its own
    #[arg(long, requires = "truth")]
    low: Option<PathBuf>,
    /// Cut degraded pictures with a side of more than 160 pixels to this size; 0 cuts nothing
    #[arg(long, default_value_t = 128)]
    crop: u32,
    /// Number of seeds over which a single particle is measured
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    singles: u64,
    /// Model to restore with
    #[arg(long)]
    model: Option<String>,
    /// Where to compute: auto, cpu, cuda, cuda:1
    #[arg(long)]
    device: Option<String>,
    /// Number format of the network: auto, f32, bf16, f16
    #[arg(long)]
    dtype: Option<String>,
    /// Folder into which a picture of each pair is written: without a model, one particle, KDS, the truth
    #[arg(long, value_name = "FOLDER")]
    sheets: Option<PathBuf>,
    /// Number of threads; 0 uses all cores
    #[arg(long, default_value_t = 0)]
    threads: u16,
    /// Parameters of all restorations, such as particles=10 steps=20
    #[arg(value_name = "KEY=VALUE", value_parser = key_and_value)]
    parameters: Vec<(String, String)>,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("'{text}' is not of the form KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evaluate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let restorer = Restorer::open(&Options {
        model: arguments.model.as_deref(),
        device: arguments.device.as_deref(),
        dtype: arguments.dtype.as_deref(),
        threads: arguments.threads,
    })?;
    let pairs = match (&arguments.truth, &arguments.low) {
        (Some(truth), Some(low)) => Pair::read_folders(truth, low, arguments.crop),
        _ => Pair::examples_of(&restorer.task()?),
    }
    .context("cannot read the picture pairs")?;
    let parameters: Vec<_> = arguments.parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let sheets = arguments.sheets.as_deref();
    if let Some(folder) = sheets {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let evaluation = Evaluation::run(&pairs, &restorer, &parameters, arguments.singles, sheets)?;
    let given: String = parameters.iter().map(|(key, value)| format!(", {key}={value}")).collect();
    println!("{} pictures, {}{given}\n\n{evaluation}", pairs.len(), restorer.description()?);
    Ok(())
}
