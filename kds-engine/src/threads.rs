//! One number of threads for libtorch and for our own kernels.

/// Uses `count` threads (0: one per core) for what the calling thread computes from now on. Our own kernels take the
/// number of the first call of the process.
pub fn use_threads(count: usize) {
    let count = if count == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { count };
    // OpenMP keeps the number per calling thread, so every thread that restores has to say it.
    tch::set_num_threads(i32::try_from(count).unwrap_or(1));
    // A second call finds the pool made already, which is fine.
    let _ =
        rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(|index| format!("kds-{index}")).build_global();
}
