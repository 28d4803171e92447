//! `cargo xtask lock`: a released version of the contract is never edited.
//!
//! `wit/LOCK` holds the version and a hash of each file. While it is not there the contract is a draft.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Arguments {
    /// Write it anew although this version is locked: only while nobody has the version
    #[arg(long)]
    force: bool,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let folder = Workspace::find()?.root.join("wit");
    let file = folder.join("LOCK");
    let lock = compute(&folder)?;
    if let Ok(old) = fs::read_to_string(&file) {
        if old == lock {
            println!("{} is right as it is", file.display());
            return Ok(());
        }
        if first_line(&old) == first_line(&lock) && !arguments.force {
            bail!(
                "{} is released and wit/ says something else now: {}. Components are built against it, so undo the \
                 edit, or give the package a new version",
                first_line(&lock),
                differences(&old, &lock).join(", ")
            );
        }
    }
    fs::write(&file, &lock).with_context(|| format!("cannot write {}", file.display()))?;
    println!("wrote {}: {}", file.display(), first_line(&lock));
    Ok(())
}

/// What the lock of this folder should be: the package, then each file with its hash.
fn compute(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let mut package = None;
    let mut lines = String::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let text = text.replace("\r\n", "\n");
        let name = file.strip_prefix(folder)?.components().map(|part| part.as_os_str().to_string_lossy());
        let name = name.collect::<Vec<_>>().join("/");
        if !name.contains('/') {
            let line =
                text.lines().find_map(|line| line.strip_prefix("package ")).map(|line| line.trim_end_matches(';'));
            let line = line.with_context(|| format!("{name} does not say `package …;`"))?;
            if *package.get_or_insert_with(|| line.to_owned()) != line {
                bail!("{name} belongs to {line}, the files before it to another package");
            }
        }
        let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push_str(&format!("{hash}  {name}\n"));
    }
    Ok(format!("{}\n{lines}", package.context("there is no contract here")?))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "wit") {
            files.push(path);
        }
    }
    Ok(())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The files whose lines are only in one of the two.
fn differences(old: &str, new: &str) -> Vec<String> {
    let only = |a: &str, b: &str| -> Vec<String> {
        let lines = a.lines().filter(|line| !b.lines().any(|other| other == *line));
        lines.filter_map(|line| line.split_once("  ")).map(|(_, name)| name.to_owned()).collect()
    };
    let mut names = only(old, new);
    names.extend(only(new, old));
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_released_contract_is_as_it_was() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("wit");
        let lock = compute(&folder).unwrap();
        assert!(first_line(&lock).starts_with("cordboard:hub@"), "{lock}");
        if let Ok(locked) = fs::read_to_string(folder.join("LOCK")) {
            let changed = differences(&locked, &lock);
            assert!(changed.is_empty(), "the contract is released and was edited: {changed:?}; see `cargo xtask lock`");
        }
    }

    #[test]
    fn an_edit_is_seen_and_line_ends_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wit");
        fs::write(&file, "package a:b@1.0.0;\ninterface x {}\n").unwrap();
        let lock = compute(folder.path()).unwrap();
        assert_eq!(first_line(&lock), "a:b@1.0.0");
        fs::write(&file, "package a:b@1.0.0;\r\ninterface x {}\r\n").unwrap();
        assert_eq!(compute(folder.path()).unwrap(), lock);
        fs::write(&file, "package a:b@1.0.0;\ninterface y {}\n").unwrap();
        assert_eq!(differences(&lock, &compute(folder.path()).unwrap()), ["a.wit"]);
    }
}
