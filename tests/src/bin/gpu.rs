//! What `tools/gpu/measure.py` runs on a machine with a GPU: each command prints one part of its report, in Markdown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use half::f16;
use kds_engine::backbone::{Backbone, LdmSr, ModelFiles, Residual, SdInpaint};
use kds_engine::nn::{
    AutoencoderKl, AutoencoderKlConfig, ClipTextConfig, ClipTextModel, Edsr, EdsrConfig, Loading, NetworkConfig, Scope,
    UNet2d, UNet2dCondition, UNet2dConditionConfig, UNet2dConfig, VqModel, VqModelConfig, Weights,
};
use kds_engine::picture::{Picture, Source};
use kds_engine::plan::{Plan, Request};
use kds_engine::restore::Prepared;
use kds_engine::settings::{Resolved, Settings};
use kds_engine::{device, memory, threads};
use kds_tests::restorer::{Options, Restorer};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

#[path = "../../../kds-engine/tests/reference/mod.rs"]
mod reference;

/// Prints one part of the report of a GPU.
#[derive(Parser)]
struct Arguments {
    /// Where to compute
    #[arg(long, default_value = "cuda:0")]
    device: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every block and network, and whole pipelines, against the reference
    Networks,
    /// Whole restorations on the CPU, then on the device, in one process
    Restorations {
        /// Picture to restore
        picture: PathBuf,
        /// Only so many pixels a side of it
        #[arg(long, default_value_t = u32::MAX)]
        crop: u32,
    },
    /// Write a third-party or built-in model at its true size with random weights
    Model {
        /// kds-photo-x4, ldm-sr or sd-inpaint
        model: String,
        /// Folder to write
        folder: PathBuf,
        /// Divide all channels by this
        #[arg(long, default_value_t = 1)]
        shrink: i64,
    },
    /// Time and memory of such a model
    Time {
        /// kds-photo-x4, ldm-sr or sd-inpaint
        model: String,
        /// Folder of the model
        folder: PathBuf,
        /// Side of the picture in pixels
        #[arg(long)]
        side: usize,
        /// Sampling steps
        #[arg(long, default_value_t = 10)]
        steps: usize,
        /// Numbers of particles
        #[arg(long, value_delimiter = ',', default_value = "1,4,10")]
        particles: Vec<usize>,
        /// Number format
        #[arg(long, default_value = "auto")]
        dtype: String,
    },
    /// Speed of a product of square matrices
    Matmul {
        /// Side of the matrices
        #[arg(long, default_value_t = 8192)]
        side: i64,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let _guard = tch::no_grad_guard();
    threads::use_threads(0)?;
    match arguments.command {
        Command::Networks => networks(device::parse(&arguments.device)?),
        Command::Restorations { picture, crop } => restorations(&arguments.device, &picture, crop),
        Command::Model { model, folder, shrink } => write_model(&model, &folder, shrink),
        Command::Time { model, folder, side, steps, particles, dtype } => {
            let device = device::parse(&arguments.device)?;
            let loading = Loading::new(device, device::parse_kind(&dtype, device)?);
            time(&*open(&model, &folder, loading)?, side, steps, &particles)
        }
        Command::Matmul { side } => matmul(device::parse(&arguments.device)?, side),
    }
}

fn networks(place: Device) -> Result<()> {
    let halves: &[Kind] = if place == Device::Cpu { &[Kind::BFloat16] } else { &[Kind::BFloat16, Kind::Half] };
    let failures = reference::networks::failures(place, halves);
    println!("Blocks and networks: {}", if failures.is_empty() { "all agree" } else { "these do not:" });
    for failure in &failures {
        println!("- {failure}");
    }
    println!("\n| pipeline in f32 | latents off by | picture off by |\n|---|---|---|");
    for (name, latents, picture) in reference::pipelines::errors(Loading::new(place, Kind::Float)) {
        println!("| {name} | {latents:.1e} | {picture:.1e} |");
    }
    ensure!(failures.is_empty(), "networks do not agree");
    Ok(())
}

fn restorations(place: &str, picture: &Path, crop: u32) -> Result<()> {
    let picture = image::open(picture).with_context(|| picture.display().to_string())?.to_rgb8();
    let picture =
        image::imageops::crop_imm(&picture, 0, 0, crop.min(picture.width()), crop.min(picture.height())).to_image();
    let hole = |x: u32, y: u32| (8..20).contains(&x) && (6..16).contains(&y);
    let mask = image::GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        image::Luma([if hole(x, y) { 255 } else { 0 }])
    });
    println!("| model | number format | largest difference | mean difference | seconds |\n|---|---|---|---|---|");
    for model in ["kds-photo-x4", "kds-photo-x1", "kds-inpaint"] {
        let run = |device: &str, dtype: &str| -> Result<_> {
            let options = Options { model: Some(model), device: Some(device), dtype: Some(dtype), threads: 0 };
            let restorer = Restorer::open(&options)?;
            let mask = (restorer.task()? == "inpainting").then_some(&mask);
            let start = Instant::now();
            let restored = restorer.restore_with(&picture, mask, &[("particles", "4"), ("steps", "5")])?;
            Ok((restored, start.elapsed().as_secs_f64()))
        };
        let (expected, seconds) = run("cpu", "f32")?;
        println!("| {model} | f32, cpu | | | {seconds:.2} |");
        let formats: &[&str] = if place == "cpu" { &["f32", "bf16"] } else { &["f32", "bf16", "f16"] };
        for dtype in formats {
            let (found, seconds) = run(place, dtype)?;
            let off = || expected.iter().zip(found.iter()).map(|(a, b)| a.abs_diff(*b));
            let mean = off().map(f64::from).sum::<f64>() / expected.as_raw().len() as f64;
            println!("| {model} | {dtype} | {} | {mean:.3} | {seconds:.2} |", off().max().unwrap_or(0));
        }
    }
    Ok(())
}

