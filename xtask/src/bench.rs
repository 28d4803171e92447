//! `cargo xtask bench`: how fast, against what is bare.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::components;
use crate::toolchain::cargo;
use crate::workspace::{Workspace, say};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only these rows: webhooks, decode, deliveries, batches, sync, live, sockets, polls, asterisk, events, start
    rows: Vec<String>,
    /// Also what takes minutes: `sync` within the limits of its server
    #[arg(long)]
    long: bool,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    components::build(&workspace, false)?;
    // Both at once: apart from each other they would ask other features of what they share, and build it twice.
    say("building the hub and the bench (the first time takes some minutes)");
    let packages = ["--package", "cordboard", "--package", "cordboard-bench"];
    let line = [&["build", "--release", "--bin", "cordboard", "--bin", "cordboard-bench"], &packages[..]].concat();
    cargo(&workspace, &line, "build the hub and the bench")?;
    let bench = workspace.target.join("release").join(format!("cordboard-bench{}", std::env::consts::EXE_SUFFIX));
    let long = arguments.long.then_some("--long");
    let status = Command::new(&bench).args(&arguments.rows).args(long).current_dir(&workspace.root).status();
    if !status.with_context(|| format!("cannot start {}", bench.display()))?.success() {
        bail!("the bench ended early: the reason stands above");
    }
    Ok(())
}
