//! The `rust-version` that the workspace promises. That our own code keeps to it is for clippy's
//! `incompatible_msrv` to see, in the matrix's cell `clippy`.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

#[test]
fn rust_version_is_what_the_dependencies_need_and_no_more() {
    let packages = packages();
    let (ours, others): (Vec<_>, Vec<_>) = packages.iter().partition(|package| package["source"].is_null());
    let promised: Vec<_> = ours.iter().map(|package| (number(package), name(package))).collect();
    let needed = others.iter().map(|package| (number(package), name(package))).max().expect("dependencies");
    for (promised, name) in promised {
        assert_eq!(promised, needed.0, "{name} promises what it should not: {} sets the least", needed.1);
    }
}

/// All packages of the workspace and of what it depends on, here on Linux, with all features.
fn packages() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .args(["--filter-platform", &platform])
        .current_dir(root)
        .output()
        .expect("cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    serde_json::from_value(metadata["packages"].take()).expect("packages")
}

/// Major, minor and patch; that of a package that says nothing is the lowest.
fn number(package: &Value) -> [u32; 3] {
    let mut number = [0; 3];
    let parts = package["rust_version"].as_str().unwrap_or_default().split('.');
    for (number, part) in number.iter_mut().zip(parts.filter(|part| !part.is_empty())) {
        *number = part.parse().expect("a number");
    }
    number
}

fn name(package: &Value) -> &str {
    package["name"].as_str().expect("a name")
}
