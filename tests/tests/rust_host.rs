//! The interface for Rust hosts, `kds-plugin-api`, as a program sees it that calls it.

#[expect(dead_code, reason = "what concerns the kds command only")]
mod common;

use std::ops::ControlFlow::{Break, Continue};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;

use common::Folder;
use image::{GrayImage, RgbImage};
use kds_plugin_api::restorer::interface::ModelObject;
use kds_plugin_api::{Error, Format, Image, ImageMut, Images, Job, Library, LoadError, Model, Progress, Stage, Status};
use kds_plugin_api::{Size, load};
use kds_tests::command::built;
use kds_tests::pairs;

const MODEL: &str = "kds-photo-x4";

fn library() -> Library {
    load(built("libkds.so").unwrap()).unwrap()
}

/// The built-in model in f32, as exact as on any machine.
fn model() -> Model {
    library().context(0, None).unwrap().open(MODEL, "cpu", "f32").unwrap()
}

fn job(model: &Model, settings: &[(&str, &str)]) -> Job {
    let mut job = model.job().unwrap();
    settings.iter().for_each(|(name, value)| job.set(name, value).unwrap());
    job
}

fn restore(job: &mut Job, picture: &RgbImage) -> Result<RgbImage, Error> {
    restore_telling(job, picture, |_| Continue(()))
}

fn restore_telling(
    job: &mut Job,
    picture: &RgbImage,
    progress: impl FnMut(Progress) -> std::ops::ControlFlow<()>,
) -> Result<RgbImage, Error> {
    let size = job.output_size(picture.width(), picture.height())?;
    let mut restored = RgbImage::new(size.width, size.height);
    let input = Image::rgb(picture.width(), picture.height(), picture.as_raw().as_slice());
    job.restore(Images::new(input, ImageMut::rgb(size.width, size.height, &mut restored)), progress)?;
    Ok(restored)
}

#[test]
fn lists_equal_those_of_kds_host() {
    let theirs = kds_host::Library::open().unwrap();
    let library = library();
    assert_eq!(library.version(), theirs.version());
    let parameters: Vec<_> = library
        .parameters()
        .unwrap()
        .into_iter()
        .map(|parameter| kds_host::ParameterInfo {
            name: parameter.name.into(),
            title: parameter.title.into(),
            help: parameter.help.into(),
            default: parameter.default.into(),
            choices: parameter.choices.into_iter().map(Into::into).collect(),
            min: parameter.min,
            max: parameter.max,
            advanced: parameter.advanced,
            job: parameter.job,
        })
        .collect();
    assert!(parameters.len() > 10, "{parameters:?}");
    assert_eq!(parameters, theirs.parameters().unwrap());

    let folder = Folder::new();
    let entry = format!(
        "[[model]]\nid = \"mine\"\ntitle = \"My own\"\ntask = \"super-resolution\"\nscale = 4\nbackbone = \"residual\"\n\
         path = \"{}\"\n",
        concat!(env!("CARGO_MANIFEST_DIR"), "/../models/kds-photo-x4")
    );
    let registry = folder.write("registry.toml", entry.as_bytes());
    let context = library.context(0, Some(&registry)).unwrap();
    let options = kds_host::ContextOptions { registry: Some(registry), ..Default::default() };
    let their_context = kds_host::Context::new(&theirs, &options).unwrap();
    let their_models = their_context.models().unwrap();
    let models: Vec<_> = context
        .models()
        .unwrap()
        .into_iter()
        .map(|model| kds_host::ModelInfo {
            // Not in the Rust interface.
            calibration: their_models.iter().find(|of| of.id == model.id.as_str()).and_then(|of| of.calibration),
            id: model.id.into(),
            title: model.title.into(),
            task: model.task.into(),
            backbone: model.backbone.into(),
            source: model.source.into(),
            scale: model.scale,
            needs_mask: model.needs_mask,
        })
        .collect();
    assert!(models.iter().any(|model| model.id == "mine"), "{models:?}");
    assert_eq!(models, their_models);
    let devices: Vec<_> = context.devices().unwrap().into_iter().map(|device| device.name.into_string()).collect();
    let theirs: Vec<_> = their_context.devices().unwrap().into_iter().map(|device| device.name).collect();
    assert_eq!(devices, theirs);
    let model = context.open("mine", "cpu", "f32").unwrap();
    assert_eq!((model.device().unwrap(), model.dtype().unwrap()), ("cpu".to_owned(), "f32".to_owned()));
    assert_eq!(model.info().unwrap().title, "My own");
}

