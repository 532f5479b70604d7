//! From a degraded picture to a restored one: tiles, ensembles, blending.

use tch::{Kind, Tensor};

use crate::backbone::{Backbone, Condition};
use crate::ensemble::{Sampling, sample};
use crate::known::Known;
use crate::noise::Window;
use crate::plan::Plan;
use crate::sampler::Trajectory;
use crate::settings::Resolved;
use crate::steering::{Distances, spread};
use crate::tiling::Tile;
use crate::{Error, Result};

/// A picture: planar RGB, `3 * width * height` sRGB-encoded values in 0..1.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Pixels along the upper edge.
    pub width: usize,
    /// Pixels along the left edge.
    pub height: usize,
    /// All red values row by row, then green, then blue.
    pub values: Vec<f32>,
}

/// What there is to restore.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The picture. Its values must be finite; ones outside 0..1 are restored as if they were the nearest within.
    pub picture: &'a Picture,
    /// Opacity, one value in 0..1 per pixel: the colour of pixels with 0 is not looked at.
    pub alpha: Option<&'a [f32]>,
    /// For models that fill holes, one value in 0..1 per pixel: how much of the result is to be seen there. What is above
    /// 0 is not looked at, and pixels with 0 keep their values exactly.
    pub mask: Option<&'a [f32]>,
}

impl<'a> From<&'a Picture> for Source<'a> {
    fn from(picture: &'a Picture) -> Self {
        Self { picture, alpha: None, mask: None }
    }
}

/// What [`restore`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// The picture, within 0..1 wherever it is not the source's.
    pub picture: Picture,
    /// Per pixel, 1 where the particles agree, 0 where they differ as much as photographs do.
    pub confidence: Option<Vec<f32>>,
}

/// Where a restoration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it does.
    pub stage: Stage,
    /// Evaluations of the network done, over all tiles.
    pub done: u64,
    /// Evaluations of the network in all.
    pub total: u64,
}

/// What a restoration does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Stage {
    /// Plans and allocates.
    Prepare = 0,
    /// Samples the ensemble of a tile.
    Sample = 1,
    /// Decodes the chosen particle of a tile.
    Decode = 2,
    /// Puts the result together.
    Finish = 3,
}

