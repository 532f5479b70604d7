//! The tiles of a picture, one after the other: sampled, decoded, blended; with less at once where memory runs out.

use std::collections::VecDeque;

use tch::{Device, Kind, Tensor};

use super::{Progress, Restored, Stage};
use crate::backbone::{Backbone, Session, move_to};
use crate::computing::values::Values;
use crate::ensemble::{Sampling, sample};
use crate::noise::Window;
use crate::picture::Picture;
use crate::picture::grey;
use crate::picture::known::Known;
use crate::plan::Plan;
use crate::schedule::Level;
use crate::settings::Resolved;
use crate::steering::{Distances, Selection, difference, fuse, sharpest, spread};
use crate::tiling::Tile;
use crate::{Error, Result, calibration, device, memory};

/// Share of the doubt that a change leaves which is not shown; chosen on the held-out photographs.
const UNSHOWN: f64 = 0.3;

/// Share of the first network's estimate in the consensus, beside the mean of the particles; chosen on the held-out
/// photographs (docs/quality).
const ESTIMATE_SHARE: f64 = 0.5;

/// Restores what is known of a picture as planned.
pub(super) fn restore(
    backbone: &dyn Backbone,
    settings: &Resolved,
    plan: &Plan,
    known: &Known,
    with_confidence: bool,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<Restored> {
    progress(Progress { stage: Stage::Prepare, done: 0, total: per_tile(plan, settings) * plan.tiles.len() as u64 })?;
    let (width, height) = plan.output_size();
    let pixels = width * height;
    let run = Run {
        backbone,
        settings,
        plan,
        known,
        progress,
        batch: plan.batch,
        done: 0,
        total: 0,
        planes: memory::zeros(3 * pixels)?,
        doubt: with_confidence.then(|| memory::zeros(pixels)).transpose()?,
        distances: Distances::default(),
        waiting: VecDeque::new(),
    };
    run.run()
}

/// Network evaluations per tile, counted for each particle: the unit of [`Progress`].
fn per_tile(plan: &Plan, settings: &Resolved) -> u64 {
    plan.evaluations * settings.particles as u64
}

struct Run<'a> {
    backbone: &'a dyn Backbone,
    settings: &'a Resolved,
    plan: &'a Plan,
    known: &'a Known,
    progress: &'a mut dyn FnMut(Progress) -> Result<()>,
    /// Particles that go through the network at once.
    batch: usize,
    /// Evaluations of the tiles that are finished.
    done: u64,
    /// Evaluations of all tiles.
    total: u64,
    /// The result in -1..1, as far as it has been blended.
    planes: Vec<f32>,
    /// The spread of the particles, where a map of confidence is wanted.
    doubt: Option<Vec<f32>>,
    distances: Distances,
    waiting: VecDeque<Waiting<'a>>,
}

/// A tile that is sampled, until one particle is chosen for all of them.
struct Waiting<'a> {
    tile: Tile,
    /// In the host's memory. A part of a tile that was cut has none.
    session: Option<Box<dyn Session + 'a>>,
    /// In half precision, in the host's memory.
    ensemble: Tensor,
}

/// Outcome of sampling a tile.
enum Sampled<'a> {
    Decoded(Values),
    Waits(Distances, Waiting<'a>),
}

impl<'a> Run<'a> {
    fn run(mut self) -> Result<Restored> {
        let mut pending = VecDeque::from(self.plan.tiles.clone());
        while let Some(tile) = pending.pop_front() {
            self.total = self.done + self.per_tile() * (pending.len() as u64 + 1);
            match device::caught(|| self.sample(&tile)) {
                Ok(()) => self.done += self.per_tile(),
                Err(error) if error.ran_out_of_memory() => {
                    pending.push_front(tile);
                    self.take_less(&mut pending, &error)?;
                }
                Err(error) => return Err(error),
            }
        }
        while let Some(mut waiting) = self.waiting.pop_front() {
            self.tell(Stage::Decode, self.done)?;
            match device::caught(|| self.decode_waiting(&mut waiting)) {
                Ok(decoded) => self.blend(&waiting.tile, &decoded),
                Err(error) if error.ran_out_of_memory() => self.cut_waiting(waiting, &error)?,
                Err(error) => return Err(error),
            }
        }
        self.tell(Stage::Finish, self.done)?;
        self.finish()
    }

