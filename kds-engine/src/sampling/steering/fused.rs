//! Steering on the CPU where patches do not overlap: the ensemble is read once and written once.
//!
//! The latents are cut into bands one patch high, and bands into blocks of columns that fit the second-level cache. A
//! block is gathered from all particles, moved (as often as there are iterations) and written to the result, one block
//! to a task. What a block computes depends on nothing outside its patches, so neither the
//! number of threads nor the cut shows in the result.

use rayon::prelude::*;
use tch::Tensor;

use super::{
    Steering,
    block::{Block, Move},
    lanes::LANES,
};
use crate::Result;
use crate::threads::in_parallel;

/// Bytes of the ensemble in one block: a fraction of the second-level cache of today's processors, which also has to
/// hold the weights.
const BLOCK_BYTES: usize = 256 << 10;

pub(super) fn apply(steering: &Steering, strength: f64, x0: &Tensor) -> Result<Tensor> {
    let x0 = x0.f_contiguous()?;
    let moved = x0.f_empty_like()?;
    let size: Vec<usize> = x0.size().iter().map(|&length| length as usize).collect();
    let [particles, channels, height, width] = size[..] else { return Ok(x0) };
    // SAFETY: a contiguous f32 tensor on the CPU, alive and unchanged until the end of this function.
    let source = unsafe { std::slice::from_raw_parts(x0.data_ptr().cast::<f32>(), x0.numel()) };
    let target = Target(moved.data_ptr().cast());

    let steering = Move::new(steering, strength, particles);
    let layout = Layout::new(&steering, channels, height, width);
    in_parallel(|| {
        (0..layout.bands() * layout.blocks_per_band()).into_par_iter().for_each_init(
            || Block::new(&steering, channels * layout.patch.min(layout.height), layout.columns),
            |block, index| {
                let span = layout.span(index);
                span.gather(&layout, source, block, particles);
                steering.apply(block);
                // SAFETY: `target` is as long as `source`, and no two spans share a pixel.
                unsafe { span.scatter(&layout, block, &target, particles) };
            },
        );
    });
    Ok(moved)
}

/// The storage of the result, of which each task writes its own part.
struct Target(*mut f32);

// SAFETY: tasks write disjoint elements and read none.
unsafe impl Sync for Target {}

/// How the ensemble is cut.
struct Layout {
    channels: usize,
    height: usize,
    width: usize,
    patch: usize,
    /// Columns of a block, a multiple of the patch.
    columns: usize,
}

impl Layout {
    fn new(steering: &Move, channels: usize, height: usize, width: usize) -> Self {
        // Patches of one pixel know nothing of rows, so that a latent is one long row.
        let (height, width) = if steering.patch == 1 { (1, height * width) } else { (height, width) };
        let patch = steering.patch;
        let column_bytes = steering.particles * channels * patch.min(height) * size_of::<f32>();
        let fitting = (BLOCK_BYTES / column_bytes.max(1)).clamp(LANES, 64 * LANES) / LANES * LANES;
        let columns = (fitting / patch).max(1) * patch;
        Self { channels, height, width, patch, columns: columns.min(width.next_multiple_of(patch)) }
    }

    fn bands(&self) -> usize {
        self.height.div_ceil(self.patch)
    }

    fn blocks_per_band(&self) -> usize {
        self.width.div_ceil(self.columns)
    }

    fn span(&self, index: usize) -> Span {
        let row = index / self.blocks_per_band() * self.patch;
        let column = index % self.blocks_per_band() * self.columns;
        Span { row, column, rows: self.patch.min(self.height - row), columns: self.columns.min(self.width - column) }
    }
}

/// The pixels of one block.
struct Span {
    row: usize,
    column: usize,
    rows: usize,
    columns: usize,
}

impl Span {
    /// Runs of neighbouring pixels: where each begins in the ensemble, its row of the block's depth, its particle.
    fn runs(&self, layout: &Layout, particles: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let (channels, height, width) = (layout.channels, layout.height, layout.width);
        let (row, column, rows) = (self.row, self.column, self.rows);
        (0..particles).flat_map(move |particle| {
            (0..channels * rows).map(move |depth| {
                let plane = particle * channels + depth / rows;
                ((plane * height + row + depth % rows) * width + column, depth, particle)
            })
        })
    }

    fn gather(&self, layout: &Layout, source: &[f32], block: &mut Block, particles: usize) {
        (block.depth, block.columns) = (layout.channels * self.rows, self.columns);
        for (start, depth, particle) in self.runs(layout, particles) {
            for (chunk, pixels) in source[start..start + self.columns].chunks(LANES).enumerate() {
                let lanes = &mut block.values[(chunk * block.depth + depth) * particles + particle].0;
                lanes[..pixels.len()].copy_from_slice(pixels);
                lanes[pixels.len()..].fill(0.0);
            }
        }
    }

    /// # Safety
    /// `target` is the storage of an ensemble of this layout, and no other thread uses the pixels of this span.
    unsafe fn scatter(&self, layout: &Layout, block: &Block, target: &Target, particles: usize) {
        for (start, depth, particle) in self.runs(layout, particles) {
            // SAFETY: inside the ensemble, and of this span alone.
            let run = unsafe { std::slice::from_raw_parts_mut(target.0.add(start), self.columns) };
            for (chunk, pixels) in run.chunks_mut(LANES).enumerate() {
                let lanes = &block.values[(chunk * block.depth + depth) * particles + particle].0;
                pixels.copy_from_slice(&lanes[..pixels.len()]);
            }
        }
    }
}
