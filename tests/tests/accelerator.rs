//! What happens on a GPU, on an accelerator in software: choosing it, agreeing with the CPU, waiting for nothing, and
//! failing well.

use std::path::Path;

use image::imageops::FilterType;
use image::{GrayImage, RgbImage};
use kds_engine::backbone::{Backbone, LdmSr, ModelFiles, Prompt, Residual, SdInpaint, TorchScript};
use kds_engine::device::{self, Fault};
use kds_engine::ensemble::{Sampling, sample};
use kds_engine::nn::Loading;
use kds_engine::noise::Window;
use kds_engine::picture::{Picture, Source};
use kds_engine::plan::Request;
use kds_engine::registry::Registry;
use kds_engine::restore::Prepared;
use kds_engine::sampler::Sampler;
use kds_engine::schedule::{Level, Spacing};
use kds_engine::settings::{Resolved, Settings};
use kds_engine::steering::Steering;
use kds_host::{Context, ContextOptions, Library, Status};
use kds_tests::accelerator::{self, Machine};
use kds_tests::command::{built, kds};
use kds_tests::pairs::small_picture;
use kds_tests::restorer::{Options, Restorer};
use tch::{Device, Kind, Tensor};

#[path = "../../kds-engine/tests/reference/mod.rs"]
mod reference;

use reference::by_entry::{self, DIFFBIR, LDM_SR, SD_INPAINT, SEESR};
use reference::peak;

const CUDA: Device = Device::Cuda(0);

