//! What is wrong with a model's files is said before anything is computed: which file, which key or tensor, what to do.

mod reference;

use std::path::Path;

use kds_engine::backbone::{DiffBir, DiffBirOptions, DiffBirVersion, LdmSr, ModelFiles, Residual, SdInpaint, SeeSr};
use kds_engine::nn::Loading;
use reference::model::case;
use reference::{Described, Folder, Golden, weights};
use serde_json::{Value, json};
use tch::{Device, Kind};

/// Opens a folder both ways: the errors of loading and of checking.
fn errors(model: &str, folder: &Folder) -> [Option<String>; 2] {
    [Loading::new(Device::Cpu, Kind::Float), Loading::check()].map(|loading| {
        let files = ModelFiles::Folder(folder.path());
        let error = match model {
            "ldm_sr_leading" => LdmSr::load(&files, loading).err(),
            RESIDUAL | ENLARGING => Residual::load(&files, loading).err(),
            _ => SdInpaint::load(&files, loading).err(),
        };
        error.map(|error| error.to_string())
    })
}

/// The small copy of kds-photo-x1 of `tools/golden/residual.py`.
const RESIDUAL: &str = "residual_x1";
/// That of kds-photo-x4.
const ENLARGING: &str = "residual_x4";

/// A whole model, as files.
fn whole(model: &str) -> Folder {
    if ![RESIDUAL, ENLARGING].contains(&model) {
        return case(model).folder();
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(model);
    let folder = Folder::new();
    for component in ["unet", "predictor", "filler"].into_iter().filter(|component| golden.join(component).exists()) {
        for file in ["config.json", "diffusion_pytorch_model.safetensors"] {
            let name = format!("{component}/{file}");
            folder.write(&name, &std::fs::read(golden.join(&name)).unwrap());
        }
    }
    for name in ["model_index.json", "scheduler/scheduler_config.json"] {
        folder.write(name, &std::fs::read(golden.join(name)).unwrap());
    }
    folder
}

/// Each breaks one file of a whole model; the error holds all of the words.
#[test]
fn broken_models_are_refused_with_file_and_reason() {
    type Break = fn(&Folder);
    fn edit(folder: &Folder, name: &str, key: &str, value: Value) {
        let path = folder.path().join(name);
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config[key] = value;
        folder.write_json(name, &config);
    }
    fn retain(folder: &Folder, model: &str, component: &str, change: impl Fn(&mut Vec<Described>)) {
        let mut described = case(model).components[component].weights.clone();
        change(&mut described);
        let file = if component == "text_encoder" { "model" } else { "diffusion_pytorch_model" };
        folder.write(&format!("{component}/{file}.safetensors"), &weights(&described));
    }
    const LDM: &str = "ldm_sr_leading";
    const SD: &str = "sd_inpaint_2";
    const WEIGHTS: &str = "unet/diffusion_pytorch_model.safetensors";
    let table: &[(&str, Break, &[&str])] = &[
        (
            LDM,
            |f| std::fs::remove_file(f.path().join("unet/config.json")).unwrap(),
            &["unet/config.json", "cannot be read"],
        ),
        (
            LDM,
            |f| std::fs::remove_file(f.path().join(WEIGHTS)).unwrap(),
            &["no weights", "diffusion_pytorch_model.bin"],
        ),
        (LDM, |f| std::fs::remove_dir_all(f.path().join("vqvae")).unwrap(), &["vqvae/config.json"]),
        (LDM, |f| std::fs::remove_dir_all(f.path().join("scheduler")).unwrap(), &["scheduler/scheduler_config.json"]),
        (LDM, |f| f.write("unet/config.json", b"{"), &["unet/config.json", "EOF"]),
        (LDM, |f| f.write("unet/config.json", b"[]"), &["unet/config.json"]),
        (LDM, |f| f.write(WEIGHTS, b""), &[WEIGHTS]),
        (LDM, |f| f.write(WEIGHTS, &[0xff; 64]), &[WEIGHTS, "not a safetensors file"]),
        (
            LDM,
            |f| {
                let path = f.path().join(WEIGHTS);
                let bytes = std::fs::read(&path).unwrap();
                std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
            },
            &[WEIGHTS, "not all of one"],
        ),
        (
            LDM,
            |f| {
                // A header that declares a tensor of exabytes.
                let header =
                    br#"{"conv_in.weight":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#;
                let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
                bytes.extend(header);
                bytes.extend([0; 4]);
                f.write(WEIGHTS, &bytes);
            },
            &[WEIGHTS],
        ),
        (
            LDM,
            |f| {
                // Whole numbers where the architecture needs floats.
                let header =
                    br#"{"down_blocks.0.resnets.0.norm1.weight":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}"#;
                let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
                bytes.extend(header);
                bytes.extend([0; 4]);
                f.write(WEIGHTS, &bytes);
            },
            &[WEIGHTS, "'down_blocks.0.resnets.0.norm1.weight' has dtype I32"],
        ),
        (
            LDM,
            |f| retain(f, LDM, "unet", |all| all.retain(|t| t.0 != "mid_block.resnets.1.conv2.bias")),
            &[WEIGHTS, "'mid_block.resnets.1.conv2.bias' is missing"],
        ),
        (
            LDM,
            |f| retain(f, LDM, "vqvae", |all| all.push(("decoder.odd".into(), vec![2], 1.0, 0.0))),
            &["vqvae/diffusion_pytorch_model.safetensors", "'decoder.odd'"],
        ),
        (LDM, |f| retain(f, LDM, "unet", |all| all[0].1.push(1)), &[WEIGHTS, "has shape"]),
        (LDM, |f| edit(f, "unet/config.json", "in_channels", json!(7)), &["'conv_in.weight'", "[8, 7, 3, 3]"]),
        (LDM, |f| edit(f, "unet/config.json", "in_channels", json!(0)), &["unet/config.json", "channel counts"]),
        (LDM, |f| edit(f, "unet/config.json", "in_channels", json!(-6)), &["unet/config.json", "channel counts"]),
        (
            LDM,
            |f| edit(f, "unet/config.json", "block_out_channels", json!([8, 16, 16, 1u64 << 40])),
            &["channel counts"],
        ),
        (LDM, |f| edit(f, "unet/config.json", "block_out_channels", json!([8, 16])), &["need 2 entries"]),
        (LDM, |f| edit(f, "unet/config.json", "layers_per_block", json!(1u64 << 60)), &["layers_per_block"]),
        (LDM, |f| edit(f, "unet/config.json", "norm_num_groups", json!(0)), &["norm_num_groups 0"]),
        (LDM, |f| edit(f, "unet/config.json", "attention_head_dim", json!(5)), &["attention_head_dim 5"]),
        (LDM, |f| edit(f, "unet/config.json", "act_fn", json!("gelu")), &["unet/config.json", "`gelu`"]),
        (
            LDM,
            |f| edit(f, "unet/config.json", "class_embed_type", json!("timestep")),
            &["unet/config.json", "`timestep`"],
        ),
        (LDM, |f| edit(f, "unet/config.json", "time_embedding_type", json!("fourier")), &["`fourier`"]),
        (LDM, |f| edit(f, "unet/config.json", "down_block_types", json!(["SkipDownBlock2D"])), &["SkipDownBlock2D"]),
        (
            LDM,
            |f| edit(f, "vqvae/config.json", "num_vq_embeddings", json!(-1)),
            &["vqvae/config.json", "num_vq_embeddings"],
        ),
        (LDM, |f| edit(f, "vqvae/config.json", "norm_type", json!("spatial")), &["vqvae/config.json", "`spatial`"]),
        (
            LDM,
            |f| edit(f, "scheduler/scheduler_config.json", "beta_end", json!(2)),
            &["scheduler_config.json", "betas"],
        ),
        (
            LDM,
            |f| edit(f, "scheduler/scheduler_config.json", "prediction_type", json!("flow")),
            &["scheduler_config.json"],
        ),
        (SD, |f| edit(f, "unet/config.json", "cross_attention_dim", json!(16)), &["'down_blocks.0.attentions.0"]),
        (
            SD,
            |f| edit(f, "unet/config.json", "attention_head_dim", json!([2, 4, 8])),
            &["attention_head_dim has 3 entries"],
        ),
        (SD, |f| edit(f, "unet/config.json", "attention_head_dim", json!(3)), &["attention_head_dim 3"]),
        (SD, |f| edit(f, "unet/config.json", "only_cross_attention", json!(true)), &["only_cross_attention"]),
        (SD, |f| edit(f, "unet/config.json", "addition_embed_type", json!("text")), &["unet/config.json", "`text`"]),
        (SD, |f| edit(f, "vae/config.json", "scaling_factor", json!(0)), &["vae/config.json", "scaling_factor"]),
        (
            SD,
            |f| edit(f, "text_encoder/config.json", "hidden_act", json!("relu")),
            &["text_encoder/config.json", "`relu`"],
        ),
        (SD, |f| edit(f, "text_encoder/config.json", "num_attention_heads", json!(0)), &["num_attention_heads 0"]),
        (SD, |f| std::fs::remove_file(f.path().join("tokenizer/vocab.json")).unwrap(), &["tokenizer/vocab.json"]),
        (SD, |f| f.write("tokenizer/vocab.json", b"{\"a\": 0}"), &["tokenizer/vocab.json", "<|startoftext|>"]),
        (SD, |f| f.write("tokenizer/merges.txt", b"x y z"), &["tokenizer/vocab.json", "byte-pair"]),
        (SD, |f| f.write("tokenizer/merges.txt", &[0xff]), &["tokenizer/merges.txt", "utf-8"]),
        (SD, |f| f.write("tokenizer/tokenizer.json", b"{}"), &["tokenizer/tokenizer.json"]),
        (
            RESIDUAL,
            |f| std::fs::remove_dir_all(f.path().join("predictor")).unwrap(),
            &["predictor/config.json", "cannot be read"],
        ),
        (
            RESIDUAL,
            |f| std::fs::remove_file(f.path().join("predictor/diffusion_pytorch_model.safetensors")).unwrap(),
            &["predictor/", "no weights"],
        ),
        (
            RESIDUAL,
            |f| edit(f, "predictor/config.json", "shuffle", json!(0)),
            &["predictor/config.json", "shuffle is 0"],
        ),
        (RESIDUAL, |f| edit(f, "predictor/config.json", "middle_layers", json!(0)), &["middle_layers is 0"]),
        (RESIDUAL, |f| edit(f, "predictor/config.json", "middle_layers", json!(3)), &["'middle.blocks.2.norm.weight'"]),
        (
            RESIDUAL,
            |f| edit(f, "predictor/config.json", "layers_per_block", json!(2)),
            &["'down.0.blocks.1.norm.weight'"],
        ),
        (
            RESIDUAL,
            |f| edit(f, "predictor/config.json", "block_out_channels", json!([])),
            &["block_out_channels has 0"],
        ),
        (
            RESIDUAL,
            |f| edit(f, "model_index.json", "scale", json!(2)),
            &["model_index.json", "class Predictor must have scale 1"],
        ),
        (RESIDUAL, |f| edit(f, "model_index.json", "predictor", Value::Null), &["unet/config.json", "in_channels 118"]),
        (
            RESIDUAL,
            |f| std::fs::remove_dir_all(f.path().join("filler")).unwrap(),
            &["filler/config.json", "cannot be read"],
        ),
        (
            RESIDUAL,
            |f| edit(f, "filler/config.json", "middle_layers", json!(3)),
            &["filler/", "'middle.blocks.2.norm.weight'"],
        ),
        (
            RESIDUAL,
            |f| edit(f, "model_index.json", "filler", json!(["kds", "Edsr"])),
            &["model_index.json", "a filler must have the class Predictor"],
        ),
        (
            ENLARGING,
            |f| edit(f, "model_index.json", "filler", json!(["kds", "Predictor"])),
            &["model_index.json", "in a model with hole_std"],
        ),
        (
            ENLARGING,
            |f| edit(f, "predictor/config.json", "layers", json!(0)),
            &["predictor/config.json", "layers is 0"],
        ),
        (ENLARGING, |f| edit(f, "predictor/config.json", "layers", json!(4)), &["'blocks.3.conv1.weight'"]),
        (ENLARGING, |f| edit(f, "predictor/config.json", "channels", json!(-3)), &["predictor/config.json", "channel"]),
        (
            ENLARGING,
            |f| edit(f, "model_index.json", "scale", json!(1)),
            &["model_index.json", "class Edsr must have a scale above 1"],
        ),
        (
            ENLARGING,
            |f| edit(f, "model_index.json", "predictor", json!(["kds", "Oracle"])),
            &["model_index.json", "Oracle", "Edsr"],
        ),
        (ENLARGING, |f| edit(f, "model_index.json", "predictor", Value::Null), &["unet/config.json", "in_channels 54"]),
    ];
    for (model, damage, expected) in table {
        let folder = whole(model);
        assert_eq!(errors(model, &folder), [None, None], "the model is whole");
        damage(&folder);
        for message in errors(model, &folder) {
            let message = message.unwrap_or_else(|| panic!("nothing is wrong, but {expected:?} is"));
            assert!(expected.iter().all(|word| message.contains(word)), "{expected:?}: {message}");
            assert!(!message.contains('\n') && message.contains(folder.path().to_str().unwrap()), "{message}");
        }
    }
}

/// Breaks one file of a whole model; words of the error.
type Damage<'a> = (&'a dyn Fn(&Folder), &'a [&'a str]);