#[test]
fn bad_arguments_are_error_values() {
    let context = library().context(0, None).unwrap();
    let status = |result: Result<(), Error>| result.unwrap_err().status;
    let missing = library().context(0, Some("/nowhere/registry.toml".as_ref())).unwrap_err();
    assert_eq!(missing.status, Status::INVALID_REGISTRY);
    assert!(missing.message.contains("/nowhere/registry.toml"), "{missing}");
    assert_eq!(library().context(u32::MAX, None).unwrap_err().status, Status::INVALID_ARGUMENT);
    assert_eq!(context.open("nonesuch", "auto", "auto").unwrap_err().status, Status::NOT_FOUND);
    assert_eq!(context.open(MODEL, "toaster", "auto").unwrap_err().status, Status::INVALID_ARGUMENT);
    assert_eq!(context.open(MODEL, "cpu\0", "auto").unwrap_err().status, Status::INVALID_ARGUMENT);

    let model = model();
    let mut job = job(&model, &[("particles", "1"), ("steps", "1")]);
    assert_eq!(status(job.set("nonesuch", "1")), Status::INVALID_ARGUMENT);
    assert_eq!(status(job.set("steps", "1\0")), Status::INVALID_ARGUMENT);
    assert_eq!(job.get("nonesuch").unwrap_err().status, Status::INVALID_ARGUMENT);
    assert_eq!(job.output_size(0, 7).unwrap_err().status, Status::INVALID_ARGUMENT);

    let pixels = [200u8; 3 * 8 * 6];
    let good = Image::rgb(8, 6, &pixels);
    let cases = [
        ("too few bytes", Image { height: 7, ..good }, 32, 28),
        ("rows overlap", Image { stride: 23, ..good }, 32, 24),
        ("format", Image { format: Format(99), ..good }, 32, 24),
        ("no pixels", Image { width: 0, ..good }, 0, 24),
        ("overflow", Image { stride: usize::MAX, ..good }, 32, 24),
        ("output too small", good, 31, 24),
    ];
    for (case, input, width, height) in cases {
        let mut output = vec![7u8; 3 * 40 * 40];
        let images = Images::new(input, ImageMut::rgb(width, height, &mut output));
        let error = job.restore(images, |_| Continue(())).unwrap_err();
        assert_eq!(error.status, Status::INVALID_IMAGE, "{case}: {error}");
        assert!(output.iter().all(|sample| *sample == 7), "{case}: the output was written");
    }
    let mut output = [0u8; 3 * 32 * 24];
    let mask = Image::gray(8, 6, &pixels[..48]);
    let images = Images::new(good, ImageMut::rgb(32, 24, &mut output)).with_mask(mask);
    assert_eq!(status(job.restore(images, |_| Continue(()))), Status::INVALID_ARGUMENT);
    let images = Images::new(good, ImageMut::rgb(32, 24, &mut output));
    job.restore(images, |_| Continue(())).unwrap();
}

