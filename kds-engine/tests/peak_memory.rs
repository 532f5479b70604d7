//! The estimate of a run against what the process held at its peak: every architecture, one process for each run.
//!
//! Without arguments it runs the table; with them it is one row of it.

mod reference;

use std::process::{Command, ExitCode};

use kds_engine::picture::{Picture, Source};
use kds_engine::plan::{Plan, Request};
use kds_engine::restore::Prepared;
use kds_engine::settings::{Resolved, Settings};
use kds_engine::{memory, threads};
use reference::by_entry::{DIFFBIR, LDM_SR, SD_INPAINT, SEESR, open};
use reference::peak;
use tch::Device;

/// How far the estimate may be from the peak.
const TOLERANCE: f64 = 0.2;

/// Models, and whether they fill holes. The built-in ones, and small ones of the third-party architectures.
const MODELS: [(&str, bool); 7] = [
    ("kds-photo-x4", false),
    ("kds-photo-x1", false),
    ("kds-inpaint", true),
    (LDM_SR, false),
    (SD_INPAINT, true),
    (DIFFBIR, false),
    (SEESR, false),
];
const SIZES: [(usize, usize); 3] = [(60, 44), (96, 80), (144, 104)];
const PARTICLES: [usize; 2] = [1, 10];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "row") {
        row(&arguments[1..]);
        return ExitCode::SUCCESS;
    }
    let mut wrong = 0;
    println!("{:16} {:>9} {:>2} alpha map  held  estimate  peak MiB", "model", "size", "N");
    for (model, _) in MODELS {
        for (index, (width, height)) in SIZES.into_iter().enumerate() {
            for (turn, particles) in PARTICLES.into_iter().enumerate() {
                // Every model with and without either. One particle has no map where no first network predicts.
                let (alpha, map) = ((index + turn) % 2 == 0, index != 1);
                let map = map && (particles > 1 || ![LDM_SR, SD_INPAINT, DIFFBIR, SEESR].contains(&model));
                let row = [model.to_owned()]
                    .into_iter()
                    .chain([width, height, particles].map(|number| number.to_string()))
                    .chain([alpha, map].map(|there| there.to_string()));
                let output = Command::new(std::env::current_exe().unwrap()).arg("row").args(row).output().unwrap();
                assert!(output.status.success(), "{model}: {}", String::from_utf8_lossy(&output.stderr));
                let text = String::from_utf8(output.stdout).unwrap();
                let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
                let [held, planned, assumed, peak] = numbers[..] else { panic!("{text}") };
                let near = [planned, assumed].iter().all(|bytes| (bytes / peak - 1.0).abs() <= TOLERANCE);
                let mib = |bytes: f64| bytes / f64::from(1 << 20);
                println!(
                    "{model:16} {:>9} {particles:2} {alpha:5} {map:5} {:4.0} {:4.0} {:4.0} {:4.0}{}",
                    format!("{width}x{height}"),
                    mib(held),
                    mib(planned),
                    mib(assumed),
                    mib(peak),
                    if near { "" } else { "  <-- wrong" }
                );
                wrong += usize::from(!near);
            }
        }
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints what the process held before, what the plan says it will hold, the same for an image of which only the size is
/// known, and what it held at the peak.
fn row(arguments: &[String]) {
    let [model, width, height, particles, alpha, map] = arguments else { panic!("{arguments:?}") };
    let [width, height] = [width, height].map(|side| side.parse::<usize>().unwrap());
    let [alpha, map] = [alpha, map].map(|there| there == "true");
    let mask = MODELS.iter().any(|(name, fills)| name == model && *fills);
    threads::use_threads(2).unwrap();
    let (_folder, backbone) = open(model, Device::Cpu);
    let settings = settings(particles);

    let pixels = width * height;
    let picture =
        Picture { width, height, values: (0..3 * pixels).map(|index| (index % 251) as f32 / 250.0).collect() };
    let alpha = alpha.then(|| (0..pixels).map(|index| f32::from(index % width > 3)).collect::<Vec<_>>());
    let mask =
        mask.then(|| (0..pixels).map(|index| f32::from(index % width > 3 && index % width < 40)).collect::<Vec<_>>());
    let request =
        Request { width, height, alpha: alpha.is_some(), mask: mask.is_some(), confidence: map, output_bytes: 0 };
    let assumed = Request::of_size(width, height, mask.is_some());
    let assumed =
        Plan::new(&*backbone, &settings, assumed, (width, height), memory::free(Device::Cpu)).unwrap().process;
    memory::give_back();
    let prepared = Prepared::new(&*backbone, &settings, request, &mut |_| Ok(())).unwrap();
    let planned = prepared.plan().process;
    let held = peak::begin(Device::Cpu);
    let source = Source { picture: &picture, alpha: alpha.as_deref(), mask: mask.as_deref() };
    prepared.run(source, &mut |_| Ok(())).unwrap();
    println!("{held} {planned} {assumed} {}", peak::end(Device::Cpu));
}

fn settings(particles: &str) -> Resolved {
    let mut settings = Settings::default();
    // All steps are steered, so that what steering takes is seen.
    for (name, value) in [("particles", particles), ("steps", "1"), ("from", "1"), ("memory", "4GiB")] {
        settings.set(name, value).unwrap();
    }
    settings.resolve().unwrap()
}
