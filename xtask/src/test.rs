//! `cargo xtask test`: everything is proved.

use anyhow::Result;

use crate::components;
use crate::toolchain::{cargo, has_nextest};
use crate::workspace::{Workspace, say};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only tests whose names contain one of these
    filters: Vec<String>,
    /// Only the tests of this package
    #[arg(long, short)]
    package: Vec<String>,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    components::build(&workspace, true)?;
    let nextest = has_nextest(&workspace);
    say("running the tests");
    let mut line = if nextest { vec!["nextest", "run", "--no-fail-fast"] } else { vec!["test", "--no-fail-fast"] };
    if nextest && std::env::var_os("CI").is_some() {
        line.extend(["--profile", "ci"]);
    }
    if arguments.package.is_empty() {
        line.push("--workspace");
    }
    for package in &arguments.package {
        line.extend(["--package", package]);
    }
    // Examples in documentation are for cargo alone.
    if !nextest {
        line.extend(["--lib", "--bins", "--tests", "--"]);
    }
    line.extend(arguments.filters.iter().map(String::as_str));
    cargo(&workspace, &line, "pass the tests")?;
    if arguments.filters.is_empty() && arguments.package.is_empty() {
        say("running the examples in the documentation");
        cargo(&workspace, &["test", "--quiet", "--doc", "--workspace"], "pass the examples in the documentation")?;
    }
    Ok(())
}