    fn finish(self) -> Result<Restored> {
        let Self { mut planes, mut doubt, .. } = self;
        // Finite latents may still overflow where they are decoded or their spread is taken.
        if planes.iter().chain(doubt.iter().flatten()).any(|value| value.is_nan()) {
            return Err(Error::NotFinite { step: self.settings.steps.saturating_sub(1) });
        }
        // -1..1 to 0..1.
        planes.iter_mut().for_each(|value| *value = (*value * 0.5 + 0.5).clamp(0.0, 1.0));
        if self.known.grey {
            grey::remove_colour(&mut planes);
        }
        let curve = self.settings.calibration.as_ref().and_then(|of| of.curve(self.settings.particles));
        doubt.iter_mut().flatten().for_each(|value| *value = calibration::confidence(*value, curve));
        let (width, height) = self.plan.output_size();
        Ok(Restored { picture: Picture { width, height, values: planes }, confidence: doubt })
    }

    fn per_tile(&self) -> u64 {
        per_tile(self.plan, self.settings)
    }

    fn tell(&mut self, stage: Stage, done: u64) -> Result<()> {
        (self.progress)(Progress { stage, done, total: self.total })
    }

    /// After memory ran out: half of the batch, then tiles of half the side, then the error.
    fn take_less(&mut self, pending: &mut VecDeque<Tile>, error: &Error) -> Result<()> {
        self.empty_caches();
        if self.batch > 1 {
            self.batch = self.batch.div_ceil(2);
            tracing::warn!("memory ran out ({error}): {} particles at once from here on", self.batch);
            return Ok(());
        }
        let side = self.half(pending.front().map_or(0, Tile::side))?;
        tracing::warn!("memory ran out ({error}): tiles of {side} pixels from here on");
        let (overlap, align) = (self.backbone.spec().overlap, self.plan.align);
        *pending = pending.iter().flat_map(|tile| tile.split(side, overlap, align)).collect();
        Ok(())
    }

    /// Memory that allocators keep of the attempt that failed is in the way of the next.
    fn empty_caches(&self) {
        memory::give_back();
        if let Err(error) = device::empty_cache(self.backbone.spec().device) {
            tracing::warn!("{error}");
        }
    }

    /// Half the side of a tile, if a network still sees enough in that.
    fn half(&self, side: usize) -> Result<usize> {
        let Plan { align, least_side, need, .. } = *self.plan;
        let half = (side / 2 / align * align).max(least_side);
        if half < side {
            return Ok(half);
        }
        let needed = need.host.max(need.device);
        Err(Error::OutOfMemory { needed, allowed: memory::available(), memory: memory::Kind::Free })
    }

