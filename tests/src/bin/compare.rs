//! `cargo xtask compare`: third-party models at their true sizes with random weights, beside diffusers with the same steering,
//! or beside their authors' pipeline. Says how far the results agree, and time and memory as ratios.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use kds_engine::backbone::{
    Backbone, DiffBir, DiffBirOptions, LdmSr, ModelFiles, Prompt, SdInpaint, SeeSr, SeeSrOptions, Start,
};
use kds_engine::nn::Loading;
use kds_engine::sampler::Sampler;
use kds_engine::schedule::Spacing;
use kds_engine::steering::Steering;
use kds_engine::threads;
use kds_parameters::Bandwidth;
use safetensors::SafeTensors;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

/// Runs a third-party model beside diffusers or its authors' code, at its true size with random weights.
#[derive(Parser)]
#[command(name = "cargo xtask compare", bin_name = "cargo xtask compare")]
struct Arguments {
    /// Which model: ldm-sr, sd-inpaint, diffbir or seesr
    #[arg(value_parser = ["ldm-sr", "sd-inpaint", "diffbir", "seesr"])]
    model: String,
    /// Checkout of the authors' code, for diffbir and seesr (tools/golden/authors.py says which)
    #[arg(long, required_if_eq_any([("model", "diffbir"), ("model", "seesr")]))]
    authors: Option<PathBuf>,
    /// Where both compute: cpu, or for diffbir and seesr cuda
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Python that has what tools/golden/requirements.txt names
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Where the model is kept, several gigabytes; one that is there is used again
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Particles; 2, or 1 for diffbir and seesr
    #[arg(long)]
    particles: Option<usize>,
    /// Sampling steps
    #[arg(long, default_value_t = 2)]
    steps: usize,
    /// Side of the picture in pixels, a multiple of 64; 64, or for diffbir and seesr, whose result has it, 512
    #[arg(long)]
    side: Option<usize>,
    /// Threads of both
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
    /// The result of a reference that has run already: for the process that this one starts
    #[arg(long, hide = true)]
    reference: Option<PathBuf>,
}

impl Arguments {
    fn particles(&self) -> usize {
        self.particles.unwrap_or(if self.authors.is_some() { 1 } else { 2 })
    }

