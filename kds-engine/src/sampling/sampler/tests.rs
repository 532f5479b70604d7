//! What every sampler must do, whatever the reference says; agreement with it is tested in `tests/golden_samplers.rs`.

use tch::{Kind, Tensor};

use super::*;
use crate::schedule::BetaSchedule;

const ALL: [Sampler; 9] = [
    Sampler::Ddim { eta: 0.0 },
    Sampler::Ddim { eta: 1.0 },
    Sampler::Ddpm,
    Sampler::DpmSolver2M,
    Sampler::DpmSolver2MSde,
    Sampler::DpmSolver2S,
    Sampler::Euler,
    Sampler::Heun,
    Sampler::UniPc,
];
const SPACINGS: [Spacing; 4] = [Spacing::Leading { offset: 0 }, Spacing::Trailing, Spacing::Linspace, Spacing::Karras];

fn cosine() -> NoiseSchedule {
    NoiseSchedule::new(BetaSchedule::SquaredCosCapV2, 1000).unwrap()
}

fn linear() -> NoiseSchedule {
    NoiseSchedule::new(BetaSchedule::Linear { start: 1e-4, end: 0.02 }, 1000).unwrap()
}

fn noise() -> Tensor {
    Tensor::from_slice(&[0.3f64, -1.2, 2.1, 0.04])
}

/// Runs a trajectory; `x0` answers for state and level, `stop` is the index of the state that is returned.
fn run(trajectory: &mut Trajectory, start: &Tensor, stop: usize, x0: impl Fn(&Tensor, &Level) -> Tensor) -> Tensor {
    let levels = trajectory.evaluations().to_vec();
    let mut x = trajectory.initial(start).unwrap();
    for (index, level) in levels.iter().enumerate().take(stop) {
        x = trajectory.advance(index, &x, &x0(&x, level), Some(start)).unwrap();
    }
    x
}

#[test]
fn every_word_names_a_sampler() {
    for word in kds_parameters::SAMPLERS {
        Sampler::parse(word, 0.0).unwrap();
    }
    assert_eq!(Sampler::parse("ddim", 0.5).unwrap(), Sampler::Ddim { eta: 0.5 });
    assert!(Sampler::parse("plms", 0.0).unwrap_err().to_string().contains("heun"));
}

#[test]
fn impossible_eta_is_refused() {
    for eta in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(Sampler::parse("ddim", eta).unwrap_err().to_string().contains("eta"));
        assert!(Sampler::Ddim { eta }.trajectory(&linear(), Spacing::Trailing, 5).is_err());
    }
}

#[test]
fn a_constant_prediction_is_the_result() {
    let constant = Tensor::from_slice(&[0.1f32, -0.7, 3.3, 1e-4]);
    let start = noise().to_kind(Kind::Float);
    for schedule in [linear(), cosine()] {
        for (sampler, spacing, steps) in ALL
            .iter()
            .flat_map(|sampler| SPACINGS.map(|s| (sampler, s)))
            .flat_map(|(a, b)| [1, 2, 13].map(|c| (a, b, c)))
        {
            let mut trajectory = sampler.trajectory(&schedule, spacing, steps).unwrap();
            let result = run(&mut trajectory, &start, usize::MAX, |_, _| constant.shallow_clone());
            assert_eq!(result, constant, "{sampler:?} {spacing:?} {steps}");
        }
    }
}

#[test]
fn a_schedule_whose_first_timestep_is_clean_stays_finite() {
    let schedule = NoiseSchedule::from_alphas_cumprod((0..50).map(|t| 1.0 - f64::from(t) / 50.0).collect()).unwrap();
    for sampler in ALL {
        for spacing in SPACINGS {
            let mut trajectory = sampler.trajectory(&schedule, spacing, 10).unwrap();
            let result = run(&mut trajectory, &noise(), usize::MAX, |x, _| x.f_sin().unwrap());
            assert!(f64::try_from(result.f_abs().unwrap().f_sum(Kind::Double).unwrap()).unwrap().is_finite());
        }
    }
}

