//! Configurations of other connectors, read into a tenant's file: what they say in our words, and a list of what could
//! not be carried over, with the reason.
//!
//! Text in, text out. Nothing here writes a file or asks anybody.

mod asterisk_ng;
mod draft;
mod environment;
mod python;
mod tokens;

pub use asterisk_ng::asterisk_ng;
pub use draft::{Draft, Left};
pub use environment::{freepbx_listener, vtiger_middleware};

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Its form is wrong.
    #[error("this is not {what}: {why}")]
    Form {
        /// What it should be.
        what: &'static str,
        /// Where and why.
        why: String,
    },
    /// It says too little.
    #[error("{0}")]
    Missing(String),
}
