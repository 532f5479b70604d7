//! Low-rank updates merged as weights are taken, against what peft, diffusers and loralib merge.

mod reference;

use std::collections::BTreeMap;
use std::path::Path;

use kds_engine::nn::{Loading, Lora, Weights};
use reference::{Golden, relative};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

const LOADING: Loading = Loading { device: Device::Cpu, kind: Kind::Float, check_only: false };
const PEFT: Lora = Lora {
    scale: 1.0,
    alpha: Some(3.0),
    prefixes: &["unet.", "base_model.model."],
    merged: &[],
    ignored: &[],
    renamed: &[],
};
const DIFFUSERS: Lora =
    Lora { scale: 0.75, alpha: None, prefixes: &["unet.", ""], merged: &[], ignored: &[], renamed: &[] };
const LORALIB: Lora = Lora {
    scale: 1.0,
    alpha: Some(1.0),
    prefixes: &[""],
    merged: &[true, false, true],
    ignored: &["text_decoder."],
    renamed: &[],
};
const CASES: &[(&str, Lora)] = &[("peft", PEFT), ("diffusers", DIFFUSERS), ("loralib", LORALIB)];

/// The tensors of a part of a case, as a file; `change` edits name and shape.
fn file(golden: &Golden, part: &str, change: impl Fn(&mut String, &mut Vec<usize>)) -> Vec<u8> {
    let tensors = SafeTensors::deserialize(golden.bytes()).unwrap();
    let mut all = BTreeMap::new();
    for (name, view) in tensors.tensors() {
        let Some(name) = name.strip_prefix(part) else { continue };
        let (mut name, mut shape) = (name.to_owned(), view.shape().to_vec());
        change(&mut name, &mut shape);
        if !name.is_empty() {
            all.insert(name, TensorView::new(Dtype::F32, shape, view.data()).unwrap());
        }
    }
    safetensors::serialize(&all, None).unwrap()
}

/// Takes every weight of a case.
fn merge(
    golden: &Golden,
    case: &str,
    updates: &[u8],
    lora: Lora,
    loading: Loading,
) -> kds_engine::Result<Vec<(String, Tensor)>> {
    let base = file(golden, &format!("{case}/base/"), |_, _| ());
    let weights = Weights::new(&base, Path::new("base"), loading)?.with_lora(updates, Path::new("lora.pth"), lora)?;
    let mut merged = Vec::new();
    for (name, view) in SafeTensors::deserialize(&base).unwrap().tensors() {
        let shape: Vec<i64> = view.shape().iter().map(|side| *side as i64).collect();
        merged.push((name.clone(), weights.root().tensor(&name, &shape)?));
    }
    weights.finish()?;
    Ok(merged)
}

#[test]
fn merged_weights_are_those_of_the_frameworks() {
    let golden = Golden::read("lora.safetensors");
    for (case, lora) in CASES {
        let updates = file(&golden, &format!("{case}/lora/"), |_, _| ());
        let merged = merge(&golden, case, &updates, *lora, LOADING).unwrap();
        let mut changed = 0;
        for (name, found) in &merged {
            let expected = golden.tensor(&format!("{case}/merged/{name}"));
            let error = relative(found, &expected);
            assert!(error < 1e-6, "{case}: {name}: {error:e}");
            changed += usize::from(relative(found, &golden.tensor(&format!("{case}/base/{name}"))) > 0.01);
        }
        assert!(changed >= 2, "{case}: {changed}");
        // None of it is none, and a check reads it too.
        for (name, found) in merge(&golden, case, &updates, Lora { scale: 0.0, ..*lora }, LOADING).unwrap() {
            assert!(found.f_equal(&golden.tensor(&format!("{case}/base/{name}"))).unwrap(), "{case}: {name}");
        }
        merge(&golden, case, &updates, *lora, Loading::check()).unwrap();
    }
}

#[test]
fn an_update_that_fits_nothing_is_named() {
    let golden = Golden::read("lora.safetensors");
    type Change = fn(&mut String, &mut Vec<usize>);
    let table: &[(&str, Lora, Change, &[&str])] = &[
        (
            "peft",
            PEFT,
            |name, _| *name = name.replace("to_q", "to_x"),
            &["'base_model.model.to_x.lora_", "meets no layer"],
        ),
        ("loralib", Lora { ignored: &[], ..LORALIB }, |_, _| (), &["'text_decoder.query.lora_A'", "meets no layer"]),
        ("loralib", Lora { merged: &[], ..LORALIB }, |_, _| (), &["'qkv.lora_", "does not fit a weight of [12, 6]"]),
        ("loralib", Lora { merged: &[true; 3], ..LORALIB }, |_, _| (), &["'qkv.lora_", "does not fit"]),
        (
            "peft",
            PEFT,
            |name, shape| {
                if name.ends_with("to_q.lora_A.weight") {
                    shape.reverse()
                }
            },
            &["to_q.lora_", "does not fit"],
        ),
        (
            "peft",
            PEFT,
            |name, _| {
                if name.contains("conv.lora_B") {
                    name.clear()
                }
            },
            &["conv.lora_A.weight", "half"],
        ),
        (
            "peft",
            PEFT,
            |name, _| *name = name.replace("conv.lora_A.weight", "conv.bias"),
            &["conv.bias", "not of a low-rank"],
        ),
        ("peft", Lora { prefixes: &["other."], ..PEFT }, |_, _| (), &["meets no layer"]),
        ("peft", PEFT, |name, _| name.clear(), &["no low-rank updates"]),
    ];
    for (case, lora, change, words) in table {
        let updates = file(&golden, &format!("{case}/lora/"), change);
        for loading in [LOADING, Loading::check()] {
            let error = merge(&golden, case, &updates, *lora, loading).unwrap_err().to_string();
            let missing: Vec<_> = words.iter().chain(&["lora.pth"]).filter(|word| !error.contains(**word)).collect();
            assert!(missing.is_empty(), "{case}: no {missing:?} in: {error}");
        }
    }
}
