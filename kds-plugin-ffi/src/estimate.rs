//! Work and memory of a run, estimated.

use kds_engine::plan::Plan;

use crate::structs::Sized32;

/// Work and memory of a run.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kds_estimate {
    /// Set by the caller to `sizeof(kds_estimate)`.
    pub struct_size: u32,
    /// Width of a tile in input pixels.
    pub tile_width: u32,
    /// Height of a tile in input pixels.
    pub tile_height: u32,
    /// Particles that go through the network at once.
    pub batch: u32,
    /// Number of tiles.
    pub tiles: u64,
    /// Bytes that the process is expected to hold at the peak.
    pub memory: u64,
    /// Sampler steps in all, over all tiles; each is an evaluation of the network for every particle.
    pub evaluations: u64,
    /// Of `memory`, bytes that the run takes beyond what the process holds now: what the parameter `memory` bounds.
    pub host_memory: u64,
    /// Bytes that the run takes in the memory of the GPU, 0 on the CPU: what `device_memory` bounds.
    pub device_memory: u64,
}

// SAFETY: plain data behind a u32.
unsafe impl Sized32 for kds_estimate {
    const NAME: &'static str = "kds_estimate";
    const FIRST_SIZE: usize = 40;
}

impl kds_estimate {
    pub(crate) fn of(plan: &Plan) -> Self {
        let tile = plan.tiles.first();
        Self {
            struct_size: size_of::<Self>() as u32,
            tile_width: tile.map_or(0, |tile| tile.x.length as u32),
            tile_height: tile.map_or(0, |tile| tile.y.length as u32),
            batch: plan.batch as u32,
            tiles: plan.tiles.len() as u64,
            memory: plan.process,
            evaluations: plan.tiles.len() as u64 * plan.evaluations,
            host_memory: plan.need.host,
            device_memory: plan.need.device,
        }
    }
}
