//! Every block and network against diffusers and transformers on the same weights (`tools/golden/networks.py`).

mod reference;

use tch::{Device, Kind};

#[test]
fn every_block_and_network_agrees_with_the_reference() {
    let failures = reference::networks::failures(Device::Cpu, &[Kind::BFloat16]);
    assert!(failures.is_empty(), "{failures:#?}");
}
