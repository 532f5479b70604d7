//! How a picture will be restored within its memory: size of the tiles, size of the batches.

use crate::backbone::Spec;
use crate::settings::Resolved;
use crate::tiling::{Tile, span_count, tiles};
use crate::{Error, Result, memory};

/// What a restoration will do and need; computed before anything large is allocated.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Width of the result in pixels.
    pub output_width: usize,
    /// Height of the result in pixels.
    pub output_height: usize,
    /// Output pixels per input pixel, along a side.
    pub scale: usize,
    /// Largest side of a tile, in input pixels.
    pub side: usize,
    /// The tiles, in input pixels of the padded picture.
    pub tiles: Vec<Tile>,
    /// Whether one particle is chosen for the whole picture, for which the ensembles of all tiles are kept until the last
    /// is sampled. Otherwise each tile chooses its own: the choice compares nothing, or there is too little memory.
    pub choose_once: bool,
    /// Particles that go through the network at once.
    pub batch: usize,
    /// Bytes that the process is expected to hold at the peak.
    pub memory: u64,
}

/// One choice of particle for the whole picture is worth tiles as small as this, but not smaller: their overlap takes time.
const SMALLEST_SIDE_FOR_ONE_CHOICE: usize = 256;

/// With more tiles than this their list alone would take more memory than they save, and no run would see their end.
const MOST_TILES: usize = 1 << 20;

impl Plan {
    /// The plan for a picture of `width x height`. The error is [`Error::OutOfMemory`] where not even the smallest tile
    /// fits the budget.
    pub fn new(spec: &Spec, settings: &Resolved, width: usize, height: usize) -> Result<Self> {
        check_size(width, height)?;
        let scale = if settings.scale == 0 { spec.scale } else { settings.scale };
        if scale > spec.scale {
            let most = spec.scale;
            return Err(Error::Conflict(format!("scale {scale} is more than the model's {most}; use {most} or less")));
        }
        // Tiles start where patches start, so that patches lie alike in every tiling.
        let align = least_common_multiple(spec.multiple, spec.downscale * settings.steering.patch);
        let (padded_width, padded_height) = (width.next_multiple_of(align), height.next_multiple_of(align));
        let smallest = (4 * spec.overlap.max(align) / 2).next_multiple_of(align);
        let wanted = if settings.tile == 0 { spec.largest_side } else { settings.tile };
        let largest = wanted.next_multiple_of(align).min(padded_width.max(padded_height)).max(align);

        let limit = memory::limit(settings.memory);
        let fixed = memory::resident() + fixed_bytes(width, height, scale);
        let area = |side: usize| side.min(padded_width) * side.min(padded_height);
        let count = |side: usize| {
            let [across, down] =
                [padded_width, padded_height].map(|length| span_count(length, side, spec.overlap, align));
            across.saturating_mul(down)
        };
        let cost = |side: usize, batch: usize, choose_once: bool| {
            let kept = if choose_once { kept_bytes(spec, settings.particles, count(side), area(side)) } else { 0 };
            (fixed + area(side) as u64 * tile_bytes_per_pixel(spec, settings.particles, batch)).saturating_add(kept)
        };
        let largest_fitting = |smallest: usize, choose_once: bool| {
            let smallest = smallest.min(largest);
            let smaller = |side: &usize| (*side > smallest).then(|| (side * 7 / 8 / align * align).max(smallest));
            std::iter::successors(Some(largest), smaller).find(|side| cost(*side, 1, choose_once) <= limit)
        };
        let compares = settings.particles > 1 && settings.selection.compares();
        let side_for_one_choice =
            compares.then(|| largest_fitting(smallest.max(SMALLEST_SIDE_FOR_ONE_CHOICE.next_multiple_of(align)), true));
        let Some(side) = side_for_one_choice.flatten().or_else(|| largest_fitting(smallest, false)) else {
            let needed = cost(smallest.min(largest), 1, false);
            return Err(Error::OutOfMemory { needed: needed >> 20, budget: limit >> 20 });
        };
        let count = count(side);
        let choose_once = count > 1 && side_for_one_choice.flatten().is_some();
        let cost = |batch: usize| cost(side, batch, choose_once);
        let batch = (1..=settings.particles).rev().find(|batch| cost(*batch) <= limit).unwrap_or(1);
        if count > MOST_TILES {
            return Err(Error::Conflict(format!(
                "an image of {width} x {height} pixels would be cut into {count} tiles; raise 'tile', or restore a smaller \
                 image"
            )));
        }
        Ok(Self {
            output_width: width * scale,
            output_height: height * scale,
            scale,
            side,
            tiles: tiles(padded_width, padded_height, side, spec.overlap, align),
            choose_once,
            batch,
            memory: cost(batch),
        })
    }
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

/// The picture as it was given and as the network is told of it, its result while tiles are blended, the confidence map,
/// and the caller's copy of the result.
fn fixed_bytes(width: usize, height: usize, scale: usize) -> u64 {
    let pixels = width as u64 * height as u64;
    pixels * 24 + pixels * (scale * scale) as u64 * (12 + 4 + 8)
}

/// Per input pixel of a tile: the ensemble's states (x, x0, its steered copy, the sampler's history and the next x), the
/// network's feature maps, and the decoded tile.
fn tile_bytes_per_pixel(spec: &Spec, particles: usize, batch: usize) -> u64 {
    let latent = 4 * spec.latent_channels / (spec.downscale * spec.downscale).max(1);
    let states = 6 * particles * latent.max(1);
    let network = batch * spec.activation_bytes;
    (states + network.max(spec.decode_bytes)) as u64
}

/// What waits for the choice of a particle, of `count` tiles of `area` pixels: the finished latents in half precision, and
/// what the network knew of the tile, at most twelve numbers a pixel: the guess, its detail, its holes, what it changed.
fn kept_bytes(spec: &Spec, particles: usize, count: usize, area: usize) -> u64 {
    if count == 1 {
        return 0;
    }
    let latents = particles * spec.latent_channels * 2 / (spec.downscale * spec.downscale).max(1);
    (count as u64).saturating_mul(area as u64 * (latents + 4 * 12) as u64)
}

fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a.max(1), b.max(1));
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a.max(1) / x * b.max(1)
}
