//! Where things are, and starting cargo there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The workspace, as cargo sees it.
#[derive(Deserialize)]
pub struct Workspace {
    /// Its folder.
    #[serde(rename = "workspace_root")]
    pub root: PathBuf,
    /// Where cargo builds.
    #[serde(rename = "target_directory")]
    pub target: PathBuf,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// A package of the workspace that is built into a component.
pub struct Component {
    /// The package.
    pub package: String,
    /// The file that cargo makes of it, without its folder.
    pub artifact: String,
    /// The file's name in dist: the package's without the project's prefix.
    pub file: String,
    /// Whether it is there for the tests alone.
    pub for_tests: bool,
}

impl Workspace {
    /// Asks cargo.
    pub fn find() -> Result<Self> {
        let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let here = Path::new(&own).parent().context("xtask stands in the workspace")?;
        let mut command = cargo(here);
        command.args(["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::inherit());
        let output = command.output().context("cannot start cargo")?;
        if !output.status.success() {
            bail!("cargo cannot read the workspace: mend what it says above");
        }
        serde_json::from_slice(&output.stdout).context("cargo metadata is not what it used to be")
    }

    /// Cargo, started in the workspace.
    pub fn cargo<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = cargo(&self.root);
        command.args(arguments);
        command
    }

    /// Every package that makes a `cdylib`, by name.
    pub fn components(&self) -> Vec<Component> {
        let tests = self.root.join("tests");
        let component = |package: &Package| {
            let library = package.targets.iter().find(|target| target.kind.iter().any(|kind| kind == "cdylib"))?;
            Some(Component {
                package: package.name.clone(),
                artifact: format!("{}.wasm", library.name.replace('-', "_")),
                file: format!("{}.wasm", package.name.strip_prefix("cordboard-").unwrap_or(&package.name)),
                for_tests: package.manifest_path.starts_with(&tests),
            })
        };
        let mut components: Vec<_> = self.packages.iter().filter_map(component).collect();
        components.sort_by(|a, b| a.package.cmp(&b.package));
        components
    }

    /// Whether there is a package of this name.
    pub fn has(&self, package: &str) -> bool {
        self.packages.iter().any(|known| known.name == package)
    }
}

fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo told this program about itself would make the inner cargo rebuild what is built.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command.current_dir(folder);
    command
}

/// Runs a command to its end; its output goes to the terminal.
pub fn finish(command: &mut Command, what: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {program} to {what}"))?;
    if !status.success() {
        bail!("could not {what}: what went wrong stands above");
    }
    Ok(())
}

/// Says what begins now.
pub fn say(what: &str) {
    eprintln!("▸ {what}");
}
