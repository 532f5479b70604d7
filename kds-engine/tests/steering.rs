//! Steering against a slow and obvious reference in f64, and the laws that it has to keep.

use kds_engine::steering::{Kernel, Ramp, Steering};
use kds_parameters::Bandwidth;
use proptest::prelude::*;
use tch::Tensor;

/// Inside the default window, and the strength is constant.
const LEVEL: f64 = 0.5;
const KERNELS: [Kernel; 3] = [Kernel::Gaussian, Kernel::Epanechnikov, Kernel::Laplacian];

/// N, C, H, W.
type Size = [usize; 4];

fn steering(kernel: Kernel, bandwidth: Bandwidth, patch: usize, stride: usize) -> Steering {
    Steering { kernel, bandwidth, patch, stride, strength: 0.6, ramp: Ramp::Constant, ..Steering::default() }
}

/// Values in [−1, 1), a function of seed and place.
fn random(size: Size, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..size.iter().product()).map(|_| next()).collect()
}

fn tensor(values: &[f32], size: Size) -> Tensor {
    Tensor::f_from_slice(values).unwrap().f_view(size.map(|length| length as i64)).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(&tensor.f_contiguous().unwrap().f_view(-1).unwrap()).unwrap()
}

fn apply(steering: &Steering, x0: &[f32], size: Size) -> Vec<f32> {
    values(&steering.apply(&tensor(x0, size), LEVEL).unwrap())
}

/// The update as the paper states it, patch by patch.
fn reference(steering: &Steering, x0: &[f32], size: Size) -> Vec<f64> {
    let mut x: Vec<f64> = x0.iter().map(|&value| value.into()).collect();
    for _ in 0..steering.iterations {
        x = reference_move(steering, &x, size);
    }
    x
}

fn reference_move(steering: &Steering, x: &[f64], size @ [n, c, h, w]: Size) -> Vec<f64> {
    let mut moves = vec![0.0; x.len()];
    let mut covering = vec![0.0; x.len()];
    for top in starts(h, steering) {
        for left in starts(w, steering) {
            let places = places(size, top, left, steering.patch);
            let at = |particle: usize, place: usize| particle * c * h * w + place;
            let patch = |particle| places.iter().map(|&place| x[at(particle, place)]).collect::<Vec<_>>();
            let patches: Vec<Vec<f64>> = (0..n).map(patch).collect();
            let moved = reference_patches(steering, &patches);
            for particle in 0..n {
                for (&place, (new, old)) in places.iter().zip(moved[particle].iter().zip(&patches[particle])) {
                    moves[at(particle, place)] += new - old;
                    covering[at(particle, place)] += 1.0;
                }
            }
        }
    }
    x.iter().zip(moves.iter().zip(&covering)).map(|(x, (sum, count))| x + sum / count).collect()
}

/// Upper (or left) ends of the patches along a side: one after the other until the side is covered.
fn starts(length: usize, steering: &Steering) -> Vec<usize> {
    let mut starts = vec![0];
    while starts[starts.len() - 1] + steering.patch < length {
        starts.push(starts[starts.len() - 1] + steering.stride);
    }
    starts
}