/// The most that two pictures differ in, in grey levels.
fn difference(first: &RgbImage, second: &RgbImage) -> u8 {
    first.iter().zip(second.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

fn holes(picture: &RgbImage) -> GrayImage {
    let inside = |x: u32, y: u32| (8..17).contains(&x) && (6..14).contains(&y);
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| image::Luma([if inside(x, y) { 255 } else { 0 }]))
}

fn restore(model: &str, device: &str, dtype: &str, parameters: &[(&str, &str)]) -> RgbImage {
    let options = Options { model: Some(model), device: Some(device), dtype: Some(dtype), threads: 0 };
    let restorer = Restorer::open(&options).unwrap();
    assert_eq!(restorer.description().unwrap(), format!("{model} on {device} in {dtype}"));
    let picture = small_picture().unwrap();
    let mask = (restorer.task().unwrap() == "inpainting").then(|| holes(&picture));
    restorer.restore_with(&picture, mask.as_ref(), parameters).unwrap()
}

const QUICK: &[(&str, &str)] = &[("particles", "3"), ("steps", "3")];

#[test]
fn after_the_cpu_comes_the_gpu_in_one_process_and_both_agree() {
    let body = || {
        for model in ["kds-photo-x4", "kds-photo-x1", "kds-inpaint"] {
            let all = [&[("sampler", "dpm++2m-sde")][..], &[("patch", "4"), ("stride", "2")]];
            // Steering, which the models share, is compared with one of them.
            for more in &all[..if model == "kds-photo-x4" { 2 } else { 1 }] {
                let parameters = [QUICK, *more].concat();
                let cpu = restore(model, "cpu", "f32", &parameters);
                let cuda = restore(model, "cuda:0", "f32", &parameters);
                let off = difference(&cpu, &cuda);
                assert!(off <= 1, "{model} {more:?}: {off} grey levels");
            }
            for dtype in ["bf16", "f16"] {
                let off = difference(&restore(model, "cpu", "f32", QUICK), &restore(model, "cuda:0", dtype, QUICK));
                assert!(off <= 24, "{model} in {dtype}: {off} grey levels");
            }
        }
        assert!(accelerator::counts().unwrap().operations > 1000);
    };
    Machine::usual().run("after_the_cpu_comes_the_gpu_in_one_process_and_both_agree", body).unwrap();
}

#[test]
fn every_block_and_network_agrees_with_the_reference() {
    let body = || {
        device::load_cuda().unwrap();
        let failures = reference::networks::failures(CUDA, &[Kind::BFloat16, Kind::Half]);
        assert!(failures.is_empty(), "{failures:#?}");
        for (name, latents, picture) in reference::pipelines::errors(Loading::new(CUDA, Kind::Float)) {
            assert!(latents < 1e-4 && picture < 1e-4, "{name}: {latents:e}, {picture:e}");
        }
    };
    Machine::usual().run("every_block_and_network_agrees_with_the_reference", body).unwrap();
}

/// What a backbone makes of a picture, a state and latents, on a device.
fn passes(backbone: &dyn Backbone, picture: &Tensor) -> Vec<Tensor> {
    let spec = backbone.spec();
    let session = backbone.open(&picture.to_device(spec.device), None, &Prompt::default()).unwrap();
    let (_, _, height, width) = picture.size4().unwrap();
    let side = |pixels: i64| pixels / spec.downscale as i64;
    let count = 2 * spec.latent_channels as i64 * side(height) * side(width);
    let state = Tensor::arange(count, (Kind::Float, Device::Cpu)).f_mul_scalar(0.37).unwrap().sin();
    let state = state.view([2, spec.latent_channels as i64, side(height), side(width)]).to_device(spec.device);
    let predicted = session.predict(&state, &spec.schedule.level(321.0).unwrap()).unwrap();
    let decoded = session.decode(&state.narrow(0, 0, 1)).unwrap();
    [predicted, decoded].iter().map(|tensor| tensor.to_device(Device::Cpu)).collect()
}

#[test]
fn models_from_files_agree_with_the_cpu() {
    let body = || {
        device::load_cuda().unwrap();
        let _guard = tch::no_grad_guard();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
        let load = |device| -> Vec<Box<dyn Backbone>> {
            let loading = Loading::new(device, Kind::Float);
            let folder = |name| ModelFiles::Folder(golden.join(name));
            vec![
                Box::new(Residual::load(&folder("residual_x4"), loading).unwrap()),
                Box::new(Residual::load(&folder("residual_x1"), loading).unwrap()),
            ]
        };
        let picture = Tensor::arange(3 * 32 * 48, (Kind::Float, Device::Cpu)).f_mul_scalar(0.1).unwrap().cos();
        let picture = picture.view([1, 3, 32, 48]);
        for (cpu, cuda) in load(Device::Cpu).iter().zip(load(CUDA)) {
            for (expected, found) in passes(&**cpu, &picture).iter().zip(passes(&*cuda, &picture)) {
                let error = reference::relative(&found, expected);
                assert!(error < 1e-5, "{error:e}");
            }
        }
        // A file that was traced on the CPU has that device in it.
        let traced = TorchScript::load(&golden.join("torchscript.pt"), Loading::new(CUDA, Kind::Float)).unwrap();
        let session = traced.open(&picture.to_device(CUDA), None, &Prompt::default()).unwrap();
        let state = Tensor::zeros([1, 3, 32, 48], (Kind::Float, CUDA));
        let refused = session.predict(&state, &traced.spec().schedule.level(321.0).unwrap()).unwrap_err().to_string();
        assert!(refused.contains("use device 'cpu'"), "{refused}");
    };
    Machine::usual().run("models_from_files_agree_with_the_cpu", body).unwrap();
}

fn settings(values: &[(&str, &str)]) -> Resolved {
    let mut settings = Settings::default();
    values.iter().for_each(|(name, value)| settings.set(name, value).unwrap());
    settings.resolve().unwrap()
}

/// Whole restorations, in tiles, of the third-party architectures.
#[test]
fn third_party_models_restore_as_on_the_cpu() {
    let body = || {
        device::load_cuda().unwrap();
        let (width, height) = (40, 32);
        let values = (0..3 * width * height).map(|index| (index as f32 * 0.1).cos() * 0.5 + 0.5).collect();
        let picture = Picture { width, height, values };
        let mask: Vec<f32> = (0..width * height).map(|index| f32::from((8..20).contains(&(index % width)))).collect();
        let settings = settings(&[("particles", "2"), ("steps", "2"), ("from", "1"), ("seed", "3")]);
        for model in [LDM_SR, SD_INPAINT, DIFFBIR, SEESR] {
            let [expected, found] = [Device::Cpu, CUDA].map(|device| {
                let (_folder, backbone) = by_entry::open(model, device);
                let mask = backbone.spec().fills_holes.then_some(&mask[..]);
                let source = Source { picture: &picture, alpha: None, mask };
                kds_engine::restore::restore(&*backbone, &settings, source, false, &mut |_| Ok(()))
                    .unwrap()
                    .picture
                    .values
            });
            assert_eq!(expected.len(), found.len());
            let off = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let range = expected.iter().fold(0.0, |range: f32, value| range.max((value - expected[0]).abs()));
            println!("{model}: {off:e} of {range}");
            assert!(off < 1e-4 && range > 1e-2, "{model}: {off:e} of {range}");
        }
    };
    Machine::usual().run("third_party_models_restore_as_on_the_cpu", body).unwrap();
}

#[test]
fn auto_takes_the_gpu_that_is_fit_and_tells_why() {
    let machine = Machine::default()
        .device("Soft Turing", "7.5", 24 << 30, 0)
        .device("Busy Ampere", "8.6", 24 << 30, 20 << 30)
        .device("Free Ampere", "8.6", 12 << 30, 1 << 30);
    let body = || {
        let devices = device::devices();
        let names: Vec<_> = devices.iter().map(|device| &device.name[..]).collect();
        assert_eq!(names, ["cpu", "cuda:0", "cuda:1", "cuda:2"]);
        assert!(devices[2].description.contains("Busy Ampere, compute capability 8.6"), "{devices:?}");
        assert_eq!((devices[2].memory_total, devices[2].memory_free), (24 << 30, 4 << 30));
        assert_eq!((devices[1].kinds[0], devices[2].kinds[0]), (Kind::Half, Kind::BFloat16));
        assert_eq!(device::automatic().0, "cuda:2");
        assert!(device::loaded_library("libtorch_cuda.so").is_none(), "a list of devices loaded kernels");

        let choice = device::choose("auto").unwrap();
        assert_eq!(choice.device, Device::Cuda(2));
        assert!(choice.reason.contains("Free Ampere") && choice.reason.contains("of 3 GPUs"), "{}", choice.reason);
        assert!(device::loaded_library("libtorch_cuda.so").is_some());
        assert_eq!(device::parse_kind("auto", Device::Cuda(0)).unwrap(), Kind::Half);
        let missing = device::choose("cuda:3").unwrap_err().to_string();
        assert!(missing.contains("3 CUDA devices"), "{missing}");
    };
    machine.run("auto_takes_the_gpu_that_is_fit_and_tells_why", body).unwrap();
}

#[test]
fn doctor_names_the_gpu_and_the_reason() {
    let machine = Machine::usual();
    let output = machine.lend_to(&mut kds().unwrap()).arg("doctor").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for expected in
        ["auto:", "cuda:0: cuda:0 is Soft Ampere", "the only GPU", "compute capability 8.0", "8.0 GiB of 8.0 GiB free"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let output = machine.lend_to(&mut kds().unwrap()).env(device::SWITCH, "off").arg("doctor").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("cpu: KDS_CUDA=off leaves GPUs out"), "{text}");
    assert!(!text.contains("Soft Ampere"), "{text}");
}

#[test]
fn auto_leaves_a_third_party_backbone_on_the_cpu() {
    let library = built("libmixture_backbone.so").unwrap();
    let body = move || {
        let folder = tempfile::tempdir().unwrap();
        let registry = folder.path().join("models.toml");
        let library = library.display();
        let text = format!(
            "[[model]]\nid = \"mixture\"\ntitle = \"Mixture\"\ntask = \"restoration\"\nscale = 1\nbackbone = \"plugin\"\n\
             path = \"{library}\"\nallow_code = true\n"
        );
        std::fs::write(&registry, text).unwrap();
        let options = ContextOptions { registry: Some(registry), ..ContextOptions::default() };
        let context = Context::new(&Library::open().unwrap(), &options).unwrap();
        let model = context.open_model("mixture", None, None).unwrap();
        assert_eq!(model.device().unwrap(), ("cpu".to_owned(), "f32".to_owned()));
        let refused = context.open_model("mixture", Some("cuda"), None).err().unwrap();
        assert_eq!(refused.status, Status::DeviceUnavailable, "{refused}");
        // The other models take the GPU all the same.
        let model = context.open_model("kds-photo-x4", None, None).unwrap();
        assert_eq!(model.device().unwrap(), ("cuda:0".to_owned(), "bf16".to_owned()));
    };
    Machine::usual().run("auto_leaves_a_third_party_backbone_on_the_cpu", body).unwrap();
}

#[test]
fn memory_is_known_and_running_out_of_it_is_told() {
    let machine = Machine::default().device("Soft Ampere", "8.0", 3 << 30, 1 << 30);
    let body = || {
        device::load_cuda().unwrap();
        let before = device::memory(CUDA).unwrap().unwrap();
        assert_eq!((before.total, before.available()), (3 << 30, 2 << 30));
        let tensor = Tensor::f_zeros([1 << 20], (Kind::Float, CUDA)).unwrap();
        device::reset_peak(CUDA).unwrap();
        let during = device::memory(CUDA).unwrap().unwrap();
        assert_eq!(
            (during.allocated, during.peak, before.available() - during.available()),
            (4 << 20, 4 << 20, 4 << 20)
        );
        drop(tensor);
        device::empty_cache(CUDA).unwrap();
        assert_eq!(device::memory(CUDA).unwrap().unwrap().available(), 2 << 30);

        let error = kds_engine::Error::from(Tensor::f_zeros([1 << 30], (Kind::Float, CUDA)).unwrap_err());
        assert!(matches!(error, kds_engine::Error::MemoryRanOut(_)), "{error}");
        assert!(error.to_string().contains("lower 'tile'"), "{error}");
        let host = Tensor::f_zeros([1 << 50], (Kind::Float, Device::Cpu)).unwrap_err();
        assert_eq!(Fault::of(&host.to_string()), Fault::OutOfMemory, "{host}");
    };
    machine.run("memory_is_known_and_running_out_of_it_is_told", body).unwrap();
}

/// Compares the estimate of a run's device memory with its peak.
fn check_estimate(name: &str, estimate: u64, run: impl FnOnce()) {
    let before = peak::begin(CUDA);
    run();
    let peak = peak::end(CUDA) - before;
    let ratio = estimate as f64 / peak as f64;
    println!("{name}: {estimate} of {peak} bytes, {ratio:.2}");
    assert!((0.8..=1.2).contains(&ratio), "{name}: {estimate} of {peak} bytes");
}

/// Of each built-in model, LDM-SR and Stable Diffusion, with one particle and with many. All steps are steered, so that the
/// memory of steering is part of the peak.
#[test]
fn the_estimate_of_device_memory_is_the_peak() {
    let body = || {
        device::load_cuda().unwrap();
        for (model, particles, width, height) in [
            ("kds-photo-x4", "1", 96, 80),
            ("kds-photo-x4", "10", 60, 44),
            ("kds-photo-x1", "1", 144, 104),
            ("kds-photo-x1", "10", 60, 44),
            ("kds-inpaint", "1", 60, 44),
            ("kds-inpaint", "10", 96, 80),
        ] {
            let options = Options { model: Some(model), device: Some("cuda"), dtype: Some("f32"), threads: 0 };
            let restorer = Restorer::open(&options).unwrap();
            let picture = image::imageops::resize(&small_picture().unwrap(), width, height, FilterType::Triangle);
            let mask = (model == "kds-inpaint").then(|| holes(&picture));
            let parameters = [("particles", particles), ("steps", "1"), ("from", "1")];
            let estimate = restorer.job(&parameters).unwrap().estimate(width, height).unwrap().device_memory;
            check_estimate(&format!("{model} {width}x{height}, {particles} particles"), estimate, || {
                restorer.restore_with(&picture, mask.as_ref(), &parameters).unwrap();
            });
        }
        let _guard = tch::no_grad_guard();
        for (model, particles, side) in
            [(LDM_SR, "1", 32), (LDM_SR, "10", 64), (SD_INPAINT, "1", 128), (SD_INPAINT, "10", 128)]
        {
            let (_folder, backbone) = by_entry::open(model, CUDA);
            let settings = settings(&[("particles", particles), ("steps", "1"), ("from", "1")]);
            let values = (0..3 * side * side).map(|index| (index % 251) as f32 / 250.0).collect();
            let picture = Picture { width: side, height: side, values };
            let mask = backbone.spec().fills_holes.then(|| vec![1.0; side * side]);
            let request = Request { alpha: false, confidence: false, ..Request::of_size(side, side, mask.is_some()) };
            let prepared = Prepared::new(&*backbone, &settings, request, &mut |_| Ok(())).unwrap();
            let source = Source { picture: &picture, alpha: None, mask: mask.as_deref() };
            let estimate = prepared.plan().need.device;
            check_estimate(&format!("{model} {side}x{side}, {particles} particles"), estimate, || {
                prepared.run(source, &mut |_| Ok(())).unwrap();
            });
        }
    };
    Machine::usual().run("the_estimate_of_device_memory_is_the_peak", body).unwrap();
}

#[test]
fn a_model_that_does_not_fit_the_gpu_is_out_of_memory_not_a_defect() {
    let body = || {
        device::load_cuda().unwrap();
        let context = Context::new(&Library::open().unwrap(), &ContextOptions::default()).unwrap();
        accelerator::fail_allocation(20).unwrap();
        let error = context.open_model("kds-photo-x4", Some("cuda"), None).err().unwrap();
        assert_eq!(error.status, Status::OutOfMemory, "{error}");
        accelerator::fail_allocation(0).unwrap();
        context.open_model("kds-photo-x4", Some("cuda"), None).unwrap();
    };
    Machine::usual().run("a_model_that_does_not_fit_the_gpu_is_out_of_memory_not_a_defect", body).unwrap();
}

#[test]
fn one_allocation_that_fails_ends_no_run() {
    let body = || {
        let options = Options { model: Some("kds-photo-x4"), device: Some("cuda"), dtype: Some("f32"), threads: 0 };
        let restorer = Restorer::open(&options).unwrap();
        // The first run measures the model.
        let whole = restorer.restore(&small_picture().unwrap(), QUICK).unwrap();
        // Some of these fall on an operation with a number, whose failure tch tells by a panic.
        for number in [1, 40, 300, 301, 302, 303, 500] {
            accelerator::fail_allocation(number).unwrap();
            let again = restorer.restore(&small_picture().unwrap(), QUICK).unwrap();
            assert_eq!(whole.dimensions(), again.dimensions());
        }
    };
    Machine::usual().run("one_allocation_that_fails_ends_no_run", body).unwrap();
}

#[test]
fn f16_that_overflows_goes_on_in_a_wider_format() {
    let body = || {
        // A small model whose first features are beyond the range of f16.
        let folder = tempfile::tempdir().unwrap();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/residual_x4");
        for file in ["model_index.json", "scheduler/scheduler_config.json", "predictor/config.json", "unet/config.json"]
        {
            std::fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
            std::fs::copy(golden.join(file), folder.path().join(file)).unwrap();
        }
        let weights = "diffusion_pytorch_model.safetensors";
        std::fs::copy(golden.join("predictor").join(weights), folder.path().join("predictor").join(weights)).unwrap();
        let tensors = Tensor::read_safetensors(golden.join("unet").join(weights)).unwrap();
        let larger = |(name, tensor): (String, Tensor)| {
            let factor = if name.starts_with("conv_in.") { 1e6 } else { 1.0 };
            (name, tensor.to_kind(Kind::Float).f_mul_scalar(factor).unwrap())
        };
        let tensors: Vec<_> = tensors.into_iter().map(larger).collect();
        Tensor::write_safetensors(&tensors, folder.path().join("unet").join(weights)).unwrap();
        let registry = folder.path().join("models.toml");
        let text = "[[model]]\nid = \"large\"\ntitle = \"Large\"\ntask = \"super-resolution\"\nscale = 4\nbackbone = \"residual\"\npath = \".\"\n";
        std::fs::write(&registry, text).unwrap();

        let log = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let heard = log.clone();
        let tell = move |_: kds_host::LogLevel, line: &str| heard.lock().unwrap().push_str(line);
        let log_of_context = kds_host::Log { level: kds_host::LogLevel::Warn, tell: std::sync::Arc::new(tell) };
        let options =
            ContextOptions { registry: Some(registry), log: Some(log_of_context), ..ContextOptions::default() };
        let context = Context::new(&Library::open().unwrap(), &options).unwrap();
        let restore = |dtype: &str| {
            let model = context.open_model("large", Some("cuda"), Some(dtype)).unwrap();
            let mut job = model.new_job().unwrap();
            QUICK.iter().for_each(|(name, value)| job.set(name, value).unwrap());
            let picture = small_picture().unwrap();
            let (width, height) = job.output_size(picture.width(), picture.height()).unwrap();
            let mut restored = RgbImage::new(width, height);
            for _ in 0..2 {
                let input = kds_host::ImageRef::packed(
                    picture.as_raw(),
                    kds_host::Channels::Rgb,
                    picture.width(),
                    picture.height(),
                );
                let output = kds_host::ImageMut::packed(&mut restored, kds_host::Channels::Rgb, width, height);
                job.run(input.unwrap(), None, output.unwrap(), None, None).unwrap();
            }
            // The estimate is that of the format that runs take since.
            (restored, model.device().unwrap(), job.estimate(picture.width(), picture.height()).unwrap().device_memory)
        };
        assert_eq!(restore("f16"), restore("f32"));
        let log = log.lock().unwrap();
        assert_eq!(log.matches("overflows in f16").count(), 1, "{log}");
        assert!(log.contains("compute in f32"), "{log}");
    };
    // A generation that computes well in f16 and not in bf16.
    let machine = Machine::default().device("Soft Turing", "7.5", 8 << 30, 0);
    machine.run("f16_that_overflows_goes_on_in_a_wider_format", body).unwrap();
}

#[test]
fn a_gpu_that_fails_is_told_with_what_to_do() {
    let body = || {
        let options = Options { model: Some("kds-photo-x4"), device: Some("cuda"), dtype: Some("f32"), threads: 0 };
        let restorer = Restorer::open(&options).unwrap();
        accelerator::lose(300).unwrap();
        let error = restorer.restore(&small_picture().unwrap(), QUICK).unwrap_err().to_string();
        assert!(error.contains("the GPU failed") && error.contains("start this program anew"), "{error}");
        // The CPU still computes.
        restore("kds-photo-x4", "cpu", "f32", QUICK);
    };
    Machine::usual().run("a_gpu_that_fails_is_told_with_what_to_do", body).unwrap();
}

/// Waits for the device after each step, beyond those of the progress itself.
fn waits_of_a_loop(backbone: &dyn Backbone, sampler: &str, steering: Steering) -> Vec<u64> {
    let spec = backbone.spec();
    let picture = Tensor::zeros([1, 3, 32, 32], (Kind::Float, spec.device));
    let mask = spec.fills_holes.then(|| Tensor::zeros([1, 1, 32, 32], (Kind::Float, spec.device)));
    let session = backbone.open(&picture, mask.as_ref(), &Prompt::default()).unwrap();
    let side = 32 / spec.downscale;
    let trajectory = Sampler::parse(sampler, 0.0).unwrap().trajectory(&spec.schedule, Spacing::Trailing, 4).unwrap();
    let sampling = Sampling {
        schedule: &spec.schedule,
        trajectory,
        steering: &steering,
        particles: 3,
        channels: spec.latent_channels,
        window: Window { x: 0, y: 0, width: side, height: side },
        start: None,
        seed: 1,
        device: spec.device,
    };
    let mut waits = vec![accelerator::counts().unwrap().waits];
    let denoise = |x: &Tensor, level: &Level| spec.prediction.x0(&session.predict(x, level)?, x, level);
    let done = |_| {
        waits.push(accelerator::counts().unwrap().waits);
        Ok(())
    };
    let _ensemble = sample(sampling, denoise, done).unwrap();
    waits.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn the_sampling_loop_never_waits_for_the_gpu() {
    let body = || {
        device::load_cuda().unwrap();
        let _guard = tch::no_grad_guard();
        let registry = Registry::built_in().unwrap();
        let case = reference::model::Case::folder;
        let small = |name: &str| {
            let cases = reference::Golden::read("pipelines.safetensors").cases::<reference::model::Case>();
            case(&cases.into_iter().find(|case| case.kind == name).unwrap())
        };
        let (ldm, sd) = (small("ldm-sr"), small("sd-inpaint"));
        let files = |folder: &reference::Folder| ModelFiles::Folder(folder.path());
        let loading = Loading::new(CUDA, Kind::Float);
        let backbones: [Box<dyn Backbone>; 4] = [
            registry.find("kds-photo-x4").unwrap().load(CUDA, Kind::Float).unwrap(),
            registry.find("kds-inpaint").unwrap().load(CUDA, Kind::Float).unwrap(),
            Box::new(LdmSr::load(&files(&ldm), loading).unwrap()),
            Box::new(SdInpaint::load(&files(&sd), loading).unwrap()),
        ];
        let before = accelerator::counts().unwrap().waits;
        let picture = device::upload(&Tensor::zeros([1, 3, 32, 32], (Kind::Float, Device::Cpu)), CUDA).unwrap();
        assert_eq!((picture.device(), accelerator::counts().unwrap().waits), (CUDA, before));
        let whole = Steering { from: 1.0, ..Steering::default() };
        for backbone in &backbones {
            for sampler in ["ddim", "dpm++2m-sde"] {
                for steering in [whole, Steering { patch: 4, stride: 2, iterations: 2, ..whole }] {
                    let waits = waits_of_a_loop(&**backbone, sampler, steering);
                    assert_eq!(waits, vec![0; 4], "{sampler}, patch {}", steering.patch);
                }
            }
        }
    };
    Machine::usual().run("the_sampling_loop_never_waits_for_the_gpu", body).unwrap();
}

/// The accelerator itself: without this the other tests would say little.
#[test]
fn a_host_that_reads_device_memory_is_caught() {
    let body = || {
        device::load_cuda().unwrap();
        let tensor = Tensor::f_ones([16], (Kind::Float, CUDA)).unwrap();
        // SAFETY: none, on purpose.
        let value = unsafe { std::ptr::read_volatile(tensor.data_ptr().cast::<f32>()) };
        println!("read {value}");
    };
    let caught = Machine::usual().run("a_host_that_reads_device_memory_is_caught", body);
    if std::env::var_os("SOFT_ACCELERATOR_TEST").is_none() {
        assert!(caught.unwrap_err().to_string().contains("SIGSEGV"));
    }
}