#[test]
fn every_kind_of_sample_and_the_confidence_arrive() {
    let (model, picture) = (model(), pairs::small_picture().unwrap());
    let mut job = job(&model, &[("particles", "2"), ("steps", "2"), ("seed", "9")]);
    assert_eq!(job.get("particles").unwrap(), "2");
    let size = job.output_size(33, 21).unwrap();
    assert_eq!(size, Size { width: 132, height: 84 });
    let estimate = job.estimate(33, 21).unwrap();
    assert_eq!((estimate.tiles, estimate.evaluations), (1, 2));
    assert!(estimate.memory > 3 * 132 * 84 * 4, "{estimate:?}");

    let expected = restore(&mut job, &picture).unwrap();
    // The same picture as floats, in rows with a gap; the result in 16 bits.
    let mut floats = vec![f32::NAN; 21 * 110];
    for (row, source) in floats.chunks_exact_mut(110).zip(picture.as_raw().chunks_exact(99)) {
        row.iter_mut().zip(source).for_each(|(value, sample)| *value = f32::from(*sample) / 255.0);
    }
    let input = Image { stride: 4 * 110, ..Image::rgb(33, 21, &floats) };
    let mut wide = vec![0u16; 3 * 132 * 84];
    let mut confidence = GrayImage::new(132, 84);
    let images =
        Images::new(input, ImageMut::rgb(132, 84, &mut wide)).with_confidence(ImageMut::gray(132, 84, &mut confidence));
    let mut stages = Vec::new();
    job.restore(images, |progress| {
        stages.push(progress.stage);
        Continue(())
    })
    .unwrap();
    let differences = wide.iter().zip(expected.as_raw()).map(|(wide, narrow)| wide.abs_diff(u16::from(*narrow) * 257));
    assert!(differences.max().unwrap() <= 129, "16 bits are not those of 8 bits before rounding");
    assert!(confidence.iter().min() < confidence.iter().max(), "the confidence is the same everywhere");
    assert!(stages.is_sorted() && stages.first() == Some(&Stage::PREPARE), "{stages:?}");
    assert_eq!(stages.last(), Some(&Stage::FINISH));
}

#[test]
fn cancelling_counts_before_and_during_a_run_and_for_good() {
    let (model, picture) = (model(), pairs::small_picture().unwrap());
    let long = [("particles", "1"), ("steps", "1000")];
    let mut early = job(&model, &long);
    early.cancel_handle().cancel();
    let mut steps = 0;
    let error = restore_telling(&mut early, &picture, |progress| {
        steps = progress.done;
        Continue(())
    })
    .unwrap_err();
    assert_eq!((error.status, steps), (Status::CANCELLED, 0));

    let mut running = job(&model, &long);
    let (ask, asked) = mpsc::channel();
    let (answer, answered) = mpsc::channel();
    let handle = running.cancel_handle();
    let canceller = std::thread::spawn({
        let handle = handle.clone();
        move || {
            asked.recv().unwrap();
            handle.cancel();
            answer.send(()).unwrap();
        }
    });
    let mut last = 0;
    let error = restore_telling(&mut running, &picture, |progress| {
        last = progress.done;
        if progress.done == 2 && ask.send(()).is_ok() {
            let _ = answered.recv();
        }
        Continue(())
    })
    .unwrap_err();
    canceller.join().unwrap();
    assert_eq!(error.status, Status::CANCELLED);
    assert!(last <= 3, "{last} steps were done");
    assert_eq!(restore(&mut running, &picture).unwrap_err().status, Status::CANCELLED);
    drop((running, model));
    handle.cancel();
}

#[test]
fn a_closure_that_breaks_or_panics_ends_its_run_only() {
    let (model, picture) = (model(), pairs::small_picture().unwrap());
    let mut job = job(&model, &[("particles", "1"), ("steps", "3")]);
    let error = restore_telling(&mut job, &picture, |_| Break(())).unwrap_err();
    assert_eq!(error.status, Status::CANCELLED);
    let error = restore_telling(&mut job, &picture, |_| panic!("window closed")).unwrap_err();
    assert_eq!(error.status, Status::PANIC);
    assert!(error.message.contains("window closed"), "{error}");
    restore(&mut job, &picture).unwrap();
}

