//! A loaded component.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::contract::{Abilities, Descriptor};
use super::descriptor::Schemas;
use super::question::Ready;

/// A file that was read, compiled, looked at and described.
pub struct Component {
    pub(super) descriptor: Descriptor,
    pub(super) abilities: Abilities,
    pub(super) hash: String,
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) imports: Vec<Port>,
    pub(super) exports: Vec<Port>,
    pub(super) schemas: Option<Schemas>,
    pub(super) ready: Ready,
}

/// Something that a component imports or exports.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Port {
    /// `cordboard:hub/sink@1.0.0`
    pub name: String,
    /// Its functions, for an interface.
    pub functions: Vec<String>,
}

/// A value that does not fit the component's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where, as a JSON pointer into the settings or the parameters.
    pub pointer: String,
    /// What is wrong with it.
    pub what: String,
}

impl Component {
    /// Who it says it is.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// What it can do.
    pub fn abilities(&self) -> Abilities {
        self.abilities
    }

    /// Lower-case hex SHA-256 of the file.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What it imports.
    pub fn imports(&self) -> &[Port] {
        &self.imports
    }

    /// What it exports.
    pub fn exports(&self) -> &[Port] {
        &self.exports
    }

    /// Checks settings against the component's own schema. No value is repeated: it may be a secret.
    pub fn mistakes(&self, settings: &Value) -> Vec<Mistake> {
        self.schemas.as_ref().map_or_else(Vec::new, |schemas| misfits(&schemas.settings, settings))
    }

    /// The kinds of jobs that somebody may ask for; absent when the component does not say.
    pub fn jobs(&self) -> Option<Vec<&str>> {
        let jobs = self.schemas.as_ref()?.jobs.as_ref()?;
        Some(jobs.keys().map(String::as_str).collect())
    }

    /// Checks what somebody gives a job of this kind. Where the component does not say what it may be given, it is
    /// nothing.
    pub fn job_mistakes(&self, kind: &str, parameters: &Map<String, Value>) -> Vec<Mistake> {
        let jobs = self.schemas.as_ref().and_then(|schemas| schemas.jobs.as_ref());
        if let Some(validator) = jobs.and_then(|jobs| jobs.get(kind)) {
            return misfits(validator, &Value::Object(parameters.clone()));
        }
        let what = format!("the component does not say that its job `{kind}` may be given anything");
        (!parameters.is_empty()).then_some(Mistake { pointer: String::new(), what }).into_iter().collect()
    }
}

fn misfits(validator: &jsonschema::Validator, value: &Value) -> Vec<Mistake> {
    let mistake = |error: jsonschema::ValidationError<'_>| Mistake {
        pointer: error.instance_path().to_string(),
        what: error.masked().to_string(),
    };
    validator.iter_errors(value).map(mistake).collect()
}

/// Why a file is no component for this hub.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("{file}: cannot be read: {why}")]
    Read {
        /// Its path.
        file: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// Larger than the hub takes.
    #[error("{file}: {size} MiB are too many; a component may have {limit} MiB")]
    Size {
        /// Its path.
        file: String,
        /// In MiB.
        size: u64,
        /// In MiB.
        limit: u64,
    },
    /// Compiled by somebody else.
    #[error(
        "{file}: this is machine code made by wasmtime, not WebAssembly; the hub compiles components itself: \
         put the .wasm file here"
    )]
    Precompiled {
        /// Its path.
        file: String,
    },
    /// Something else.
    #[error("{file}: this is not WebAssembly (it begins with {start})")]
    NotWasm {
        /// Its path.
        file: String,
        /// Its first bytes, to be shown.
        start: String,
    },
    /// A module without the component model.
    #[error(
        "{file}: this is a core WebAssembly module, not a component; \
         build it for wasm32-wasip2, or turn it into one with `wasm-tools component new`"
    )]
    CoreModule {
        /// Its path.
        file: String,
    },
    /// Wasm that the engine refuses.
    #[error("{file}: cannot be compiled: {why}")]
    Compile {
        /// Its path.
        file: String,
        /// What the engine says.
        why: String,
    },
    /// Built against another version of the contract.
    #[error("{file}: speaks `{interface}`, but this hub speaks cordboard:hub@1.0.0; build it for that version")]
    Version {
        /// Its path.
        file: String,
        /// As the file names it.
        interface: String,
    },
    /// Nothing in it.
    #[error("{file}: this file is empty")]
    Empty {
        /// Its path.
        file: String,
    },
    /// An interface of another shape than the contract's.
    #[error("{file}: does not fit the contract: {why}")]
    Contract {
        /// Its path.
        file: String,
        /// What the engine says.
        why: String,
    },
    /// Exports nothing of the contract.
    #[error("{file}: this is no component for this hub: {exports}; it would need interfaces of cordboard:hub@1.0.0")]
    NoInterface {
        /// Its path.
        file: String,
        /// What it exports instead.
        exports: String,
    },
    /// Imports what the hub does not have.
    #[error("{file}: wants `{import}`, which the hub does not provide{hint}")]
    Import {
        /// Its path.
        file: String,
        /// What it wants.
        import: String,
        /// What may help, or nothing.
        hint: String,
    },
    /// Failed while it was asked who it is.
    #[error("{file}: could not be asked who it is: {fault}")]
    Describe {
        /// Its path.
        file: String,
        /// What happened.
        fault: super::Fault,
    },
    /// Says something impossible of itself.
    #[error("{file}: describes itself wrongly: {why}")]
    Descriptor {
        /// Its path.
        file: String,
        /// What is wrong.
        why: String,
    },
}
