//! A host of its own process: restores a picture several times, in this process or by the worker, and prints for each call
//! how long it took and a sum of its pixels. Tests run it beside themselves; `docs/worker.md` holds what it measures.

use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Parser;
use kds_host::{Channels, Context, ContextOptions, ImageMut, ImageRef, Library};

/// Restores a picture several times and prints seconds and a sum of the pixels for each call.
#[derive(Parser)]
struct Arguments {
    /// Compute in this process instead of a worker
    #[arg(long)]
    in_process: bool,
    /// Number of calls
    #[arg(long, default_value_t = 2)]
    calls: usize,
    /// Model; the first of the registry where none is named
    #[arg(long)]
    model: Option<String>,
    /// Side of the picture in pixels
    #[arg(long, default_value_t = 24)]
    side: u32,
    /// Values of parameters, as name=value
    values: Vec<String>,
}

fn main() -> Result<()> {
    // SAFETY: nothing has happened yet.
    unsafe { kds_host::threads::wait_asleep() };
    let arguments = Arguments::parse();
    let side = arguments.side;
    let pixels: Vec<u8> = (0..side * side * 3).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for _ in 0..arguments.calls {
        // All that a host does that is called anew for each picture.
        let start = Instant::now();
        let library = if arguments.in_process { Library::open()? } else { Library::worker()? };
        let context = Context::new(&library, &ContextOptions::default())?;
        let id = match &arguments.model {
            Some(id) => id.clone(),
            None => context.models()?.first().context("the registry has no model")?.id.clone(),
        };
        let mut job = context.open_model(&id, None, None)?.new_job()?;
        for value in &arguments.values {
            let (name, value) = value.split_once('=').context("a value of a parameter is name=value")?;
            job.set(name, value)?;
        }
        let (width, height) = job.output_size(side, side)?;
        let mut restored = vec![0u8; width as usize * height as usize * 3];
        job.run(
            ImageRef::packed(&pixels, Channels::Rgb, side, side)?,
            None,
            ImageMut::packed(&mut restored, Channels::Rgb, width, height)?,
            None,
            None,
        )?;
        let sum: u64 = restored.iter().zip(1..).map(|(value, place)| u64::from(*value) * place).sum();
        println!("{:.3} s, pixels {sum}", start.elapsed().as_secs_f64());
    }
    Ok(())
}
