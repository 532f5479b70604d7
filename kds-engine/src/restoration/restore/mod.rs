//! From a degraded picture to a restored one: tiles, ensembles, blending.

mod tiles;

use crate::backbone::Backbone;
use crate::footprint::Footprint;
use crate::memory::{Free, Promise};
use crate::picture::known::Known;
use crate::picture::resize::resize;
use crate::picture::{Picture, Source};
use crate::plan::{Plan, Request};
use crate::settings::Resolved;
use crate::{Error, Result, device, memory};

/// Result of [`restore`].
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// The picture, within 0..1 wherever it is not the source's.
    pub picture: Picture,
    /// Per pixel, 1 where the particles agree, 0 where they differ as much as photographs do; of a calibrated model the
    /// expected error ([`crate::calibration`]).
    pub confidence: Option<Vec<f32>>,
}

impl Restored {
    /// In another size, in pixels.
    fn resized(self, width: usize, height: usize) -> Result<Self> {
        let Self { picture, confidence } = self;
        let from = (picture.width, picture.height);
        let values = resize(&picture.values, from, (width, height))?;
        let confidence = confidence.map(|map| resize(&map, from, (width, height))).transpose()?;
        Ok(Self { picture: Picture { width, height, values }, confidence })
    }
}

/// Where a restoration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Its stage.
    pub stage: Stage,
    /// Evaluations of the network done, one for each particle, level and tile.
    pub done: u64,
    /// Evaluations of the network in all.
    pub total: u64,
}

/// Stages of a restoration.
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

/// Restores a picture: [`Prepared::new`], then [`Prepared::run`].
///
/// # Errors
/// Those of both.
pub fn restore(
    backbone: &dyn Backbone,
    settings: &Resolved,
    source: Source<'_>,
    with_confidence: bool,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<Restored> {
    let request = Request {
        width: source.picture.width,
        height: source.picture.height,
        alpha: source.alpha.is_some(),
        mask: source.mask.is_some(),
        confidence: with_confidence,
        output_bytes: 0,
    };
    Prepared::new(backbone, settings, request, progress)?.run(source, progress)
}

/// A restoration that has its plan and the memory for it, and has not allocated anything large yet.
pub struct Prepared<'a> {
    backbone: &'a dyn Backbone,
    settings: &'a Resolved,
    request: Request,
    /// Memory that was free when it was planned.
    free: Free,
    plan: Plan,
    promise: Promise,
}

impl<'a> Prepared<'a> {
    /// Plans a restoration, and waits for memory that other restorations of this process use. `progress` is told
    /// meanwhile; an error from it ends the wait.
    ///
    /// # Errors
    /// Those of [`Plan::new`], and [`Error::Conflict`] for a prompt or a mask that the model cannot use.
    pub fn new(
        backbone: &'a dyn Backbone,
        settings: &'a Resolved,
        request: Request,
        progress: &mut dyn FnMut(Progress) -> Result<()>,
    ) -> Result<Self> {
        let spec = backbone.spec();
        let no_prompt = settings.prompt.positive.is_empty() && settings.prompt.negative.is_empty();
        if !(no_prompt || spec.takes_prompt) {
            return Err(Error::Conflict("this model takes no prompt: leave 'prompt' and 'negative' empty".to_owned()));
        }
        if request.mask && !spec.fills_holes {
            return Err(Error::Conflict(
                "this model fills no holes: leave the mask out, or open another model".to_owned(),
            ));
        }
        if request.confidence && settings.particles == 1 && !spec.estimates {
            return Err(Error::Conflict(
                "one particle of this model has no confidence map, since there is nothing to compare it with: set \
                 'particles' to 2 or more, or leave the map out"
                    .to_owned(),
            ));
        }
        // Before others have to wait for the plan.
        Footprint::of(backbone, settings.prompt.guidance)?;
        let make_plan = |free| {
            let plan = Plan::new(backbone, settings, request, (request.width, request.height), free)?;
            let need = plan.need;
            Ok(((plan, free), need))
        };
        let mut wait = || progress(Progress { stage: Stage::Prepare, done: 0, total: 0 });
        let ((plan, free), promise) = memory::promise(spec.device, make_plan, &mut wait)?;
        Ok(Self { backbone, settings, request, free, plan, promise })
    }

