//! What `cargo xtask new` writes builds, passes its own tests, exports what it should and keeps to the contract.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and says what it did not try")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use toml_edit::{DocumentMut, value};
use wasmparser::{Parser, Payload};

#[test]
fn a_new_sink_is_a_component() {
    let file = grow("sink", "new-sink");
    assert_eq!(exports(&file), ["cordboard:hub/about@1.0.0", "cordboard:hub/sink@1.0.0"]);
    conforms(&file, r#"{ "url": "https://crm.test", "token": "not-to-be-told" }"#);
}

#[test]
fn a_new_source_is_a_component() {
    let file = grow("source", "new-source");
    assert_eq!(exports(&file), ["cordboard:hub/about@1.0.0", "cordboard:hub/webhook@1.0.0"]);
    conforms(&file, r#"{ "secret": "not-to-be-told" }"#);
}

/// The way that the README shows: in the workspace, which is played by its manifest alone.
#[test]
fn a_new_sink_joins_its_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("Cargo.toml");
    let mut workspace: DocumentMut = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    workspace["workspace"]["members"].as_array_mut().unwrap().clear();
    workspace["workspace"].as_table_mut().unwrap().remove("default-members");
    workspace["workspace"]["dependencies"]["cordboard-sdk"]["path"] = value(root().join("sdk").to_str().unwrap());
    std::fs::write(&manifest, workspace.to_string()).unwrap();
    std::fs::copy(root().join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let inside = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.env("CARGO_MANIFEST_DIR", folder.path().join("xtask")).env("CARGO_NET_OFFLINE", "true");
        done(command.env("CARGO_TARGET_DIR", target()).args(arguments))
    };

    inside(&["new", "sink", "my-crm"]);
    assert!(std::fs::read_to_string(&manifest).unwrap().contains(r#"members = ["adapters/my-crm"]"#));
    cargo(folder.path(), &["test", "--offline", "--quiet", "-p", "cordboard-my-crm"]);
    let output = inside(&["build", "--components"]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("dist/components/my-crm.wasm ("), "{output:?}");
    let file = folder.path().join("dist/components/my-crm.wasm");
    conforms(&file, r#"{ "url": "https://crm.test", "token": "not-to-be-told" }"#);
}

#[test]
fn crates_that_cannot_be_fetched_are_said() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.env("CARGO_HOME", home.path()).env("CARGO_NET_OFFLINE", "true").args(["build", "--components"]);
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("crates that Cargo.lock names are not on this machine"), "{said}");
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

/// Writes a component outside of the workspace, runs its tests, builds it.
fn grow(kind: &str, name: &str) -> PathBuf {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join(name);
    let output = xtask(&["new", kind, name, "--dir", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");

    // The workspace's lock names versions that are here, so no network is needed; its target folder has them built.
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    cargo(&folder, &["test", "--offline", "--quiet"]);
    cargo(&folder, &["build", "--offline", "--quiet", "--profile", "component", "--target", "wasm32-wasip2"]);
    target().join("wasm32-wasip2/component").join(format!("{}.wasm", name.replace('-', "_")))
}

/// The names that a component itself exports, not those of what is nested in it.
fn exports(file: &Path) -> Vec<String> {
    let component = std::fs::read(file).unwrap();
    let (mut exports, mut depth) = (Vec::new(), 0);
    for payload in Parser::new(0).parse_all(&component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.name.to_owned()));
            }
            _ => {}
        }
    }
    exports.sort();
    exports
}

/// Puts a component to the hub's trial. The hub is built with the workspace's tests; without it there is none.
fn conforms(file: &Path, settings: &str) {
    let hub = target().join("debug").join(format!("cordboard{}", std::env::consts::EXE_SUFFIX));
    if !hub.is_file() {
        assert!(std::env::var_os("CI").is_none(), "{} is not built: run `cargo xtask test`", hub.display());
        eprintln!("not put to the trial: {} is not built", hub.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let made_up = folder.path().join("settings.json");
    std::fs::write(&made_up, settings).unwrap();
    let mut command = Command::new(hub);
    command.current_dir(folder.path()).args(["components", "try"]).arg(file).arg("--settings").arg(&made_up);
    let output = done(&mut command);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(" 0 broken,") && said.contains(" 0 to think about"), "{said}");
}

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output().unwrap()
}

fn cargo(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO"));
    done(command.current_dir(folder).env("CARGO_TARGET_DIR", target()).args(arguments));
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let (said, went_wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{said}{went_wrong}");
    output
}

/// Where the workspace is built.
fn target() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_xtask")).ancestors().nth(2).unwrap().to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
