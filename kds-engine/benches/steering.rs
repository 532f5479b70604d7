//! The fused kernel against its limit, the memory traffic, and against other ways to compute the same.
//!
//! ```sh
//! OMP_WAIT_POLICY=passive cargo bench -p kds-engine --bench steering
//! ```
//!
//! Without the variable the threads of libtorch's OpenMP go on spinning for a while after each operation, on the
//! processors that the fused kernel then wants.

use std::time::{Duration, Instant};

use kds_engine::steering::Steering;
use kds_parameters::Bandwidth;
use rayon::prelude::*;
use tch::{Kind, Tensor};

const LEVEL: f64 = 0.5;
const REPEATS: usize = 15;
/// A way that is slow is not repeated beyond this.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tch::set_num_threads(rayon::current_num_threads() as i32);
    println!("{} threads; best of {REPEATS}; in brackets the multiple of a copy\n", rayon::current_num_threads());
    println!(
        "{:<34} {:>18} {:>14} {:>14} {:>14} {:>14} {:>14}",
        "ensemble", "copy", "copy, new", "fused", "fused, h fixed", "tensor ops", "unfolded"
    );
    for (size, patch) in [
        ([10, 48, 128, 128], 1),
        ([10, 48, 128, 128], 4),
        ([10, 48, 128, 128], 8),
        ([4, 48, 128, 128], 1),
        ([10, 4, 128, 128], 1),
        ([10, 4, 128, 128], 4),
        ([10, 3, 64, 64], 1),
    ] {
        measure(size, patch)?;
    }
    Ok(())
}

fn measure(size: [i64; 4], patch: usize) -> Result<(), Box<dyn std::error::Error>> {
    let x0 = ensemble(size)?;
    let steering = Steering { patch, stride: patch, ..Steering::default() };
    let fixed = Steering { bandwidth: Bandwidth::Fixed(patch as f64 * (size[1] as f64).sqrt()), ..steering };

    let by_unfolding = unfolded(&fixed, &x0)?;
    let difference = fixed.apply(&x0, LEVEL)?.f_sub(&by_unfolding)?.f_abs()?.f_max()?.f_double_value(&[])?;
    assert!(difference < 1e-4, "the two compute something else: they differ by {difference}");

    let mut source = vec![0f32; x0.numel()];
    x0.f_copy_data(&mut source, x0.numel())?;
    let mut target = vec![0f32; source.len()];
    let copy = best(|| {
        let run = source.len().div_ceil(8 * rayon::current_num_threads());
        target.par_chunks_mut(run).zip(source.par_chunks(run)).for_each(|(to, from)| to.copy_from_slice(from));
        std::hint::black_box(&mut target);
        Ok(())
    })?;
    let ways = [
        // The least that any operation with a new tensor costs: its pages are mapped as they are first written.
        best(|| x0.f_mul_scalar(1.0).map(drop).map_err(Into::into))?,
        best(|| steering.apply(&x0, LEVEL).map(drop).map_err(Into::into))?,
        best(|| fixed.apply(&x0, LEVEL).map(drop).map_err(Into::into))?,
        best(|| steering.apply_with_tensor_ops(&x0, LEVEL).map(drop).map_err(Into::into))?,
        best(|| unfolded(&fixed, &x0).map(drop).map_err(Into::into))?,
    ];
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let bytes = 2.0 * 4.0 * x0.numel() as f64;
    print!("{:<34}", format!("{size:?}, patch {patch}"));
    print!(" {:>6.2} ms {:>4.1} GB/s", milliseconds(copy), bytes / copy.as_secs_f64() / 1e9);
    for time in ways {
        print!(" {:>14}", format!("{:.2} ({:.1})", milliseconds(time), time.as_secs_f64() / copy.as_secs_f64()));
    }
    println!();
    Ok(())
}

fn best(
    mut run: impl FnMut() -> Result<(), Box<dyn std::error::Error>>,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut best = Duration::MAX;
    let begin = Instant::now();
    for _ in 0..REPEATS {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed());
        if begin.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(best)
}

fn ensemble(size: [i64; 4]) -> Result<Tensor, tch::TchError> {
    let count: i64 = size.iter().product();
    let values: Vec<f32> = (0..count).map(|i| ((i * 7919) % 10_007) as f32 / 5003.5 - 1.0).collect();
    Tensor::f_from_slice(&values)?.f_view(size)
}

/// The form that the formula suggests: cut out the patches, broadcast all against all, mix, put the patches back.
fn unfolded(steering: &Steering, x0: &Tensor) -> Result<Tensor, tch::TchError> {
    let Bandwidth::Fixed(width) = steering.bandwidth else {
        return Err(tch::TchError::Kind("the bandwidth must be fixed".into()));
    };
    let side = [steering.patch as i64; 2];
    let (_, _, rows, columns) = x0.size4()?;
    // [N, C·p², patches] to [N, patches, C·p²].
    let patches = x0.f_im2col(side, [1, 1], [0, 0], side)?.f_transpose(1, 2)?.f_contiguous()?;
    let differences = patches.f_unsqueeze(0)?.f_sub(&patches.f_unsqueeze(1)?)?;
    let squares = differences.f_square()?.f_sum_dim_intlist(-1, false, Kind::Float)?;
    let weights = squares.f_mul_scalar(-0.5 / (width * width))?.f_softmax(1, Kind::Float)?;
    let means = Tensor::f_einsum("ikl,kld->ild", &[&weights, &patches], None::<&[i64]>)?;
    let moved = patches.f_lerp(&means, steering.strength_at(LEVEL))?;
    moved.f_transpose(1, 2)?.f_col2im([rows, columns], side, [1, 1], [0, 0], side)
}
