//! The engine, as the plug-in uses it: models of a task, the cost of a restoration, and the restoration.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use kds_host::{
    Channels, Context, ContextOptions, Depth, Estimate, Format, Job, Library, Model, ModelInfo, Progress, ProgressFn,
    Status,
};

use crate::argument::OF_THE_JOB;
use crate::failure::Failure;
use crate::pixels::Pixels;
use crate::settings::{Settings, Value};
use crate::task::Task;
use crate::translation::{fill, tr};

/// A context of the worker, where models stay loaded from one call of GIMP's to the next. Where none can be had (the folder of
/// the socket cannot be written, or the command was not installed), this process loads `libkds.so` itself.
fn context() -> Result<Context, Failure> {
    let options = ContextOptions::default();
    let worker = || Context::new(&Library::worker()?, &options);
    if std::env::var_os("KDS_WORKER").is_none_or(|program| program != "none") {
        match worker() {
            Err(error) if error.status == Status::LibraryUnavailable => {
                eprintln!("kds: no worker, so the model is loaded for this call alone: {error}");
            }
            result => return Ok(result?),
        }
    }
    Ok(Context::new(&Library::open()?, &options)?)
}

/// The models that can do a task.
pub struct Models {
    context: Context,
    task: Task,
    list: Vec<ModelInfo>,
}

impl Models {
    /// Finds or starts the worker, which reads the registries.
    ///
    /// # Errors
    /// When neither worker nor library is found, a registry is damaged, or no model can do this.
    pub fn open(task: Task) -> Result<Self, Failure> {
        let context = context()?;
        let mut list = context.models()?;
        list.retain(|model| model.task == task.of_models());
        if list.is_empty() {
            return Err(Failure::new(format!(
                "there is no model for {}: add one of that task to ~/.config/kds/registry.toml, or install a KDS that \
                 brings one",
                task.of_models()
            )));
        }
        Ok(Self { context, task, list })
    }

    /// All of them; there is at least one.
    pub fn list(&self) -> &[ModelInfo] {
        &self.list
    }

    /// The model that was chosen, or the first if none was.
    ///
    /// # Errors
    /// When there is no such model for this task.
    pub fn chosen(&self, settings: &Settings) -> Result<&ModelInfo, Failure> {
        let id = settings.text("model");
        self.list.iter().find(|model| id.is_empty() || model.id == id).ok_or_else(|| {
            let known: Vec<_> = self.list.iter().map(|model| model.id.as_str()).collect();
            let (task, known) = (self.task.of_models(), known.join(", "));
            Failure::new(format!("there is no model '{id}' for {task}; choose one of these: {known}"))
        })
    }

    /// Names of the devices that can compute.
    pub fn devices(&self) -> Vec<String> {
        self.context.devices().unwrap_or_default().into_iter().map(|device| device.name).collect()
    }

    /// Bytes free on a device; 0 where not known.
    pub fn free_memory(&self, device: &str) -> u64 {
        let devices = self.context.devices().unwrap_or_default();
        devices.iter().find(|found| found.name == device).map_or(0, |found| found.memory_free)
    }

    /// A device, with the reason where it was chosen automatically.
    pub fn why(&self, device: &str, asked: Option<&str>) -> String {
        let chosen = asked.is_some_and(|asked| asked != "auto");
        let lines = if chosen { Vec::new() } else { self.context.describe().unwrap_or_default() };
        let auto = lines.into_iter().find(|(key, _)| key == "auto").map(|(_, choice)| choice);
        // A model may compute elsewhere than "auto" says; then the log has the reason.
        auto.filter(|choice| choice.starts_with(device)).unwrap_or_else(|| device.to_owned())
    }

    /// Loads the model that was chosen.
    ///
    /// # Errors
    /// When its files or the device cannot be used.
    pub fn load(&self, settings: &Settings) -> Result<Restorer, Failure> {
        let info = self.chosen(settings)?.clone();
        let model = self.context.open_model(&info.id, settings.parameter("device").as_deref(), None)?;
        Ok(Restorer { model, info, task: self.task })
    }
}