/// Restores a picture.
///
/// `progress` is told at the start, at every step of the sampler, at every part of a batch and at every tile; an error
/// from it ends the run. When memory runs out the tiles are made smaller and the run begins again.
pub fn restore(
    backbone: &dyn Backbone,
    settings: &Resolved,
    source: Source<'_>,
    with_confidence: bool,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<Restored> {
    let _guard = tch::no_grad_guard();
    let spec = backbone.spec();
    let no_prompt = settings.prompt.positive.is_empty() && settings.prompt.negative.is_empty();
    if !(no_prompt || spec.takes_prompt) {
        return Err(Error::Conflict("this model takes no prompt: leave 'prompt' and 'negative' empty".to_owned()));
    }
    let known = Known::new(source, spec.fills_holes)?;
    let Some(mask) = source.mask else { return sample_tiles(backbone, settings, &known, with_confidence, progress) };
    let confidence = with_confidence.then(|| vec![1.0; mask.len()]);
    let mut result = Restored { picture: source.picture.clone(), confidence };
    // The rest of the picture would only be thrown away again.
    if let Some((part, corner)) = known.around_holes(spec.context) {
        let filled = sample_tiles(backbone, settings, &part, with_confidence, progress)?;
        let width = source.picture.width;
        let blend =
            |planes: &mut [f32], part: &[f32]| blend_holes(mask, width, planes, part, filled.picture.width, corner);
        blend(&mut result.picture.values, &filled.picture.values);
        if let (Some(whole), Some(part)) = (&mut result.confidence, &filled.confidence) {
            blend(whole, part);
        }
    }
    Ok(result)
}

/// Blends planes of a part, whose corner lies at x, y, into those of the whole picture by the share that the mask gives
/// each pixel; where it is 0 nothing changes.
fn blend_holes(
    mask: &[f32],
    width: usize,
    planes: &mut [f32],
    part: &[f32],
    part_width: usize,
    (x, y): (usize, usize),
) {
    let part_pixels = part.len() / (planes.len() / mask.len());
    for (plane, part) in planes.chunks_exact_mut(mask.len()).zip(part.chunks_exact(part_pixels)) {
        for (row, part) in part.chunks_exact(part_width).enumerate() {
            let first = (y + row) * width + x;
            let shares = &mask[first..][..part_width];
            for ((value, new), share) in
                plane[first..].iter_mut().zip(part).zip(shares).filter(|(_, share)| **share > 0.0)
            {
                *value += share * (new - *value);
            }
        }
    }
}

fn sample_tiles(
    backbone: &dyn Backbone,
    settings: &Resolved,
    known: &Known,
    with_confidence: bool,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<Restored> {
    let mut settings = settings.clone();
    let start = std::time::Instant::now();
    loop {
        let plan = Plan::new(backbone.spec(), &settings, known.width, known.height)?;
        tracing::debug!(
            "{} tiles of {} pixels, one particle for {}, {} of {} particles at once, {} MiB expected",
            plan.tiles.len(),
            plan.side,
            if plan.choose_once { "all of them" } else { "each" },
            plan.batch,
            settings.particles,
            plan.memory >> 20
        );
        match (Run { backbone, settings: &settings, plan: &plan, known, with_confidence, progress }).run() {
            Err(Error::MemoryRanOut(_)) => {
                let smaller = plan.side / 2;
                if smaller < backbone.spec().overlap.max(backbone.spec().multiple) {
                    return Err(Error::OutOfMemory {
                        needed: plan.memory >> 20,
                        budget: crate::memory::available() >> 20,
                    });
                }
                tracing::warn!("memory ran out with tiles of {} pixels, trying {smaller}", plan.side);
                settings.tile = smaller;
            }
            Ok(restored) => {
                let (from, to) = ((known.width, known.height), (plan.output_width, plan.output_height));
                tracing::info!("restored {from:?} to {to:?} pixels in {:.1} s", start.elapsed().as_secs_f64());
                return Ok(restored);
            }
            Err(error) => return Err(error),
        }
    }
}

struct Run<'a> {
    backbone: &'a dyn Backbone,
    settings: &'a Resolved,
    plan: &'a Plan,
    known: &'a Known,
    with_confidence: bool,
    progress: &'a mut dyn FnMut(Progress) -> Result<()>,
}

impl Run<'_> {
    fn run(mut self) -> Result<Restored> {
        let Plan { output_width: width, output_height: height, .. } = *self.plan;
        let spec = self.backbone.spec();
        let trajectory = self.trajectory()?;
        let evaluations = trajectory.evaluations().len() as u64;
        let total = evaluations * self.plan.tiles.len() as u64;
        (self.progress)(Progress { stage: Stage::Prepare, done: 0, total })?;

        let mut values = vec![0f32; 3 * width * height];
        let mut doubt = self.with_confidence.then(|| vec![0f32; width * height]);
        let mut distances = Distances::default();
        let mut waiting = Vec::new();
        for (index, tile) in self.plan.tiles.iter().enumerate() {
            let done = evaluations * index as u64;
            let (image, mask) = self.known.tile(tile, spec.device)?;
            let condition = self.backbone.condition(&image, mask.as_ref(), &self.settings.prompt)?;
            let ensemble = self.sample_tile(tile, &condition, done, total)?;
            if let Some(doubt) = &mut doubt {
                let spread = spread(&ensemble)?.f_div_scalar(spec.latent_std)?.f_unsqueeze(0)?.f_unsqueeze(0)?;
                self.blend(tile, &self.enlarge_map(&spread, tile)?, doubt)?;
            }
            if self.plan.choose_once {
                let [rows, columns] = [tile.y, tile.x].map(|span| span.weights_below(spec.downscale));
                distances.add(self.settings.selection, &ensemble, &rows, &columns)?;
                waiting.push((tile, condition, ensemble.f_to_kind(Kind::Half)?.f_to_device(tch::Device::Cpu)?));
                continue;
            }
            (self.progress)(Progress { stage: Stage::Decode, done: done + evaluations, total })?;
            let chosen = self.settings.selection.choose(&ensemble)?;
            self.decode(tile, &chosen, &condition, &mut values)?;
        }
        for (tile, condition, ensemble) in waiting {
            (self.progress)(Progress { stage: Stage::Decode, done: total, total })?;
            let ensemble = ensemble.f_to_device(spec.device)?.f_to_kind(Kind::Float)?;
            let chosen = self.settings.selection.pick(&ensemble, &distances)?;
            self.decode(tile, &chosen, &condition, &mut values)?;
        }
        (self.progress)(Progress { stage: Stage::Finish, done: total, total })?;
        // Finite latents may still overflow where they are decoded or their spread is taken.
        if values.iter().chain(doubt.iter().flatten()).any(|value| value.is_nan()) {
            return Err(Error::NotFinite { step: self.settings.steps.saturating_sub(1) });
        }
        // -1..1 to 0..1.
        values.iter_mut().for_each(|value| *value = (*value * 0.5 + 0.5).clamp(0.0, 1.0));
        let confidence = doubt.map(|mut doubt| {
            doubt.iter_mut().for_each(|value| *value = (1.0 - *value).clamp(0.0, 1.0));
            doubt
        });
        Ok(Restored { picture: Picture { width, height, values }, confidence })
    }

    fn trajectory(&self) -> Result<Trajectory> {
        let (spec, settings) = (self.backbone.spec(), self.settings);
        settings.sampler.trajectory(&spec.schedule, settings.spacing.with_offset(spec.steps_offset), settings.steps)
    }

    fn sample_tile(&mut self, tile: &Tile, condition: &Condition, done: u64, total: u64) -> Result<Tensor> {
        let (backbone, settings, batch) = (self.backbone, self.settings, self.plan.batch);
        let spec = backbone.spec();
        let trajectory = self.trajectory()?;
        let progress = std::cell::RefCell::new(&mut *self.progress);
        let tell = |step: u64| (progress.borrow_mut())(Progress { stage: Stage::Sample, done: done + step, total });
        let step = std::cell::Cell::new(0);
        let sampling = Sampling {
            schedule: &spec.schedule,
            prediction: spec.prediction,
            trajectory,
            steering: &settings.steering,
            particles: settings.particles,
            channels: spec.latent_channels,
            window: Window {
                x: tile.x.start / spec.downscale,
                y: tile.y.start / spec.downscale,
                width: tile.x.length / spec.downscale,
                height: tile.y.length / spec.downscale,
            },
            seed: settings.seed,
            device: spec.device,
        };
        sample(
            sampling,
            |x, level| {
                let mut outputs = Vec::new();
                for first in (0..settings.particles).step_by(batch) {
                    tell(step.get())?;
                    let count = batch.min(settings.particles - first);
                    let part = x.f_narrow(0, first as i64, count as i64)?;
                    outputs.push(backbone.predict(&part, level.timestep, condition)?);
                }
                if outputs.len() == 1 { Ok(outputs.swap_remove(0)) } else { Ok(Tensor::f_cat(&outputs, 0)?) }
            },
            |evaluations| {
                step.set(evaluations as u64);
                tell(evaluations as u64)
            },
        )
    }

    /// Decodes the chosen latent of a tile into the planes of the picture.
    fn decode(&self, tile: &Tile, chosen: &Tensor, condition: &Condition, planes: &mut [f32]) -> Result<()> {
        let decoded = self.to_scale(&self.backbone.decode(chosen, condition)?)?;
        self.blend(tile, &decoded, planes)
    }

    /// A decoded tile at the scale that was asked for.
    fn to_scale(&self, decoded: &Tensor) -> Result<Tensor> {
        let (model, scale) = (self.backbone.spec().scale as i64, self.plan.scale as i64);
        if model == scale {
            return Ok(decoded.shallow_clone());
        }
        let (_, _, height, width) = decoded.size4()?;
        let size = [height * scale / model, width * scale / model];
        Ok(decoded.f_internal_upsample_bicubic2d_aa(size, false, None::<f64>, None::<f64>)?)
    }

    /// A map on the latent grid of a tile, `1 x 1 x h' x w'`, at the size of the tile's result.
    fn enlarge_map(&self, map: &Tensor, tile: &Tile) -> Result<Tensor> {
        let size = [tile.y.length * self.plan.scale, tile.x.length * self.plan.scale].map(|side| side as i64);
        Ok(map.f_upsample_bilinear2d(size, false, None::<f64>, None::<f64>)?)
    }

    /// Adds a tile's result, `1 x C x h x w`, to the planes of the whole picture by its share of each pixel.
    fn blend(&self, tile: &Tile, result: &Tensor, planes: &mut [f32]) -> Result<()> {
        let Plan { output_width: width, output_height: height, scale, .. } = *self.plan;
        let result = result.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
        let values: Vec<f32> = Vec::try_from(&result)?;
        let (across, down) = (tile.x.weights(scale), tile.y.weights(scale));
        let (left, top) = (tile.x.start * scale, tile.y.start * scale);
        for (plane, source) in
            planes.chunks_exact_mut(width * height).zip(values.chunks_exact(across.len() * down.len()))
        {
            for ((row, source), share) in (top..height).zip(source.chunks_exact(across.len())).zip(&down) {
                let target = &mut plane[row * width + left..(row + 1) * width];
                for ((target, source), weight) in target.iter_mut().zip(source).zip(&across) {
                    *target += source * weight * share;
                }
            }
        }
        Ok(())
    }
}
