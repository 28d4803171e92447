//! `cargo xtask new`: a component to begin with, which builds and has tests that pass.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use toml_edit::{DocumentMut, Value};

use crate::toolchain::TARGET;
use crate::workspace::Workspace;

/// Writes a new component that builds, with a test
#[derive(clap::Subcommand)]
pub enum Command {
    /// A component that makes an outside system agree with records
    Sink(Arguments),
    /// A component that takes webhooks and reports what they show
    Source(Arguments),
}

#[derive(clap::Args)]
pub struct Arguments {
    /// Lower-case letters, digits and dashes: the word that tenant files use
    name: String,
    /// Where to write it; outside of this workspace it stands alone [default: adapters/NAME or sources/NAME]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Outside of this workspace: take the SDK from this git repository instead of from this folder
    #[arg(long, value_name = "URL")]
    sdk_git: Option<String>,
}

/// The text of a component's files, with `{{name}}` to be filled in.
struct Template {
    folder: &'static str,
    library: &'static str,
    schema: &'static str,
    /// Crates beside the SDK and serde: the name, and the requirement when it stands alone.
    crates: &'static [(&'static str, &'static str)],
}

const SINK: Template = Template {
    folder: "adapters",
    library: include_str!("../templates/sink/lib.rs.txt"),
    schema: include_str!("../templates/sink/settings.schema.json"),
    crates: &[],
};

const SOURCE: Template = Template {
    folder: "sources",
    library: include_str!("../templates/source/lib.rs.txt"),
    schema: include_str!("../templates/source/settings.schema.json"),
    crates: &[("hex", "0.4"), ("hmac", "0.13"), ("sha2", "0.11")],
};

pub fn main(command: &Command) -> Result<()> {
    let workspace = Workspace::find()?;
    let (template, arguments) = match command {
        Command::Sink(arguments) => (&SINK, arguments),
        Command::Source(arguments) => (&SOURCE, arguments),
    };
    let name = valid(&arguments.name)?;
    let folder = match &arguments.dir {
        Some(folder) => std::path::absolute(folder)?,
        None => workspace.root.join(template.folder).join(name),
    };
    if folder.join("Cargo.toml").exists() || fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty: choose another name, or another folder with --dir", folder.display());
    }
    match folder.strip_prefix(&workspace.root) {
        Ok(member) => {
            let package = format!("cordboard-{name}");
            if workspace.has(&package) {
                bail!("the workspace has a package {package} already: choose another name");
            }
            write(template, name, &folder, &manifest_here(template, &package))?;
            join(&workspace.root.join("Cargo.toml"), member)?;
            println!("wrote {}\n", member.display());
            println!("its tests:      cargo test -p {package}");
            println!("the component:  cargo xtask build   (dist/components/{name}.wasm)");
        }
        Err(_) => {
            let sdk = match &arguments.sdk_git {
                Some(url) => format!("{{ git = {} }}", quoted(url)),
                None => format!("{{ path = {} }}", quoted(&workspace.root.join("sdk").display().to_string())),
            };
            write(template, name, &folder, &manifest_alone(template, name, &sdk))?;
            println!("wrote {}; there:\n", folder.display());
            println!("its tests:      cargo test");
            println!("the component:  cargo build --profile component --target {TARGET}");
            println!("                (target/{TARGET}/component/{}.wasm)", name.replace('-', "_"));
        }
    }
    println!(
        "\nPut the component into the hub's components folder; a tenant's file uses it as component = \"{name}\"."
    );
    Ok(())
}

fn valid(name: &str) -> Result<&str> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || !name.chars().all(letters) || name.ends_with('-') || name.contains("--") {
        bail!("`{name}` cannot be a component's name: lower-case letters, digits and single dashes, a letter first");
    }
    if ["std", "core", "alloc", "test", "proc-macro"].contains(&name) {
        bail!("`{name}` cannot be a component's name: Rust has a crate of that name");
    }
    Ok(name)
}

fn write(template: &Template, name: &str, folder: &Path, manifest: &str) -> Result<()> {
    let library = template.library.replace("{{name}}", name);
    for (file, text) in
        [("Cargo.toml", manifest), ("settings.schema.json", template.schema), ("src/lib.rs", library.as_str())]
    {
        let path = folder.join(file);
        let parent = path.parent().context("a file stands in a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn manifest_here(template: &Template, package: &str) -> String {
    let mut text = format!(
        "[package]\nname = \"{package}\"\nversion.workspace = true\nedition.workspace = true\n\
         rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\n\
         [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n[lints]\nworkspace = true\n\n\
         [dependencies]\ncordboard-sdk.workspace = true\n"
    );
    let mut crates: Vec<_> = template.crates.iter().map(|(name, _)| *name).chain(["serde", "serde_json"]).collect();
    crates.sort_unstable();
    for name in crates {
        text.push_str(&format!("{name}.workspace = true\n"));
    }
    text
}

fn manifest_alone(template: &Template, name: &str, sdk: &str) -> String {
    let mut text = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n[dependencies]\ncordboard-sdk = {sdk}\n"
    );
    for (name, requirement) in template.crates {
        text.push_str(&format!("{name} = \"{requirement}\"\n"));
    }
    text.push_str(
        "serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n\n\
         # What the component is built with: small, fast, and a panic ends the call.\n\
         [profile.component]\ninherits = \"release\"\nstrip = true\npanic = \"abort\"\nlto = \"fat\"\n\
         codegen-units = 1\n\n# It stands alone, whatever is above its folder.\n[workspace]\n",
    );
    text
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Adds a member to the workspace, in its place by the alphabet of its folder.
fn join(manifest: &Path, member: &Path) -> Result<()> {
    let text = fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let mut document: DocumentMut = text.parse().with_context(|| format!("{} is not TOML", manifest.display()))?;
    let members = document["workspace"]["members"].as_array_mut().context("the workspace lists no members")?;
    let member = member.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    let folder = member.split('/').next().unwrap_or_default();
    let neighbour = |known: &Value| known.as_str().is_some_and(|known| known.split('/').next() == Some(folder));
    if members.iter().any(|known| known.as_str() == Some(&format!("{folder}/*"))) {
        return Ok(());
    }
    let last = members.iter().enumerate().filter(|(_, known)| neighbour(known)).last().map(|(index, _)| index);
    match last {
        Some(index) => members.insert(index + 1, member),
        None => members.push(member),
    }
    fs::write(manifest, document.to_string()).with_context(|| format!("cannot write {}", manifest.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(valid("my-2nd-crm").is_ok());
        for wrong in ["", "-a", "a-", "2a", "A", "a_b", "a--b", "a.b", "test"] {
            assert!(valid(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_member_joins_its_neighbours() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("Cargo.toml");
        fs::write(&manifest, "[workspace]\n# why\nmembers = [\"host\", \"adapters/a\", \"tests\"]\n").unwrap();
        join(&manifest, Path::new("adapters/b")).unwrap();
        join(&manifest, Path::new("sources/c")).unwrap();
        let text = fs::read_to_string(&manifest).unwrap();
        assert_eq!(
            text,
            "[workspace]\n# why\nmembers = [\"host\", \"adapters/a\", \"adapters/b\", \"tests\", \"sources/c\"]\n"
        );
    }
}
