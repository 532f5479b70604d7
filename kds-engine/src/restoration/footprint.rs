//! Memory footprint of a model: measured on small tiles, once, instead of guessed from its configuration.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tch::{Device, Kind, Tensor};

use crate::backbone::{Backbone, Prompt, Session, Spec};
use crate::ensemble::{Sampling, sample};
use crate::memory::{self, Watch, measured};
use crate::noise::Window;
use crate::schedule::{Level, Prediction};
use crate::settings::Resolved;
use crate::steering::{self, Steering};
use crate::{Error, Result, device};

/// Bytes that the stages of a model take on its device, by the area of a tile in input pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Footprint {
    /// At the peak of [`Backbone::open`], the opened tile included.
    pub open: Line,
    /// Of an opened tile.
    pub kept: Line,
    /// At the peak of [`crate::backbone::Session::predict`] for one particle, its result included.
    pub predict: Line,
    /// Workspace bytes per pixel of a tile that all particles of a batch share: in f32 on a GPU, the columns of convolutions
    /// (`computing/convolution.rs`). [`Footprint::predict`] counts them for each particle.
    pub shared: f64,
    /// At the peak of [`crate::backbone::Session::decode`], its result included.
    pub decode: Line,
}

/// Bytes that grow with an area.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// For a tile of any size: workspaces, weights in another layout. Below 0 where bytes grow faster than the area, as
    /// those of attention do.
    pub fixed: f64,
    /// For each pixel of a tile of at most the smallest area that was measured, where `fixed` is below 0.
    pub first: f64,
    /// For each pixel, up to the largest area that was measured.
    pub per_pixel: f64,
    /// The largest area that was measured, in pixels.
    pub measured: f64,
    /// For each pixel beyond it.
    pub beyond: f64,
}

impl Line {
    /// Through one or two measurements, area and bytes.
    ///
    /// The peak is that of the layer that takes most, and layers of few pixels give way to layers of many: so beyond the
    /// larger area it grows at least as fast as between the two, and mostly at most in proportion to the area. On a GPU the
    /// middle of both is taken; on the CPU, where oneDNN's workspaces count too, the first has been near enough.
    fn through(points: &[(usize, u64)], device: Device) -> Self {
        match *points {
            [(area, bytes)] => {
                let per_pixel = bytes as f64 / area as f64;
                Self { fixed: 0.0, first: per_pixel, per_pixel, measured: area as f64, beyond: per_pixel }
            }
            [(small, fewer), (large, more), ..] => {
                let [small, fewer, large, more] = [small as f64, fewer as f64, large as f64, more as f64];
                let per_pixel = ((more - fewer) / (large - small)).max(0.0);
                let proportional = more / large;
                let beyond = match device {
                    Device::Cpu => per_pixel,
                    _ => per_pixel.max((per_pixel + proportional) / 2.0),
                };
                Self { fixed: more - per_pixel * large, first: fewer / small, per_pixel, measured: large, beyond }
            }
            [] => Self { fixed: 0.0, first: 0.0, per_pixel: 0.0, measured: 0.0, beyond: 0.0 },
        }
    }

    fn at_least(self, per_pixel: usize) -> Self {
        let least = per_pixel as f64;
        let [first, per_pixel, beyond] = [self.first, self.per_pixel, self.beyond].map(|bytes| bytes.max(least));
        Self { first, per_pixel, beyond, ..self }
    }

    /// For this area, `times` at once.
    pub fn bytes(&self, area: usize, times: usize) -> u64 {
        let (area, times) = (area as f64, times as f64);
        let along = |pixels: f64| {
            let within = pixels.min(self.measured);
            self.fixed + self.per_pixel * within + self.beyond * (pixels - within)
        };
        let bytes = match self.fixed < 0.0 {
            // Up to the smallest area in proportion, and each of a batch for itself.
            true => along(area).max(self.first * area) * times,
            false => along(area * times),
        };
        bytes as u64
    }
}

/// The footprints of one opened model, measured when they are first needed: with guidance the network sees each particle
/// twice.
#[derive(Debug, Clone, Default)]
pub struct Footprints(Arc<Mutex<BTreeMap<bool, Footprint>>>);

