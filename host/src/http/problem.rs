//! Errors as problem documents (RFC 9457).

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::components::Fault;
use crate::components::contract::Refusal;
use crate::intake::IntakeError;
use crate::store::{Clash, StoreError};

/// The kinds of problem: each has a stable name, by which a program can tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be read.
    Malformed,
    /// Who asks is not known.
    Unauthenticated,
    /// Who asks may not.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// Not with this method.
    Method,
    /// Not in this form.
    NotAcceptable,
    /// The body did not come in time.
    Timeout,
    /// The body is too large.
    TooLarge,
    /// The body is of another type.
    MediaType,
    /// Read, but not to be understood.
    Invalid,
    /// The key stands for something else.
    Clash,
    /// The outside system refused it.
    Refused,
    /// The outside system cannot be used as things are.
    Outside,
    /// This is done over a WebSocket.
    Upgrade,
    /// Too many requests.
    TooMany,
    /// The hub failed.
    Internal,
    /// A component failed.
    Component,
    /// Not now.
    Unavailable,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 18] = [
        Kind::Malformed,
        Kind::Unauthenticated,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::Method,
        Kind::NotAcceptable,
        Kind::Timeout,
        Kind::TooLarge,
        Kind::MediaType,
        Kind::Invalid,
        Kind::Clash,
        Kind::Refused,
        Kind::Outside,
        Kind::Upgrade,
        Kind::TooMany,
        Kind::Internal,
        Kind::Component,
        Kind::Unavailable,
    ];

    /// Its name, its status and its title.
    fn face(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Kind::Malformed => ("malformed", StatusCode::BAD_REQUEST, "The request cannot be read"),
            Kind::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED, "It is not known who asks"),
            Kind::Forbidden => ("forbidden", StatusCode::FORBIDDEN, "Who asks may not do this"),
            Kind::NotFound => ("not-found", StatusCode::NOT_FOUND, "There is no such thing"),
            Kind::Method => ("method", StatusCode::METHOD_NOT_ALLOWED, "This is not done with this method"),
            Kind::NotAcceptable => ("not-acceptable", StatusCode::NOT_ACCEPTABLE, "It cannot be had in this form"),
            Kind::Timeout => ("timeout", StatusCode::REQUEST_TIMEOUT, "The request did not come in time"),
            Kind::TooLarge => ("too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
            Kind::MediaType => ("media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is of another type"),
            Kind::Invalid => ("invalid", StatusCode::UNPROCESSABLE_ENTITY, "The request cannot be understood"),
            Kind::Clash => ("clash", StatusCode::CONFLICT, "The key stands for something else"),
            Kind::Refused => ("refused", StatusCode::UNPROCESSABLE_ENTITY, "The outside system refused it"),
            Kind::Outside => ("outside", StatusCode::BAD_GATEWAY, "The outside system cannot be used"),
            Kind::Upgrade => ("upgrade", StatusCode::UPGRADE_REQUIRED, "This is a WebSocket"),
            Kind::TooMany => ("too-many", StatusCode::TOO_MANY_REQUESTS, "Too many at once"),
            Kind::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "The hub failed"),
            Kind::Component => ("component", StatusCode::INTERNAL_SERVER_ERROR, "The component failed"),
            Kind::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "Not now: ask again later"),
        }
    }

    /// Its name: the end of `type`.
    pub fn word(self) -> &'static str {
        self.face().0
    }

    /// What it means for whoever asked.
    pub fn meaning(self) -> &'static str {
        match self {
            Kind::Malformed => "A parameter or the body's JSON is broken; `field` names it.",
            Kind::Unauthenticated => "No token, a wrong or expired one, or a webhook's signature is wrong.",
            Kind::Forbidden => "The role does not allow it, it is another desk's, or it is not asked from there.",
            Kind::NotFound => "Nothing under this path or id that you may see.",
            Kind::Method => "The path is there; `Allow` names its methods.",
            Kind::NotAcceptable => "The recording cannot be converted; ask for it without `format`.",
            Kind::Timeout => "The body came too slowly.",
            Kind::TooLarge => "More bytes than `limits.body`; they were not read.",
            Kind::MediaType => "Send application/json.",
            Kind::Invalid => "Well-formed, but a value cannot be; `field` names it.",
            Kind::Clash => "An idempotency key belongs to one request, an id to one call; this is another one.",
            Kind::Refused => "The outside system said no, in its own words; asking again is of no use.",
            Kind::Outside => "The source's settings or rights do not allow it; a person must mend that.",
            Kind::Upgrade => "Ask with `Upgrade: websocket`.",
            Kind::TooMany => "Slow down: `Retry-After` says for how long.",
            Kind::Internal => "A fault of the hub; its log says more.",
            Kind::Component => "A fault of a component; what came in is kept and can be replayed.",
            Kind::Unavailable => "Nothing was taken: `Retry-After` says when to try again.",
        }
    }

    /// The status that it comes with.
    pub fn status(self) -> StatusCode {
        self.face().1
    }
}

