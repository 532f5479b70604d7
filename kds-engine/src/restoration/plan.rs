//! How a picture will be restored within its memory: size of the tiles, size of the batches.

use tch::Device;

use crate::backbone::{Backbone, Spec};
use crate::footprint::{EnsembleFootprint, Footprint};
use crate::memory::{Allowance, Bytes, Free};
use crate::settings::Resolved;
use crate::steering::Selection;
use crate::tiling::{Tile, span_count, span_length, tiles};
use crate::{Error, Result, memory};

/// Request of a run, as far as its memory goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Pixels along the upper edge of the input.
    pub width: usize,
    /// Pixels along its left edge.
    pub height: usize,
    /// The input has alpha.
    pub alpha: bool,
    /// It comes with a mask.
    pub mask: bool,
    /// A map of confidence is wanted.
    pub confidence: bool,
    /// Bytes that the caller's result takes per output pixel, where its pages are not in memory yet.
    pub output_bytes: usize,
}

impl Request {
    /// Assumption about an image of which only the size is known: alpha, a map, 8 bits.
    pub fn of_size(width: usize, height: usize, mask: bool) -> Self {
        Self { width, height, alpha: true, mask, confidence: true, output_bytes: 4 }
    }
}

/// Work and memory of a restoration; computed before anything large is allocated.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Width of the picture as the model sees it, in pixels; above the source's where the model wants larger results
    /// ([`Spec::least_result`]).
    pub width: usize,
    /// Its height.
    pub height: usize,
    /// Output pixels per input pixel, along a side.
    pub scale: usize,
    /// Largest side of a tile, in input pixels.
    pub side: usize,
    /// The tiles, in input pixels of the padded picture.
    pub tiles: Vec<Tile>,
    /// Sides and positions of tiles are multiples of this.
    pub align: usize,
    /// Smallest side that a tile may have.
    pub least_side: usize,
    /// True where one particle is chosen for the whole picture, for which the ensembles of all tiles are kept until the last
    /// is sampled. Otherwise each tile chooses its own: the choice compares nothing, or there is too little memory.
    pub choose_once: bool,
    /// Particles that go through the network at once.
    pub batch: usize,
    /// Evaluations of the network for each tile, with all particles.
    pub evaluations: u64,
    /// Bytes that the run takes at the peak, beyond what the process holds before it.
    pub need: Bytes,
    /// Bytes that the process is expected to hold at the peak.
    pub process: u64,
}

/// One choice of particle for the whole picture is worth tiles as small as this, but not smaller: their overlap takes time.
const SMALLEST_SIDE_FOR_ONE_CHOICE: usize = 256;

/// With more tiles than this their list alone would take more memory than they save, and no run would see their end.
const MOST_TILES: usize = 1 << 20;

impl Plan {
    /// The plan for a picture, of which a part of this width and height goes through the network.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where not even the smallest tile fits what is free or allowed, [`Error::Image`] for a size
    /// that cannot be restored, [`Error::Conflict`] for settings that do not fit the model, and those of the model, which
    /// is tried on a small tile once.
    pub fn new(
        backbone: &dyn Backbone,
        settings: &Resolved,
        request: Request,
        (width, height): (usize, usize),
        free: Free,
    ) -> Result<Self> {
        let spec = backbone.spec();
        check_size(request.width, request.height)?;
        let (width, height) = large_enough(spec, width, height);
        let scale = if settings.scale == 0 { spec.scale } else { settings.scale };
        if scale > spec.scale {
            let most = spec.scale;
            return Err(Error::Conflict(format!("scale {scale} is more than the model's {most}; use {most} or less")));
        }
        // Tiles start where patches start, so that patches lie alike in every tiling.
        let align = least_common_multiple(spec.multiple, spec.downscale * settings.steering.patch);
        let [padded_width, padded_height] = [width, height].map(|side| side.next_multiple_of(align));
        let least_side = least_side(spec, align);
        if (1..least_side).contains(&settings.tile) {
            return Err(Error::Conflict(format!(
                "tile {} is too small for this model, whose result depends on what surrounds a pixel: use {least_side} or \
                 more, or 0 to let KDS choose",
                settings.tile
            )));
        }
        let longest = padded_width.max(padded_height);
        let wanted = if settings.tile == 0 { spec.largest_side } else { settings.tile };
        let largest = wanted.max(least_side).next_multiple_of(align).min(longest);
        // Smaller ones are mostly overlap, so that only a person or a run out of memory takes them.
        let smallest = (2 * spec.overlap.max(align)).next_multiple_of(align).min(largest);

        let count = |side: usize| {
            let [across, down] =
                [padded_width, padded_height].map(|length| span_count(length, side, spec.overlap, align));
            across.saturating_mul(down)
        };
        let evaluations = settings.trajectory(spec)?.evaluations().len() as u64;
        let enlarged = Request { width: request.width.max(width), height: request.height.max(height), ..request };
        let cost = Cost::new(backbone, settings, enlarged, scale)?;
        let span = |length: usize, side: usize| span_length(length, side, spec.overlap, align);
        let need = |side: usize, batch: usize, choose_once: bool| {
            let area = span(padded_width, side) * span(padded_height, side);
            cost.of(area, batch, if choose_once { count(side) } else { 0 })
        };
        let host = Allowance::of_host(settings.memory, free.host);
        let device = Allowance::of_device(settings.device_memory, free.device);
        let fits = |need: Bytes| need.host <= host.wanted && need.device <= device.wanted;
        let largest_fitting = |smallest: usize, choose_once: bool| {
            let smallest = smallest.min(largest);
            let smaller = |side: &usize| (*side > smallest).then(|| (side * 7 / 8 / align * align).max(smallest));
            std::iter::successors(Some(largest), smaller).find(|side| fits(need(*side, 1, choose_once)))
        };
        let compares = settings.particles > 1 && settings.selection.compares();
        let side_for_one_choice =
            compares.then(|| largest_fitting(smallest.max(SMALLEST_SIDE_FOR_ONE_CHOICE.next_multiple_of(align)), true));
        let side_for_one_choice = side_for_one_choice.flatten();
        let side = match side_for_one_choice.or_else(|| largest_fitting(smallest, false)) {
            Some(side) => side,
            None => {
                check_allowed(need(smallest, 1, false), host, device)?;
                smallest
            }
        };
        let count = count(side);
        if count > MOST_TILES {
            return Err(Error::Conflict(format!(
                "an image of {width} x {height} pixels would be cut into {count} tiles; raise 'tile', or restore a smaller \
                 image"
            )));
        }
        let choose_once = count > 1 && side_for_one_choice.is_some();
        let most = most_at_once(spec, span(padded_width, side) * span(padded_height, side)).min(settings.particles);
        let batch = (1..=most).rev().find(|batch| fits(need(side, *batch, choose_once))).unwrap_or(1);
        let need = need(side, batch, choose_once);
        Ok(Self {
            width,
            height,
            scale,
            side,
            tiles: tiles(padded_width, padded_height, side, spec.overlap, align),
            align,
            least_side,
            choose_once,
            batch,
            evaluations,
            need,
            process: memory::resident() + need.host,
        })
    }

