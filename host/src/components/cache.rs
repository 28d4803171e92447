//! Compiled code between starts.
//!
//! Machine code is run as it is, so only what this module wrote itself is ever taken: files in the hub's own data
//! folder, readable by its user alone, named by the hash of the component, by the engine that made them, and by the hash
//! of their own content. Anything that does not fit is compiled anew.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::runtime::RuntimeError;

/// The folder.
pub(super) struct Cache {
    folder: PathBuf,
    /// Of the engine: its version, its settings, the machine.
    engine: String,
}

impl Cache {
    pub fn open(folder: &Path, engine: &Engine) -> Result<Self, RuntimeError> {
        private_folder(folder).map_err(|why| RuntimeError::Cache { path: folder.to_owned(), why })?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Cache { folder: folder.to_owned(), engine: format!("{:016x}", hasher.finish()) })
    }

    fn stem(&self, component: &str) -> String {
        format!("{component}-{}-", self.engine)
    }

    /// The compiled form of the component with this hash, if it is there and as it was written.
    pub fn get(&self, engine: &Engine, component: &str) -> Option<Component> {
        let stem = self.stem(component);
        let entries = std::fs::read_dir(&self.folder).ok()?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(content) = name.to_str().and_then(|name| name.strip_prefix(&stem)?.strip_suffix(".cwasm")) else {
                continue;
            };
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_file()) && hash_of(&path).is_some_and(|hash| hash == content)
            {
                match deserialize(engine, &path) {
                    Ok(component) => return Some(component),
                    Err(error) => tracing::debug!("{}: is not used: {error:#}", path.display()),
                }
            }
            tracing::warn!("{}: is damaged; the component is compiled anew", path.display());
            let _ = std::fs::remove_file(&path);
        }
        None
    }

    /// Keeps the compiled form. Without it the next start is slower, and no more.
    pub fn put(&self, component: &str, compiled: &Component) {
        if let Err(error) = self.write(component, compiled) {
            tracing::warn!("{}: the compiled component cannot be kept: {error:#}", self.folder.display());
        }
    }

    fn write(&self, component: &str, compiled: &Component) -> wasmtime::Result<()> {
        let code = compiled.serialize()?;
        let name = format!("{}{}.cwasm", self.stem(component), hex::encode(Sha256::digest(&code)));
        let unfinished = self.folder.join(format!("{}.{}.tmp", name, std::process::id()));
        let mut file = private_file(&unfinished)?;
        file.write_all(&code)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, self.folder.join(name))?;
        Ok(())
    }
}

#[allow(unsafe_code, clippy::disallowed_methods, reason = "the one place that takes machine code from a file")]
fn deserialize(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `Cache::write` from what this engine's compiler made: its name holds the hash of
    // its content, which was just compared, and the folder can be written to by the hub's user alone, who could as well
    // replace the hub itself.
    unsafe { Component::deserialize_file(engine, path) }
}

fn hash_of(path: &Path) -> Option<String> {
    let mut file = std::fs::File::open(path).ok()?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match std::io::Read::read(&mut file, &mut buffer).ok()? {
            0 => return Some(hex::encode(hasher.finalize())),
            length => hasher.update(&buffer[..length]),
        }
    }
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

#[cfg(unix)]
fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}

#[cfg(not(unix))]
fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::File::create(path)
}
