//! What must be absent: which crate knows which, held against `cargo metadata`, and the crates that must do without
//! `std`. ARCHITECTURE.md opens with the same rules in words.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Each crate of the workspace, and the crates of the workspace that it may know.
const MAY_KNOW: [(&str, &[&str]); 6] = [
    ("lease-core", &[]),
    ("sim-disk", &[]),
    ("model", &["lease-core", "sim-disk"]),
    ("scenarios", &["model", "lease-core", "sim-disk"]),
    ("reports", &["scenarios", "model", "lease-core", "sim-disk"]),
    ("leaselab", &["reports", "scenarios", "model", "lease-core", "sim-disk"]),
];

/// Crates that no part of the program may use, and why.
const BANNED: [(&str, &str); 4] = [
    ("rand", "its distributions may change between versions: `scenarios` draws by its own few lines"),
    ("tokio", "the seam is data: there is nothing to wait for"),
    ("chrono", "nothing here knows what day it is"),
    ("libc", "nothing here needs the system's own calls"),
];

/// The direct dependencies of each crate: name, and whether only tests use it.
fn packages() -> Vec<(String, Vec<(String, bool)>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let packages = metadata["packages"].as_array().expect("a list");
    let dependencies = |package: &Value| {
        let all = package["dependencies"].as_array().expect("a list").iter();
        all.map(|it| (text(&it["name"]), it["kind"] == "dev")).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), dependencies(package))).collect()
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    let ours = packages.iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>();
    assert_eq!(ours, MAY_KNOW.iter().map(|(name, _)| *name).collect(), "a crate without a rule, or a rule without one");
    for (name, dependencies) in &packages {
        let (_, known) = MAY_KNOW.iter().find(|(crate_, _)| crate_ == name).expect("compared above");
        for (dependency, _) in dependencies.iter().filter(|(dependency, _)| ours.contains(dependency.as_str())) {
            assert!(known.contains(&dependency.as_str()), "{name} may not know {dependency}");
        }
    }
}

#[test]
fn the_program_does_without_what_would_make_two_runs_differ() {
    for (name, dependencies) in packages() {
        for (banned, why) in BANNED {
            let used = dependencies.iter().any(|(dependency, test)| dependency == banned && !test);
            assert!(!used, "{name} depends on {banned}, but {why}");
        }
    }
}

#[test]
fn the_engine_and_the_disk_do_without_std() {
    for name in ["lease-core", "sim-disk"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src/lib.rs");
        let text = std::fs::read_to_string(&file).expect("it is there");
        assert!(text.lines().any(|line| line == "#![no_std]"), "{}: expected #![no_std]", file.display());
        assert!(!text.contains("extern crate std"), "{}: expected no std, not even by name", file.display());
    }
}
