//! Which crate may use which: see docs/architecture.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The crates of the workspace and everything below them, by name; edges for tests only are listed apart.
struct Dependencies {
    ours: BTreeSet<String>,
    normal: BTreeMap<String, BTreeSet<String>>,
    with_tests: BTreeMap<String, BTreeSet<String>>,
}

impl Dependencies {
    fn read() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version=1", "--locked", "--offline"])
            // Without it, cargo asks for crates of other platforms, which were never downloaded.
            .args(["--filter-platform", env!("TARGET"), "--manifest-path"])
            .arg(&workspace)
            .output()
            .unwrap();
        assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let name_of: BTreeMap<&str, &str> = array(&metadata["packages"])
            .iter()
            .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
            .collect();
        let name = |id: &Value| name_of[id.as_str().unwrap()].to_owned();
        let mut found = Self {
            ours: array(&metadata["workspace_members"]).iter().map(name).collect(),
            normal: BTreeMap::new(),
            with_tests: BTreeMap::new(),
        };
        for node in array(&metadata["resolve"]["nodes"]) {
            for dependency in array(&node["deps"]) {
                let (from, to) = (name(&node["id"]), name(&dependency["pkg"]));
                if array(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev") {
                    found.normal.entry(from.clone()).or_default().insert(to.clone());
                }
                found.with_tests.entry(from).or_default().insert(to);
            }
        }
        found
    }

    /// The crates of the workspace that this one names in its Cargo.toml, for its tests too.
    fn direct_ours(&self, from: &str) -> BTreeSet<&str> {
        self.with_tests
            .get(from)
            .into_iter()
            .flatten()
            .filter(|to| self.ours.contains(*to))
            .map(String::as_str)
            .collect()
    }

    /// Whether a build of one crate needs the other.
    fn reaches(&self, from: &str, to: &str) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(name) = open.pop() {
            for next in self.normal.get(name).into_iter().flatten() {
                if seen.insert(next.as_str()) {
                    open.push(next);
                }
            }
        }
        seen.contains(to)
    }
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[test]
fn only_the_engine_brings_libtorch() {
    let dependencies = Dependencies::read();
    let reaching: Vec<_> = dependencies.ours.iter().filter(|name| dependencies.reaches(name, "tch")).collect();
    assert_eq!(reaching, ["failing-backbone", "kds-engine", "kds-plugin-ffi", "kds-tests"]);
    let naming: Vec<_> =
        dependencies.ours.iter().filter(|name| dependencies.with_tests[*name].contains("tch")).collect();
    assert_eq!(
        naming,
        ["failing-backbone", "kds-engine", "kds-tests"],
        "kds-tests and the libraries that it loads, and the engine alone call tch themselves"
    );
}

#[test]
fn the_parameter_table_the_memory_and_the_metrics_depend_on_nothing_of_ours() {
    let dependencies = Dependencies::read();
    assert_eq!(dependencies.direct_ours("kds-memory"), BTreeSet::new());
    assert_eq!(dependencies.direct_ours("kds-parameters"), BTreeSet::new());
    assert_eq!(dependencies.direct_ours("kds-metrics"), BTreeSet::new());
}

#[test]
fn hosts_use_the_library_through_kds_host_only() {
    let dependencies = Dependencies::read();
    assert_eq!(dependencies.direct_ours("kds-host"), BTreeSet::from(["kds-memory", "kds-parameters"]));
    let interfaces = ["kds-plugin-ffi", "kds-plugin-api"];
    let is_host = |name: &&String| name.starts_with("kds-plugin-") && !interfaces.contains(&name.as_str());
    let hosts: Vec<_> = dependencies.ours.iter().filter(|name| *name == "kds-cli" || is_host(name)).collect();
    assert!(hosts.iter().any(|name| *name == "kds-cli"), "{:?}", dependencies.ours);
    for host in hosts {
        for dependency in dependencies.direct_ours(host) {
            let metrics = host == "kds-cli" && dependency == "kds-metrics";
            // What the shims of nodes share uses kds-host in its turn.
            let allowed = ["kds-host", "kds-parameters", "kds-plugin-nodes"];
            assert!(metrics || allowed.contains(&dependency), "{host} depends on {dependency}");
        }
    }
}

#[test]
fn rust_hosts_and_backbones_of_others_need_the_interface_only() {
    let dependencies = Dependencies::read();
    assert_eq!(dependencies.direct_ours("kds-plugin-api"), BTreeSet::new());
    assert_eq!(dependencies.direct_ours("rust-host-example"), BTreeSet::from(["kds-plugin-api"]));
    assert_eq!(dependencies.direct_ours("mixture-backbone"), BTreeSet::from(["kds-plugin-api"]));
    assert!(dependencies.reaches("kds-plugin-ffi", "kds-plugin-api"), "libkds.so has no Rust interface");
}