    /// Width and height in pixels of what the tiles make.
    pub fn output_size(&self) -> (usize, usize) {
        (self.width * self.scale, self.height * self.scale)
    }
}

/// The size at which a model sees a picture: its own, or the one that makes the shorter side of the result long enough. A strip
/// is enlarged to the area of a few such results and no further.
fn large_enough(spec: &Spec, width: usize, height: usize) -> (usize, usize) {
    let (across, down) = ((width * spec.scale) as f64, (height * spec.scale) as f64);
    let least = spec.least_result as f64;
    let factor = (least / across.min(down)).min(least * LARGEST_ENLARGED / (across * down).sqrt());
    if factor <= 1.0 {
        return (width, height);
    }
    let enlarged = |side: usize| (side as f64 * factor).round() as usize;
    (enlarged(width), enlarged(height))
}

/// Side of the square that has the area of the largest enlarged result, as a multiple of [`Spec::least_result`].
const LARGEST_ENLARGED: f64 = 2.0;

/// The smallest tile whose neighbours can overlap as much as the model needs: at its edges the network sees padding instead
/// of the picture. Where patches keep tiles so far apart that it would be larger than any that the model gains from, those.
fn least_side(spec: &Spec, align: usize) -> usize {
    (spec.overlap + align).min(spec.largest_side).next_multiple_of(align)
}

/// Latent pixels that keep a thread of the processor busy: kds-photo-x1 takes as long for one particle after the other as for
/// four together at 32 x 64 on each of two threads (docs/performance.md).
const BUSY_CELLS: usize = 2048;

/// Particles that are worth a batch, for tiles of `area` input pixels. On a processor that is busy with one, more take as much
/// longer: they would only make progress, and the end after a cancellation, come in longer steps, and take memory.
fn most_at_once(spec: &Spec, area: usize) -> usize {
    let threads = usize::try_from(tch::get_num_threads()).unwrap_or(1);
    match spec.device {
        Device::Cpu => (BUSY_CELLS * threads * spec.downscale.pow(2) / area.max(1)).max(1),
        _ => usize::MAX,
    }
}

fn check_allowed(need: Bytes, host: Allowance, device: Allowance) -> Result<()> {
    for (needed, Allowance { most, kind, .. }) in [(need.host, host), (need.device, device)] {
        if needed > most {
            return Err(Error::OutOfMemory { needed, allowed: most, memory: kind });
        }
    }
    Ok(())
}

/// Sides above this would overflow the 32-bit sizes of image files long before memory.
const LARGEST_PICTURE: usize = 1 << 20;

fn check_size(width: usize, height: usize) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::Image(format!("the image is {width} x {height} pixels: there is nothing to restore")));
    }
    if width > LARGEST_PICTURE || height > LARGEST_PICTURE {
        return Err(Error::Image(format!(
            "the image is {width} x {height} pixels; {LARGEST_PICTURE} along a side is the most"
        )));
    }
    Ok(())
}

