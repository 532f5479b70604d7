//! `kds eval`: its values are those of the pictures that it leaves, and what was computed is not computed again.

// What restores a picture there is for other tests.
#[allow(dead_code)]
mod common;

use std::io::Cursor;
use std::path::Path;

use common::{Folder, Run};
use image::{ImageFormat, RgbImage, imageops::crop_imm};
use kds_tests::pairs::Pair;
use serde_json::Value;

const QUICK: [&str; 8] = ["--model", "kds-photo-x1", "--particles", "2", "--steps", "2", "--device", "cpu"];

fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Parts of two photographs in the folder `truth`.
fn photographs(folder: &Folder, width: u32, height: u32) {
    for pair in Pair::examples().unwrap().into_iter().take(2) {
        let part = crop_imm(&pair.truth, 60, 60, width, height).to_image();
        folder.write(&format!("truth/{}, cut.png", pair.name), &png(&part));
    }
}

fn evaluate(folder: &Folder, arguments: &[&str]) -> Run {
    Run::of(folder.command(&[&["eval"], &QUICK[..], arguments].concat()).output().unwrap())
}

fn read(path: &Path) -> RgbImage {
    image::open(path).unwrap().into_rgb8()
}

#[test]
fn values_are_those_of_the_pictures_and_an_evaluation_goes_on() {
    let folder = Folder::new();
    photographs(&folder, 64, 48);
    let methods = "no-model,single-mean,single-best,single-worst,mean-of-n,kds,kds-best,kds-worst";
    let command = ["--truth", "truth", "--degradation", "noise:20", "-o", "out", "--seeds", "2", "--methods", methods];
    evaluate(&folder, &command).succeeded("evaluation");
    let results: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path("out/results.json")).unwrap()).unwrap();
    let mut means = vec![0.0; 8];
    for picture in results["pictures"].as_array().unwrap() {
        let name = picture["name"].as_str().unwrap();
        let truth = read(&folder.path(&format!("truth/{name}.png")));
        let restored = |run: &str| read(&folder.path(&format!("out/pictures/{name}/{run}.png")));
        let psnr = |run: &str| kds_metrics::psnr_luma(&truth, &restored(run)).unwrap();
        let singles = [psnr("single-0"), psnr("single-1")];
        let particles = [psnr("kds-particle-0"), psnr("kds-particle-1")];
        let expected = [
            psnr("no-model"),
            (singles[0] + singles[1]) / 2.0,
            singles[0].max(singles[1]),
            singles[0].min(singles[1]),
            psnr("mean-of-n"),
            psnr("kds"),
            particles[0].max(particles[1]),
            particles[0].min(particles[1]),
        ];
        let found = picture["methods"].as_array().unwrap();
        for ((outcome, expected), mean) in found.iter().zip(expected).zip(&mut means) {
            let psnr = outcome["scores"]["psnr_y"].as_f64().unwrap();
            assert!((psnr - expected).abs() < 1e-9, "{outcome}: {expected}");
            *mean += psnr / 2.0;
        }
        assert_eq!(found.len(), expected.len());
        let steered = [restored("kds"), restored("kds-seed-1")];
        let stability = &picture["stability"]["kds"];
        let local = kds_metrics::local_deviation(&steered).unwrap();
        assert!((stability["of_pixels"].as_f64().unwrap() - local).abs() < 1e-12 && local > 0.0);
        let global = kds_metrics::deviation(&[psnr("kds"), psnr("kds-seed-1")]);
        assert!((stability["of_scores"]["psnr_y"].as_f64().unwrap() - global).abs() < 1e-9);
    }
    for (mean, expected) in results["means"].as_array().unwrap().iter().zip(means) {
        assert!((mean["scores"]["psnr_y"].as_f64().unwrap() - expected).abs() < 1e-9, "{mean}");
    }
    assert!(results["comparisons"].as_array().unwrap().iter().any(|found| found["against"] == "no-model"));

    let csv = std::fs::read_to_string(folder.path("out/results.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 * 8);
    assert!(csv.lines().all(|line| line.starts_with("picture,") || line.starts_with('"')), "{csv}");
    let page = std::fs::read_to_string(folder.path("out/index.html")).unwrap();
    for plot in ["gain", "worst"] {
        assert!(folder.path(&format!("out/{plot}-psnr_y.svg")).exists(), "{plot}");
    }
    assert!(page.matches("<figure>").count() == 2 && page.contains("<svg") && !page.contains("src=\"http"));
    assert!(std::fs::read_to_string(folder.path("out/report.md")).unwrap().contains("G-STD PSNR(Y)"));

    // As after an interrupt: what one picture lacks is computed again, and nothing else.
    let name = results["pictures"][0]["name"].as_str().unwrap();
    let lost = folder.path(&format!("out/pictures/{name}/kds.json"));
    std::fs::remove_file(folder.path(&format!("out/pictures/{name}/outcomes.json"))).unwrap();
    std::fs::remove_file(&lost).unwrap();
    let kept = folder.path(&format!("out/pictures/{name}/single-0.png"));
    let before = std::fs::metadata(&kept).unwrap().modified().unwrap();
    evaluate(&folder, &command).succeeded("going on");
    assert!(lost.exists());
    assert_eq!(std::fs::metadata(&kept).unwrap().modified().unwrap(), before);
    let again: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path("out/results.json")).unwrap()).unwrap();
    // Read from a file and written again, the last digit may change.
    let psnr = |results: &Value| results["means"][5]["scores"]["psnr_y"].as_f64().unwrap();
    assert!((psnr(&again) - psnr(&results)).abs() < 1e-9);
    let files = folder.files();
    let other = [&command[..], &["--strength", "0.1"]].concat();
    evaluate(&folder, &other).refused("other settings", "strength");
    assert_eq!(folder.files(), files);
}

