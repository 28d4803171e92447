//! `cordboard init`: a configuration to begin with.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::io::Write;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::config::{DEFAULT_HUB, DEFAULT_TENANT};

/// What `init` is given.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where to write it; made when missing, never overwritten
    folder: PathBuf,
}

/// Writes what is not there yet.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = &arguments.folder;
    let within = |path: &Path, why: std::io::Error| format!("{}: {why}", path.display());
    for part in ["tenants", "components", "data"] {
        let path = folder.join(part);
        std::fs::create_dir_all(&path).map_err(|why| within(&path, why))?;
    }
    for (name, text) in [("cordboard.toml", DEFAULT_HUB), ("tenants/example.toml.off", DEFAULT_TENANT)] {
        let path = folder.join(name);
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).map_err(|why| within(&path, why))?;
                println!("wrote {}", path.display());
            }
            Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => println!("kept  {}", path.display()),
            Err(why) => return Err(within(&path, why).into()),
        }
    }
    println!(
        "\nNext: rename tenants/example.toml.off to tenants/NAME.toml and fill it in, put .wasm files into components/,\n\
         then `cordboard check --config {0}` and `cordboard serve --config {0}`.",
        folder.display()
    );
    Ok(())
}
