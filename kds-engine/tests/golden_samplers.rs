//! The samplers against the schedulers of diffusers, on a network in closed form: see `tools/golden/README.md`.

use std::collections::HashMap;
use std::path::Path;

use kds_engine::sampler::Sampler;
use kds_engine::schedule::SchedulerConfig;
use safetensors::SafeTensors;
use serde::Deserialize;
use tch::{Kind, Tensor};

/// The reference ran in double precision, so what is left is the order of operations.
const DOUBLE: f64 = 1e-9;
/// The cosine schedule at its noisy end makes x0 20000 times the error of a predicted epsilon.
const SINGLE: f64 = 1e-3;

#[derive(Deserialize)]
struct Description {
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    sampler: String,
    eta: f64,
    steps: usize,
    config: SchedulerConfig,
}

struct Golden {
    cases: Vec<Case>,
    tensors: HashMap<String, Tensor>,
}

impl Golden {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/schedulers.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let description = &header.metadata().as_ref().unwrap()["description"];
        let Description { cases } = serde_json::from_str(description).unwrap();
        Self { cases, tensors: Tensor::read_safetensors(&path).unwrap().into_iter().collect() }
    }
}

/// The same function as in `tools/golden/schedulers.py`.
fn network(x: &Tensor, timestep: f64) -> Tensor {
    let wave = x.f_add_scalar(timestep / 300.0).unwrap().f_sin().unwrap().f_mul_scalar(0.5).unwrap();
    wave.f_add(&x.f_mul_scalar(0.3).unwrap()).unwrap()
}

/// Largest difference as a share of the largest value expected.
fn relative_error(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    let largest = |tensor: &Tensor| f64::try_from(tensor.f_abs().unwrap().f_max().unwrap()).unwrap();
    let found = found.f_to_kind(Kind::Double).unwrap();
    largest(&found.f_sub(expected).unwrap()) / largest(expected)
}

/// Replays a case in numbers of this kind; returns the largest relative error over the levels and over the states.
fn replay(golden: &Golden, case: usize, kind: Kind) -> (f64, f64) {
    let (levels, states) = (&golden.tensors[&format!("{case}/levels")], &golden.tensors[&format!("{case}/states")]);
    let case = &golden.cases[case];
    let tensor = |name: &str| golden.tensors[name].f_to_kind(kind).unwrap();

    let (schedule, spacing) = (case.config.schedule().unwrap(), case.config.spacing().unwrap());
    let sampler = Sampler::parse(&case.sampler, case.eta).unwrap();
    let mut trajectory = sampler.trajectory(&schedule, spacing, case.steps).unwrap();

    let evaluations = trajectory.evaluations().to_vec();
    assert_eq!(evaluations.len() as i64, levels.size()[0], "{case:?}");
    let mut level_error = 0f64;
    for (row, level) in evaluations.iter().enumerate() {
        for (column, found) in [level.timestep, level.alpha, level.sigma].into_iter().enumerate() {
            let expected = levels.f_double_value(&[row as i64, column as i64]).unwrap();
            // The first timestep is 0, where a relative error has no meaning.
            let scale = if column == 0 { expected.abs().max(1.0) } else { expected.abs() };
            level_error = level_error.max((found - expected).abs() / scale);
        }
    }

    let mut x = trajectory.initial(&tensor("noise")).unwrap();
    let mut state_error = relative_error(&x, &states.f_select(0, 0).unwrap());
    for (index, level) in evaluations.iter().enumerate() {
        let x0 = case.config.prediction_type.x0(&network(&x, level.timestep), &x, level).unwrap();
        let noise = tensor("step_noise").f_select(0, (index % 25) as i64).unwrap();
        let noise = trajectory.needs_noise(index).then_some(noise);
        x = trajectory.advance(index, &x, &x0, noise.as_ref()).unwrap();
        let error = relative_error(&x, &states.f_select(0, index as i64 + 1).unwrap());
        // NaN would be lost in a maximum.
        assert!(error.is_finite(), "{case:?}: state {} is not finite in {kind:?}", index + 1);
        state_error = state_error.max(error);
    }
    (level_error, state_error)
}

#[test]
fn every_state_agrees_with_the_reference() {
    let golden = Golden::read();
    assert!(golden.cases.len() >= 200);
    for (index, case) in golden.cases.iter().enumerate() {
        let (levels, states) = replay(&golden, index, Kind::Double);
        assert!(levels <= DOUBLE, "levels are off by {levels:e} in {case:?}");
        assert!(states <= DOUBLE, "states are off by {states:e} in {case:?}");
    }
}

#[test]
fn single_precision_stays_near_the_reference() {
    let golden = Golden::read();
    for (index, case) in golden.cases.iter().enumerate() {
        let (_, states) = replay(&golden, index, Kind::Float);
        assert!(states <= SINGLE, "states are off by {states:e} in {case:?}");
    }
}
