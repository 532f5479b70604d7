//! Every sampler with every spacing, on a built-in model: few steps come near what DDIM gives with many.

use image::RgbImage;
use image::imageops::crop_imm;
use kds_parameters::{SAMPLERS, SPACINGS};
use kds_tests::pairs::Pair;
use kds_tests::restorer::{Options, Restorer};

/// Samplers that draw fresh noise at every step, so that their picture is another sample of the same photograph.
const STOCHASTIC: [&str; 2] = ["ddpm", "dpm++2m-sde"];

/// Mean absolute difference in grey levels.
fn difference(first: &RgbImage, second: &RgbImage) -> f64 {
    assert_eq!(first.dimensions(), second.dimensions());
    let sum: f64 = first.iter().zip(second.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / first.as_raw().len() as f64
}

#[test]
fn few_steps_of_every_sampler_come_near_many_of_ddim() {
    let kitten = Pair::examples().unwrap().into_iter().find(|pair| pair.name == "kitten").unwrap();
    // An eye: detail, in few pixels.
    let picture = crop_imm(&kitten.low, 40, 40, 16, 12).to_image();
    for model in ["kds-photo-x4", "kds-photo-x1"] {
        let options = Options { model: Some(model), device: Some("cpu"), dtype: Some("f32"), threads: 0 };
        let restorer = Restorer::open(&options).unwrap();
        let restore = |parameters: &[(&str, &str)]| {
            restorer.restore(&picture, &[&[("particles", "1")], parameters].concat()).unwrap()
        };
        let ddim = |seed| restore(&[("sampler", "ddim"), ("spacing", "trailing"), ("steps", "50"), ("seed", seed)]);
        let (reference, other) = (ddim("0"), ddim("1"));
        let apart = difference(&reference, &other);
        println!("{model}: two seeds of DDIM differ by {apart:.2} grey levels");
        for sampler in SAMPLERS {
            for spacing in SPACINGS {
                let found = restore(&[("sampler", sampler), ("spacing", spacing), ("steps", "20")]);
                let far = difference(&reference, &found);
                println!("{model} {sampler} {spacing}: {far:.2}");
                // Fresh noise gives another sample, as far away as another seed; without it the picture stays the same one.
                let share = match *spacing {
                    _ if STOCHASTIC.contains(sampler) => 1.5,
                    // It begins below pure noise.
                    "leading" => 0.5,
                    _ => 0.35,
                };
                assert!(
                    far <= share * apart,
                    "{model} {sampler} {spacing}: {far} grey levels, two seeds of DDIM {apart}"
                );
            }
        }
    }
}

#[test]
fn a_preset_is_its_parameters() {
    let kitten = Pair::examples().unwrap().into_iter().find(|pair| pair.name == "kitten").unwrap();
    let picture = crop_imm(&kitten.low, 40, 40, 16, 12).to_image();
    let restorer = Restorer::open(&Options { model: Some("kds-photo-x1"), ..Options::default() }).unwrap();
    // Named parameters come before the preset, and the preset before the model's own.
    let by_name = restorer.restore(&picture, &[("preset", "paper"), ("steps", "5"), ("particles", "3")]).unwrap();
    let one_by_one =
        [("bandwidth", "0.3"), ("patch", "1"), ("strength", "0.3"), ("from", "1"), ("to", "0.3"), ("fusion", "0")];
    let one_by_one = [&one_by_one[..], &[("sampler", "ddim"), ("steps", "5"), ("particles", "3")]].concat();
    assert!(by_name == restorer.restore(&picture, &one_by_one).unwrap(), "the preset is not its parameters");
    let mut job = restorer.job(&[]).unwrap();
    // What was asked for before is not what is in force afterwards.
    assert_ne!(job.get("particles").unwrap(), "10");
    job.set("preset", "paper").unwrap();
    let values = ["particles", "steps", "bandwidth", "patch", "strength", "from", "to", "sampler", "preset"];
    let values = values.map(|name| job.get(name).unwrap());
    assert_eq!(values, ["10", "50", "0.3", "1", "0.3", "1", "0.3", "ddim", "paper"]);
}