/// A loaded model.
pub struct Restorer {
    model: Model,
    info: ModelInfo,
    task: Task,
}

/// Speed of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Seconds for each pixel of the picture, however many particles and steps: the first network, decoding.
    pub once: f64,
    /// Seconds for each pixel, particle and step.
    pub step: f64,
}

impl Speed {
    /// Seconds for a restoration.
    pub fn seconds(self, pixels: f64, particles: f64, steps: f64) -> f64 {
        pixels * (self.once + self.step * particles * steps)
    }

    /// Seconds for a restoration of so many particles that is estimated to need this.
    pub fn estimated(self, estimate: &Estimate, particles: f64) -> f64 {
        let tiles = f64::from(u32::try_from(estimate.tiles).unwrap_or(u32::MAX));
        let steps = estimate.evaluations as f64 / tiles.max(1.0);
        // Tiles overlap, so they hold more pixels than the picture.
        let pixels = tiles * f64::from(estimate.tile_width) * f64::from(estimate.tile_height);
        self.seconds(pixels, particles, steps)
    }
}

/// The result.
pub struct Restored {
    /// The picture, `scale` times as large as what went in.
    pub picture: Pixels,
    /// Confidence map, if it was asked for: grey, of the picture's size.
    pub confidence: Option<Pixels>,
    /// Output pixels per input pixel and side.
    pub scale: i32,
}

impl Restorer {
    /// The device that it is loaded on.
    pub fn device(&self) -> String {
        self.model.device().map(|(device, _)| device).unwrap_or_default()
    }

    /// A job with these settings.
    ///
    /// # Errors
    /// For a value that a parameter does not take.
    pub fn job(&self, settings: &Settings) -> Result<Job, Failure> {
        let mut job = self.model.new_job()?;
        for name in OF_THE_JOB.into_iter().filter(|name| self.task.uses(name)) {
            if let Some(value) = settings.parameter(name) {
                job.set(name, &value)?;
            }
        }
        let favour: &[(&str, &str)] = match settings.parameter("favour").as_deref() {
            // The particles as they are: the nearest to their mean has less detail where there are many.
            Some("detail") => &[("fusion", "0"), ("selection", "sharpest")],
            Some("faithfulness") => &[("selection", "mean")],
            _ => &[],
        };
        for (name, value) in favour {
            job.set(name, value)?;
        }
        if self.task == Task::Restore {
            job.set("scale", "1")?;
        }
        Ok(job)
    }

