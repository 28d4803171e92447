//! What a webhook source makes of a request.

use std::fmt;

use super::{Job, Once, Response};
use crate::model::Observation;

/// A request that was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accepted {
    /// What it reports. May be empty.
    pub observations: Vec<Observation>,
    /// Reading to start.
    pub jobs: Vec<Job>,
    /// The exact answer that the sender expects.
    pub reply: Option<Response>,
    /// Set for what takes effect once.
    pub once: Option<Once>,
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The signature is missing or wrong. Nothing is stored.
    Unauthenticated(String),
    /// Signed well, but not to be understood.
    Malformed {
        /// Where in the body; empty for the whole of it.
        field: String,
        /// For the person at the sending side.
        why: String,
    },
    /// Of no interest: a success.
    Ignored(String),
    /// Belongs to another tenant or source.
    NotMine(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Malformed { field, why } if !field.is_empty() => write!(f, "{field}: {why}"),
            Refusal::Malformed { why, .. } => f.write_str(why),
            Refusal::Unauthenticated(why) | Refusal::Ignored(why) | Refusal::NotMine(why) | Refusal::Other(why) => {
                f.write_str(why)
            }
        }
    }
}
