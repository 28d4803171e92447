//! The public tools that make components of JavaScript and Python, installed into the target folder at their pinned
//! versions and kept there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// Builds `tests/languages/javascript` with npm's `@bytecodealliance/componentize-js`.
pub fn javascript() -> PathBuf {
    let source = sources().join("javascript");
    let package = source.join("package.json");
    let tools = installed("javascript", std::slice::from_ref(&package), |folder| {
        fs::copy(&package, folder.join("package.json")).unwrap();
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        run(
            Command::new(npm).current_dir(folder).args(["install", "--no-package-lock", "--no-audit", "--no-fund"]),
            "npm is needed to prove that components can be written in JavaScript: install Node.js 20 or newer",
        );
    });
    built("javascript-sink.wasm", &source.join("sink.js"), |output| {
        run(
            Command::new("node")
                .arg(tools.join("node_modules/@bytecodealliance/componentize-js/src/cli.js"))
                .arg("--wit")
                .arg(wit())
                .args(["--world-name", "sink-component", "--disable", "fetch-event", "--out"])
                .arg(output)
                .arg(source.join("sink.js")),
            "node is needed to prove that components can be written in JavaScript: install Node.js 20 or newer",
        );
    })
}

/// Builds `tests/languages/python` with PyPI's `componentize-py`.
pub fn python() -> PathBuf {
    let source = sources().join("python");
    let requirements = source.join("requirements.txt");
    let programs = if cfg!(windows) { "Scripts" } else { "bin" };
    let tools = installed("python", std::slice::from_ref(&requirements), |folder| {
        let python = if cfg!(windows) { "python" } else { "python3" };
        run(
            Command::new(python).args(["-m", "venv"]).arg(folder),
            "Python is needed to prove that components can be written in it: install Python 3.10 or newer, with venv",
        );
        run(
            Command::new(folder.join(programs).join("python"))
                .args(["-m", "pip", "install", "--quiet", "--requirement"])
                .arg(&requirements),
            "pip is needed to prove that components can be written in Python",
        );
    });
    built("python-sink.wasm", &source.join("sink.py"), |output| {
        run(
            Command::new(tools.join(programs).join("componentize-py"))
                .arg("--wit-path")
                .arg(wit())
                .args(["--world", "sink-component", "componentize", "--python-path"])
                .arg(&source)
                .args(["sink", "--output"])
                .arg(output),
            "componentize-py was installed and does not start",
        );
    })
}

/// A folder with tools, made anew when the files that pin their versions have changed.
fn installed(language: &str, pins: &[PathBuf], install: impl FnOnce(&Path)) -> PathBuf {
    let folder = cache().join(format!("{language}-{}", hash(pins)));
    let done = folder.join("installed");
    if !done.exists() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        install(&folder);
        fs::write(done, "").unwrap();
    }
    folder
}

/// A component, built anew when its source or the contract has changed.
fn built(name: &str, source: &Path, build: impl FnOnce(&Path)) -> PathBuf {
    let mut inputs = vec![source.to_owned()];
    inputs.extend(
        fs::read_dir(wit())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wit")),
    );
    inputs.sort();
    let folder = cache().join(hash(&inputs));
    let output = folder.join(name);
    if !output.exists() {
        fs::create_dir_all(&folder).unwrap();
        let partial = folder.join(format!("{name}.partial"));
        build(&partial);
        fs::rename(partial, &output).unwrap();
    }
    output
}

fn run(command: &mut Command, missing: &str) {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => panic!("{missing}"),
        Err(error) => panic!("{command:?} does not start: {error}"),
    };
    assert!(
        output.status.success(),
        "{command:?} failed (the first time it needs a network)\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn hash(files: &[PathBuf]) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(fs::read(file).unwrap());
    }
    hex::encode(&hasher.finalize()[..8])
}

fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages")
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("languages")
}

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("wit")
}
