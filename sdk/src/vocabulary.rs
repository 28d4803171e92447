//! The words that every interface speaks: the contract's `types`, as generated.

pub use crate::bindings::base::cordboard::hub::vocabulary::{
    Agent, Attributes, Command, CommandOutcome, Failure, FailureClass, Grant, Instant, Job, Kind, OtherFailure, Party,
    Phone, Rejected, Retryable, Subject,
};

/// A request that came in, for [`Webhook`](crate::abilities::Webhook) and [`Endpoint`](crate::abilities::Endpoint).
pub use crate::bindings::base::cordboard::hub::vocabulary::Request as Incoming;
/// The answer to an [`Incoming`] request.
pub use crate::bindings::base::cordboard::hub::vocabulary::Response as Reply;

impl Phone {
    /// A number as the outside wrote it; the hub works out the rest.
    pub fn raw(raw: impl Into<String>) -> Self {
        Self { raw: raw.into(), ..Self::default() }
    }
}

impl Agent {
    /// Somebody known by an extension.
    pub fn extension(extension: impl Into<String>) -> Self {
        Self { extension: Some(extension.into()), ..Self::default() }
    }
}

impl Party {
    /// Somebody known by a number.
    pub fn number(raw: impl Into<String>) -> Self {
        Self { number: Some(Phone::raw(raw)), ..Self::default() }
    }
}

impl Incoming {
    /// The first header of this name, whatever its case, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)?;
        std::str::from_utf8(value).ok()
    }

    /// The query's pairs, decoded.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        pairs(self.query.as_deref().unwrap_or("").as_bytes())
    }

    /// The pairs of a body of type `application/x-www-form-urlencoded`.
    pub fn form_pairs(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }
}

impl Reply {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: vec![], body: vec![] }
    }

    /// An answer in plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::of_type(status, "text/plain; charset=utf-8", text.into().into_bytes())
    }

    /// An answer in JSON.
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::of_type(status, "application/json", value.to_string().into_bytes())
    }

    fn of_type(status: u16, media_type: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), media_type.as_bytes().to_vec())], body }
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}
