//! The restorers on the example pictures: better than no model, better steered than not, and the same every time.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use image::RgbImage;
use image::imageops::crop_imm;
use kds_tests::command;
use kds_tests::pairs::Pair;
use kds_tests::restorer::{Options, Restorer};

/// What a model must do in its default setting, over its example pictures.
struct Bounds {
    /// What the restored picture has to gain on what takes no model: bicubic enlargement, the picture as it is, smooth
    /// filling.
    over_no_model: Gain,
    /// What steering has to gain on a single particle.
    over_single: Gain,
}

/// How near restorations come to the truth, on average.
#[derive(Debug, Clone, Copy)]
struct Score {
    psnr: f64,
    lpips: f64,
}

/// How much better in PSNR (dB) and LPIPS, at least; a negative gain is a loss that is allowed.
struct Gain {
    psnr: f64,
    lpips: f64,
}

impl Gain {
    fn check(&self, better: Score, than: Score) {
        let (psnr, lpips) = (better.psnr - than.psnr, than.lpips - better.lpips);
        assert!(psnr >= self.psnr && lpips >= self.lpips, "gains {psnr:.3} dB and {lpips:.4}: {better:?} on {than:?}");
    }
}

/// How near pictures must be that differ only in what should not matter, in f32. The threads and the batches change
/// the order of sums alone; tiles also change what the network sees around a pixel.
const SAME: Agreement = Agreement { mean_difference: 0.05, psnr: 50.0 };
const SAME_BUT_TILES: Agreement = Agreement { mean_difference: 1.2, psnr: 42.0 };
/// How much the pictures of different seeds differ at least, in grey levels.
const DIFFERENT_MEAN_DIFFERENCE: f64 = 0.1;

/// Mean absolute difference in grey levels, at most, and PSNR over all channels in dB, at least.
struct Agreement {
    mean_difference: f64,
    psnr: f64,
}

impl Agreement {
    fn check(&self, first: &RgbImage, second: &RgbImage) {
        let (mean, psnr) = difference(first, second);
        assert!(mean <= self.mean_difference && psnr >= self.psnr, "mean difference {mean}, PSNR {psnr} dB");
    }
}

fn difference(first: &RgbImage, second: &RgbImage) -> (f64, f64) {
    assert_eq!(first.dimensions(), second.dimensions());
    let differences = || first.iter().zip(second.iter()).map(|(a, b)| f64::from(a.abs_diff(*b)));
    let count = first.as_raw().len() as f64;
    let squared = differences().map(|difference| difference * difference).sum::<f64>() / count;
    (differences().sum::<f64>() / count, 10.0 * (255.0 * 255.0 / squared).log10())
}

/// One restorer at a time, so that each has all cores.
fn restorer(options: &Options) -> (Restorer, MutexGuard<'static, ()>) {
    let turn = turn();
    (Restorer::open(options).unwrap(), turn)
}

fn turn() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // What failed while it held the lock is another test's affair.
    ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

const F32: Options = Options { model: None, device: Some("cpu"), dtype: Some("f32"), threads: 0 };

/// A part of the kitten's face, of odd size.
fn small_picture() -> RgbImage {
    let kitten = Pair::examples().unwrap().into_iter().find(|pair| pair.name == "kitten").unwrap();
    crop_imm(&kitten.low, 20, 15, 61, 45).to_image()
}

fn restore(options: &Options, parameters: &[(&str, &str)]) -> RgbImage {
    let (restorer, _turn) = restorer(options);
    restorer.restore(&small_picture(), parameters).unwrap()
}