    fn side(&self) -> usize {
        self.side.unwrap_or(if self.authors.is_some() { 512 } else { 64 })
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(reference) = &arguments.reference {
        return run(&arguments, reference);
    }
    let scratch = tempfile::tempdir()?;
    let folder = arguments.folder.clone().unwrap_or_else(|| scratch.path().join("model"));
    let script = if arguments.authors.is_some() { "authors_side_by_side.py" } else { "side_by_side.py" };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/golden").join(script);
    let python = |action: &str| {
        let mut command = Command::new(&arguments.python);
        command.arg(&script).args([action, &arguments.model]).arg(&folder);
        if let Some(authors) = &arguments.authors {
            command.arg("--authors").arg(authors).args(["--device", &arguments.device]);
        }
        command
    };
    let finish = |mut command: Command| -> Result<()> {
        let status = command.status().with_context(|| format!("{command:?} does not start"))?;
        ensure!(
            status.success(),
            "{command:?} failed: does this Python have what tools/golden/requirements.txt names?"
        );
        Ok(())
    };
    let last = if arguments.authors.is_some() { "tokenizer" } else { "unet" };
    if !folder.join(last).is_dir() {
        println!("writing {} with random weights to {}", arguments.model, folder.display());
        finish(python("save"))?;
    }
    let reference = scratch.path().join("reference.safetensors");
    let mut command = python("run");
    command.arg(&reference);
    let mut own = Command::new(std::env::current_exe()?);
    own.arg(&arguments.model).arg("--folder").arg(&folder).arg("--reference").arg(&reference);
    own.args(["--device", &arguments.device]);
    if let Some(authors) = &arguments.authors {
        own.arg("--authors").arg(authors);
    }
    for command in [&mut command, &mut own] {
        for (option, value) in [
            ("--particles", arguments.particles()),
            ("--steps", arguments.steps),
            ("--side", arguments.side()),
            ("--threads", arguments.threads),
        ] {
            command.arg(option).arg(value.to_string());
        }
    }
    finish(command)?;
    // A process of its own, so that its peak of memory is its own.
    finish(own)
}

/// Repeats what the reference did, and prints the comparison.
fn run(arguments: &Arguments, reference: &Path) -> Result<()> {
    let _guard = tch::no_grad_guard();
    kds_engine::device::prepare();
    threads::use_threads(arguments.threads)?;
    let bytes = std::fs::read(reference)?;
    let (_, header) = SafeTensors::read_metadata(&bytes)?;
    let description = header.metadata().as_ref().and_then(|all| all.get("description")).context("no description")?;
    let description: Value = serde_json::from_str(description)?;
    let tensors: std::collections::HashMap<String, Tensor> = Tensor::read_safetensors(reference)?.into_iter().collect();
    let device = if arguments.device == "cpu" { Device::Cpu } else { Device::Cuda(0) };
    let get = |name: &str| -> Result<Tensor> {
        let tensor = tensors.get(name).with_context(|| format!("the reference has no {name}"))?;
        Ok(tensor.f_to_device(device)?)
    };
    let number = |value: &Value| value.as_f64().context("the reference's description lacks a number");
    let text = |key: &str| description[key].as_str().unwrap_or_default().to_owned();

    let start = Instant::now();
    let files = ModelFiles::Folder(arguments.folder.clone().context("--folder")?);
    let loading = Loading::new(device, Kind::Float);
    let backbone: Box<dyn Backbone> = match arguments.model.as_str() {
        "ldm-sr" => Box::new(LdmSr::load(&files, loading)?),
        "diffbir" => Box::new(DiffBir::load(&files, &DiffBirOptions::default(), 4, loading)?),
        "seesr" => {
            let options = SeeSrOptions { start: Start::Noise, dape: false, ..SeeSrOptions::default() };
            Box::new(SeeSr::load(&files, &options, 4, loading)?)
        }
        _ => Box::new(SdInpaint::load(&files, loading)?),
    };
    let load = start.elapsed().as_secs_f64();

    let spec = backbone.spec();
    let prompt =
        Prompt { positive: text("prompt"), negative: text("negative"), guidance: number(&description["guidance"])? };
    let mask = spec.fills_holes.then(|| get("mask")).transpose()?;
    let begun = Instant::now();
    let image = get("image")?;
    let seen = backbone.look(&|| Ok(image.shallow_clone()))?;
    let backbone = seen.as_deref().unwrap_or(&*backbone);
    let session = backbone.open(&image, mask.as_ref(), &prompt)?;
    let steering = Steering {
        bandwidth: Bandwidth::Fixed(number(&description["bandwidth"])?),
        strength: number(&description["strength"])?,
        patch: 1,
        stride: 1,
        from: 1.0,
        to: 0.0,
        ..Steering::default()
    };
    let spacing = Spacing::Leading { offset: spec.steps_offset };
    let mut trajectory = Sampler::Ddim { eta: 0.0 }.trajectory(&spec.schedule, spacing, arguments.steps)?;
    let mut x = trajectory.initial(&get("noise")?)?;
    let mut step = f64::INFINITY;
    for (index, level) in trajectory.evaluations().to_vec().iter().enumerate() {
        let start = Instant::now();
        let output = session.predict(&x, level)?;
        let x0 = spec.prediction.x0(&output, &x, level)?;
        let x0 = steering.apply(&x0, spec.schedule.noise_level(level))?;
        x = trajectory.advance(index, &x, &x0, None)?;
        wait_for(&x)?;
        step = step.min(start.elapsed().as_secs_f64());
    }
    let start = Instant::now();
    let picture = session.decode(&x.f_narrow(0, 0, 1)?)?;
    wait_for(&picture)?;
    let (decode, whole) = (start.elapsed().as_secs_f64(), begun.elapsed().as_secs_f64());

    let (particles, side) = (arguments.particles(), arguments.side());
    println!(
        "{}: {particles} particles, {side} x {side} pixels, {} threads, f32 on {}",
        arguments.model, arguments.threads, arguments.device
    );
    println!("{:<22}{:>12}{:>12}{:>10}", "", "KDS", "reference", "ratio");
    let times = &description["times"];
    for (name, own) in [("load", load), ("step", step), ("decode", decode), ("whole", whole)] {
        let Some(other) = times[name].as_f64() else { continue };
        println!("{:<22}{own:>12.2}{other:>12.2}{:>10.2}", format!("{name}, seconds"), own / other);
    }
    let (own, other) = (peak()? / 1e9, number(&description["peak"])? / 1e9);
    println!("{:<22}{own:>12.2}{other:>12.2}{:>10.2}", "peak memory, GB", own / other);
    for (name, found) in [("latents", &x), ("picture", &picture)] {
        let expected = get(name)?;
        let largest = |tensor: &Tensor| -> Result<f64> { Ok(tensor.f_abs()?.f_max()?.f_double_value(&[])?) };
        let error = largest(&found.f_sub(&expected)?)? / largest(&expected)?;
        println!("{name} differ by {error:.1e} of their largest value");
        ensure!(error < 1e-3, "the {name} do not agree");
    }
    Ok(())
}

/// Waits until a tensor is computed.
fn wait_for(x: &Tensor) -> Result<()> {
    if let Device::Cuda(index) = x.device() {
        tch::Cuda::synchronize(index as i64);
    }
    Ok(())
}

/// The most memory that this process held, in bytes.
fn peak() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024.0)
}
