//! Seeing to it that Rust can build components.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, finish, say};

/// What components are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// Adds the target when it is missing.
pub fn ensure_target(workspace: &Workspace) -> Result<()> {
    if has_target(workspace)? {
        return Ok(());
    }
    say(&format!("adding the target {TARGET} to the Rust toolchain (once)"));
    let mut rustup = Command::new("rustup");
    rustup.current_dir(&workspace.root).args(["target", "add", TARGET]);
    match rustup.status() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
            "this Rust has no target {TARGET} and there is no rustup to add it: install Rust from https://rustup.rs, \
             or your system's package for that target"
        ),
        Err(error) => return Err(error).context("cannot start rustup"),
        Ok(status) if !status.success() => bail!(
            "rustup could not add the target {TARGET}: without a network, fetch it elsewhere and put it into the \
             toolchain's lib/rustlib"
        ),
        Ok(_) => {}
    }
    if !has_target(workspace)? {
        bail!(
            "rustup says that {TARGET} is there, but rustc does not find it: is `rustc` the one that rustup manages?"
        );
    }
    Ok(())
}

fn has_target(workspace: &Workspace) -> Result<bool> {
    let output = rustc(workspace).args(["--print", "target-libdir", "--target", TARGET]).output().context(NO_RUSTC)?;
    let folder = String::from_utf8(output.stdout).context("rustc gives a path that is not text")?;
    Ok(output.status.success() && Path::new(folder.trim()).is_dir())
}

/// Whether `cargo nextest` is there.
pub fn has_nextest(workspace: &Workspace) -> bool {
    let output = workspace.cargo(["nextest", "--version"]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Runs cargo to its end.
pub fn cargo(workspace: &Workspace, arguments: &[&str], what: &str) -> Result<()> {
    finish(&mut workspace.cargo(arguments), what)
}

/// Fetches the crates that are missing, before anything is built of them.
pub fn ensure_crates(workspace: &Workspace) -> Result<()> {
    let output = rustc(workspace).args(["--print", "host-tuple"]).output().context(NO_RUSTC)?;
    let host = String::from_utf8(output.stdout).context("rustc names its host in no text")?;
    let line = ["fetch", "--quiet", "--target", host.trim(), "--target", TARGET];
    finish(&mut workspace.cargo(line), "fetch the crates").context(
        "crates that Cargo.lock names are not on this machine: without a network, run `cargo fetch` where there is one \
         and bring the folder `registry` of its CARGO_HOME; behind a proxy, set HTTPS_PROXY",
    )
}

const NO_RUSTC: &str = "cannot start rustc: install Rust from https://rustup.rs";

fn rustc(workspace: &Workspace) -> Command {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.current_dir(&workspace.root);
    command
}
