//! Writes the seeds that fuzzing starts from into `fuzz/corpus`: `cargo run -p kds-tests --bin seeds`. Files that are
//! there for other reasons stay.

use std::path::Path;

use anyhow::Result;
use image::{DynamicImage, ImageFormat};
use kds_cli::{metadata::Metadata, picture::Picture, save};
use kds_tests::fuzz::{corpus, tiny_model, weights_input};
use kds_tests::tiff_file::{Page, tiff};
use safetensors::Dtype;

fn main() -> Result<()> {
    for (target, seeds) in [
        ("registry", registries()),
        ("weights", models()),
        ("checkpoint", checkpoints()?),
        ("image", images()?),
        ("calls", sequences()),
    ] {
        let folder = corpus(target);
        std::fs::create_dir_all(&folder)?;
        for (name, bytes) in &seeds {
            std::fs::write(folder.join(name), bytes)?;
        }
        println!("{}: {} seeds", folder.display(), seeds.len());
    }
    Ok(())
}

type Seeds = Vec<(String, Vec<u8>)>;

fn registries() -> Seeds {
    let good = "[[model]]\nid = \"mine\"\ntitle = \"My model\"\ntask = \"super-resolution\"\nscale = 2\n\
                backbone = \"residual\"\npath = \"tiny\"\n";
    let defaults = "[model.defaults]\nsteps = 20\nstrength = 0.5\nbandwidth = \"auto*2\"\nselection = \"index:1\"\n";
    let seeds = [
        ("plain", good.to_owned()),
        ("defaults", [good, defaults].concat()),
        ("two", [good, defaults, &good.replace("mine", "other").replace("tiny", "~/nowhere")].concat()),
        ("replaces", good.replace("mine", "kds-photo-x4")),
        ("task", good.replace("super-resolution", "inpainting")),
        (
            "inline",
            "model = [{id='a', title='b', task='restoration', scale=1, backbone='residual', path='tiny'}]".into(),
        ),
        ("nothing", "# nothing here\n".into()),
    ];
    seeds.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect()
}

/// Files of torch, and the pickles in the archives among them.
fn checkpoints() -> Result<Seeds> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/pickles");
    let mut seeds = Seeds::new();
    for name in ["ordered.pth", "views.pt", "lightning.ckpt", "protocol4.pth", "legacy.pth", "legacy_views.pth"] {
        let bytes = std::fs::read(folder.join(name))?;
        if let Ok(archive) = rawzip::ZipArchive::from_slice(&bytes) {
            let mut entries = archive.entries();
            while let Some(entry) = entries.next_entry()? {
                if entry.file_path().as_bytes().ends_with(b"data.pkl") {
                    seeds.push((format!("{name}.pkl"), archive.get_entry(entry.wayfinder())?.data().to_vec()));
                }
            }
        }
        seeds.push((name.to_owned(), bytes));
    }
    Ok(seeds)
}