/// Evaluates a model on its example pictures as `cargo xtask evaluate` does.
fn check(model: &str, arguments: &[&str], bounds: Bounds) {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = command::kds()
        .unwrap()
        .args(["eval", "--model", model, "--seed", "1", "--methods", "no-model,single-mean,kds"])
        .arg("--truth")
        .arg(root.join("examples/images/truth"))
        .arg("--lpips")
        .arg(root.join("tests/data/lpips_alex.safetensors"))
        .arg("--output")
        .arg(folder.path().join("evaluation"))
        .args(arguments)
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", String::from_utf8_lossy(&output.stdout));
    let results = std::fs::read_to_string(folder.path().join("evaluation/results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let means = results["means"].as_array().unwrap();
    let score = |method: &str| {
        let mean = means.iter().find(|mean| mean["method"] == method).unwrap();
        let value = |metric: &str| mean["scores"][metric].as_f64().unwrap();
        Score { psnr: value("psnr_y"), lpips: value("lpips") }
    };
    assert!(means.iter().all(|mean| mean["pictures"] == 6), "{means:?}");
    bounds.over_no_model.check(score("kds"), score("no-model"));
    bounds.over_single.check(score("kds"), score("single-mean"));
}

#[test]
fn enlarged_is_better_than_bicubic_and_than_one_particle() {
    check(
        "kds-photo-x4",
        &["--low", "examples/images"],
        Bounds { over_no_model: Gain { psnr: 0.2, lpips: 0.2 }, over_single: Gain { psnr: 0.4, lpips: 0.005 } },
    );
}

#[test]
fn restored_at_its_size_is_better_than_before_and_than_one_particle() {
    check(
        "kds-photo-x1",
        &["--degradation", "mixed", "--reduce", "2"],
        Bounds { over_no_model: Gain { psnr: 0.2, lpips: 0.01 }, over_single: Gain { psnr: 0.05, lpips: 0.0 } },
    );
}

#[test]
fn filled_looks_better_than_smooth_and_steering_gains() {
    check(
        "kds-inpaint",
        &["--degradation", "scratches", "--reduce", "2"],
        Bounds { over_no_model: Gain { psnr: 0.0, lpips: 0.01 }, over_single: Gain { psnr: 0.2, lpips: -0.005 } },
    );
}

#[test]
fn the_seed_decides_the_picture() {
    let (restorer, _turn) = restorer(&Options::default());
    let picture = small_picture();
    let restore = |seed| restorer.restore(&picture, &[("seed", seed)]).unwrap();
    let first = restore("7");
    assert_eq!(first.dimensions(), (4 * picture.width(), 4 * picture.height()));
    assert!(first == restore("7"), "the same seed gave another picture");
    let (mean, _) = difference(&first, &restore("8"));
    assert!(mean >= DIFFERENT_MEAN_DIFFERENCE, "mean difference of two seeds: {mean}");
}

#[test]
fn a_picture_without_colour_stays_without() {
    let (restorer, _turn) = restorer(&Options::default());
    let mut picture = small_picture();
    let parameters = [("particles", "2"), ("steps", "2")];
    let coloured = |picture: &RgbImage| picture.pixels().any(|pixel| pixel.0 != [pixel.0[0]; 3]);
    assert!(coloured(&restorer.restore(&picture, &parameters).unwrap()));
    // A dither of black and white: the finest detail there is.
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let threshold = [32, 160, 224, 96][(2 * (y % 2) + x % 2) as usize];
        pixel.0 = [if pixel.0[1] > threshold { 255 } else { 0 }; 3];
    }
    assert!(!coloured(&restorer.restore(&picture, &parameters).unwrap()));
}

/// Errors of a model on pictures of a single colour, in its default setting, against the limits in the model cards.
#[test]
fn flats_stay_as_flat_as_the_model_cards_say() {
    const COLOURS: [[u8; 3]; 4] = [[0; 3], [128; 3], [255, 0, 0], [224, 172, 141]];
    for model in ["kds-photo-x4", "kds-photo-x1"] {
        let card = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(model).join("README.md");
        let (most, mean) = bounds_for_flats(&std::fs::read_to_string(card).unwrap());
        let (restorer, _turn) = restorer(&Options { model: Some(model), ..Options::default() });
        for colour in COLOURS {
            let restored = restorer.restore(&RgbImage::from_pixel(32, 32, image::Rgb(colour)), &[]).unwrap();
            let differences = || restored.pixels().flat_map(|pixel| std::iter::zip(pixel.0, colour));
            let differences = || differences().map(|(found, given)| f64::from(found.abs_diff(given)));
            let (worst, sum) = (differences().fold(0.0, f64::max), differences().sum::<f64>());
            let average = sum / restored.as_raw().len() as f64;
            println!("{model}, {colour:?}: {average:.2} levels in the mean, {worst} at most");
            assert!(worst <= most && average <= mean, "{model}, {colour:?}: {average} and {worst} levels");
        }
    }
}

/// Levels in any pixel and in the mean: "by at most 3 levels of 255 in any pixel and by 0.5 in the mean".
fn bounds_for_flats(card: &str) -> (f64, f64) {
    let text = card.split_whitespace().collect::<Vec<_>>().join(" ");
    let (before, after) = text.split_once(" levels of 255 in any pixel and by ").unwrap();
    let (mean, _) = after.split_once(" in the mean").unwrap();
    (before.rsplit(' ').next().unwrap().parse().unwrap(), mean.parse().unwrap())
}

#[test]
fn threads_do_not_matter() {
    SAME.check(&restore(&F32, &[]), &restore(&Options { threads: 1, ..F32 }, &[]));
}

#[test]
fn the_size_of_tiles_does_not_matter() {
    let whole = restore(&F32, &[]);
    for tile in ["40", "48"] {
        SAME_BUT_TILES.check(&whole, &restore(&F32, &[("tile", tile)]));
    }
}

#[test]
fn the_memory_budget_does_not_matter() {
    // So many threads that several particles are worth a batch.
    let (restorer, _turn) = restorer(&Options { threads: 8, ..F32 });
    let picture = small_picture();
    // One tile, so that a little less memory can only mean fewer particles at once.
    let parameters = [("tile", "64"), ("particles", "6")];
    // First, so that the estimates count what libtorch keeps once it has worked.
    let free = restorer.restore(&picture, &parameters).unwrap();
    let estimate =
        |parameters: &[_]| restorer.job(parameters).unwrap().estimate(picture.width(), picture.height()).unwrap();
    let all = estimate(&parameters);
    assert!(all.batch > 1, "{all:?}");
    let budget = (all.host_memory - 1).to_string();
    let tight = [&parameters[..], &[("memory", &budget)]].concat();
    let less = estimate(&tight);
    assert!(less.host_memory < all.host_memory && less.batch < all.batch, "{less:?} for a budget of {budget} bytes");
    let tight = restorer.restore(&picture, &tight).unwrap();
    let expected = if less.tiles == 1 { SAME } else { SAME_BUT_TILES };
    expected.check(&free, &tight);
}