    /// Samples a tile; it counts wholly or, after an error, not at all.
    fn sample(&mut self, tile: &Tile) -> Result<()> {
        let spec = self.backbone.spec();
        let (image, mask) = self.known.tile(tile, spec.device)?;
        let backbone = self.backbone;
        let mut session = backbone.open(&image, mask.as_ref(), &self.settings.prompt)?;
        drop((image, mask));
        let ensemble = self.sample_ensemble(tile, &*session)?;
        let spread = match self.doubt {
            Some(_) => {
                // Of any particle: their mean changes less than the one that is shown.
                let kept = session.kept(&ensemble.f_narrow(0, 0, 1)?)?;
                // Where small changes are left out, the distance from the first network tells more than the spread.
                let from_first = spec.estimates && (self.settings.particles == 1 || kept.is_some());
                let doubt = if from_first { difference(&ensemble, &session.estimate()?)? } else { spread(&ensemble)? };
                let doubt = doubt.f_div_scalar(spec.latent_std)?.f_unsqueeze(0)?.f_unsqueeze(0)?;
                let doubt = match kept {
                    // A change that is not shown would have been a repair now and then.
                    Some(share) => doubt.f_mul(&share.f_mul_scalar(1.0 - UNSHOWN)?.f_add_scalar(UNSHOWN)?)?,
                    None => doubt,
                };
                Some(self.enlarge_map(&doubt, tile)?)
            }
            None => None,
        };
        let sampled = if self.plan.choose_once {
            let [rows, columns] = [&tile.y, &tile.x].map(|span| span.weights_below(spec.downscale));
            let mut distances = self.distances.clone();
            distances.add(self.settings.selection, &ensemble, &rows, &columns)?;
            let ensemble = ensemble.f_to_kind(Kind::Half)?.f_to_device(Device::Cpu)?;
            move_to(&mut *session, Device::Cpu)?;
            Sampled::Waits(distances, Waiting { tile: tile.clone(), session: Some(session), ensemble })
        } else {
            self.tell(Stage::Decode, self.done + self.per_tile())?;
            let picture = match self.settings.selection {
                Selection::Sharpest => self.sharpest(&ensemble, &*session)?,
                selection => session.decode(&selection.choose(&ensemble)?)?,
            };
            Sampled::Decoded(self.fused(picture, &ensemble, &*session)?)
        };
        // Nothing can fail from here on.
        if let (Some(mut doubt), Some(spread)) = (self.doubt.take(), spread) {
            add_share(self.plan, tile, spread.as_slice(), &mut doubt);
            self.doubt = Some(doubt);
        }
        match sampled {
            Sampled::Decoded(decoded) => self.blend(tile, &decoded),
            Sampled::Waits(distances, waiting) => {
                self.distances = distances;
                self.waiting.push_back(waiting);
            }
        }
        Ok(())
    }

    fn sample_ensemble(&mut self, tile: &Tile, session: &dyn Session) -> Result<Tensor> {
        let (backbone, settings, batch) = (self.backbone, self.settings, self.batch);
        let spec = backbone.spec();
        let trajectory = settings.trajectory(spec)?;
        let levels = trajectory.evaluations().to_vec();
        let (done, total) = (self.done, self.total);
        let progress = std::cell::RefCell::new(&mut *self.progress);
        let tell = |step: usize, particles: usize| {
            let done = done + (step * settings.particles + particles) as u64;
            (progress.borrow_mut())(Progress { stage: Stage::Sample, done, total })
        };
        let step = std::cell::Cell::new(0);
        let sampling = Sampling {
            schedule: &spec.schedule,
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
            start: session.start()?,
            seed: settings.seed,
            device: spec.device,
        };
        sample(
            sampling,
            |x, level| {
                let mut outputs = Vec::new();
                for first in (0..settings.particles).step_by(batch) {
                    tell(step.get(), first)?;
                    let count = batch.min(settings.particles - first);
                    let part = x.f_narrow(0, first as i64, count as i64)?;
                    outputs.push(spec.prediction.x0(&session.predict(&part, level)?, &part, level)?);
                }
                let x0 = if outputs.len() == 1 { outputs.swap_remove(0) } else { Tensor::f_cat(&outputs, 0)? };
                drop(outputs);
                let next = levels.get(step.get() + 1).unwrap_or(&Level::CLEAN);
                Ok(session.guide(&x0, level, next)?.unwrap_or(x0))
            },
            |evaluations| {
                step.set(evaluations);
                tell(evaluations, 0)
            },
        )
    }

    fn decode_waiting(&self, waiting: &mut Waiting<'a>) -> Result<Values> {
        let device = self.backbone.spec().device;
        let session = match waiting.session.take() {
            Some(mut session) => {
                move_to(&mut *session, device)?;
                session
            }
            None => {
                let (image, mask) = self.known.tile(&waiting.tile, device)?;
                self.backbone.open(&image, mask.as_ref(), &self.settings.prompt)?
            }
        };
        let ensemble = waiting.ensemble.f_to_device(device)?.f_to_kind(Kind::Float)?;
        let picture = session.decode(&self.settings.selection.pick(&ensemble, &self.distances)?)?;
        self.fused(picture, &ensemble, &*session)
    }

