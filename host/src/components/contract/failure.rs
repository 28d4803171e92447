//! Why a component did not do something, told in the way that says what happens next.

use std::fmt;
use std::time::Duration;

/// What the hub does next. A case that the hub does not know has been turned into one of these by its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A passing fault: again later, with backoff.
    Retryable {
        /// For people.
        why: String,
        /// The HTTP status, when there was one.
        status: Option<u16>,
        /// Not before so long.
        after: Option<Duration>,
    },
    /// The outside asks for less: the lane waits, no attempt is spent.
    RateLimited {
        /// For so long; absent: the hub's own backoff.
        after: Option<Duration>,
    },
    /// The grant is not accepted: one new grant, one more try, then the lane pauses.
    Unauthorized {
        /// For people.
        why: String,
    },
    /// Never to be accepted: parked for a person.
    Rejected {
        /// The outside system's own code, or a stable word of the adapter's.
        code: String,
        /// For people.
        why: String,
    },
    /// The settings cannot work: the lane pauses until its configuration changes.
    Misconfigured {
        /// For people.
        why: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Retryable { why, status: Some(status), .. } => write!(f, "{why} (HTTP {status})"),
            Failure::Retryable { why, .. } => f.write_str(why),
            Failure::RateLimited { after: Some(after) } => {
                write!(f, "the outside system asks to wait {} s", after.as_secs_f64())
            }
            Failure::RateLimited { after: None } => f.write_str("the outside system asks for fewer requests"),
            Failure::Unauthorized { why } => write!(f, "the outside system does not accept the grant: {why}"),
            Failure::Rejected { code, why } => write!(f, "rejected ({code}): {why}"),
            Failure::Misconfigured { why } => write!(f, "the settings cannot work: {why}"),
        }
    }
}
