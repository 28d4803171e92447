//! An outside system that refuses, lies, and falls silent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{Response, StatusCode, header};

use crate::components::Outside;

/// How the outside system behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Play {
    /// Nobody is there.
    Away,
    /// HTTP 500 and no body, as PHP dies.
    Dead,
    /// HTTP 502 with the page of a proxy.
    Gateway,
    /// HTTP 429 and seven seconds to wait.
    TooMany,
    /// HTTP 401.
    Stranger,
    /// HTTP 302 to where no request may go.
    Elsewhere,
    /// HTTP 200 with a page for people.
    Page,
    /// HTTP 200 with JSON of the wrong shape.
    Shape(&'static str),
    /// HTTP 200 with JSON that ends too early.
    Cut,
    /// HTTP 200 with arrays in arrays, a hundred thousand deep.
    Deep,
    /// HTTP 200 with eight MiB of one letter.
    Huge,
}

impl Play {
    /// Those in which nothing was done over there, and every adapter can know it.
    pub(super) const REFUSING: [Play; 6] =
        [Play::Away, Play::Dead, Play::Gateway, Play::TooMany, Play::Stranger, Play::Elsewhere];

    /// Those that look like an answer.
    pub(super) const LYING: [Play; 9] = [
        Play::Page,
        Play::Shape("null"),
        Play::Shape("[]"),
        Play::Shape("{}"),
        Play::Shape("[[null]]"),
        Play::Shape(r#"{"success": true, "result": 7, "data": "x", "error": {"code": []}}"#),
        Play::Cut,
        Play::Deep,
        Play::Huge,
    ];

    /// The same in words: `an outside system that …`.
    pub(super) fn words(self) -> String {
        match self {
            Play::Away => "is not there".to_owned(),
            Play::Dead => "answers 500 with no body".to_owned(),
            Play::Gateway => "answers 502 with a page of HTML".to_owned(),
            Play::TooMany => "answers 429 with Retry-After: 7".to_owned(),
            Play::Stranger => "answers 401".to_owned(),
            Play::Elsewhere => "redirects to 169.254.169.254".to_owned(),
            Play::Page => "answers 200 with a page of HTML".to_owned(),
            Play::Shape(text) => format!("answers 200 with {text}"),
            Play::Cut => "answers 200 with half of a JSON text".to_owned(),
            Play::Deep => "answers 200 with 100,000 nested arrays".to_owned(),
            Play::Huge => "answers 200 with 8 MiB of one letter".to_owned(),
        }
    }
}

/// Plays the outside system for all requests of all uses.
pub(super) struct Stage {
    play: Mutex<Play>,
    asked: AtomicUsize,
}

impl Default for Stage {
    fn default() -> Self {
        Stage { play: Mutex::new(Play::Away), asked: AtomicUsize::new(0) }
    }
}

impl Stage {
    pub(super) fn set(&self, play: Play) {
        *self.play.lock().unwrap_or_else(PoisonError::into_inner) = play;
    }

    /// Requests so far.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Outside for Stage {
    fn answer(&self, _request: &reqwest::Request) -> Result<Response<Bytes>, String> {
        const JSON: &str = "application/json";
        const HTML: &str = "text/html; charset=utf-8";
        const PAGE: &str = "<!DOCTYPE html><html><head><title>Oops</title></head><body>Oops</body></html>";
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (status, kind, body) = match *self.play.lock().unwrap_or_else(PoisonError::into_inner) {
            Play::Away => return Err("connection refused".to_owned()),
            Play::Dead => (StatusCode::INTERNAL_SERVER_ERROR, HTML, String::new()),
            Play::Gateway => (StatusCode::BAD_GATEWAY, HTML, PAGE.to_owned()),
            Play::TooMany => (StatusCode::TOO_MANY_REQUESTS, JSON, r#"{"message": "Too Many Requests"}"#.to_owned()),
            Play::Stranger => (StatusCode::UNAUTHORIZED, JSON, r#"{"message": "Unauthorized"}"#.to_owned()),
            Play::Elsewhere => (StatusCode::FOUND, HTML, String::new()),
            Play::Page => (StatusCode::OK, HTML, PAGE.to_owned()),
            Play::Shape(text) => (StatusCode::OK, JSON, text.to_owned()),
            Play::Cut => (StatusCode::OK, JSON, r#"{"success": true, "result": {"id": "1"#.to_owned()),
            Play::Deep => (StatusCode::OK, JSON, "[".repeat(100_000)),
            Play::Huge => (StatusCode::OK, JSON, "a".repeat(8 << 20)),
        };
        let mut answer = Response::new(Bytes::from(body));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("7"));
            }
            StatusCode::FOUND => {
                let target = header::HeaderValue::from_static("http://169.254.169.254/latest/meta-data/");
                headers.insert(header::LOCATION, target);
            }
            _ => {}
        }
        Ok(answer)
    }
}
