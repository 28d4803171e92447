//! Making failures.

use crate::vocabulary::{Failure, Rejected, Retryable};

impl Failure {
    /// A passing fault: try again later.
    pub fn retryable(why: impl Into<String>) -> Self {
        Self::Retryable(Retryable { why: why.into(), status: None, after: None })
    }

    /// The outside system will never accept this: a person must look.
    pub fn rejected(code: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Rejected(Rejected { code: code.into(), why: why.into() })
    }

    /// The settings cannot work, whatever is delivered.
    pub fn misconfigured(why: impl Into<String>) -> Self {
        Self::Misconfigured(why.into())
    }

    /// The outside system does not accept the grant.
    pub fn unauthorized(why: impl Into<String>) -> Self {
        Self::Unauthorized(why.into())
    }

    /// Not before so many milliseconds.
    #[must_use]
    pub fn after(self, milliseconds: u64) -> Self {
        match self {
            Self::Retryable(retryable) => Self::Retryable(Retryable { after: Some(milliseconds), ..retryable }),
            Self::RateLimited(_) => Self::RateLimited(Some(milliseconds)),
            other => other,
        }
    }

    /// The reason, for people.
    pub fn why(&self) -> &str {
        match self {
            Self::Retryable(retryable) => &retryable.why,
            Self::RateLimited(_) => "the outside system asks for less",
            Self::Unauthorized(why) | Self::Misconfigured(why) => why,
            Self::Rejected(rejected) => &rejected.why,
            Self::Other(other) => &other.why,
        }
    }
}
