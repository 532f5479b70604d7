//! `cargo xtask fuzz` before it starts anything.

use std::path::Path;
use xtask::fuzz;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn an_unknown_target_is_refused_with_those_there_are() {
    let message = fuzz::run(root(), "nonesuch", 1, fuzz::Sanitizer::None).unwrap_err().to_string();
    assert!(
        message.contains("'nonesuch'") && message.contains("calls, checkpoint, image, registry, weights"),
        "{message}"
    );
}

#[test]
fn every_target_has_its_seeds_and_its_place_in_the_manifest() {
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for target in fuzz::targets(root()).unwrap() {
        assert!(root().join("fuzz/corpus").join(&target).is_dir(), "{target}");
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
    }
}
