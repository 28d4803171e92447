//! `cargo xtask run`: the hub with a demo around it.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::components;
use crate::toolchain::cargo;
use crate::workspace::{Workspace, say};

#[derive(clap::Args)]
pub struct Arguments {}

pub fn main(_arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    components::build(&workspace, false)?;
    let hub = components::hub(&workspace, false)?;
    say("building the demo");
    cargo(&workspace, &["build", "--package", "cordboard-tests", "--bin", "demo"], "build the demo")?;
    let demo = hub.with_file_name(format!("demo{}", std::env::consts::EXE_SUFFIX));
    let folder = workspace.root.join(".cordboard/demo");
    let status = Command::new(&demo)
        .args([&hub, &workspace.root.join("dist/components"), &folder])
        .status()
        .with_context(|| format!("cannot start {}", demo.display()))?;
    if !status.success() {
        bail!("the demo ended early: the reason stands above");
    }
    Ok(())
}
