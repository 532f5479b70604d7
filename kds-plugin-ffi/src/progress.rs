//! Progress of a run.

use std::ffi::c_void;

/// `stage`: planning and allocating.
pub const KDS_STAGE_PREPARE: i32 = 0;
/// `stage`: sampling the particles of a tile.
pub const KDS_STAGE_SAMPLE: i32 = 1;
/// `stage`: decoding the chosen particle of a tile.
pub const KDS_STAGE_DECODE: i32 = 2;
/// `stage`: putting the result together.
pub const KDS_STAGE_FINISH: i32 = 3;

/// Progress of a run.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kds_progress_info {
    /// `sizeof(kds_progress_info)` of the library: a field behind it is not there.
    pub struct_size: u32,
    /// One of `KDS_STAGE_*`.
    pub stage: i32,
    /// Evaluations of the network done, over all tiles.
    pub done: u64,
    /// Evaluations of the network in all, one for each particle, level and tile.
    pub total: u64,
}

/// Called on the thread inside `kds_job_run`, at every step and tile. A value other than 0 cancels this run. It may call
/// the library, but neither run nor free this job, and must neither throw nor jump out.
pub type kds_progress = Option<unsafe extern "C" fn(user_data: *mut c_void, info: *const kds_progress_info) -> i32>;