    /// Its work and memory.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Restores the picture.
    ///
    /// `progress` is told at the start, at every step of the sampler, at every part of a batch and at every tile; an error
    /// from it ends the run. Where memory runs out all the same, fewer particles go through the network at once, then the
    /// tiles that are left are cut into smaller ones; tiles that are finished stay.
    ///
    /// # Errors
    /// [`Error::Image`] for a source that is not as requested or has values that are no numbers, [`Error::OutOfMemory`]
    /// where memory runs out with the smallest tiles, [`Error::NotFinite`], and those of the model and of `progress`.
    pub fn run(self, source: Source<'_>, progress: &mut dyn FnMut(Progress) -> Result<()>) -> Result<Restored> {
        let _given_back = GivenBack;
        let _guard = tch::no_grad_guard();
        let Request { width, height, confidence, .. } = self.request;
        if (source.picture.width, source.picture.height) != (width, height) {
            return Err(Error::Image(format!(
                "the image is not of the {width} x {height} pixels that were planned for"
            )));
        }
        let known = Known::new(source)?;
        let backbone = self.backbone;
        device::caught(|| match source.mask {
            None => {
                let seen = backbone.look(&|| known.whole(backbone.spec().device))?;
                self.sample(seen.as_deref().unwrap_or(backbone), &self.plan, &known, progress)
            }
            Some(mask) => self.fill(source.picture, mask, known, confidence, progress),
        })
    }

    /// Fills the holes of a picture: only what surrounds them goes through the network.
    fn fill(
        mut self,
        picture: &Picture,
        mask: &[f32],
        known: Known,
        with_confidence: bool,
        progress: &mut dyn FnMut(Progress) -> Result<()>,
    ) -> Result<Restored> {
        let part = known.around_holes(self.backbone.spec().context)?;
        drop(known);
        let filled = match part {
            Some((part, corner)) => {
                let size = (part.width, part.height);
                let plan = Plan::new(self.backbone, self.settings, self.request, size, self.free)?;
                self.promise.change(plan.need);
                Some((self.sample(self.backbone, &plan, &part, progress)?, corner))
            }
            None => None,
        };
        let mut values = memory::reserved(picture.values.len())?;
        values.extend_from_slice(&picture.values);
        let confidence = with_confidence.then(|| memory::zeros(mask.len())).transpose()?;
        let mut result =
            Restored { picture: Picture { width: picture.width, height: picture.height, values }, confidence };
        // What is known is known for certain.
        result.confidence.iter_mut().for_each(|confidence| confidence.fill(1.0));
        if let Some((filled, corner)) = filled {
            let blend = |planes: &mut [f32], part: &[f32]| {
                blend_holes(mask, picture.width, planes, part, filled.picture.width, corner);
            };
            blend(&mut result.picture.values, &filled.picture.values);
            if let (Some(whole), Some(part)) = (&mut result.confidence, &filled.confidence) {
                blend(whole, part);
            }
        }
        Ok(result)
    }

    fn sample(
        &self,
        backbone: &dyn Backbone,
        plan: &Plan,
        known: &Known,
        progress: &mut dyn FnMut(Progress) -> Result<()>,
    ) -> Result<Restored> {
        let start = std::time::Instant::now();
        tracing::info!(
            "{} tiles of {} pixels, one particle for {}, {} of {} particles at once; takes {} MiB{}, {} MiB in all",
            plan.tiles.len(),
            plan.side,
            if plan.choose_once { "all of them" } else { "each" },
            plan.batch,
            self.settings.particles,
            plan.need.host >> 20,
            match plan.need.device {
                0 => String::new(),
                bytes => format!(" and {} MiB of the GPU", bytes >> 20),
            },
            plan.process >> 20
        );
        let restore = |known: &Known, progress| {
            tiles::restore(backbone, self.settings, plan, known, self.request.confidence, progress)
        };
        let (from, to) = ((known.width, known.height), (known.width * plan.scale, known.height * plan.scale));
        let restored = if (plan.width, plan.height) == from {
            restore(known, progress)?
        } else {
            tracing::info!("enlarged to {} x {} pixels for the model", plan.width, plan.height);
            restore(&known.resized(plan.width, plan.height)?, progress)?.resized(to.0, to.1)?
        };
        tracing::info!("restored {from:?} to {to:?} pixels in {:.1} s", start.elapsed().as_secs_f64());
        Ok(restored)
    }
}

/// When a run ends, however it ends, what it took goes back to the system.
struct GivenBack;

impl Drop for GivenBack {
    fn drop(&mut self) {
        memory::give_back();
    }
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