#[test]
fn jobs_of_several_threads_do_not_mix() {
    let (model, picture) = (model(), pairs::small_picture().unwrap());
    let settings = |seed| [("particles", "2"), ("steps", "2"), ("seed", seed)];
    let run = |seed| restore(&mut job(&model, &settings(seed)), &picture).unwrap();
    let seeds = ["1", "2", "3"];
    let alone: Vec<_> = seeds.iter().map(|seed| run(seed)).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = seeds.iter().map(|seed| scope.spawn(|| run(seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(alone == together, "the pixels differ");
    assert!(alone[0] != alone[1], "two seeds gave the same picture");
}

#[test]
fn other_files_are_refused_with_their_reason() {
    let folder = Folder::new();
    let text = folder.write(
        "text.so",
        b"This is no library, however long it may be: it has no header at all. ".repeat(9).as_slice(),
    );
    let empty = folder.write("empty.so", b"");
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps.lines().find_map(|line| line.split_whitespace().last().filter(|file| file.ends_with("libc.so.6")));
    let refused = |file: PathBuf, part: &str| {
        let error = load(&file).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with(&file.display().to_string()) && message.contains(part), "{message}");
        assert!(!message.contains('\n'), "{message}");
        error
    };
    assert!(matches!(refused(folder.path("none.so"), "no such file"), LoadError::NoSuchFile { .. }));
    assert!(matches!(refused(text, "cannot be loaded"), LoadError::NotLoadable { .. }));
    assert!(matches!(refused(empty, "cannot be loaded"), LoadError::NotLoadable { .. }));
    assert!(matches!(refused(folder.path(""), "cannot be loaded"), LoadError::NotLoadable { .. }));
    assert!(matches!(refused(libc.unwrap().into(), "not a KDS library"), LoadError::NotKds { .. }));
    match refused(built("libother_version.so").unwrap(), "version 2.0.0 of the interface, and this program needs 1.") {
        LoadError::OtherVersion { library, .. } => assert_eq!(library, "2.0.0"),
        error => panic!("{error:?}"),
    }
    match refused(built("libother_layout.so").unwrap(), "another layout") {
        LoadError::OtherLayout { details, .. } => {
            for part in ["version", "u32", "RStr"] {
                assert!(details.contains(part), "no '{part}' in {details}");
            }
        }
        error => panic!("{error:?}"),
    }
    // Without a folder the system's loader would look for a library of that name.
    assert!(matches!(load("libc.so.6").unwrap_err(), LoadError::NoSuchFile { .. }));
    assert_eq!(library().version(), env!("CARGO_PKG_VERSION"), "the right file is loaded after all the wrong ones");
}

#[test]
fn a_panic_of_the_library_is_an_error_and_ends_its_job_only() {
    let file = built("libfailing_backbone.so").unwrap();
    let library = load(&file).unwrap();
    // SAFETY: loading it once more runs nothing, and the function is declared so in tests/libraries/failing-backbone.
    let model = unsafe {
        let library = std::mem::ManuallyDrop::new(libloading::Library::new(&file).unwrap());
        let failing = library.get::<extern "C" fn() -> ModelObject>("failing_model").unwrap();
        Model::from_object(failing())
    };
    let picture = pairs::small_picture().unwrap();
    let settings = [("particles", "1"), ("steps", "4")];
    let mut job = job(&model, &settings);
    let mut done = 0;
    let error = restore_telling(&mut job, &picture, |progress| {
        done = progress.done;
        Continue(())
    })
    .unwrap_err();
    assert_eq!((error.status, done), (Status::PANIC, 1), "{error}");
    assert!(error.message.contains("the network fell over"), "{error}");

    for result in [
        restore(&mut job, &picture).map(drop),
        job.set("steps", "3"),
        job.get("steps").map(drop),
        job.output_size(33, 21).map(drop),
        job.estimate(33, 21).map(drop),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.status, Status::PANIC);
        assert!(error.message.contains("make a new one"), "{error}");
    }
    drop(job);
    let sound = library.context(0, None).unwrap().open(MODEL, "cpu", "f32").unwrap();
    let mut job = self::job(&sound, &[("particles", "1"), ("steps", "1")]);
    restore(&mut job, &picture).unwrap();
}

#[test]
fn the_library_exports_its_interfaces_only() {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(built("libkds.so").unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let (c, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.starts_with("kds_"));
    assert!(c.len() > 20, "{c:?}");
    assert_eq!(others, [abi_stable::library::ROOT_MODULE_LOADER_NAME]);
}
