//! One number of threads for libtorch and for our own kernels.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

thread_local! {
    /// Where the kernels that this thread calls run; `None` is rayon's current pool.
    static POOL: RefCell<Option<Arc<ThreadPool>>> = const { RefCell::new(None) };
}

/// Uses `count` threads (0: one per core) for what the calling thread computes from now on.
pub fn use_threads(count: usize) {
    let count = if count == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { count };
    // OpenMP keeps the number per calling thread, so every thread that restores has to say it. libtorch's first look at it
    // in a thread sets it to what any thread has said last; so that look comes before.
    let _ = tch::get_num_threads();
    tch::set_num_threads(i32::try_from(count).unwrap_or(1));
    POOL.with_borrow_mut(|pool| *pool = pool_of(count));
}

/// The pool of this size: there is one for each number that was asked for, and it stays.
fn pool_of(count: usize) -> Option<Arc<ThreadPool>> {
    static POOLS: Mutex<BTreeMap<usize, Arc<ThreadPool>>> = Mutex::new(BTreeMap::new());
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.get(&count) {
        return Some(pool.clone());
    }
    match ThreadPoolBuilder::new().num_threads(count).thread_name(|index| format!("kds-{index}")).build() {
        Ok(pool) => Some(pools.entry(count).or_insert(Arc::new(pool)).clone()),
        Err(error) => {
            tracing::warn!("{count} threads cannot be started: {error}");
            None
        }
    }
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
                use_threads(count);
                (in_parallel(rayon::current_num_threads), tch::get_num_threads() as usize)
            })
        };
        let (one, three) = (counted(1), counted(3));
        assert_eq!(one.join().unwrap(), (1, 1));
        assert_eq!(three.join().unwrap(), (3, 3));
        use_threads(2);
        assert_eq!(in_parallel(rayon::current_num_threads), 2);
        use_threads(4);
        assert_eq!(in_parallel(rayon::current_num_threads), 4);
    }
}