impl Footprint {
    /// Footprint of a model, for prompts with this guidance.
    ///
    /// # Errors
    /// Those of the model.
    pub fn of(backbone: &dyn Backbone, guidance: f64) -> Result<Self> {
        let guided = guidance > 1.0 && backbone.spec().takes_prompt;
        let Footprints(known) = &backbone.spec().footprints;
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(footprint) = known.get(&guided) {
            return Ok(*footprint);
        }
        // So that what is measured is what a run takes.
        memory::prepare_allocator();
        memory::check(memory::LEAST)?;
        let start = std::time::Instant::now();
        let prompt = Prompt { guidance: if guided { guidance } else { 1.0 }, ..Prompt::default() };
        let measure = || tch::no_grad(|| Self::measure(backbone, &prompt));
        let footprint = device::with_emptied_cache(backbone.spec().device, measure)?;
        tracing::debug!("measured the memory of the model in {:.2} s: {footprint:?}", start.elapsed().as_secs_f64());
        known.insert(guided, footprint);
        Ok(footprint)
    }

    /// Bytes at the peak of [`crate::backbone::Session::predict`] for a batch of `particles`, tiles of `area` input pixels.
    pub fn predicting(&self, area: usize, particles: usize) -> u64 {
        let once = self.shared * (area * particles.saturating_sub(1)) as f64;
        self.predict.bytes(area, particles).saturating_sub(once as u64)
    }

    fn measure(backbone: &dyn Backbone, prompt: &Prompt) -> Result<Self> {
        let spec = backbone.spec();
        let mut points: [Vec<(usize, u64)>; 4] = Default::default();
        let sides = sides(spec);
        // What the model keeps of an earlier prompt is let go before anything is counted.
        let [image, hole, _] = inputs(spec, sides[0])?;
        drop(backbone.open(&image, spec.fills_holes.then_some(&hole), prompt)?);
        for &side in &sides {
            let taken = measure_tile(backbone, prompt, side)?;
            points.iter_mut().zip(taken).for_each(|(points, bytes)| points.push((side * side, bytes)));
        }
        let [open, kept, predict, decode] = points.map(|points| Line::through(&points, spec.device));
        let shared = shared(backbone, prompt, *sides.last().unwrap_or(&1), &predict)?;
        // Third-party models may take memory that libtorch does not see, and say so.
        let least = spec.activation_bytes;
        Ok(Self { open, kept, predict: predict.at_least(least), shared, decode: decode.at_least(least) })
    }
}

/// Sides of the tiles to measure: small ones, so that it takes little, and large enough to tell what grows with the area.
/// Below 64 pixels of the result a GPU's peak may be that of the layers with the most weights, not of the largest maps.
fn sides(spec: &Spec) -> Vec<usize> {
    let least = if spec.device == Device::Cpu { 32usize } else { (64 / spec.scale.max(1)).max(32) };
    let side = least.next_multiple_of(spec.multiple);
    if 2 * side <= spec.largest_side.max(2 * least) { vec![side, 2 * side] } else { vec![side] }
}

/// A picture, its hole and latents, all 0.
fn inputs(spec: &Spec, side: usize) -> Result<[Tensor; 3]> {
    let zeros = |channels: usize, side: usize| {
        Tensor::f_zeros([1, channels as i64, side as i64, side as i64], (Kind::Float, spec.device))
    };
    Ok([zeros(3, side)?, zeros(1, side)?, zeros(spec.latent_channels, side / spec.downscale)?])
}

/// Bytes of each stage for one tile.
fn measure_tile(backbone: &dyn Backbone, prompt: &Prompt, side: usize) -> Result<[u64; 4]> {
    let spec = backbone.spec();
    let [image, hole, latents] = inputs(spec, side)?;
    let hole = spec.fills_holes.then_some(hole);
    let (session, opening) = measured(spec.device, || backbone.open(&image, hole.as_ref(), prompt))?;
    let level = noisiest(spec)?;
    let predicting = predict_peak(spec, &*session, &latents)?;
    let (_, guiding) = measured(spec.device, || session.guide(&latents, &level, &Level::CLEAN))?;
    let (_, decoding) = measured(spec.device, || session.decode(&latents))?;
    Ok([opening.peak, opening.kept, predicting.max(guiding.peak), decoding.peak])
}

fn noisiest(spec: &Spec) -> Result<Level> {
    spec.schedule.level((spec.schedule.train_timesteps().max(1) - 1) as f64)
}

