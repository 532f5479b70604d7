//! `kds doctor`: libraries, devices and models in use, and faults among them.

use std::{fmt::Write, time::Instant};

use kds_host::{Channels, Context, Depth, Format, Image, ImageRef, Library, ParameterInfo};
use kds_parameters::table;

use crate::{
    models,
    options::{self, DEFAULT_MODEL},
    output, shown, table as columns,
};

/// Prints the report; `false` when something is broken.
///
/// # Errors
/// Only when standard output cannot be written.
pub fn print(options: &options::Library) -> anyhow::Result<bool> {
    let mut report = Report { text: String::new(), problems: Vec::new() };
    report.pair("kds", env!("CARGO_PKG_VERSION"));
    report.examine(options);
    let problems = report.problems;
    let mut text = report.text;
    text.push_str("\nProblems\n");
    if problems.is_empty() {
        text.push_str("  none\n");
    }
    for problem in &problems {
        text.push_str(&format!("  {problem}\n"));
    }
    output::print(&text)?;
    Ok(problems.is_empty())
}

struct Report {
    text: String,
    problems: Vec<String>,
}

impl Report {
    fn pair(&mut self, key: &str, value: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{:<17}{value}", format!("{key}:"));
    }

    /// Takes a value, or notes the problem.
    fn take<T>(&mut self, result: Result<T, kds_host::Error>) -> Option<T> {
        result.map_err(|error| self.problems.push(error.message)).ok()
    }

    fn examine(&mut self, options: &options::Library) {
        let Some(library) = self.take(Library::open()) else { return };
        self.pair("library", &shown::path(library.path()));
        self.pair("library version", &library.version());
        if library.version() != env!("CARGO_PKG_VERSION") {
            let problem = format!(
                "the library has version {} and this command {}; install both from one build",
                library.version(),
                env!("CARGO_PKG_VERSION")
            );
            self.problems.push(problem);
        }
        if let Some(parameters) = self.take(library.parameters()) {
            self.problems.extend(differences(&parameters));
        }
        let Some(context) = self.take(Context::new(&library, &options.context_options(output::say))) else { return };
        for (key, value) in self.take(context.describe()).unwrap_or_default() {
            self.pair(&key, &value);
        }
        if let Some(devices) = self.take(context.devices()) {
            let rows: Vec<_> = devices
                .iter()
                .map(|device| {
                    let formats = format!("{} (default {})", device.dtypes.join(", "), device.default_dtype);
                    let memory = match device.memory_total {
                        0 => "memory not known".to_owned(),
                        total => format!("{} of {} free", gib(device.memory_free), gib(total)),
                    };
                    [format!("  {}", device.name), device.description.clone(), formats, memory]
                })
                .collect();
            let _ = write!(self.text, "\nDevices\n{}", columns::columns(&rows));
            if devices.is_empty() {
                self.problems.push("there is no device to compute with; install KDS again".to_owned());
            }
        }
        if let Some(models) = self.take(context.models()) {
            let lines: String = models::describe(&models).lines().map(|line| format!("  {line}\n")).collect();
            let _ = write!(self.text, "\nModels\n{lines}");
            if models.is_empty() {
                self.problems.push("there is no model; install KDS again, or add a registry file".to_owned());
            }
        }
        let start = Instant::now();
        if let Some(takes) = self.take(trial(&context)) {
            let seconds = start.elapsed().as_secs_f64();
            let _ = writeln!(self.text, "\nTrial\n  {DEFAULT_MODEL} restored in {seconds:.1} s, {takes}");
        }
    }
}

/// Loads the usual model and restores a small grey square: the proof that all parts work together. The answer is what a
/// picture of a megapixel would take of both memories.
fn trial(context: &Context) -> Result<String, kds_host::Error> {
    let model = context.open_model(DEFAULT_MODEL, None, None)?;
    let mut job = model.new_job()?;
    for (name, value) in [("particles", "1"), ("steps", "1")] {
        job.set(name, value)?;
    }
    let pixels = [128u8; 16 * 16];
    let (width, height) = job.output_size(16, 16)?;
    let mut output = Image::new(Format { channels: Channels::Gray, depth: Depth::U8 }, width, height)?;
    job.run(ImageRef::packed(&pixels, Channels::Gray, 16, 16)?, None, output.view_mut(), None, None)?;
    let (device, dtype) = model.device()?;
    let takes = match model.new_job()?.estimate(1024, 1024) {
        Ok(estimate) if estimate.device_memory > 0 => format!(
            "a picture of 1024 x 1024 pixels takes {} of the host's memory and {} of the device's",
            gib(estimate.host_memory),
            gib(estimate.device_memory)
        ),
        Ok(estimate) => format!("a picture of 1024 x 1024 pixels takes {} of memory", gib(estimate.host_memory)),
        Err(error) => format!("a picture of 1024 x 1024 pixels does not fit: {error}"),
    };
    Ok(format!("on {device} in {dtype}\n  {takes}"))
}

/// The names of the first list that the second does not have.
fn missing<'a>(from: &[&'a str], to: &[&str]) -> Vec<&'a str> {
    from.iter().filter(|name| !to.contains(name)).copied().collect()
}

/// Parameters that library and command do not share.
fn differences(parameters: &[ParameterInfo]) -> Vec<String> {
    let ours: Vec<&str> = table().iter().map(|parameter| parameter.name).collect();
    let theirs: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let mut problems = Vec::new();
    for (names, whose) in [(missing(&ours, &theirs), "the library"), (missing(&theirs, &ours), "this command")] {
        if !names.is_empty() {
            problems.push(format!("{whose} does not know {}; install both from one build", names.join(", ")));
        }
    }
    problems
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1u32 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str) -> ParameterInfo {
        ParameterInfo {
            name: name.into(),
            title: String::new(),
            help: String::new(),
            default: String::new(),
            choices: Vec::new(),
            min: 0.0,
            max: 0.0,
            advanced: false,
            job: true,
        }
    }

    #[test]
    fn differing_tables_are_a_problem() {
        let mut same: Vec<_> = table().iter().map(|ours| parameter(ours.name)).collect();
        assert!(differences(&same).is_empty());
        same[0].name = "novelty".into();
        let problems = differences(&same);
        assert!(problems[0].contains("the library does not know particles"), "{problems:?}");
        assert!(problems[1].contains("this command does not know novelty"), "{problems:?}");
    }

    #[test]
    fn sizes_are_in_gibibytes() {
        assert_eq!(gib(3 << 29), "1.5 GiB");
    }
}