#[test]
fn pictures_without_truth_are_judged_by_niqe() {
    let folder = Folder::new();
    photographs(&folder, 200, 100);
    let command = ["--low", "truth", "-o", "out", "--limit", "1", "--methods", "no-model,best-of-n,kds,kds-best-of-n"];
    evaluate(&folder, &command).succeeded("no truth");
    let results: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path("out/results.json")).unwrap()).unwrap();
    let picture = &results["pictures"][0];
    let name = picture["name"].as_str().unwrap();
    let niqe = kds_metrics::Niqe::bundled().unwrap();
    let value = |run: String| niqe.value(&read(&folder.path(&format!("out/pictures/{name}/{run}.png")))).unwrap();
    let best = |run: &str| value(format!("{run}-0")).min(value(format!("{run}-1")));
    let expected = [value("no-model".into()), best("single"), value("kds".into()), best("kds-particle")];
    let found = picture["methods"].as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    for (outcome, expected) in found.iter().zip(expected) {
        let scores = outcome["scores"].as_object().unwrap();
        assert_eq!(scores.len(), 1, "{outcome}");
        assert!((scores["niqe"].as_f64().unwrap() - expected).abs() < 1e-9, "{outcome}: {expected}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let folder = Folder::new();
    photographs(&folder, 64, 48);
    folder.write("low/other.png", b"");
    for (arguments, reason) in [
        (&["--truth", "truth", "--low", "low", "-o", "out"][..], "with 'budgie, cut' in its name"),
        (&["--truth", "nowhere", "-o", "out"], "nowhere cannot be read"),
        (&["--truth", "truth", "--degradation", "box", "-o", "out"], "fills no holes"),
        (&["--truth", "truth", "--lpips", "low/other.png", "-o", "out"], "low/other.png"),
        (&["--truth", "truth", "-o", "truth"], "holds no evaluation"),
    ] {
        evaluate(&folder, arguments).refused(&format!("{arguments:?}"), reason);
    }
    assert!(!folder.path("out").exists(), "{:?}", folder.files());
}
