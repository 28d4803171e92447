//! `cargo xtask run`: the hub with a demo around it.

use std::process::Command;

use anyhow::{Context, Result};

use crate::components::{self, WHOLE};
use crate::toolchain::cargo;
use crate::workspace::{Workspace, say};

#[derive(clap::Args)]
pub struct Arguments {}

pub fn main(_arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    components::build(&workspace, false)?;
    let hub = components::hub(&workspace, false)?;
    say("building the demo");
    cargo(&workspace, &[&["build", "--bin", "demo"], WHOLE].concat(), "build the demo")?;
    let demo = hub.with_file_name(format!("demo{}", std::env::consts::EXE_SUFFIX));
    let folder = workspace.root.join(".cordboard/demo");
    let mut command = Command::new(&demo);
    command.args([&hub, &workspace.root.join("dist/components"), &folder]);
    started(command).with_context(|| format!("cannot start {}", demo.display()))
}

/// The demo takes this program's place: whoever presses Ctrl-C has the prompt back when the demo has stopped, not before.
#[cfg(unix)]
fn started(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn started(mut command: Command) -> Result<()> {
    if !command.status()?.success() {
        anyhow::bail!("the demo ended early: the reason stands above");
    }
    Ok(())
}
