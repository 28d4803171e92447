//! What `cargo xtask new` writes builds, passes its own tests and exports what it should.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn a_new_sink_is_a_component() {
    let exports = grow("sink", "new-sink");
    assert_eq!(exports, ["cordboard:hub/about@1.0.0", "cordboard:hub/sink@1.0.0"]);
}

#[test]
fn a_new_source_is_a_component() {
    let exports = grow("source", "new-source");
    assert_eq!(exports, ["cordboard:hub/about@1.0.0", "cordboard:hub/webhook@1.0.0"]);
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("note"), "mine").unwrap();
    let output = xtask(&["new", "sink", "a", "--dir", folder.path().to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"), "{output:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Writes a component outside of the workspace, runs its tests, builds it; gives the names of its exports.
fn grow(kind: &str, name: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join(name);
    let output = xtask(&["new", kind, name, "--dir", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");

    // The workspace's lock names versions that are here, so no network is needed; its target folder has them built.
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let target = Path::new(env!("CARGO_BIN_EXE_xtask")).ancestors().nth(2).unwrap();
    cargo(&folder, target, &["test", "--offline", "--quiet"]);
    cargo(&folder, target, &["build", "--offline", "--quiet", "--profile", "component", "--target", "wasm32-wasip2"]);

    let file = target.join("wasm32-wasip2/component").join(format!("{}.wasm", name.replace('-', "_")));
    let decoded = wit_component::decode(&std::fs::read(file).unwrap()).unwrap();
    let resolve = decoded.resolve();
    let world = &resolve.worlds[resolve.packages[decoded.package()].worlds["root"]];
    let mut exports: Vec<_> = world.exports.keys().map(|name| resolve.name_world_key(name)).collect();
    exports.sort();
    exports
}

fn xtask(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output().unwrap()
}

fn cargo(folder: &Path, target: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(folder).env("CARGO_TARGET_DIR", target).args(arguments);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
