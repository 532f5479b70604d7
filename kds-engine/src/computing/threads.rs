//! One number of threads for libtorch and for our own kernels.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tch::{Device, Kind, Tensor};

use crate::{Error, Result, device, memory};

thread_local! {
    /// Where the kernels that this thread calls run; `None` is rayon's current pool.
    static POOL: RefCell<Option<Arc<ThreadPool>>> = const { RefCell::new(None) };
    /// OpenMP's threads that this thread has started.
    static STARTED: Cell<usize> = const { Cell::new(0) };
}

/// Uses `count` threads (0: one per core) for what the calling thread computes from now on.
///
/// # Errors
/// [`Error::Threads`] where the system starts no more of them, [`Error::OutOfMemory`] where it leaves no memory to compute
/// with.
pub fn use_threads(count: usize) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = if count == 0 { cores } else { count };
    let first = STARTED.get() < count;
    if first {
        memory::prepare_allocator();
        // OpenMP's for this thread, those of libtorch's other pool, of which it starts one per core first, and ours.
        try_threads(2 * count + count.max(cores))?;
        memory::check(memory::LEAST)?;
    }
    // OpenMP keeps the number per calling thread, so every thread that restores has to say it. libtorch's first look at it
    // in a thread sets it to what any thread has said last; so that look comes before.
    let _ = tch::get_num_threads();
    tch::set_num_threads(i32::try_from(count).unwrap_or(1));
    if first {
        device::caught(|| start_openmp(count))?;
        STARTED.set(count);
    }
    let pool = pool_of(count)?;
    POOL.with_borrow_mut(|current| *current = Some(pool));
    Ok(())
}

/// Starts so many threads at once and ends them: libtorch's pools wait for ever, and OpenMP ends the process, where a
/// thread cannot be started.
fn try_threads(count: usize) -> Result<()> {
    let (end, ended) = mpsc::channel::<()>();
    let ended = Arc::new(Mutex::new(ended));
    let mut threads = Vec::new();
    let mut failed = None;
    for _ in 0..count {
        let ended = ended.clone();
        // Nothing is ever sent: the wait ends when the sender is dropped.
        let wait = move || _ = ended.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match std::thread::Builder::new().stack_size(default_stack()).spawn(wait) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                failed = Some(Error::Threads { count, reason: error.to_string() });
                break;
            }
        }
    }
    drop(end);
    threads.into_iter().for_each(|thread| drop(thread.join()));
    failed.map_or(Ok(()), Err)
}

/// Bytes of a thread's stack by default, which OpenMP and libtorch leave as it is.
fn default_stack() -> usize {
    let (mut attributes, mut bytes) = (std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit(), 0);
    // SAFETY: initialised, read, destroyed.
    unsafe {
        if libc::pthread_attr_init(attributes.as_mut_ptr()) == 0 {
            libc::pthread_attr_getstacksize(attributes.as_ptr(), &raw mut bytes);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
        }
    }
    bytes.max(2 << 20)
}

/// OpenMP starts its threads for the first loop that is long enough: here, while there is memory for their stacks.
fn start_openmp(count: usize) -> Result<()> {
    const SHARE_OF_A_THREAD: usize = 1 << 15;
    let length = SHARE_OF_A_THREAD.saturating_mul(count);
    let _ = Tensor::f_ones([i64::try_from(length).unwrap_or(i64::MAX)], (Kind::Int8, Device::Cpu))?;
    Ok(())
}

/// The pool of this size: there is one for each number that was asked for, and it stays.
fn pool_of(count: usize) -> Result<Arc<ThreadPool>> {
    static POOLS: Mutex<BTreeMap<usize, Arc<ThreadPool>>> = Mutex::new(BTreeMap::new());
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.get(&count) {
        return Ok(pool.clone());
    }
    let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(|index| format!("kds-{index}")).build();
    let pool = pool.map_err(|error| Error::Threads { count, reason: error.to_string() })?;
    Ok(pools.entry(count).or_insert(Arc::new(pool)).clone())
}

/// Runs a kernel that uses rayon, on as many threads as [`use_threads`] says.
pub(crate) fn in_parallel<T: Send>(kernel: impl FnOnce() -> T + Send) -> T {
    match POOL.with_borrow(Clone::clone) {
        Some(pool) => pool.install(kernel),
        None => kernel(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_of_the_caller_have_each_their_number() {
        let counted = |count: usize| {
            std::thread::spawn(move || {
                use_threads(count).unwrap();
                (in_parallel(rayon::current_num_threads), tch::get_num_threads() as usize)
            })
        };
        let (one, three) = (counted(1), counted(3));
        assert_eq!(one.join().unwrap(), (1, 1));
        assert_eq!(three.join().unwrap(), (3, 3));
        use_threads(2).unwrap();
        assert_eq!(in_parallel(rayon::current_num_threads), 2);
        use_threads(4).unwrap();
        assert_eq!(in_parallel(rayon::current_num_threads), 4);
    }
}