fn open(model: &str, folder: &Path, loading: Loading) -> Result<Box<dyn Backbone>> {
    device::prepare();
    let files = ModelFiles::Folder(folder.to_owned());
    Ok(match model {
        "ldm-sr" => Box::new(LdmSr::load(&files, loading)?),
        "sd-inpaint" => Box::new(SdInpaint::load(&files, loading)?),
        _ => Box::new(Residual::load(&files, loading)?),
    })
}

fn time(backbone: &dyn Backbone, side: usize, steps: usize, particles: &[usize]) -> Result<()> {
    let spec = backbone.spec();
    let values = (0..3 * side * side).map(|index| (index as f32 * 0.37).sin() * 0.5 + 0.5).collect();
    let picture = Picture { width: side, height: side, values };
    let inside =
        |index: usize| (side / 4..side / 2).contains(&(index % side)) && (side / 4..side / 2).contains(&(index / side));
    let mask: Option<Vec<f32>> =
        spec.fills_holes.then(|| (0..side * side).map(|index| f32::from(inside(index))).collect());
    println!(
        "{side} x {side} pixels, {}, {}\n\n| particles | seconds a step | seconds in all, {steps} steps | MiB held before | \
         MiB of the run, estimated | MiB of the run | estimate : peak |\n|---|---|---|---|---|---|---|",
        device::name(spec.device),
        device::kind_name(spec.kind)
    );
    for count in particles {
        let run = |steps: usize| -> Result<(f64, Plan)> {
            let settings = settings(*count, steps)?;
            let source = Source { picture: &picture, alpha: None, mask: mask.as_deref() };
            let request = Request { confidence: false, alpha: false, ..Request::of_size(side, side, mask.is_some()) };
            let prepared = Prepared::new(backbone, &settings, request, &mut |_| Ok(()))?;
            let plan = prepared.plan().clone();
            let start = Instant::now();
            prepared.run(source, &mut |_| Ok(()))?;
            Ok((start.elapsed().as_secs_f64(), plan))
        };
        // The first run sets up what later ones find ready.
        run(1)?;
        memory::give_back();
        let held = reference::peak::begin(spec.device);
        let (one, plan) = run(1)?;
        let peak = reference::peak::end(spec.device).saturating_sub(held);
        let estimate = if spec.device == Device::Cpu { plan.need.host } else { plan.need.device };
        let (all, _) = run(steps)?;
        let step = (all - one) / (steps - 1).max(1) as f64;
        println!(
            "| {count} | {step:.4} | {all:.3} | {} | {} | {} | {:.2} |",
            held >> 20,
            estimate >> 20,
            peak >> 20,
            estimate as f64 / peak as f64
        );
    }
    Ok(())
}

/// All steps are steered, so that the memory of steering is part of the peak.
fn settings(particles: usize, steps: usize) -> Result<Resolved> {
    let mut settings = Settings::default();
    for (name, value) in [("particles", particles.to_string()), ("steps", steps.to_string()), ("from", "1".to_owned())]
    {
        settings.set(name, &value)?;
    }
    Ok(settings.resolve()?)
}

