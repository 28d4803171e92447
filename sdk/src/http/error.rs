//! Why there is no answer.

use crate::vocabulary::{Failure, Retryable};

/// Why there is no answer to a request.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The URL cannot be asked.
    #[error("`{url}` is no URL to ask: {why}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The hub does not let this component speak to the host.
    #[error("the hub does not allow requests to {0}; the tenant's file must list it under `allow`")]
    Denied(String),
    /// The host's name has no address.
    #[error("{0} was not found")]
    Unknown(String),
    /// No connection came about: refused, unreachable, too slow, or the certificate is not trusted.
    #[error("no connection to {host}: {why}")]
    Unreachable {
        /// Whom it was for.
        host: String,
        /// What happened.
        why: String,
    },
    /// No answer, or no further piece of it, in time.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// The connection broke, or what came was not HTTP.
    #[error("the connection to {host} broke: {why}")]
    Broken {
        /// Whom it was with.
        host: String,
        /// What happened.
        why: String,
    },
    /// The answer is longer than the request's limit.
    #[error("the answer of {host} is longer than {limit} bytes")]
    TooLong {
        /// Who answered.
        host: String,
        /// The request's limit.
        limit: usize,
    },
}

impl Error {
    /// Whether the request may have arrived and been carried out: look before repeating it.
    pub fn may_have_arrived(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Broken { .. } | Self::TooLong { .. })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Url { .. } | Error::Denied(_) => Failure::Misconfigured(error.to_string()),
            Error::TooLong { .. } => Failure::rejected("answer-too-long", error.to_string()),
            _ => Failure::Retryable(Retryable { why: error.to_string(), status: None, after: None }),
        }
    }
}