fn models() -> Seeds {
    let weights = tiny_model::weights(Dtype::F16);
    let mut seeds = vec![
        ("f16".to_owned(), weights_input([""; 3], &weights)),
        ("bf16".to_owned(), weights_input([""; 3], &tiny_model::weights(Dtype::BF16))),
        ("f32".to_owned(), weights_input([""; 3], &tiny_model::weights(Dtype::F32))),
        ("cut".to_owned(), weights_input([""; 3], &weights[..weights.len() / 2])),
        ("texts".to_owned(), weights_input([tiny_model::INDEX, tiny_model::CONFIG, tiny_model::SCHEDULER], &weights)),
    ];
    let headers = [
        ("huge-shape", r#"{"conv_in.weight":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}}"#),
        (
            "overlap",
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
        ),
        ("dtype", r#"{"conv_in.weight":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#),
        ("line-break", r#"{"a\nb":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#),
    ];
    for (name, header) in headers {
        let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 12]].concat();
        seeds.push((name.to_owned(), weights_input([""; 3], &file)));
    }
    let long = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    seeds.push(("long-header".to_owned(), weights_input([""; 3], &long)));
    let configurations = [
        ("betas", ["", "", r#"{"trained_betas": [0.1, 0.2, 0.3], "prediction_type": "sample", "steps_offset": 1}"#]),
        (
            "zero-snr",
            ["", "", r#"{"rescale_betas_zero_snr": true, "use_karras_sigmas": true, "beta_schedule": "linear"}"#],
        ),
        ("index", [r#"{"scale": 1, "residual_std": 1e308, "detail_window": 5, "detail_gain": 8.0}"#, "", ""]),
    ];
    seeds.extend(configurations.map(|(name, texts)| (name.to_owned(), weights_input(texts, &weights))));
    seeds
}

fn images() -> Result<Seeds> {
    let mut seeds = Vec::new();
    let colour = DynamicImage::ImageRgba16(image::ImageBuffer::from_fn(3, 2, |x, y| {
        image::Rgba([x as u16 * 20_000, y as u16 * 40_000, 30_000, 65_535 - x as u16 * 9_000])
    }));
    let kinds = [
        ("gray8", colour.to_luma8().into()),
        ("grayalpha8", colour.to_luma_alpha8().into()),
        ("rgb8", colour.to_rgb8().into()),
        ("rgba8", colour.to_rgba8().into()),
        ("gray16", colour.to_luma16().into()),
        ("grayalpha16", colour.to_luma_alpha16().into()),
        ("rgb16", colour.to_rgb16().into()),
        ("rgba16", colour.clone()),
    ];
    let folder = std::env::temp_dir().join(format!("kds-seeds-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for (kind, image) in kinds {
        let gray = !DynamicImage::color(&image).has_color();
        let profile = Some(profile(if gray { b"GRAY" } else { b"RGB " }));
        let picture =
            Picture { image, profile, metadata: Metadata { exif: Some(EXIF.to_vec()), ..Metadata::default() } };
        for ending in ["png", "tif", "webp", "jpg"] {
            let path = folder.join(format!("{kind}.{ending}"));
            save::save(&picture, &path, 90)?;
            seeds.push((format!("{kind}.{ending}"), std::fs::read(&path)?));
        }
    }
    std::fs::remove_dir_all(&folder)?;
    // Of other writers: without compression, with floats, a lossy WebP cannot be written here.
    for (name, image) in [("plain.tif", DynamicImage::from(colour.to_rgb8())), ("float.tif", colour.to_rgb32f().into())]
    {
        let mut file = std::io::Cursor::new(Vec::new());
        image.write_to(&mut file, ImageFormat::Tiff)?;
        seeds.push((name.to_owned(), file.into_inner()));
    }
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let files =
        ["palette.png", "cmyk.jpg", "zstd.tif", "jxl/alpha.jxl", "jxl/grey16.jxl", "jxl/exif.jxl", "jxl/lossy.jxl"];
    for name in files {
        let seed = name.rsplit('/').next().unwrap_or(name);
        seeds.push((seed.to_owned(), std::fs::read(data.join(name))?));
    }
    let subsampled = Page::new(3, 2, 3, 6, vec![40, 50, 60, 70, 118, 140, 80, 90, 100, 110, 130, 120]);
    seeds.push(("subsampled.tif".to_owned(), tiff(&[subsampled], true, false)));
    Ok(seeds)
}

/// The camera's maker, orientation 6, and an exposure time of 1/125 s.
const EXIF: &[u8] = b"II*\0\x08\0\0\0\x03\0\
    \x0f\x01\x02\0\x04\0\0\0Kds\0\
    \x12\x01\x03\0\x01\0\0\0\x06\0\0\0\
    \x69\x87\x04\0\x01\0\0\0\x32\0\0\0\
    \0\0\0\0\
    \x01\0\x9a\x82\x05\0\x01\0\0\0\x44\0\0\0\0\0\0\0\
    \x01\0\0\0\x7d\0\0\0";

/// A profile of this colour space: a header is all that a profile needs to be handed on.
fn profile(space: &[u8; 4]) -> Vec<u8> {
    let mut profile = vec![0; 132];
    profile[..4].copy_from_slice(&132u32.to_be_bytes());
    profile[12..16].copy_from_slice(b"mntr");
    profile[16..20].copy_from_slice(space);
    profile[20..24].copy_from_slice(b"XYZ ");
    profile[36..40].copy_from_slice(b"acsp");
    profile
}

/// Sequences of calls, encoded as `arbitrary` decodes `tests/src/fuzz/calls.rs`. Numbers of calls are those of the list
/// there; a test asserts that the sequences named `run` restore pictures.
fn sequences() -> Seeds {
    const CALLS: u32 = 24;
    let choice = |index: u32, of: u32| (((u64::from(index) << 32) / u64::from(of) + 1) as u32).to_le_bytes().to_vec();
    let step = |call: u32, arguments: &[u8]| [&[0], &choice(call, CALLS)[..], arguments, &[0, 0]].concat();
    let word = |index: u8| [choice(0, 4), vec![index]].concat();
    let parameter = |index: u8| [choice(1, 4), vec![index]].concat();
    let image = |format: u8, side: u8, content: u8| vec![format, side, side, 1, 0, content, 0];
    let run = |input: Vec<u8>, output: Vec<u8>, rest: &[u8]| [&input[..], &[0], &output, rest].concat();
    let quiet: &[u8] = &[0, 0, 0, 0];

    let context = step(0, &[0, 0, 0]);
    let model = step(10, &[word(0), vec![0, 0]].concat());
    let job = step(14, &[]);
    let start = [context.clone(), model, job].concat();
    let plain = step(20, &run(image(1, 3, 5), image(1, 0, 7), quiet));
    let floats = step(20, &run(image(10, 7, 6), image(11, 0, 7), &[&[3], &image(8, 0, 1)[..], &[0, 0, 0]].concat()));
    let in_place = step(20, &run(image(2, 1, 6), image(6, 0, 7), &[0, 1, 0, 0]));
    let reaction = |kind: u32, at: u8| [vec![0, 0, 0, 3], choice(kind, 4), vec![at]].concat();
    let reacting = |kind: u32, at: u8| step(20, &run(image(1, 3, 5), image(1, 0, 7), &reaction(kind, at)));
    let flawed = |flaw: u32, bytes: &[u8]| {
        let input = [vec![1, 3, 3, 1, 0, 5, 3], choice(flaw, 9), bytes.to_vec()].concat();
        step(20, &run(input, image(1, 0, 7), quiet))
    };
    let listing: Vec<u8> = [step(2, &[]), step(4, &[]), step(6, &[]), step(12, &[0]), step(13, &[])].concat();
    let indexed: Vec<u8> = [3, 5, 23].into_iter().flat_map(|call| step(call, &[0, 0, 0])).collect();
    let set: Vec<u8> = (0..19u8)
        .flat_map(|index| step(16, &[parameter(index), word(12 + index % 12)].concat()))
        .chain((0..21).flat_map(|index| step(17, &parameter(index))))
        .collect();
    let estimates: Vec<u8> = (1..4u32)
        .flat_map(|power| {
            let side = [choice(2, 3), (1u32 << (power * 6)).to_le_bytes().to_vec()].concat();
            step(19, &[&side[..], &side, &[0]].concat())
        })
        .collect();
    let sequences = [
        ("run", [start.clone(), plain.clone()].concat()),
        ("run-floats", [start.clone(), floats].concat()),
        ("run-in-place", [start.clone(), in_place].concat()),
        ("run-again", [start.clone(), reacting(3, 1), plain.clone()].concat()),
        ("stop", [start.clone(), reacting(1, 1), plain.clone()].concat()),
        ("cancel", [start.clone(), reacting(2, 0), plain.clone(), step(22, &[]), plain.clone()].concat()),
        (
            "flaws",
            [start.clone(), flawed(2, &[0xff; 4]), flawed(4, &[0xff; 8]), flawed(5, &[]), flawed(6, &[9, 0])].concat(),
        ),
        ("list", [start.clone(), listing, indexed].concat()),
        ("set", [start.clone(), set].concat()),
        ("estimate", [start.clone(), estimates].concat()),
        ("fill", [context, step(10, &[word(2), vec![0, 0]].concat()), step(14, &[]), plain.clone()].concat()),
        ("free", [start, step(1, &[]), step(11, &[]), plain, step(15, &[]), step(7, &[]), step(8, &[])].concat()),
    ];
    sequences.map(|(name, bytes)| (name.to_owned(), bytes)).into()
}