fn matmul(place: Device, side: i64) -> Result<()> {
    println!("| number format | TFLOP/s |\n|---|---|");
    for kind in [Kind::Float, Kind::BFloat16, Kind::Half] {
        if place == Device::Cpu && kind == Kind::Half {
            continue;
        }
        let matrix = Tensor::f_ones([side, side], (kind, place))?.f_mul_scalar(1e-3)?;
        let wait = |product: &Tensor| -> Result<f64> {
            Ok(product.f_narrow(0, 0, 1)?.f_sum(Kind::Double)?.f_double_value(&[])?)
        };
        wait(&matrix.f_matmul(&matrix)?)?;
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            wait(&matrix.f_matmul(&matrix)?)?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("| {} | {:.2} |", device::kind_name(kind), 2.0 * (side as f64).powi(3) / best / 1e12);
    }
    Ok(())
}

/// The configurations of a model's parts, as `tools/golden/side_by_side.py` and the repository have them.
fn parts(model: &str, shrink: i64) -> Result<Vec<(&'static str, Value)>> {
    let channels = |all: &[i64]| all.iter().map(|channels| channels / shrink).collect::<Vec<_>>();
    let groups = if shrink == 1 { 32 } else { 4 };
    let scheduler = |first: f64, last: f64, offset: usize| {
        json!({"num_train_timesteps": 1000, "beta_start": first, "beta_end": last, "beta_schedule": "scaled_linear",
               "clip_sample": false, "timestep_spacing": "leading", "steps_offset": offset, "prediction_type": "epsilon",
               "set_alpha_to_one": offset == 0})
    };
    let autoencoder = |name: &str, out: &[i64], latents: i64| {
        json!({"_class_name": name, "in_channels": 3, "out_channels": 3, "latent_channels": latents, "layers_per_block": 2,
               "block_out_channels": channels(out), "down_block_types": vec!["DownEncoderBlock2D"; out.len()],
               "up_block_types": vec!["UpDecoderBlock2D"; out.len()], "num_vq_embeddings": 8192,
               "norm_num_groups": groups})
    };
    Ok(match model {
        "kds-photo-x4" => {
            let read = |bytes: &str| serde_json::from_str::<Value>(bytes);
            let mut unet = read(include_str!("../../../models/kds-photo-x4/unet/config.json"))?;
            let out = unet["block_out_channels"].as_array().context("no channels")?.iter().filter_map(Value::as_i64);
            unet["block_out_channels"] = json!(channels(&out.collect::<Vec<_>>()));
            let index = include_str!("../../../models/kds-photo-x4/model_index.json");
            let scheduler = include_str!("../../../models/kds-photo-x4/scheduler/scheduler_config.json");
            let predictor = include_str!("../../../models/kds-photo-x4/predictor/config.json");
            vec![
                ("unet", unet),
                ("predictor", read(predictor)?),
                ("index", read(index)?),
                ("scheduler", read(scheduler)?),
            ]
        }
        "ldm-sr" => vec![
            (
                "unet",
                json!({"in_channels": 6, "out_channels": 3, "attention_head_dim": 32 / shrink, "layers_per_block": 2,
                       "block_out_channels": channels(&[160, 320, 320, 640]), "norm_num_groups": groups,
                       "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
                       "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"]}),
            ),
            ("vqvae", autoencoder("VQModel", &[128, 256, 512], 3)),
            ("scheduler", scheduler(0.0015, 0.0155, 0)),
        ],
        "sd-inpaint" => vec![
            (
                "unet",
                json!({"in_channels": 9, "out_channels": 4, "block_out_channels": channels(&[320, 640, 1280, 1280]),
                       "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": true,
                       "norm_num_groups": groups,
                       "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
                       "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}),
            ),
            ("vae", autoencoder("AutoencoderKL", &[128, 256, 512, 512], 4)),
            (
                "text_encoder",
                json!({"vocab_size": 49408, "hidden_size": 1024, "intermediate_size": 4096 / shrink,
                       "num_hidden_layers": if shrink == 1 { 23 } else { 2 }, "num_attention_heads": 16, "hidden_act": "gelu"}),
            ),
            ("scheduler", scheduler(0.00085, 0.012, 1)),
        ],
        other => anyhow::bail!("there is no model '{other}' to write"),
    })
}

fn write_model(model: &str, folder: &Path, shrink: i64) -> Result<()> {
    let write = |name: &str, text: String| -> Result<()> {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().context("a file in a folder")?)?;
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    };
    for (name, config) in parts(model, shrink)? {
        match name {
            "index" => write("model_index.json", config.to_string())?,
            "scheduler" => write("scheduler/scheduler_config.json", config.to_string())?,
            part => {
                write(&format!("{part}/config.json"), config.to_string())?;
                let shapes = match part {
                    "unet" if model == "sd-inpaint" => {
                        shapes::<UNet2dConditionConfig, _>(config, UNet2dCondition::new)?
                    }
                    "unet" => shapes::<UNet2dConfig, _>(config, UNet2d::new)?,
                    "predictor" => shapes::<EdsrConfig, _>(config, |scope, config| Edsr::new(scope, config, 6, 48))?,
                    "vqvae" => shapes::<VqModelConfig, _>(config, VqModel::new)?,
                    "vae" => shapes::<AutoencoderKlConfig, _>(config, AutoencoderKl::new)?,
                    _ => shapes::<ClipTextConfig, _>(config, ClipTextModel::new)?,
                };
                let file = if part == "text_encoder" { "model" } else { "diffusion_pytorch_model" };
                write_weights(&folder.join(part).join(format!("{file}.safetensors")), &shapes)?;
            }
        }
    }
    if model == "sd-inpaint" {
        // Bytes alone: what the words are does not matter to the time.
        let bytes: Vec<String> = (0..256u32).filter_map(letter).collect();
        let words = bytes.iter().cloned().chain(bytes.iter().map(|byte| format!("{byte}</w>")));
        let words = words.chain(["<|startoftext|>", "<|endoftext|>"].map(str::to_owned));
        let vocabulary: BTreeMap<String, usize> = words.enumerate().map(|(index, word)| (word, index)).collect();
        write("tokenizer/vocab.json", json!(vocabulary).to_string())?;
        write("tokenizer/merges.txt", "#version: 0.2\n".to_owned())?;
        let tokens = json!({"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "!", "model_max_length": 77});
        write("tokenizer/special_tokens_map.json", tokens.to_string())?;
    }
    Ok(())
}

/// The character that stands for a byte in a byte-pair encoding.
fn letter(byte: u32) -> Option<String> {
    let printable =
        |byte: u32| (33..=126).contains(&byte) || (161..=172).contains(&byte) || (174..=255).contains(&byte);
    let code = if printable(byte) { byte } else { 256 + (0..byte).filter(|other| !printable(*other)).count() as u32 };
    char::from_u32(code).map(String::from)
}

/// Names and shapes of a network's tensors: those that its layers ask a file for that has none.
fn shapes<C: NetworkConfig, N>(
    config: Value,
    build: impl FnOnce(&Scope, &C) -> kds_engine::Result<N>,
) -> Result<BTreeMap<String, Vec<i64>>> {
    let config: C = serde_json::from_value(config)?;
    let none = safetensors::serialize(std::iter::empty::<(&str, TensorView)>(), None)?;
    let weights = Weights::new(&none, Path::new("no weights"), Loading::check())?;
    build(&weights.root(), &config)?;
    Ok(weights.asked_for())
}

/// Weights that keep the size of what passes through them.
fn write_weights(path: &Path, shapes: &BTreeMap<String, Vec<i64>>) -> Result<()> {
    const PERIOD: usize = 65_521;
    let mut state = 1u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    let noise: Vec<f32> = (0..PERIOD).map(|_| uniform()).collect();
    let bytes = shapes.iter().map(|(name, shape)| {
        let count = shape.iter().product::<i64>() as usize;
        let inputs = shape.iter().skip(1).product::<i64>() as f32;
        let value = |index: usize| match (shape.len(), name.ends_with("bias")) {
            (1, true) => 0.0,
            (1, false) => 1.0,
            _ => noise[index % PERIOD] * (3.0 / inputs).sqrt(),
        };
        let period: Vec<u8> =
            (0..count.min(PERIOD)).flat_map(|index| f16::from_f32(value(index)).to_le_bytes()).collect();
        (0..2 * count)
            .step_by(period.len().max(1))
            .flat_map(|first| period[..period.len().min(2 * count - first)].to_vec())
            .collect::<Vec<u8>>()
    });
    let bytes: Vec<Vec<u8>> = bytes.collect();
    let views = shapes.iter().zip(&bytes).map(|((name, shape), bytes)| {
        let shape = shape.iter().map(|side| *side as usize).collect();
        Ok((name.clone(), TensorView::new(Dtype::F16, shape, bytes)?))
    });
    let views: Vec<(String, TensorView)> = views.collect::<Result<_>>()?;
    safetensors::serialize_to_file(views, None, path)?;
    Ok(())
}
