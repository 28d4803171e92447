//! `cargo xtask build`: the components, then the hub.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::toolchain::{TARGET, cargo, ensure_crates, ensure_target};
use crate::workspace::{Workspace, say};

/// Some programs of the workspace are built as part of all of it: a package by itself asks for other features of what
/// the packages share, and all that would be built twice.
pub const WHOLE: &[&str] = &["--workspace"];

#[derive(clap::Args)]
pub struct Arguments {
    /// Only the components, not the hub
    #[arg(long)]
    components: bool,
    /// Also the components that the tests need, to dist/tests
    #[arg(long)]
    tests: bool,
    /// The hub as it is shipped: slower to build, faster to run
    #[arg(long)]
    release: bool,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    let written = build(&workspace, arguments.tests)?;
    for file in &written {
        let size = fs::metadata(file)?.len().div_ceil(1024);
        println!("{} ({size} KiB)", file.strip_prefix(&workspace.root).unwrap_or(file).display());
    }
    if !arguments.components {
        println!("{}", hub(&workspace, arguments.release)?.display());
    }
    Ok(())
}

/// Builds the components of the workspace, and those of the tests when told. Gives the files.
pub fn build(workspace: &Workspace, tests: bool) -> Result<Vec<PathBuf>> {
    let components: Vec<_> =
        workspace.components().into_iter().filter(|component| tests || !component.for_tests).collect();
    if components.is_empty() {
        return Ok(vec![]);
    }
    ensure_target(workspace)?;
    ensure_crates(workspace)?;
    say(&format!("building {} components", components.len()));
    let mut arguments = vec!["build", "--profile", "component", "--target", TARGET, "--lib"];
    for component in &components {
        arguments.extend(["--package", &component.package]);
    }
    cargo(workspace, &arguments, "build the components")?;
    let built = workspace.target.join(TARGET).join("component");
    let mut written = Vec::new();
    for component in &components {
        let folder = workspace.root.join("dist").join(if component.for_tests { "tests" } else { "components" });
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let file = folder.join(&component.file);
        place(&built.join(&component.artifact), &file)?;
        written.push(file);
    }
    Ok(written)
}

/// Builds the hub and gives its program: as it is shipped, or as the tests use it.
pub fn hub(workspace: &Workspace, release: bool) -> Result<PathBuf> {
    say("building the hub (the first time takes some minutes)");
    let which: &[&str] = if release { &["--package", "cordboard", "--release"] } else { WHOLE };
    cargo(workspace, &[&["build", "--bin", "cordboard"], which].concat(), "build the hub")?;
    let name = format!("cordboard{}", std::env::consts::EXE_SUFFIX);
    Ok(workspace.target.join(if release { "release" } else { "debug" }).join(name))
}

/// Copies a file in one step, and only when it differs: a hub that watches the folder loads nothing twice and nothing
/// half.
fn place(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("{} was not built", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let partial = to.with_extension("partial");
    fs::write(&partial, bytes)
        .and_then(|()| fs::rename(&partial, to))
        .with_context(|| format!("cannot write {}", to.display()))
}
