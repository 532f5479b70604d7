//! A registry entry that points at a folder in diffusers' layout is all it takes: any size, tiled.

mod reference;

use kds_engine::backbone::Backbone;
use kds_engine::picture::{Picture, Source};
use kds_engine::registry::{ModelEntry, Registry};
use kds_engine::restore::{Restored, restore};
use kds_engine::settings::Settings;
use reference::model::case;
use reference::{Folder, Golden};
use tch::{Device, Kind};

/// The registry entry of a small golden model.
fn entry(model: &str, rest: &str) -> (Folder, ModelEntry) {
    entry_of(case(model).folder(), rest)
}

fn entry_of(folder: Folder, rest: &str) -> (Folder, ModelEntry) {
    let text = format!("[[model]]\nid = \"own\"\ntitle = \"My own\"\npath = \".\"\n{rest}\n");
    folder.write("registry.toml", text.as_bytes());
    let mut registry = Registry::built_in().unwrap();
    registry.add_file(&folder.path().join("registry.toml")).unwrap();
    let entry = registry.find("own").unwrap().clone();
    (folder, entry)
}

fn picture(width: usize, height: usize) -> Picture {
    let values = (0..3 * width * height).map(|index| (index % 251) as f32 / 250.0).collect();
    Picture { width, height, values }
}

fn run(
    backbone: &dyn Backbone,
    entry: &ModelEntry,
    source: Source,
    settings: &[(&str, &str)],
) -> kds_engine::Result<Restored> {
    let mut all = Settings::new(&entry.defaults);
    for (name, value) in settings {
        all.set(name, value).unwrap();
    }
    restore(backbone, &all.resolve().unwrap(), source, true, &mut |_| Ok(()))
}

const LDM_SR: &str =
    "task = \"super-resolution\"\nscale = 4\nbackbone = \"ldm-sr\"\n[model.defaults]\nspacing = \"leading\"\nsteps = 2";
const SD_INPAINT: &str =
    "task = \"inpainting\"\nscale = 1\nbackbone = \"sd-inpaint\"\n[model.defaults]\nsteps = 2\nparticles = 2";

#[test]
fn ldm_sr_enlarges_any_size_in_tiles() {
    let (_folder, entry) = entry("ldm_sr_leading", LDM_SR);
    entry.check().unwrap();
    let backbone = entry.load(Device::Cpu, Kind::Float).unwrap();
    for (width, height, tile) in [(1, 1, "0"), (13, 30, "0"), (75, 41, "32")] {
        let picture = picture(width, height);
        let restored = run(&*backbone, &entry, Source::from(&picture), &[("tile", tile)]).unwrap();
        assert_eq!((restored.picture.width, restored.picture.height), (4 * width, 4 * height));
        assert!(restored.picture.values.iter().all(|value| (0.0..=1.0).contains(value)));
        let mean = restored.picture.values.iter().sum::<f32>() / restored.picture.values.len() as f32;
        assert!(restored.picture.values.iter().any(|value| (value - mean).abs() > 1e-3), "{width} x {height}");
    }
    let picture = picture(8, 8);
    let error = run(&*backbone, &entry, Source::from(&picture), &[("prompt", "a kitten")]).unwrap_err().to_string();
    assert!(error.contains("takes no prompt"), "{error}");
}

#[test]
fn sd_inpaint_fills_the_hole_and_keeps_every_bit_around_it() {
    let (_folder, entry) = entry("sd_inpaint_2", SD_INPAINT);
    entry.check().unwrap();
    let backbone = entry.load(Device::Cpu, Kind::Float).unwrap();
    let picture = picture(77, 90);
    let inside = |index: usize| (20..45).contains(&(index % 77)) && (30..31).contains(&(index / 77));
    let mask: Vec<f32> = (0..77 * 90).map(|index| f32::from(inside(index))).collect();
    let source = Source { picture: &picture, alpha: None, mask: Some(&mask) };
    let fill = |settings: &[(&str, &str)]| run(&*backbone, &entry, source, settings).unwrap().picture.values;
    let filled = fill(&[("prompt", "a kitten")]);
    let mut changed = 0;
    for (index, (new, old)) in filled.iter().zip(&picture.values).enumerate() {
        match inside(index % (77 * 90)) {
            true => changed += usize::from((new - old).abs() > 1e-3),
            false => assert_eq!(new.to_bits(), old.to_bits()),
        }
    }
    assert!(changed > 60, "{changed} of 75 values were filled");
    // All that is said in words counts, and nothing is remembered from the run before.
    assert_ne!(filled, fill(&[("prompt", "the blurry photo")]));
    assert_ne!(filled, fill(&[("prompt", "a kitten"), ("negative", "the blurry photo")]));
    assert_ne!(filled, fill(&[("prompt", "a kitten"), ("guidance", "2")]));
    assert_eq!(filled, fill(&[("prompt", "a kitten")]));
    // Without guidance the negative prompt has no say.
    let unguided = |negative| fill(&[("prompt", "a kitten"), ("guidance", "1"), ("negative", negative)]);
    assert_eq!(unguided(""), unguided("the blurry photo"));
}

