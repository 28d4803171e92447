//! What the lane does with each outcome of an adapter.

use std::time::Duration;

use crate::components::Fault;
use crate::components::contract::{Failure, Outcome};
use crate::store::Receipt;

/// The word for a component that broke down.
pub const FAULT: &str = "fault";

/// What an outcome means for its delivery and for its lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The sink agrees.
    Done(Receipt),
    /// There is nothing to do, and why.
    Skipped(String),
    /// A passing failure: this delivery again later.
    Again {
        /// `retryable` or `fault`.
        word: &'static str,
        /// For people.
        why: String,
        /// Not before so long.
        after: Option<Duration>,
    },
    /// The outside asks the whole lane to wait; no attempt is spent.
    Slow(Option<Duration>),
    /// No retry will mend it.
    Park {
        /// For people.
        why: String,
    },
    /// The whole lane pauses.
    Pause {
        /// `unauthorized` or `misconfigured`.
        word: &'static str,
        /// For people.
        why: String,
    },
}

impl Meaning {
    /// What an adapter's outcome means.
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(receipt) => Meaning::Done(receipt),
            Outcome::Skipped(why) => Meaning::Skipped(why),
            Outcome::Failed(failure) => Meaning::of_failure(failure),
        }
    }

    /// What a failure means.
    pub fn of_failure(failure: Failure) -> Self {
        match failure {
            Failure::RateLimited { after } => Meaning::Slow(after),
            Failure::Rejected { code, why } => Meaning::Park { why: format!("{code}: {why}") },
            Failure::Unauthorized { why } => Meaning::Pause { word: "unauthorized", why },
            Failure::Misconfigured { why } => Meaning::Pause { word: "misconfigured", why },
            Failure::Retryable { after, .. } => Meaning::Again { word: "retryable", why: failure.to_string(), after },
        }
    }

    /// What it means that the component broke down.
    pub fn of_fault(fault: &Fault) -> Self {
        Meaning::Again { word: FAULT, why: fault.to_string(), after: None }
    }

    /// The word that an attempt is listed under.
    pub fn word(&self) -> &'static str {
        match self {
            Meaning::Done(_) => "done",
            Meaning::Skipped(_) => "skipped",
            Meaning::Again { word, .. } | Meaning::Pause { word, .. } => word,
            Meaning::Slow(_) => "rate-limited",
            Meaning::Park { .. } => "rejected",
        }
    }

    /// For people.
    pub fn why(&self) -> String {
        match self {
            Meaning::Done(receipt) => receipt.shortened.join("; "),
            Meaning::Skipped(why) | Meaning::Again { why, .. } | Meaning::Park { why } | Meaning::Pause { why, .. } => {
                why.clone()
            }
            Meaning::Slow(Some(after)) => format!("asked to wait {} s", after.as_secs_f64()),
            Meaning::Slow(None) => "asked to wait".to_owned(),
        }
    }

    /// Whether it shows that the outside system answers at all.
    pub fn is_alive(&self) -> bool {
        matches!(self, Meaning::Done(_) | Meaning::Skipped(_) | Meaning::Park { .. } | Meaning::Slow(_))
    }
}