    /// After memory ran out where a tile was decoded: its parts, in its place.
    fn cut_waiting(&mut self, waiting: Waiting<'a>, error: &Error) -> Result<()> {
        self.empty_caches();
        let spec = self.backbone.spec();
        let side = self.half(waiting.tile.side())?;
        tracing::warn!("memory ran out ({error}): decoding tiles of {side} pixels from here on");
        let Waiting { tile: whole, ensemble, .. } = waiting;
        for tile in whole.split(side, spec.overlap, self.plan.align).into_iter().rev() {
            let of = |start: usize| (start / spec.downscale) as i64;
            let rows = ensemble.f_narrow(2, of(tile.y.start - whole.y.start), of(tile.y.length))?;
            let ensemble = rows.f_narrow(3, of(tile.x.start - whole.x.start), of(tile.x.length))?;
            self.waiting.push_front(Waiting { tile, session: None, ensemble });
        }
        Ok(())
    }

    /// Decodes all particles for the sharpest picture of them. With a large decoder that takes time, so it can be cancelled
    /// in between.
    fn sharpest(&mut self, ensemble: &Tensor, session: &dyn Session) -> Result<Tensor> {
        let mut pictures = Vec::new();
        for index in 0..ensemble.size()[0] {
            self.tell(Stage::Decode, self.done + self.per_tile())?;
            pictures.push(session.decode(&ensemble.f_narrow(0, index, 1)?)?);
        }
        sharpest(&pictures)
    }

    /// Gives the selected picture the low frequencies of the consensus, at the scale that was asked for.
    fn fused(&self, mut picture: Tensor, ensemble: &Tensor, session: &dyn Session) -> Result<Values> {
        if self.settings.fuses(self.backbone.spec()) {
            let mut consensus = Selection::Mean.choose(ensemble)?;
            if self.backbone.spec().estimates {
                consensus = consensus.f_lerp(&session.estimate()?, ESTIMATE_SHARE)?;
            }
            picture = fuse(&picture, &session.decode(&consensus)?, self.settings.fusion)?;
        }
        let (model, scale) = (self.backbone.spec().scale as i64, self.plan.scale as i64);
        if model == scale {
            return Values::of(&picture);
        }
        let (_, _, height, width) = picture.size4()?;
        let size = [height * scale / model, width * scale / model];
        Values::of(&picture.f_internal_upsample_bicubic2d_aa(size, false, None::<f64>, None::<f64>)?)
    }

    /// A map on the latent grid of a tile, `1 x 1 x h' x w'`, at the size of the tile's result.
    fn enlarge_map(&self, map: &Tensor, tile: &Tile) -> Result<Values> {
        let size = [tile.y.length * self.plan.scale, tile.x.length * self.plan.scale].map(|side| side as i64);
        Values::of(&map.f_upsample_bilinear2d(size, false, None::<f64>, None::<f64>)?)
    }

    fn blend(&mut self, tile: &Tile, decoded: &Values) {
        add_share(self.plan, tile, decoded.as_slice(), &mut self.planes);
    }
}

/// Adds a tile's result, planes of the tile's size, to those of the whole picture by its share of each pixel.
fn add_share(plan: &Plan, tile: &Tile, result: &[f32], planes: &mut [f32]) {
    let (scale, (width, height)) = (plan.scale, plan.output_size());
    let (across, down) = (tile.x.weights(scale), tile.y.weights(scale));
    let (left, top) = (tile.x.start * scale, tile.y.start * scale);
    for (plane, source) in planes.chunks_exact_mut(width * height).zip(result.chunks_exact(across.len() * down.len())) {
        for ((row, source), share) in (top..height).zip(source.chunks_exact(across.len())).zip(&down) {
            let target = &mut plane[row * width + left..(row + 1) * width];
            for ((target, source), weight) in target.iter_mut().zip(source).zip(&across) {
                *target += source * weight * share;
            }
        }
    }
}