#[test]
fn heun_asks_twice_per_step_but_once_in_the_last() {
    for (steps, evaluations) in [(1, 1), (2, 3), (10, 19)] {
        let trajectory = Sampler::Heun.trajectory(&linear(), Spacing::Trailing, steps).unwrap();
        assert_eq!(trajectory.evaluations().len(), evaluations);
    }
}

#[test]
fn ddim_without_noise_is_euler_at_the_same_levels() {
    let plans = [Sampler::Ddim { eta: 0.0 }, Sampler::Euler].map(|sampler| {
        let mut trajectory = sampler.trajectory(&linear(), Spacing::Leading { offset: 1 }, 20).unwrap();
        run(&mut trajectory, &noise(), usize::MAX, |x, level| x.f_mul_scalar(level.alpha).unwrap().f_sin().unwrap())
    });
    assert_eq!(plans[0], plans[1]);
}

/// Noise that is added fills up what is not kept: the variance of the state stays that of its level when the data has none.
#[test]
fn fresh_noise_keeps_the_variance() {
    for eta in [0.3, 1.0] {
        let schedule = linear();
        let levels = Spacing::Trailing.levels(&schedule, 25, crate::schedule::Grid::Whole).unwrap();
        let plan = ddim::plan(&schedule, Spacing::Trailing, 25, eta).unwrap();
        check_variance(&levels, &plan);
    }
    let levels = Spacing::Trailing.levels(&linear(), 25, crate::schedule::Grid::WholeWithEnd).unwrap();
    check_variance(&levels, &dpm_solver::plan(&linear(), Spacing::Trailing, 25, true).unwrap());
}

fn check_variance(levels: &[Level], plan: &Plan) {
    for ((from, to), (_, step)) in pairs(levels, Level::CLEAN).zip(&plan.steps) {
        // Of the state and of a change of x0 nothing but the noise counts, when the data has no variance.
        let variance = (step.state * from.sigma).powi(2) + step.noise.powi(2);
        assert!((variance - to.sigma.powi(2)).abs() < 1e-14, "{from:?}");
    }
    let (_, last) = plan.steps.last().unwrap();
    assert_eq!((last.noise, last.state, last.clean), (0.0, 0.0, 1.0));
}

#[test]
fn only_stochastic_steps_need_noise() {
    let mut trajectory = Sampler::Ddim { eta: 1.0 }.trajectory(&linear(), Spacing::Trailing, 3).unwrap();
    assert_eq!([0, 1, 2, 3].map(|index| trajectory.needs_noise(index)), [true, true, false, false]);
    let message = trajectory.advance(0, &noise(), &noise(), None).unwrap_err().to_string();
    assert!(message.contains("noise"), "{message}");
    let _ = trajectory.advance(0, &noise(), &noise(), Some(&noise())).unwrap();
    let deterministic = [
        Sampler::Ddim { eta: 0.0 },
        Sampler::DpmSolver2M,
        Sampler::DpmSolver2S,
        Sampler::Euler,
        Sampler::Heun,
        Sampler::UniPc,
    ];
    for sampler in deterministic {
        let trajectory = sampler.trajectory(&linear(), Spacing::Trailing, 3).unwrap();
        assert!((0..trajectory.evaluations().len()).all(|index| !trajectory.needs_noise(index)));
    }
}

#[test]
fn advancing_out_of_order_is_refused() {
    let mut trajectory = Sampler::Euler.trajectory(&linear(), Spacing::Trailing, 2).unwrap();
    let x = noise();
    assert!(trajectory.advance(1, &x, &x, None).unwrap_err().to_string().contains("evaluation 0 of 2 is due"));
    let _ = trajectory.advance(0, &x, &x, None).unwrap();
    assert!(trajectory.advance(0, &x, &x, None).is_err());
    let _ = trajectory.advance(1, &x, &x, None).unwrap();
    assert!(trajectory.advance(2, &x, &x, None).unwrap_err().to_string().contains("all 2 are done"));
}

