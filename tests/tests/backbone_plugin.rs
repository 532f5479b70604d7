//! Third-party models in shared libraries: the example is steered like a model of ours, and whatever a library does wrong
//! becomes one line.

use std::path::{Path, PathBuf};

use image::RgbImage;
use kds_host::{Channels, Context, ContextOptions, Error, ImageMut, ImageRef, Library, Model, Status};
use kds_tests::command::build_folder;
use kds_tests::pairs;

/// Of the example: side of a block in pixels, reach of the smoothing of each guess, and how far the truth deviates from a
/// guess in grey levels. Not taken from its crate: two libraries with a root module cannot be linked into one program.
const BLOCK: u32 = 8;
const RADII: [u32; 3] = [0, 1, 3];
const DEVIATION: f64 = 0.02 * 127.5;

fn library(name: &str) -> PathBuf {
    build_folder().unwrap().join(format!("lib{name}.so"))
}

fn open(path: &Path) -> Result<Model, Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let entry = format!(
        "[[model]]\nid = \"other\"\ntitle = \"Somebody's\"\ntask = \"restoration\"\nscale = 1\nbackbone = \"plugin\"\n\
         path = \"{}\"\nallow_code = true\n",
        path.display()
    );
    std::fs::write(file.path(), entry).unwrap();
    let options = ContextOptions { registry: Some(file.path().to_owned()), ..Default::default() };
    Context::new(&Library::open().unwrap(), &options)?.open_model("other", Some("cpu"), None)
}

fn restore(model: &Model, picture: &RgbImage, settings: &[(&str, &str)]) -> Result<RgbImage, Error> {
    let (width, height) = picture.dimensions();
    let mut job = model.new_job()?;
    for (name, value) in settings {
        job.set(name, value)?;
    }
    let mut restored = RgbImage::new(width, height);
    let input = ImageRef::packed(picture.as_raw(), Channels::Rgb, width, height)?;
    job.run(input, None, ImageMut::packed(&mut restored, Channels::Rgb, width, height)?, None, None)?;
    Ok(restored)
}

/// The mean of the pixels within `radius` of one, in grey levels.
fn smoothed(picture: &RgbImage, x: u32, y: u32, channel: usize, radius: u32) -> f64 {
    let mut values = Vec::new();
    for row in y.saturating_sub(radius)..=(y + radius).min(picture.height() - 1) {
        for column in x.saturating_sub(radius)..=(x + radius).min(picture.width() - 1) {
            values.push(f64::from(picture.get_pixel(column, row).0[channel]));
        }
    }
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_example_gives_blocks_as_its_mixture_says() {
    let model = open(&library("mixture_backbone")).unwrap();
    // Whole blocks, so that nothing is padded.
    let block = BLOCK;
    let picture = image::imageops::crop_imm(&pairs::small_picture().unwrap(), 0, 0, 4 * block, 2 * block).to_image();
    let settings = [("steps", "20"), ("particles", "6"), ("seed", "3")];
    let restored = restore(&model, &picture, &settings).unwrap();
    assert!(restored != picture, "nothing was chosen");

    let mut chosen = [0; RADII.len()];
    for (left, top) in (0..2).flat_map(|row| (0..4).map(move |column| (block * column, block * row))) {
        // Root mean square distance of the block from each guess.
        let distances = RADII.map(|radius| {
            let pixels = (top..top + block).flat_map(|y| (left..left + block).map(move |x| (x, y)));
            let squares =
                pixels.flat_map(|(x, y)| (0..3).map(move |channel| (x, y, channel))).map(|(x, y, channel)| {
                    let found = f64::from(restored.get_pixel(x, y).0[channel]);
                    (found - smoothed(&picture, x, y, channel, radius)).powi(2)
                });
            (squares.sum::<f64>() / f64::from(3 * block * block)).sqrt()
        });
        let nearest = (0..RADII.len()).min_by(|a, b| distances[*a].total_cmp(&distances[*b])).unwrap();
        chosen[nearest] += 1;
        assert!(distances[nearest] < 3.0 * DEVIATION, "block at {left}, {top}: {distances:?}");
    }
    println!("blocks by guess: {chosen:?}");
    assert!(restore(&model, &picture, &settings).unwrap() == restored, "the same seed gave another picture");
}

#[test]
fn what_is_no_backbone_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.so");
    std::fs::write(&text, "not a library").unwrap();
    let table = [
        (folder.path().join("missing.so"), "there is no such file"),
        (text, "cannot be loaded as a library"),
        (library("kds"), "it offers 'kds-restorer' and not 'kds-backbone'"),
        (library("other_backbone"), "of another layout"),
        (PathBuf::from("/lib/x86_64-linux-gnu/libm.so.6"), "does not offer the Rust interface"),
    ];
    for (path, expected) in table {
        let error = open(&path).err().unwrap();
        let message = error.to_string();
        assert_eq!(error.status, Status::InvalidModel, "{message}");
        assert!(message.contains(expected) && message.contains(path.to_str().unwrap()), "{expected}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn a_library_that_fails_costs_one_run_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let failing = |way: &str| {
        let path = folder.path().join(way).with_extension("so");
        // A copy each: the loader takes links to one file for one library.
        std::fs::copy(library("failing_plugin"), &path).unwrap();
        path
    };
    let at_opening = [
        ("open-fails", "the open stage is out of order"),
        ("open-panics", "it panicked: the open stage fell over"),
        ("spec-panics", "it panicked: the spec stage fell over"),
        ("no-channels", "its latent_channels is 0"),
        ("no-scale", "its scale is 0"),
        ("huge", "its downscale is 18446744073709551615"),
        ("misaligned", "its multiple, 6, is not a multiple of its downscale, 4"),
        ("no-spread", "its latent_std is NaN"),
        ("unknown-prediction", "its prediction is 77"),
        ("no-schedule", "at least one training timestep"),
        ("wrong-schedule", "schedule"),
        ("four-times", "enlarges 4x, its registry entry says 1x"),
    ];
    for (way, expected) in at_opening {
        let message = open(&failing(way)).err().unwrap().to_string();
        assert!(message.contains(expected) && message.lines().count() == 1, "{way}: {message}");
    }

    let picture = pairs::small_picture().unwrap();
    let settings = [("steps", "2"), ("particles", "2")];
    let in_a_run = [
        ("tile-fails", "the tile stage is out of order"),
        ("tile-panics", "it panicked: the tile stage fell over"),
        ("predict-fails", "the predict stage is out of order"),
        ("predict-panics", "it panicked: the predict stage fell over"),
        ("decode-fails", "the decode stage is out of order"),
        ("decode-panics", "it panicked: the decode stage fell over"),
        ("predicts-nothing", "not finite"),
        ("predicts-infinity", "not finite"),
        ("decodes-half", "not finite"),
    ];
    for (way, expected) in in_a_run {
        let model = open(&failing(way)).unwrap();
        for _ in 0..2 {
            let message = restore(&model, &picture, &settings).err().unwrap().to_string();
            assert!(message.contains(expected) && message.lines().count() == 1, "{way}: {message}");
        }
    }
    let sound = open(&failing("sound")).unwrap();
    assert_eq!(restore(&sound, &picture, &settings).unwrap().get_pixel(0, 0).0, [191; 3]);
}