/// In tiles, steered, with their authors' prompts; from a start at the picture, particles differ as from noise.
#[test]
fn diffbir_and_seesr_enlarge_any_size_in_tiles() {
    let diffbir = Golden::read("diffbir.safetensors").cases::<reference::diffbir::Model>().remove(0);
    let seesr = Golden::read("seesr.safetensors").cases::<reference::seesr::Model>().remove(0);
    let models = [
        (diffbir.folder(&diffbir.cases[1]), "diffbir", "image", "none"),
        (diffbir.folder(&diffbir.cases[3]), "diffbir", "noise", "wavelet"),
        (seesr.folder(&seesr.cases[0]), "seesr", "image", "adain"),
    ];
    for (folder, backbone, start, colours) in models {
        let rest = format!(
            "task = \"super-resolution\"\nscale = 4\nbackbone = \"{backbone}\"\n[model.options]\nstart = \"{start}\"\n\
             colours = \"{colours}\"\n[model.defaults]\nsteps = 2\nparticles = 2"
        );
        let (_folder, entry) = entry_of(folder, &rest);
        assert_eq!(entry.defaults["preset"], "paper");
        entry.check().unwrap();
        let backbone = entry.load(Device::Cpu, Kind::Float).unwrap();
        let restore = |width: usize, height: usize, settings: &[(&str, &str)]| {
            let picture = picture(width, height);
            let restored = run(&*backbone, &entry, Source::from(&picture), settings).unwrap().picture;
            assert_eq!((restored.width, restored.height), (4 * width, 4 * height));
            assert!(restored.values.iter().all(|value| (0.0..=1.0).contains(value)));
            restored.values
        };
        restore(26, 9, &[("tile", "20")]);
        let restored = restore(3, 5, &[]);
        assert_eq!(restored, restore(3, 5, &[]));
        for other in [("seed", "7"), ("negative", "the kitten"), ("guidance", "2"), ("strength", "0")] {
            assert_ne!(restored, restore(3, 5, &[other]), "{other:?}");
        }
    }
}

#[test]
fn weights_saved_by_torch_are_read_too() {
    let (folder, entry) = entry("ldm_sr_leading", LDM_SR);
    let safetensors = folder.path().join("vqvae/diffusion_pytorch_model.safetensors");
    let expected = entry.load(Device::Cpu, Kind::Float).unwrap();
    let picture = picture(8, 8);
    let expected = run(&*expected, &entry, Source::from(&picture), &[]).unwrap();
    std::fs::remove_file(safetensors).unwrap();
    let pickle = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/ldm_sr_vqvae.bin");
    folder.write("vqvae/diffusion_pytorch_model.bin", &std::fs::read(pickle).unwrap());
    entry.check().unwrap();
    let found = run(&*entry.load(Device::Cpu, Kind::Float).unwrap(), &entry, Source::from(&picture), &[]).unwrap();
    assert_eq!(found, expected);
    for broken in [&b"PK\x03\x04"[..], b"", b"\x80\x02}q\x00."] {
        folder.write("vqvae/diffusion_pytorch_model.bin", broken);
        let error = entry.check().unwrap_err().to_string();
        assert!(error.contains("diffusion_pytorch_model.bin"), "{error}");
    }
}

/// A safetensors file of those tensors of another whose place in it is one of these.
fn shard(whole: &[u8], keep: impl Fn(usize) -> bool) -> (Vec<u8>, Vec<String>) {
    let tensors = safetensors::SafeTensors::deserialize(whole).unwrap();
    let mut all = tensors.tensors();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    let all: Vec<_> = all.into_iter().enumerate().filter(|(index, _)| keep(*index)).map(|(_, tensor)| tensor).collect();
    let names = all.iter().map(|(name, _)| name.clone()).collect();
    (safetensors::serialize(all, None).unwrap(), names)
}

#[test]
fn weights_in_several_files_are_read_by_their_index() {
    let (folder, entry) = entry("ldm_sr_leading", LDM_SR);
    let load = || entry.load(Device::Cpu, Kind::Float);
    let picture = picture(8, 8);
    let expected = run(&*load().unwrap(), &entry, Source::from(&picture), &[]).unwrap();
    let (file, index) =
        ("unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.safetensors.index.json");
    let whole = std::fs::read(folder.path().join(file)).unwrap();
    std::fs::remove_file(folder.path().join(file)).unwrap();
    let shard_name = |part: usize| format!("diffusion_pytorch_model-{part:05}-of-00003.safetensors");
    let mut map = serde_json::Map::new();
    for part in 0..3 {
        let (bytes, names) = shard(&whole, |index| index % 3 == part);
        folder.write(&format!("unet/{}", shard_name(part)), &bytes);
        map.extend(names.into_iter().map(|name| (name, shard_name(part).into())));
    }
    let write_index = |map: &serde_json::Map<String, serde_json::Value>| {
        folder.write_json(index, &serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map}));
    };
    write_index(&map);
    entry.check().unwrap();
    assert_eq!(run(&*load().unwrap(), &entry, Source::from(&picture), &[]).unwrap(), expected);

    let refused = |words: &[&str]| {
        for error in [load().err().unwrap().to_string(), entry.check().unwrap_err().to_string()] {
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    };
    // A tensor that two files have; a file that is missing; a place elsewhere; no index.
    folder.write(&format!("unet/{}", shard_name(1)), &whole);
    refused(&[&shard_name(1), "is in another file of this model too"]);
    std::fs::remove_file(folder.path().join("unet").join(shard_name(1))).unwrap();
    refused(&[&shard_name(1), "cannot be read"]);
    map.insert("conv_in.weight".to_owned(), "../vqvae/diffusion_pytorch_model.safetensors".into());
    write_index(&map);
    refused(&["index.json", "'../vqvae/diffusion_pytorch_model.safetensors' is not a file beside it"]);
    folder.write(index, b"{}");
    refused(&["index.json", "weight_map"]);
}