#[test]
fn shapes_that_would_broadcast_are_refused() {
    let mut trajectory = Sampler::Euler.trajectory(&linear(), Spacing::Trailing, 2).unwrap();
    let one = Tensor::from_slice(&[0.5f64]);
    assert!(trajectory.advance(0, &noise(), &one, None).unwrap_err().to_string().contains("[1]"));
    let _ = trajectory.advance(0, &noise(), &noise(), None).unwrap();
}

#[test]
fn particles_that_are_kept_go_on_as_if_alone() {
    let x0 = |x: &Tensor, level: &Level| x.f_mul_scalar(level.alpha).unwrap().f_sin().unwrap();
    let kept = Tensor::from_slice(&[1i64, 3]);
    for sampler in [Sampler::DpmSolver2M, Sampler::DpmSolver2S, Sampler::Heun, Sampler::Euler, Sampler::UniPc] {
        let plan = || sampler.trajectory(&linear(), Spacing::Trailing, 6).unwrap();
        let alone = run(&mut plan(), &noise().f_index_select(0, &kept).unwrap(), usize::MAX, x0);
        let mut trajectory = plan();
        let levels = trajectory.evaluations().to_vec();
        let mut x = trajectory.initial(&noise()).unwrap();
        for (index, level) in levels.iter().enumerate() {
            x = trajectory.advance(index, &x, &x0(&x, level), None).unwrap();
            if index == 2 {
                x = x.f_index_select(0, &kept).unwrap();
                trajectory.keep(&kept).unwrap();
            }
        }
        assert_eq!(x, alone, "{sampler:?}");
    }
}

/// For Gaussian data the network's best answer and the path of the probability flow are known in closed form, so the error
/// at the last level before the clean picture is that of the sampler alone.
#[test]
fn second_order_samplers_converge_faster() {
    const MEAN: f64 = 0.4;
    const DEVIATION: f64 = 0.5;
    let variance = |level: &Level| (level.alpha * DEVIATION).powi(2) + level.sigma.powi(2);
    let centred = |x: &Tensor, level: &Level| x.f_add_scalar(-MEAN * level.alpha).unwrap();
    let x0 = |x: &Tensor, level: &Level| {
        let gain = level.alpha * DEVIATION.powi(2) / variance(level);
        centred(x, level).f_mul_scalar(gain).unwrap().f_add_scalar(MEAN).unwrap()
    };
    let error = |sampler: Sampler, steps: usize| {
        let mut trajectory = sampler.trajectory(&linear(), Spacing::Karras, steps).unwrap();
        let levels = trajectory.evaluations().to_vec();
        let (first, last) = (levels[0], levels[levels.len() - 1]);
        let initial = trajectory.initial(&noise()).unwrap();
        let exact = centred(&initial, &first)
            .f_mul_scalar((variance(&last) / variance(&first)).sqrt())
            .unwrap()
            .f_add_scalar(MEAN * last.alpha)
            .unwrap();
        let found = run(&mut trajectory, &noise(), levels.len() - 1, x0);
        f64::try_from(found.f_sub(&exact).unwrap().f_abs().unwrap().f_max().unwrap()).unwrap()
    };
    for (sampler, order) in [
        (Sampler::Ddim { eta: 0.0 }, 1.0),
        (Sampler::Euler, 1.0),
        (Sampler::Heun, 2.0),
        (Sampler::DpmSolver2M, 2.0),
        (Sampler::DpmSolver2S, 2.0),
    ] {
        for steps in [40, 80, 160] {
            let observed = (error(sampler, steps) / error(sampler, 2 * steps)).log2();
            assert!(
                (observed - order).abs() < 0.15,
                "{sampler:?}: order {observed} between {steps} and twice the steps"
            );
        }
    }
    // The correction makes the second order better than that of the solver it corrects.
    assert!(error(Sampler::UniPc, 40) < 0.5 * error(Sampler::DpmSolver2M, 40));
    // As many evaluations of the network for each: Heun has two per step.
    assert!(error(Sampler::Heun, 40) < 0.5 * error(Sampler::Euler, 80));
    assert!(error(Sampler::DpmSolver2M, 40) < 0.5 * error(Sampler::Euler, 40));
}