/// Bytes at the peak of a prediction for these latents.
fn predict_peak(spec: &Spec, session: &dyn Session, latents: &Tensor) -> Result<u64> {
    let level = noisiest(spec)?;
    let denoise = || spec.prediction.x0(&session.predict(latents, &level)?, latents, &level);
    Ok(measured(spec.device, denoise)?.1.peak)
}

/// Particles of the batch by which [`Footprint::shared`] is measured.
const BATCH: usize = 4;

/// [`Footprint::shared`], on tiles of this side.
fn shared(backbone: &dyn Backbone, prompt: &Prompt, side: usize, predict: &Line) -> Result<f64> {
    let spec = backbone.spec();
    if spec.device == Device::Cpu || spec.kind != Kind::Float {
        return Ok(0.0);
    }
    let [image, hole, latents] = inputs(spec, side)?;
    let session = backbone.open(&image, spec.fills_holes.then_some(&hole), prompt)?;
    let batch = latents.f_repeat([BATCH as i64, 1, 1, 1])?;
    let area = side * side;
    let less = predict.bytes(area, BATCH).saturating_sub(predict_peak(spec, &*session, &batch)?);
    Ok(less as f64 / ((BATCH - 1) * area) as f64)
}

/// Bytes that an ensemble takes beside the network, per pixel of the latents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnsembleFootprint {
    /// At the peak of a step without steering, the network's output included.
    plain: f64,
    /// At the peak of one with it.
    steered: f64,
    /// While the network computes, without its output.
    pub beside_network: f64,
}

impl EnsembleFootprint {
    /// Samples a few pixels with a network that does nothing.
    ///
    /// # Errors
    /// Those of the settings.
    pub fn measure(spec: &Spec, settings: &Resolved) -> Result<Self> {
        let plain = Steering { strength: 0.0, ..settings.steering };
        // All of the steps.
        let steered = Steering { from: 1.0, to: 0.0, ..settings.steering };
        let measure = |steering| device::with_emptied_cache(spec.device, || measure_steps(spec, settings, steering));
        let (plain, beside_network) = measure(&plain)?;
        let (steered, _) = measure(&steered)?;
        Ok(Self { plain, steered, beside_network })
    }

    /// Bytes at the peak, without the network, for so many pixels of the latents.
    pub fn peak(&self, pixels: f64) -> f64 {
        // Steering by tensor operations goes in bands, so that it does not grow with the tile for ever.
        let most = self.plain * pixels + 1.25 * steering::TEMPORARIES as f64;
        (self.steered * pixels).min(most)
    }
}

/// Bytes per pixel of the latents: at the peak, and while the network computes.
fn measure_steps(spec: &Spec, settings: &Resolved, steering: &Steering) -> Result<(f64, f64)> {
    match measure_steps_of(spec, settings, steering, spec.prediction) {
        // A network that says 0 where the picture is all noise.
        Err(Error::NotFinite { .. }) => measure_steps_of(spec, settings, steering, Prediction::X0),
        measured => measured,
    }
}

fn measure_steps_of(
    spec: &Spec,
    settings: &Resolved,
    steering: &Steering,
    prediction: Prediction,
) -> Result<(f64, f64)> {
    let side = (2 * steering.patch).max(16);
    let window = Window { x: 0, y: 0, width: side, height: side };
    // As many steps as any sampler looks back.
    let steps = settings.steps.min(4);
    let sampling = Sampling {
        schedule: &spec.schedule,
        trajectory: settings.sampler.trajectory(&spec.schedule, settings.spacing, steps)?,
        steering,
        particles: settings.particles,
        channels: spec.latent_channels,
        window,
        start: None,
        seed: 0,
        device: spec.device,
    };
    let watch = Watch::begin(spec.device)?;
    let mut beside_network = 0;
    let denoise = |x: &Tensor, level: &Level| {
        beside_network = watch.read().kept.max(beside_network);
        prediction.x0(&x.f_zeros_like()?, x, level)
    };
    let finished = tch::no_grad(|| sample(sampling, denoise, |_| Ok(())))?;
    drop(finished);
    let per_pixel = |bytes: u64| bytes as f64 / (side * side) as f64;
    Ok((per_pixel(watch.read().peak), per_pixel(beside_network)))
}
