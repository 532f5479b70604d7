//! Which device `auto` takes.

use super::driver::Gpu;
use super::formats::{self, Speed};

/// With less free memory than this a GPU is left to whoever uses it: opening it takes half of that.
const LEAST_FREE: u64 = 1 << 30;

/// The GPU to compute on, and why it; or why none is fit. `free`: bytes that no process holds, where known.
///
/// The fastest number format decides, which tells the generations apart; then the free memory, because larger tiles and
/// batches are faster; then the order of the driver.
pub(super) fn best(gpus: &[(Gpu, Option<u64>)]) -> Result<(usize, String), String> {
    let speed = |gpu: &Gpu| formats::speed(gpu.capability);
    // What is not known is taken to be free.
    let free = |(gpu, free): &(Gpu, Option<u64>)| free.unwrap_or(gpu.total);
    let fit = gpus.iter().enumerate().filter(|(_, gpu)| free(gpu) >= LEAST_FREE);
    let key = |(index, gpu): &(usize, &(Gpu, Option<u64>))| (speed(&gpu.0), free(gpu), std::cmp::Reverse(*index));
    let Some((index, chosen)) = fit.max_by_key(key) else {
        let all: Vec<_> = gpus.iter().enumerate().map(|(index, gpu)| describe(index, gpu)).collect();
        return Err(format!("no GPU has {} free: {}", gib(LEAST_FREE), all.join("; ")));
    };
    let reason = match gpus.len() {
        1 => "the only GPU".to_owned(),
        count => {
            let rank = match speed(&chosen.0) {
                Speed::Bf16 => "computes bf16",
                Speed::F16 => "computes f16",
                Speed::F32 => "as good as any",
            };
            format!("of {count} GPUs the one with the most free memory among those that are fastest ({rank})")
        }
    };
    Ok((index, format!("{}, {reason}", describe(index, chosen))))
}

fn describe(index: usize, (gpu, free): &(Gpu, Option<u64>)) -> String {
    let (major, minor) = gpu.capability;
    let memory = match free {
        Some(free) => format!("{} of {} free", gib(*free), gib(gpu.total)),
        None => gib(gpu.total),
    };
    format!("cuda:{index} is {} (compute capability {major}.{minor}, {memory})", gpu.name)
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1u32 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(capability: (i32, i32), gib: u64, free: Option<u64>) -> (Gpu, Option<u64>) {
        let gpu = Gpu { name: "GPU".into(), capability, total: gib << 30, bus: String::new() };
        (gpu, free.map(|gib| gib << 30))
    }

    #[test]
    fn the_faster_format_wins_then_the_freer_memory_then_the_order() {
        let turing = || gpu((7, 5), 24, Some(23));
        let ampere = |free| gpu((8, 6), 8, Some(free));
        assert_eq!(best(&[turing(), ampere(7)]).unwrap().0, 1);
        assert_eq!(best(&[ampere(3), turing(), ampere(7)]).unwrap().0, 2);
        assert_eq!(best(&[ampere(7), ampere(7)]).unwrap().0, 0);
        // A data-centre card of an older generation with the same formats has more room.
        assert_eq!(best(&[gpu((8, 9), 8, Some(7)), gpu((8, 0), 80, Some(70))]).unwrap().0, 1);
        // Memory of unknown use counts as free.
        assert_eq!(best(&[ampere(7), gpu((8, 6), 12, None)]).unwrap().0, 1);
    }

    #[test]
    fn a_gpu_in_use_is_left_alone_and_the_reason_is_told() {
        let (index, reason) = best(&[gpu((9, 0), 80, Some(0)), gpu((7, 5), 8, Some(6))]).unwrap();
        assert_eq!(index, 1);
        assert!(reason.contains("cuda:1") && reason.contains("6.0 GiB of 8.0 GiB free"), "{reason}");
        let refused = best(&[gpu((9, 0), 80, Some(0))]).unwrap_err();
        assert!(refused.contains("no GPU has 1.0 GiB free") && refused.contains("compute capability 9.0"), "{refused}");
    }
}