/// An error, as it is sent.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    field: Option<String>,
    after: Option<Duration>,
    allow: Option<HeaderValue>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document<'a> {
    /// Tells problems apart: `/docs#problem-` and the name of the kind.
    #[serde(rename = "type")]
    kind: String,
    /// What kind of problem it is.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this very request.
    detail: &'a str,
    /// Where in the request: a JSON pointer, or the name of a parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Problem {
    /// A problem of a kind, with a sentence for people.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Problem { kind, detail: detail.into(), field: None, after: None, allow: None }
    }

    /// Where in the request.
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into()).filter(|field: &String| !field.is_empty());
        self
    }

    /// When to ask again.
    pub fn after(mut self, after: Duration) -> Self {
        self.after = Some(after);
        self
    }

    /// There is no such thing.
    pub fn missing(what: &str) -> Self {
        Problem::new(Kind::NotFound, format!("there is no such {what}"))
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it says, without what stands in headers.
    pub(super) fn document(&self) -> Document<'_> {
        let (word, status, title) = self.kind.face();
        Document {
            kind: format!("/docs#problem-{word}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            field: self.field.as_deref(),
        }
    }

    pub(super) fn allow(mut self, allow: Option<HeaderValue>) -> Self {
        self.allow = allow;
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.document()).unwrap_or_default();
        let mut response = (self.kind.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, allow);
        }
        if self.kind == Kind::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(why: StoreError) -> Self {
        match why {
            StoreError::Missing(what) => Problem::missing(what),
            StoreError::Refused(why) => Problem::new(Kind::Invalid, why),
            StoreError::Clash(Clash { field, why }) => Problem::new(Kind::Clash, why).at(field),
            StoreError::Unavailable(_) | StoreError::Busy(_) => {
                tracing::warn!(%why, "a request was turned away");
                let detail = "the hub cannot store anything at the moment; nothing was taken";
                Problem::new(Kind::Unavailable, detail).after(Duration::from_secs(5))
            }
            why => {
                tracing::error!(%why, "a request failed");
                Problem::new(Kind::Internal, "the store failed; the hub's log says more")
            }
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(why: IntakeError) -> Self {
        match why {
            IntakeError::Unknown => Problem::new(Kind::NotFound, "there is no such tenant or source"),
            IntakeError::NotReplayable => Problem::new(Kind::NotFound, why.to_string()),
            IntakeError::Refused(refusal) => refusal.into(),
            IntakeError::Fault(Fault::Busy(_)) => {
                Problem::new(Kind::Unavailable, "too much is under way").after(Duration::from_secs(1))
            }
            // Its text may speak of the component's inside: that is for the log and the intake's row.
            IntakeError::Fault(_) => {
                Problem::new(Kind::Component, "the component failed over it; the hub's log says more")
            }
            IntakeError::Store(why) => why.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated(why) => Problem::new(Kind::Unauthenticated, why),
            Refusal::Malformed { field, why } => Problem::new(Kind::Invalid, why).at(field),
            Refusal::NotMine(why) => Problem::new(Kind::Forbidden, why),
            Refusal::Ignored(why) | Refusal::Other(why) => Problem::new(Kind::Invalid, why),
        }
    }
}