fn places([_, c, h, w]: Size, top: usize, left: usize, patch: usize) -> Vec<usize> {
    let mut places = Vec::new();
    for channel in 0..c {
        for row in top..(top + patch).min(h) {
            for column in left..(left + patch).min(w) {
                places.push((channel * h + row) * w + column);
            }
        }
    }
    places
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn reference_patches(steering: &Steering, patches: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let squared_bandwidth = match steering.bandwidth {
        Bandwidth::Fixed(width) => width * width,
        Bandwidth::Auto(factor) => {
            let mut squares = Vec::new();
            for i in 0..patches.len() {
                for k in i + 1..patches.len() {
                    squares.push(squared_distance(&patches[i], &patches[k]));
                }
            }
            squares.sort_by(f64::total_cmp);
            let half = squares.len() / 2;
            let median = if squares.len() % 2 == 1 { squares[half] } else { (squares[half - 1] + squares[half]) / 2.0 };
            factor * factor * median
        }
    };
    if squared_bandwidth == 0.0 {
        return patches.to_vec();
    }
    let moved = |own: &Vec<f64>| {
        let mut total = 0.0;
        let mut mean = vec![0.0; own.len()];
        for other in patches {
            let u = squared_distance(own, other) / squared_bandwidth;
            let weight = match steering.kernel {
                Kernel::Gaussian => (-u / 2.0).exp(),
                Kernel::Epanechnikov => (1.0 - u).max(0.0),
                Kernel::Laplacian => (-u.sqrt()).exp(),
            };
            total += weight;
            mean.iter_mut().zip(other).for_each(|(mean, other)| *mean += weight * other);
        }
        mean.iter().zip(own).map(|(mean, own)| own + steering.strength * (mean / total - own)).collect()
    };
    patches.iter().map(moved).collect()
}

fn close(actual: &[f32], expected: impl IntoIterator<Item = f64>, tolerance: f64, what: &dyn std::fmt::Debug) {
    let expected: Vec<f64> = expected.into_iter().collect();
    assert_eq!(actual.len(), expected.len());
    for (place, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
        assert!(
            (f64::from(*actual) - expected).abs() <= tolerance,
            "{what:?}: {actual} is not {expected} at place {place}"
        );
    }
}

/// Both implementations against the reference.
fn both_agree_with_the_reference(steering: &Steering, size: Size, seed: u64) {
    let x0 = random(size, seed);
    let expected = reference(steering, &x0, size);
    let what = (steering, size, seed);
    close(&apply(steering, &x0, size), expected.iter().copied(), 3e-6, &("apply", what));
    let by_tensor_ops = steering.apply_with_tensor_ops(&tensor(&x0, size), LEVEL).unwrap();
    close(&values(&by_tensor_ops), expected, 3e-6, &("tensor operations", what));
}

#[test]
fn every_kernel_patch_and_stride_agrees_with_the_reference() {
    let mut seed = 0;
    for kernel in KERNELS {
        for patch in 1..=4 {
            for stride in 1..=patch {
                for particles in [2, 3, 4, 7] {
                    for bandwidth in [Bandwidth::Auto(1.0), Bandwidth::Fixed(1.5)] {
                        for [height, width] in [[1, 1], [3, 5], [7, 2]] {
                            seed += 1;
                            let steering = steering(kernel, bandwidth, patch, stride);
                            both_agree_with_the_reference(&steering, [particles, 3, height, width], seed);
                        }
                    }
                }
            }
        }
    }
}

/// More columns than one block holds, blocks that end within a vector, patches that cross vectors and exceed the image.
#[test]
fn large_ensembles_agree_with_the_reference() {
    for (size, patch) in [([10, 3, 45, 61], 1), ([6, 24, 11, 203], 5), ([3, 2, 7, 9], 64), ([33, 1, 6, 37], 3)] {
        for kernel in KERNELS {
            both_agree_with_the_reference(&steering(kernel, Bandwidth::Auto(0.7), patch, patch), size, 1);
        }
    }
}

fn any_steering() -> impl Strategy<Value = Steering> {
    let bandwidth = prop_oneof![(0.3..3.0).prop_map(Bandwidth::Auto), (0.5..5.0).prop_map(Bandwidth::Fixed)];
    let patch_and_stride = (1usize..=6).prop_flat_map(|patch| (Just(patch), 1..=patch));
    (prop::sample::select(KERNELS.to_vec()), bandwidth, patch_and_stride, 0.05..=1.0, 1usize..=3).prop_map(
        |(kernel, bandwidth, (patch, stride), strength, iterations)| Steering {
            strength,
            iterations,
            ..steering(kernel, bandwidth, patch, stride)
        },
    )
}

fn any_size() -> impl Strategy<Value = Size> {
    [2usize..9, 1usize..7, 1usize..18, 1usize..40]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn any_steering_agrees_with_the_reference(steering in any_steering(), size in any_size(), seed: u64) {
        // Each iteration starts from the rounding of the one before, which a narrow kernel may enlarge.
        let x0 = random(size, seed);
        let expected = reference(&steering, &x0, size);
        close(&apply(&steering, &x0, size), expected.iter().copied(), 2e-5, &"apply");
        let by_tensor_ops = steering.apply_with_tensor_ops(&tensor(&x0, size), LEVEL).unwrap();
        close(&values(&by_tensor_ops), expected, 2e-5, &"tensor operations");
    }

    #[test]
    fn one_particle_or_no_strength_is_no_change_to_the_bit(steering in any_steering(), size in any_size(), seed: u64) {
        let [_, c, h, w] = size;
        let one = random([1, c, h, w], seed);
        prop_assert_eq!(&apply(&steering, &one, [1, c, h, w]), &one);
        let many = random(size, seed);
        prop_assert_eq!(&apply(&Steering { strength: 0.0, ..steering }, &many, size), &many);
        prop_assert_eq!(&values(&steering.apply(&tensor(&many, size), 0.9).unwrap()), &many);
    }

    #[test]
    fn permuting_the_particles_permutes_the_result(steering in any_steering(), size in any_size(), seed: u64) {
        let latent: usize = size[1..].iter().product();
        // Reversed, and the first then put last.
        let permute = |values: &[f32]| {
            let mut values: Vec<f32> = values.chunks(latent).rev().flatten().copied().collect();
            values.rotate_left(latent);
            values
        };
        let x0 = random(size, seed);
        let expected = permute(&apply(&steering, &x0, size));
        close(&apply(&steering, &permute(&x0), size), expected.iter().map(|&v| v.into()), 2e-5, &"permuted");
    }

    #[test]
    fn automatic_bandwidth_follows_shift_and_scale(
        steering in any_steering(), factor in 0.5..2.0f64, size in any_size(), seed: u64, scale in 0.01f32..100.0,
        shift in -1.0f32..1.0,
    ) {
        let steering = Steering { bandwidth: Bandwidth::Auto(factor), ..steering };
        let x0 = random(size, seed);
        let affine = |values: &[f32]| values.iter().map(|value| scale * (value + shift)).collect::<Vec<_>>();
        let expected = affine(&apply(&steering, &x0, size));
        let tolerance = 5e-5 * f64::from(scale);
        close(&apply(&steering, &affine(&x0), size), expected.iter().map(|&v| v.into()), tolerance, &"affine");
    }
}

/// Steering a tile whose corner lies on the patch grid is that tile of the steered whole, to the bit.
#[test]
fn tiles_do_not_show() {
    let size = [5, 4, 30, 46];
    for patch in [1, 3] {
        let steering = steering(Kernel::Gaussian, Bandwidth::Auto(1.0), patch, patch);
        let x0 = tensor(&random(size, 3), size);
        let tile = |x: &Tensor| x.f_narrow(2, 6, 21).unwrap().f_narrow(3, 9, 33).unwrap();
        let whole = steering.apply(&x0, LEVEL).unwrap();
        assert_eq!(values(&steering.apply(&tile(&x0), LEVEL).unwrap()), values(&tile(&whole)));
    }
}

#[test]
fn the_number_of_threads_does_not_show() {
    let size = [10, 4, 61, 67];
    let x0 = random(size, 4);
    for patch in [1, 3] {
        let steering = Steering { iterations: 2, ..steering(Kernel::Laplacian, Bandwidth::Auto(1.0), patch, patch) };
        let with_threads = |count| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
            pool.install(|| apply(&steering, &x0, size)).iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        let one = with_threads(1);
        assert_ne!(one, x0.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
        for count in [2, 5] {
            assert_eq!(with_threads(count), one);
        }
    }
}

/// Numbers computed by hand: two particles three apart, h = 2, hence u = 9/4 and w = exp(−9/8) = 0.324652.
///
/// A known mistake divides the distance by h² and squares it again in the kernel: w would be exp(−(3/4)²/2) = 0.754840,
/// or exp(−(9/4)²/2) = 0.079560 for the squared distance.
#[test]
fn the_distance_is_squared_once() {
    let gaussian = |strength| Steering { strength, ..steering(Kernel::Gaussian, Bandwidth::Fixed(2.0), 1, 1) };
    let shift = 3.0 * 0.324_652 / 1.324_652;
    close(&apply(&gaussian(1.0), &[0.0, 3.0], [2, 1, 1, 1]), [shift, 3.0 - shift], 1e-5, &"strength 1");
    close(&apply(&gaussian(0.5), &[0.0, 3.0], [2, 1, 1, 1]), [shift / 2.0, 3.0 - shift / 2.0], 1e-5, &"strength 0.5");
    let by_tensor_ops = gaussian(1.0).apply_with_tensor_ops(&tensor(&[0.0, 3.0], [2, 1, 1, 1]), LEVEL).unwrap();
    close(&values(&by_tensor_ops), [shift, 3.0 - shift], 1e-5, &"tensor operations");

    // The other profiles: 1 − 9/16 with h = 4, and exp(−3/2).
    let epanechnikov = Steering { strength: 1.0, ..steering(Kernel::Epanechnikov, Bandwidth::Fixed(4.0), 1, 1) };
    close(&apply(&epanechnikov, &[0.0, 3.0], [2, 1, 1, 1]), [0.913_043, 2.086_957], 1e-5, &"Epanechnikov");
    let laplacian = Steering { strength: 1.0, ..steering(Kernel::Laplacian, Bandwidth::Fixed(2.0), 1, 1) };
    close(&apply(&laplacian, &[0.0, 3.0], [2, 1, 1, 1]), [0.547_277, 2.452_723], 1e-5, &"Laplacian");
}

/// h is over the whole patch vector: (1, 2, 2) is as far as 3, whether its values are channels or pixels.
#[test]
fn the_bandwidth_is_over_the_whole_patch_vector() {
    let share = 0.324_652 / 1.324_652;
    let x0 = [0.0, 0.0, 0.0, 1.0, 2.0, 2.0];
    let expected = [1.0, 2.0, 2.0].map(|v| v * share).into_iter().chain([1.0, 2.0, 2.0].map(|v| v * (1.0 - share)));
    for (patch, size) in [(1, [2, 3, 1, 1]), (3, [2, 1, 1, 3]), (3, [2, 1, 3, 1]), (8, [2, 1, 1, 3])] {
        let steering = Steering { strength: 1.0, ..steering(Kernel::Gaussian, Bandwidth::Fixed(2.0), patch, patch) };
        close(&apply(&steering, &x0, size), expected.clone(), 1e-5, &(patch, size));
    }
}

/// Numbers computed by hand. Squared distances of 0, 1, 3: 1, 9, 4 with median 4; and of 0, 1, 3, 7: 1, 9, 49, 4, 36, 16
/// with median (9 + 16)/2 = 12.5.
#[test]
fn automatic_bandwidth_is_the_median_over_pairs() {
    let steering = Steering { strength: 1.0, ..steering(Kernel::Gaussian, Bandwidth::Auto(1.0), 1, 1) };
    assert!((apply(&steering, &[0.0, 1.0, 3.0], [3, 1, 1, 1])[0] - 0.841_109).abs() < 1e-5);
    assert!((apply(&steering, &[0.0, 1.0, 3.0, 7.0], [4, 1, 1, 1])[0] - 1.443_143).abs() < 1e-5);
    // Twice the bandwidth: exp(−1/32), exp(−9/32).
    let twice = Steering { bandwidth: Bandwidth::Auto(2.0), ..steering };
    let [a, b] = [1.0f32, 9.0].map(|squared| (-squared / 32.0).exp());
    let expected = (a + 3.0 * b) / (1.0 + a + b);
    assert!((apply(&twice, &[0.0, 1.0, 3.0], [3, 1, 1, 1])[0] - expected).abs() < 1e-5);
}

/// Where most pairs agree the median is 0, and so is the bandwidth.
#[test]
fn a_bandwidth_of_zero_moves_nothing() {
    let x0 = [0.3, 0.3, 0.3, 0.3, 0.9];
    for kernel in KERNELS {
        let steering = steering(kernel, Bandwidth::Auto(1.0), 1, 1);
        assert_eq!(apply(&steering, &x0, [5, 1, 1, 1]), x0);
        assert_eq!(values(&steering.apply_with_tensor_ops(&tensor(&x0, [5, 1, 1, 1]), LEVEL).unwrap()), x0);
        let tiny = Steering { bandwidth: Bandwidth::Fixed(1e-30), ..steering };
        assert_eq!(apply(&tiny, &x0, [5, 1, 1, 1]), x0);
    }
}

/// Particles that agree stay exactly where they are, whatever the bandwidth.
#[test]
fn agreement_is_a_fixed_point() {
    let x0 = [0.1, -0.7, 0.1, -0.7, 0.1, -0.7];
    let steering = steering(Kernel::Laplacian, Bandwidth::Fixed(0.7), 1, 1);
    assert_eq!(apply(&steering, &x0, [3, 2, 1, 1]), x0);
}

/// A model that fails is noticed by its numbers, so they must not be lost here.
#[test]
fn what_is_not_finite_stays_so() {
    let x0 = [0.0, 1.0, f32::NAN, 0.5];
    let steering = steering(Kernel::Gaussian, Bandwidth::Auto(1.0), 1, 1);
    assert!(apply(&steering, &x0, [4, 1, 1, 1])[2].is_nan());
}

#[test]
fn the_memory_layout_of_the_input_does_not_matter() {
    let size = [3, 5, 6, 7];
    let steering = steering(Kernel::Gaussian, Bandwidth::Auto(1.0), 2, 2);
    let x0 = random(size, 5);
    let strided = tensor(&x0, size).f_permute([0, 2, 3, 1]).unwrap().f_contiguous().unwrap();
    let strided = strided.f_permute([0, 3, 1, 2]).unwrap();
    assert_eq!(values(&steering.apply(&strided, LEVEL).unwrap()), apply(&steering, &x0, size));
    assert_eq!(values(&strided), x0, "the input is left alone");
}
