use super::*;

fn ensemble(size: [i64; 4]) -> Tensor {
    let count = size.iter().product::<i64>();
    let values: Vec<f32> = (0..count).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.5).collect();
    Tensor::f_from_slice(&values).unwrap().f_view(size).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(&tensor.f_contiguous().unwrap().f_view(-1).unwrap()).unwrap()
}

#[test]
fn the_defaults_are_those_of_the_parameter_table() {
    use kds_parameters::{Value, find};
    let default = |name: &str| find(name).unwrap().check(find(name).unwrap().default).unwrap();
    let Steering { kernel, bandwidth, patch, stride, strength, from, to, ramp, iterations } = Steering::default();
    let Value::Choice(word) = default("kernel") else { panic!() };
    assert_eq!(kernel, Kernel::parse(word).unwrap());
    let Value::Choice(word) = default("ramp") else { panic!() };
    assert_eq!(ramp, Ramp::parse(word).unwrap());
    assert_eq!(Value::Bandwidth(bandwidth), default("bandwidth"));
    assert_eq!(Value::Integer(patch as i64), default("patch"));
    assert_eq!(Value::Integer(iterations as i64), default("iterations"));
    assert_eq!(Value::Number(strength), default("strength"));
    assert_eq!(Value::Number(from), default("from"));
    assert_eq!(Value::Number(to), default("to"));
    // 0 in the table stands for the patch size.
    assert_eq!((default("stride"), stride), (Value::Integer(0), patch));
    Steering::default().validate().unwrap();
}

#[test]
fn every_word_of_the_table_is_known_and_others_are_refused() {
    for word in kds_parameters::KERNELS {
        assert_eq!(format!("{:?}", Kernel::parse(word).unwrap()).to_lowercase(), *word);
    }
    for word in kds_parameters::RAMPS {
        assert_eq!(format!("{:?}", Ramp::parse(word).unwrap()).to_lowercase(), *word);
    }
    let message = Kernel::parse("cauchy").unwrap_err().to_string();
    assert!(message.contains("'kernel'") && message.contains("'cauchy'") && message.contains("laplacian"), "{message}");
    assert!(Ramp::parse("Linear").is_err());
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let good = Steering { patch: 4, stride: 2, ..Steering::default() };
    good.validate().unwrap();
    let bad = [
        ("stride", Steering { stride: 0, ..good }),
        ("stride", Steering { stride: 5, ..good }),
        ("patch", Steering { patch: 0, ..good }),
        ("patch", Steering { patch: 65, ..good }),
        ("strength", Steering { strength: 1.5, ..good }),
        ("strength", Steering { strength: f64::NAN, ..good }),
        ("from", Steering { from: -0.1, ..good }),
        ("to", Steering { from: 0.2, to: 0.3, ..good }),
        ("iterations", Steering { iterations: 0, ..good }),
        ("bandwidth", Steering { bandwidth: Bandwidth::Fixed(0.0), ..good }),
        ("bandwidth", Steering { bandwidth: Bandwidth::Auto(f64::INFINITY), ..good }),
    ];
    for (name, steering) in bad {
        let message = steering.apply(&ensemble([3, 2, 4, 4]), 0.5).unwrap_err().to_string();
        assert!(message.contains(&format!("'{name}'")), "{steering:?}: {message}");
    }
}

#[test]
fn the_window_and_the_ramps() {
    let constant = Steering { strength: 0.5, from: 0.8, to: 0.4, ..Steering::default() };
    let linear = Steering { ramp: Ramp::Linear, ..constant };
    let cosine = Steering { ramp: Ramp::Cosine, ..constant };
    for (level, expected) in [
        (1.0, [0.0, 0.0, 0.0]),
        (0.81, [0.0, 0.0, 0.0]),
        (0.8, [0.5, 0.0, 0.0]),
        (0.7, [0.5, 0.125, 0.25 * (1.0 - std::f64::consts::FRAC_1_SQRT_2)]),
        (0.6, [0.5, 0.25, 0.25]),
        (0.4, [0.5, 0.5, 0.5]),
        (0.39, [0.0, 0.0, 0.0]),
        (f64::NAN, [0.0, 0.0, 0.0]),
    ] {
        for (steering, expected) in [constant, linear, cosine].iter().zip(expected) {
            assert!((steering.strength_at(level) - expected).abs() < 1e-12, "{:?} at {level}", steering.ramp);
        }
    }
    let point = Steering { from: 0.5, to: 0.5, ramp: Ramp::Linear, ..constant };
    assert_eq!([point.strength_at(0.5), point.strength_at(0.51)], [0.5, 0.0]);
}

#[test]
fn what_is_no_ensemble_is_refused() {
    let x0 = ensemble([2, 3, 4, 5]);
    for wrong in [
        x0.f_view([6, 4, 5]).unwrap(),
        x0.f_to_kind(Kind::Double).unwrap(),
        x0.f_to_kind(Kind::BFloat16).unwrap(),
        x0.f_narrow(0, 0, 0).unwrap(),
    ] {
        for error in [
            Steering::default().apply(&wrong, 0.5).unwrap_err(),
            spread(&wrong).unwrap_err(),
            Selection::Mean.choose(&wrong).unwrap_err(),
        ] {
            assert!(error.to_string().contains("[particles, channels, height, width] of f32"), "{error}");
        }
    }
    let empty = x0.f_narrow(3, 0, 0).unwrap();
    assert_eq!(Steering::default().apply(&empty, 0.5).unwrap().size(), [2, 3, 4, 0]);
}