/// Each breaks one file of a whole model; the errors of loading and of checking hold all of the words.
fn refuses(folder: impl Fn() -> Folder, load: impl Fn(&ModelFiles, Loading) -> Option<String>, table: &[Damage]) {
    for loading in [Loading::new(Device::Cpu, Kind::Float), Loading::check()] {
        assert_eq!(load(&ModelFiles::Folder(folder().path()), loading), None, "the model is whole");
        for (damage, expected) in table {
            let folder = folder();
            damage(&folder);
            let message = load(&ModelFiles::Folder(folder.path()), loading);
            let message = message.unwrap_or_else(|| panic!("nothing is wrong, but {expected:?} is"));
            assert!(expected.iter().all(|word| message.contains(word)), "{expected:?}: {message}");
            assert!(!message.contains('\n') && message.contains(folder.path().to_str().unwrap()), "{message}");
        }
    }
}

fn remove(folder: &Folder, name: &str) {
    std::fs::remove_file(folder.path().join(name)).unwrap();
}

/// Writes the weights again, without the tensor.
fn without(folder: &Folder, name: &str, described: &[Described], gone: &str) {
    let mut described = described.to_vec();
    described.retain(|tensor| tensor.0 != gone);
    folder.write(name, &weights(&described));
}

#[test]
fn broken_folders_of_diffbir_are_refused_with_file_and_reason() {
    let model = Golden::read("diffbir.safetensors").cases::<reference::diffbir::Model>().remove(0);
    let case = model.cases.iter().find(|case| case.name == "v2_ddim").unwrap();
    let options = case.options();
    let load = |options: &DiffBirOptions, scale, files: &ModelFiles, loading| {
        DiffBir::load(files, options, scale, loading).err().map(|error| error.to_string())
    };
    let branch = &model.components["controlnet"].weights;
    let cleaner = &model.components["stage1"].weights;
    refuses(
        || model.folder(case),
        |files, loading| load(&options, 4, files, loading),
        &[
            (&|f| remove(f, "v2.safetensors"), &["the control branch is missing", "DiffBIR_v2.1", "v2", "v1_general"]),
            (
                &|f| remove(f, "BSRNet.safetensors"),
                &["the first network is missing", "BSRNet", "scunet_color_real_psnr"],
            ),
            (
                &|f| remove(f, "v2-1_512-ema-pruned.safetensors"),
                &["Stable Diffusion is missing", "v2-1_512-ema-pruned"],
            ),
            (&|f| remove(f, "tokenizer/vocab.json"), &["tokenizer/vocab.json"]),
            (&|f| f.write("v2.safetensors", b"PK"), &["v2.safetensors"]),
            (
                &|f| without(f, "v2.safetensors", branch, "zero_convs.1.0.weight"),
                &["v2.safetensors", "'zero_convs.1.0.weight' is missing"],
            ),
            (
                &|f| without(f, "BSRNet.safetensors", cleaner, "HRconv.bias"),
                &["BSRNet.safetensors", "'HRconv.bias' is missing"],
            ),
            (&|f| f.write("BSRNet.safetensors", &weights(branch)), &["neither BSRNet nor SwinIR nor SCUNet"]),
            (&|f| f.write("unet/config.json", b"{}"), &["unet/config.json", "missing field"]),
            (
                &|f| f.write("stage1/config.json", br#"{"channels": 8, "blocks": 3, "growth": 4}"#),
                &["'RRDB_trunk.2.RDB1.conv1.weight' is missing"],
            ),
        ],
    );
    let files = model.folder(case);
    let files = ModelFiles::Folder(files.path());
    let later = DiffBirOptions { version: Some(DiffBirVersion::V21), ..options.clone() };
    let message = load(&later, 4, &files, Loading::check()).unwrap();
    assert!(message.contains("the control branch is missing: looked for DiffBIR_v2.1"), "{message}");
    let message = load(&options, 3, &files, Loading::check()).unwrap();
    assert!(message.contains("scale 3"), "{message}");
    let elsewhere = DiffBirOptions { stage1: Some("other.pth".to_owned()), ..options };
    let message = load(&elsewhere, 4, &files, Loading::check()).unwrap();
    assert!(message.contains("other.pth"), "{message}");
}

#[test]
fn broken_folders_of_seesr_are_refused_with_file_and_reason() {
    let model = Golden::read("seesr.safetensors").cases::<reference::seesr::Model>().remove(0);
    let case = &model.cases[0];
    let edit = |folder: &Folder, component: &str, key: &str, value: Value| {
        let mut config = model.components[component].config.clone();
        config[key] = value;
        folder.write_json(&format!("{component}/config.json"), &config);
    };
    let (unet, branch) = (&model.components["unet"].weights, &model.components["controlnet"].weights);
    const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";
    let second = "down_blocks.0.image_attentions.0.proj_in.weight";
    refuses(
        || model.folder(case),
        |files, loading| SeeSr::load(files, &case.options(), 4, loading).err().map(|error| error.to_string()),
        &[
            (&|f| remove(f, "controlnet/config.json"), &["controlnet/config.json", "cannot be read"]),
            (
                &|f| without(f, &format!("unet/{WEIGHTS}"), unet, second),
                &["unet/", "'down_blocks.0.image_attentions.0.proj_in.weight' is missing"],
            ),
            (
                &|f| without(f, &format!("controlnet/{WEIGHTS}"), branch, "controlnet_cond_embedding.blocks.1.bias"),
                &["controlnet/", "'controlnet_cond_embedding.blocks.1.bias' is missing"],
            ),
            (
                &|f| edit(f, "unet", "use_image_cross_attention", json!(false)),
                &["unet/", "belong to this architecture"],
            ),
            (
                &|f| edit(f, "controlnet", "conditioning_embedding_out_channels", json!([4, 8, -8, 12])),
                &["controlnet/config.json", "channel counts"],
            ),
            (
                &|f| edit(f, "controlnet", "global_pool_conditions", json!(true)),
                &["controlnet/config.json", "global_pool_conditions"],
            ),
            (
                &|f| edit(f, "controlnet", "controlnet_conditioning_channel_order", json!("grb")),
                &["controlnet/config.json", "`grb`"],
            ),
            (&|f| remove(f, "ram_swin_large_14m.safetensors"), &["ram_swin_large_14m.pth", "missing"]),
            (
                &|f| f.write("DAPE.safetensors", &weights(&[("odd.lora_A".into(), vec![2, 3], 1.0, 0.0)])),
                &["DAPE.safetensors", "odd.lora_"],
            ),
            (&|f| remove(f, "DAPE.safetensors"), &["DAPE.pth", "it is missing", "dape = false"]),
            (&|f| remove(f, "ram_tag_list.txt"), &["ram_tag_list.txt", "cannot be read"]),
            (&|f| f.write("ram_tag_list.txt", b"cat\ndog"), &["ram_tag_list.txt", "2 tags"]),
            (&|f| f.write("ram_tag_list_threshold.txt", b"often"), &["ram_tag_list.txt", "line 1 of the thresholds"]),
        ],
    );
}

#[test]
fn a_check_tells_all_that_is_wrong_in_all_files() {
    let case = case("ldm_sr_leading");
    let folder = case.folder();
    for (component, gone) in
        [("unet", ["conv_in.bias", "conv_out.bias"]), ("vqvae", ["quant_conv.bias", "encoder.conv_in.bias"])]
    {
        let mut described = case.components[component].weights.clone();
        described.retain(|tensor| !gone.contains(&tensor.0.as_str()));
        folder.write(&format!("{component}/diffusion_pytorch_model.safetensors"), &weights(&described));
    }
    let [_, Some(message)] = errors("ldm_sr_leading", &folder) else { panic!("nothing is wrong") };
    for name in ["'conv_in.bias'", "'conv_out.bias'", "'quant_conv.bias'", "'encoder.conv_in.bias'"] {
        assert!(message.contains(&format!("tensor {name} is missing")), "{message}");
    }
}

#[test]
fn old_names_of_the_attention_and_of_the_text_encoder_are_read() {
    let names = [("to_q.", "query."), ("to_k.", "key."), ("to_v.", "value."), ("to_out.0.", "proj_attn.")];
    let case = case("sd_inpaint_1");
    let folder = case.folder();
    let rename = |component: &str, rename: &dyn Fn(&str) -> String, file: &str| {
        let described = &case.components[component].weights;
        let mut changed = 0;
        let bytes = reference::weights_as(described, |name| {
            let new = rename(name);
            changed += usize::from(new != name);
            new
        });
        assert!(changed > 0, "{component}");
        folder.write(&format!("{component}/{file}.safetensors"), &bytes);
    };
    rename(
        "vae",
        &|name| names.iter().fold(name.to_owned(), |n, (new, old)| n.replace(new, old)),
        "diffusion_pytorch_model",
    );
    let prefix = |name: &str| {
        if name.starts_with("text_model.") { name.replacen("text_model.", "", 1) } else { format!("text_model.{name}") }
    };
    rename("text_encoder", &prefix, "model");
    assert_eq!(errors("sd_inpaint_1", &folder), [None, None]);
}