/// The ledgers: what a run takes of the host's memory and of the device's.
struct Cost {
    whole: WholePicture,
    footprint: Footprint,
    ensemble: EnsembleFootprint,
    particles: usize,
    /// Bytes of the latents of all particles per input pixel of a tile.
    latents: f64,
    /// Input pixels per pixel of the latents.
    cell: f64,
    /// Output pixels of the model per input pixel.
    enlargement: usize,
    /// The picture of the consensus is decoded too.
    fuses: bool,
    /// Pictures of other particles that are kept while one is decoded.
    pictures: u64,
    on_host: bool,
}

impl Cost {
    fn new(backbone: &dyn Backbone, settings: &Resolved, request: Request, scale: usize) -> Result<Self> {
        let spec = backbone.spec();
        let cell = spec.downscale.pow(2) as f64;
        Ok(Self {
            whole: WholePicture::new(request, scale),
            footprint: Footprint::of(backbone, settings.prompt.guidance)?,
            ensemble: EnsembleFootprint::measure(spec, settings)?,
            particles: settings.particles,
            latents: (settings.particles * spec.latent_channels * FLOAT) as f64 / cell,
            cell,
            enlargement: spec.scale.pow(2),
            fuses: settings.fuses(spec),
            pictures: match settings.selection {
                Selection::Sharpest => settings.particles as u64 - 1,
                _ => 0,
            },
            on_host: spec.device == Device::Cpu,
        })
    }

    /// For tiles of `area` input pixels, `waiting` of which are kept until one particle is chosen for all.
    fn of(&self, area: usize, batch: usize, waiting: usize) -> Bytes {
        let pixels = area as f64;
        let latents = (self.latents * pixels) as u64;
        let cells = pixels / self.cell;
        let Footprint { open, kept, decode, .. } = &self.footprint;
        let kept = kept.bytes(area, 1);
        // A tile goes to the network as three numbers per pixel.
        let input = (area * 3 * FLOAT) as u64;
        // Parts of a batch are put together once more.
        let parts = if batch < self.particles { latents } else { 0 };
        let sampling = (self.ensemble.peak(cells) as u64 + parts)
            .max((self.ensemble.beside_network * cells) as u64 + latents + self.footprint.predicting(area, batch));
        // The decoded tile, and once more in another size or format.
        let picture = (area * self.enlargement * 3 * FLOAT) as u64;
        let decoded = 2 * picture;
        // The picture of the particle stays while that of the consensus is decoded; then come their difference, padded, and
        // both passes of the filter.
        let (beside, fused) = if self.fuses { (picture, 6 * picture) } else { (0, 0) };
        let decoding = latents + self.pictures * picture + (beside + decode.bytes(area, 1)).max(decoded).max(fused);
        let on_device = input + open.bytes(area, 1).max(kept + sampling.max(decoding));
        // Noise is drawn on the host, in a vector of its own.
        let (noise, kept_latents) = (latents, latents / 2);
        let waits = (waiting as u64).saturating_mul(kept + kept_latents);
        match self.on_host {
            true => Bytes { host: self.whole.with_tiles((on_device + noise).saturating_add(waits)), device: 0 },
            false => {
                let passing = (input + 2 * noise).max(decoded);
                Bytes { host: self.whole.with_tiles(passing.saturating_add(waits)), device: on_device }
            }
        }
    }
}

/// Bytes of a number.
const FLOAT: usize = size_of::<f32>();

/// Planes of the whole picture, on the host.
struct WholePicture {
    /// While it is read and what is hidden in it is filled.
    prepare: u64,
    /// While tiles are restored, without them.
    restore: u64,
    /// While the result is written into the caller's memory.
    write: u64,
}

/// Numbers per pixel at the peak of filling holes from what is around them.
const FILLING: u64 = 15;

impl WholePicture {
    fn new(request: Request, scale: usize) -> Self {
        let numbers = |pixels: u64, planes: u64| pixels * planes * FLOAT as u64;
        let pixels = request.width as u64 * request.height as u64;
        let enlarged = pixels * (scale * scale) as u64;
        let [alpha, mask, confidence] =
            [request.alpha, request.mask, request.confidence].map(|there| if there { 1 } else { 0 });
        let read = numbers(pixels, 3 + alpha + mask);
        let known = numbers(pixels, 3 + mask);
        let filling = numbers(pixels, FILLING * alpha.max(mask));
        let result = numbers(enlarged, 3 + confidence);
        // What has been filled is blended into a copy of the picture.
        let filled = result * mask;
        Self {
            prepare: read + known + filling,
            restore: read + known + result,
            write: read + result + filled + enlarged * request.output_bytes as u64,
        }
    }

    fn with_tiles(&self, tiles: u64) -> u64 {
        self.prepare.max(self.restore.saturating_add(tiles)).max(self.write)
    }
}

fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a.max(1), b.max(1));
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a.max(1) / x * b.max(1)
}
