//! Steering does what it is for: samples of a known density come nearer to its modes, and no mode is lost.

#[path = "../examples/toy/mixture.rs"]
mod mixture;

use mixture::{PARTICLES, quality, sample, steering};

const SEEDS: u64 = 10;

#[test]
fn steered_samples_lie_nearer_to_the_modes() {
    let (mut plain_within, mut steered_within, mut plain_distance, mut steered_distance) = (0.0, 0.0, 0.0, 0.0);
    for seed in 0..SEEDS {
        let plain = quality(&sample(seed, None).unwrap());
        let steered = quality(&sample(seed, Some(&steering())).unwrap());
        assert_eq!(steered.modes, 3, "seed {seed}: {steered:?}");
        assert!(steered.within > plain.within + 0.15, "seed {seed}: {plain:?} {steered:?}");
        assert!(steered.distance < 0.8 * plain.distance, "seed {seed}: {plain:?} {steered:?}");
        plain_within += plain.within / SEEDS as f64;
        steered_within += steered.within / SEEDS as f64;
        plain_distance += plain.distance / SEEDS as f64;
        steered_distance += steered.distance / SEEDS as f64;
    }
    // Unsteered, the samples follow the density: of a Gaussian in the plane 1 − exp(−1/2) = 39 % lie within one standard
    // deviation, and the mean distance is 1.25 of it. Modes overlap a little, and the score's steps are finite.
    assert!((0.3..0.55).contains(&plain_within), "{plain_within}");
    assert!((1.0..1.4).contains(&plain_distance), "{plain_distance}");
    assert!(steered_within > plain_within + 0.3, "{plain_within} {steered_within}");
    assert!(steered_distance < 0.65 * plain_distance, "{plain_distance} {steered_distance}");
}

#[test]
fn without_strength_the_particles_are_independent_runs() {
    let off = kds_engine::steering::Steering { strength: 0.0, ..steering() };
    let plain = sample(1, None).unwrap();
    assert_eq!(plain.len(), PARTICLES);
    assert_eq!(sample(1, Some(&off)).unwrap(), plain);
}
