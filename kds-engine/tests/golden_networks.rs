//! Every block and network against diffusers and transformers on the same weights (`tools/golden/networks.py`), and those
//! around diffusion against their authors' code (`tools/golden/restoration.py`).

mod reference;

use std::collections::BTreeMap;
use std::path::Path;

use kds_engine::backbone::Stage1;
use kds_engine::nn::{Loading, Ram, RamConfig, Weights};
use tch::{Device, Kind};

#[test]
fn every_block_and_network_agrees_with_the_reference() {
    let failures = reference::networks::failures(Device::Cpu, &[Kind::BFloat16]);
    assert!(failures.is_empty(), "{failures:#?}");
}

/// What each network asks of a file in its authors' sizes is what the authors' module has.
#[test]
fn published_files_have_the_tensors_that_networks_ask_for() {
    let list = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/restoration_names.txt"));
    let mut published: BTreeMap<&str, BTreeMap<String, Vec<i64>>> = BTreeMap::new();
    let list = list.unwrap();
    for line in list.lines() {
        let mut words = line.split(' ');
        let (network, name) = (words.next().unwrap(), words.next().unwrap().to_owned());
        let shape = words.map(|side| side.parse().unwrap()).collect();
        published.entry(network).or_default().insert(name, shape);
    }
    // One small tensor tells which network it is; that all others are missing is where a check goes on from.
    let first = [
        ("bsrnet", "RRDB_trunk.0.RDB1.conv1.weight"),
        ("swinir", "conv_first.1.weight"),
        ("scunet", "m_head.0.weight"),
        ("ram", "fc.bias"),
    ];
    assert_eq!(published.len(), first.len());
    for (network, first) in first {
        let tensors = &published[network];
        let shape = tensors[first].iter().map(|side| *side as usize).collect();
        let bytes = reference::weights(&[(first.to_owned(), shape, 1.0, 0.0)]);
        let weights = Weights::new(&bytes, Path::new(network), Loading::check()).unwrap();
        if network == "ram" {
            Ram::new(&weights.root(), &RamConfig::default()).unwrap();
        } else {
            Stage1::load(&weights.root(), &serde_json::json!({})).unwrap();
        }
        let asked = weights.asked_for();
        assert_eq!(&asked, tensors, "{network}");
        let problems = weights.finish().unwrap_err().to_string();
        assert!(problems.contains(&format!("and {} more", tensors.len() - 1 - 20)), "{problems}");
    }
}