#[test]
fn the_choices() {
    // Four particles of one channel and two pixels. The mean is (2.5, 0).
    let particles = [[0.0f32, 0.0], [1.0, 0.0], [2.0, 0.0], [7.0, 0.0]];
    let x0 = Tensor::f_from_slice(particles.as_flattened()).unwrap().f_view([4, 1, 1, 2]).unwrap();
    let chosen = |text: &str| values(&Selection::parse(text).unwrap().choose(&x0).unwrap());
    assert_eq!(chosen("nearest"), [2.0, 0.0]);
    assert_eq!(chosen("mean"), [2.5, 0.0]);
    // Sums of distances 10, 8, 8, 18: the first of the two best.
    assert_eq!(chosen("medoid"), [1.0, 0.0]);
    assert_eq!(chosen("index:3"), [7.0, 0.0]);
    assert_eq!(Selection::Nearest.choose(&x0).unwrap().size(), [1, 1, 1, 2]);

    let message = Selection::parse("sharpest").unwrap().choose(&x0).unwrap_err().to_string();
    assert!(message.contains("between pictures"), "{message}");
    let message = Selection::Index(4).choose(&x0).unwrap_err().to_string();
    assert!(message.contains("particle 4") && message.contains("there are 4"), "{message}");
    assert!(Selection::Index(usize::MAX).choose(&x0).is_err());
    for text in ["", "index:", "index:-1", "index:x", "Mean"] {
        assert!(Selection::parse(text).is_err(), "{text}");
    }
}

/// A known mistake measures each particle against the mean of its own values.
#[test]
fn nearest_is_nearest_to_the_mean_of_the_ensemble() {
    // The second particle is flat, hence nearest to its own mean, and the farthest from the ensemble's, (3, 1.5).
    let x0 = Tensor::f_from_slice(&[2.0f32, -2.0, 9.0, 9.0, -2.0, -2.5]).unwrap().f_view([3, 1, 1, 2]).unwrap();
    assert_eq!(values(&Selection::Nearest.choose(&x0).unwrap()), [2.0, -2.0]);
}

#[test]
fn the_spread() {
    // Pixel by pixel: deviations ±1 and ±2 in the two channels; none at all.
    let x0 = Tensor::f_from_slice(&[1.0f32, 5.0, 0.0, 6.0, 3.0, 5.0, 4.0, 6.0]).unwrap().f_view([2, 2, 1, 2]).unwrap();
    let map = spread(&x0).unwrap();
    assert_eq!(map.size(), [1, 2]);
    assert_eq!(values(&map), [2.5f32.sqrt(), 0.0]);
    assert_eq!(values(&spread(&x0.f_narrow(0, 0, 1).unwrap()).unwrap()), [0.0, 0.0]);
}

#[test]
fn a_picture_in_parts_chooses_as_the_whole_picture_does() {
    let x0 = ensemble([6, 3, 8, 10]);
    let part = |columns: std::ops::Range<i64>| x0.f_narrow(3, columns.start, columns.end - columns.start).unwrap();
    for selection in [Selection::Nearest, Selection::Medoid] {
        // Two parts that share four columns, over which one fades into the other.
        let mut distances = Distances::default();
        let rows = [1.0; 8];
        distances.add(selection, &part(0..7), &rows, &[1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2]).unwrap();
        distances.add(selection, &part(3..10), &rows, &[0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0]).unwrap();
        let whole = selection.choose(&x0).unwrap();
        assert_eq!(values(&selection.pick(&x0, &distances).unwrap()), values(&whole), "{selection:?}");
        // The parts alone would choose otherwise, so it is the sum that decides.
        let alone = |columns: std::ops::Range<i64>| selection.choose(&part(columns)).unwrap();
        let of_whole =
            |columns: std::ops::Range<i64>| whole.f_narrow(3, columns.start, columns.end - columns.start).unwrap();
        assert!(values(&alone(0..7)) != values(&of_whole(0..7)) || values(&alone(3..10)) != values(&of_whole(3..10)));
    }
}

#[test]
fn of_two_particles_the_first_is_chosen_whatever_rounding_says() {
    for seed in 0..8 {
        let x0 = ensemble([2, 3, 5, 7]) * 0.1 + f64::from(seed) * 0.317;
        assert_eq!(values(&Selection::Nearest.choose(&x0).unwrap()), values(&x0.f_narrow(0, 0, 1).unwrap()));
    }
}

#[test]
fn bands_of_rows_change_nothing() {
    for (patch, stride, iterations) in [(1, 1, 2), (3, 3, 1), (4, 2, 2), (5, 2, 1), (3, 1, 1)] {
        for height in [1, 7, 23] {
            let steering = Steering { patch, stride, iterations, ..Steering::default() };
            let x0 = ensemble([5, 2, height, 9]);
            let whole = tensor_ops::apply(&steering, 0.4, &x0).unwrap();
            for temporaries in [1, 30_000, 60_000] {
                let bands = tensor_ops::apply_within(&steering, 0.4, &x0, temporaries).unwrap();
                let off = (&bands - &whole).abs().max().double_value(&[]);
                assert!(off < 1e-6, "patch {patch}, stride {stride}, height {height}: {off:e}");
            }
        }
    }
}
