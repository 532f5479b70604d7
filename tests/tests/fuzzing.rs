//! The targets of `kds_tests::fuzz` on their seeds and on a bounded number of changed seeds, the same ones in every run.
//!
//! `KDS_FUZZ_CASES=100000 cargo test -p kds-tests --test fuzzing` tries more.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::PathBuf;

use kds_tests::fuzz;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{FileFailurePersistence, RngSeed, TestCaseError, TestRunner};

/// No case may allocate more than this at once: inputs are of some kilobytes, pictures of 16 MiB at most. (The decoder of
/// TIFF reserves up to 256 MiB for the values that a tag claims to have, before it looks for them.)
const MOST_ALLOCATED: usize = 256 << 20;

/// Notes the largest allocation of each thread.
struct Watching;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    // A thread that ends has no such number any more.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: everything is left to the system.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// Says which seed it was when a case panics.
struct Seed(String);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed is {}", self.0);
        }
    }
}

/// The seeds of a target, by name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(fuzz::corpus(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{target} has {} seeds", files.len());
    files.into_iter().map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect()
}

/// One change of an input. Places are shares of its length.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Number(Index, u64, usize),
    Truncate(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Splice(Index, Index, Index),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        let numbers = prop_oneof![Just(0), Just(u64::MAX), Just(1 << 31), Just(0x7fff_ffff), any::<u64>()];
        prop_oneof![
            (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Self::Flip(at, bit)),
            (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (any::<Index>(), numbers, 1..=8usize).prop_map(|(at, number, bytes)| Self::Number(at, number, bytes)),
            any::<Index>().prop_map(Self::Truncate),
            (any::<Index>(), prop::collection::vec(any::<u8>(), 1..16)).prop_map(|(at, it)| Self::Insert(at, it)),
            (any::<Index>(), 1..32usize).prop_map(|(at, count)| Self::Remove(at, count)),
            (any::<Index>(), 1..64usize, 1..20usize).prop_map(|(at, count, times)| Self::Repeat(at, count, times)),
            (any::<Index>(), any::<Index>(), any::<Index>()).prop_map(|(seed, from, to)| Self::Splice(seed, from, to)),
        ]
    }

    fn apply(&self, input: &mut Vec<u8>, seeds: &[(String, Vec<u8>)]) {
        let place = |at: &Index| at.index(input.len() + 1);
        match self {
            Self::Flip(at, bit) => {
                let at = place(at);
                input.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
            }
            Self::Set(at, new) => {
                let at = place(at);
                input.get_mut(at).into_iter().for_each(|byte| *byte = *new);
            }
            Self::Number(at, number, bytes) => {
                let at = place(at);
                input[at..].iter_mut().zip(&number.to_le_bytes()[..*bytes]).for_each(|(byte, new)| *byte = *new);
            }
            Self::Truncate(at) => input.truncate(place(at)),
            Self::Insert(at, bytes) => {
                let at = place(at);
                input.splice(at..at, bytes.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = place(at);
                input.drain(at..(at + count).min(input.len()));
            }
            Self::Repeat(at, count, times) => {
                let at = place(at);
                let again = input[at..(at + count).min(input.len())].repeat(*times);
                input.splice(at..at, again);
            }
            Self::Splice(seed, from, to) => {
                let (_, other) = &seeds[seed.index(seeds.len())];
                let (from, to) = (from.index(other.len() + 1), place(to));
                input.truncate(to);
                input.extend(&other[from..]);
            }
        }
    }
}

fn assert_frugal(target: fuzz::Target, input: &[u8]) {
    LARGEST.set(0);
    target(input);
    let largest = LARGEST.get();
    assert!(largest <= MOST_ALLOCATED, "{largest} bytes were allocated at once for {} bytes of input", input.len());
}

/// The seeds, then `cases` changed seeds and some inputs of random bytes.
fn check(target: &str, cases: u32, persistence: &'static str) {
    let (_, function) = fuzz::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let seeds = seeds(target);
    for (name, input) in &seeds {
        let _seed = Seed(name.clone());
        assert_frugal(*function, input);
    }
    let cases = std::env::var("KDS_FUZZ_CASES").map_or(cases, |text| text.parse().unwrap());
    let config = ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(20_250_705),
        max_shrink_iters: 4096,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(persistence))),
        ..ProptestConfig::default()
    };
    let changed = (any::<Index>(), prop::collection::vec(Change::any(), 1..6)).prop_map(|(seed, changes)| {
        let mut input = seeds[seed.index(seeds.len())].1.clone();
        changes.iter().for_each(|change| change.apply(&mut input, &seeds));
        input
    });
    let inputs = prop_oneof![9 => changed, 1 => prop::collection::vec(any::<u8>(), 0..600)];
    TestRunner::new(config)
        .run(&inputs, |input| {
            assert_frugal(*function, &input);
            Ok::<(), TestCaseError>(())
        })
        .unwrap();
}

#[test]
fn registry_files() {
    check("registry", 10_000, "proptest-regressions/fuzzing-registry.txt");
}

#[test]
fn model_files() {
    check("weights", 10_000, "proptest-regressions/fuzzing-weights.txt");
}

#[test]
fn checkpoint_files() {
    check("checkpoint", 15_000, "proptest-regressions/fuzzing-checkpoint.txt");
}

#[test]
fn picture_files() {
    check("image", 20_000, "proptest-regressions/fuzzing-image.txt");
}

#[test]
fn sequences_of_calls() {
    check("calls", 2000, "proptest-regressions/fuzzing-calls.txt");
}

/// Fuzzing that never got to a result would find nothing.
#[test]
fn some_sequences_restore_a_picture() {
    for (name, input) in seeds("calls").iter().filter(|(name, _)| name.contains("/run")) {
        assert!(fuzz::completed_runs(input) > 0, "{name}");
    }
}
