//! Secrets: they come from the environment or from files, and are shown to nobody.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// A text that is never logged, shown or serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A short digest by which two secrets can be told apart in a log.
    pub fn fingerprint(&self) -> String {
        hex::encode(&Sha256::digest(self.0.as_bytes())[..4])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where secrets are kept.
pub trait Keeper {
    /// The environment variable of that name.
    fn variable(&self, name: &str) -> Option<String>;
    /// The text of the file at that path.
    fn file(&self, path: &Path) -> std::io::Result<String>;
}

/// The process's environment and the machine's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Keeper for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }
}