    /// Values of these parameters when nothing but the quality is chosen, by its number.
    ///
    /// # Errors
    /// When the worker does not answer.
    pub fn own_values<const N: usize>(&self, names: [&'static str; N], preset: i32) -> Result<[String; N], Failure> {
        let mut settings = Settings::default();
        settings.set("preset", Value::Integer(preset));
        let job = self.job(&settings)?;
        let mut values = names.map(String::from);
        for value in &mut values {
            *value = job.get(value)?;
        }
        Ok(values)
    }

    /// Output pixels per input pixel and side.
    pub fn scale(&self, settings: &Settings) -> i32 {
        const SIDE: u32 = 64;
        let size = self.job(settings).and_then(|job| Ok(job.output_size(SIDE, SIDE)?));
        size.ok().and_then(|(width, _)| i32::try_from(width / SIDE).ok()).unwrap_or(1).max(1)
    }

    /// Time and memory of a restoration of so many pixels.
    ///
    /// # Errors
    /// When it will not fit the memory, and for values that parameters do not take.
    pub fn estimate(&self, settings: &Settings, width: u32, height: u32) -> Result<Estimate, Failure> {
        Ok(self.job(settings)?.estimate(width, height)?)
    }

    /// Measures the speed on this machine; it ends early when `stop` gets true.
    ///
    /// # Errors
    /// When the model cannot run, and [`Failure::Cancelled`].
    pub fn speed(&self, stop: &AtomicBool) -> Result<Speed, Failure> {
        // Large enough that what every run takes, however small the picture, counts little.
        let side = if self.task == Task::Upscale { 64 } else { 128 };
        let pixels = f64::from(side * side);
        let format = Format { channels: Channels::Rgb, depth: Depth::U8 };
        let picture = Pixels::new(format, side, side)?;
        let gray = Format { channels: Channels::Gray, depth: Depth::U8 };
        let mut mask = Pixels::new(gray, side, side)?;
        mask.bytes.fill(255);
        let time = |particles: i32, steps: i32| -> Result<f64, Failure> {
            let mut settings = Settings::default();
            settings.set("particles", Value::Integer(particles));
            settings.set("steps", Value::Integer(steps));
            let start = Instant::now();
            self.run(&settings, &picture, Some(&mask), false, &mut |_| match stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })?;
            Ok(start.elapsed().as_secs_f64())
        };
        // The first run prepares the network.
        time(1, 1)?;
        // Two that differ in steps only tell what is computed once from what is computed in each.
        let (few, many) = (time(2, 1)?, time(2, 4)?);
        let step = (many - few).max(0.0) / 6.0;
        Ok(Speed { once: (few - 2.0 * step).max(0.0) / pixels, step: step / pixels })
    }

    /// Restores. The mask counts for models that need one: what is not 0 is filled.
    ///
    /// # Errors
    /// [`Failure::Cancelled`] when `progress` says so, and what goes wrong.
    pub fn run(
        &self,
        settings: &Settings,
        picture: &Pixels,
        mask: Option<&Pixels>,
        confidence: bool,
        progress: &mut ProgressFn<'_>,
    ) -> Result<Restored, Failure> {
        let mut job = self.job(settings)?;
        let (width, height) = job.output_size(picture.width, picture.height)?;
        let scale = i32::try_from(width / picture.width).unwrap_or(i32::MAX);
        let side = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
        let mut output = Pixels::new(picture.format, side(width), side(height))?;
        let gray = Format { channels: Channels::Gray, depth: Depth::U8 };
        let mut map = confidence.then(|| Pixels::new(gray, side(width), side(height))).transpose()?;
        job.run(
            picture.view()?,
            mask.filter(|_| self.info.needs_mask).map(Pixels::view).transpose()?,
            output.view_mut()?,
            map.as_mut().map(Pixels::view_mut).transpose()?,
            Some(progress),
        )?;
        Ok(Restored { picture: output, confidence: map, scale })
    }
}

/// Stage of a restoration, in words.
pub fn stage(progress: Progress) -> String {
    // Counts of particles would be mistaken for the steps of the dialog.
    let percent = (100 * progress.done / progress.total.max(1)).to_string();
    match progress.stage {
        kds_host::Stage::Prepare => tr("preparing"),
        kds_host::Stage::Sample => fill("restoring, {} %", &[&percent]),
        kds_host::Stage::Decode => fill("decoding, {} %", &[&percent]),
        kds_host::Stage::Finish => tr("finishing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_network_is_computed_once_and_the_others_for_each_particle_and_step() {
        let estimate = Estimate {
            tile_width: 128,
            tile_height: 64,
            batch: 2,
            tiles: 6,
            memory: 0,
            evaluations: 6 * 8,
            host_memory: 0,
            device_memory: 0,
        };
        let speed = Speed { once: 3e-4, step: 1e-6 };
        let pixels = 6.0 * 128.0 * 64.0;
        let expected = pixels * 3e-4 + pixels * 4.0 * 8.0 * 1e-6;
        assert!((speed.estimated(&estimate, 4.0) - expected).abs() < 1e-9);
    }
}
