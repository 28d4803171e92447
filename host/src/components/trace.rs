//! The requests that a component made during one call and what came back: what a person reads first when a CRM refuses
//! something.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::redact::{LONGEST, Redactor};
use crate::model::Instant;

/// Of one body, this much is kept.
const BODY: usize = 16 << 10;

/// Of all bodies of a call together.
const BODIES: usize = 256 << 10;

/// Requests kept for one call; the first ones, which show how it began.
const EXCHANGES: usize = 100;

/// Of one URL or header.
const LINE: usize = 4 << 10;

/// One request and its answer, secrets blacked out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Exchange {
    /// When it was sent.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// How long it took, to the end of the answer's body as far as it was read.
    pub millis: u64,
    /// Upper case.
    pub method: String,
    /// With its query.
    pub url: String,
    /// What was sent.
    pub request: Part,
    /// The status of the answer; absent when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Part>,
    /// Why none came, or why it broke off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Exchange {
    /// Whether the outside system itself has answered, and not what stands before it.
    pub fn is_answered(&self) -> bool {
        self.status.is_some_and(|status| !matches!(status, 502 | 503))
    }
}

/// Headers and body of a request or of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Part {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body as text; bytes that are no text are only counted.
    pub body: String,
    /// The whole body's length in bytes, as far as it was read.
    pub size: u64,
    /// True when `body` is not all of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Writes down the exchanges of one call as they happen.
#[derive(Clone, Default)]
pub(super) struct Recorder(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    exchanges: Vec<Raw>,
    kept: usize,
    left_out: usize,
}

/// As it went over the wire: nothing here may leave this module before it was redacted.
struct Raw {
    at: Instant,
    began: std::time::Instant,
    took: Duration,
    method: String,
    url: String,
    request: RawPart,
    answer: Option<(u16, RawPart)>,
    error: Option<String>,
}

#[derive(Default)]
struct RawPart {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    size: u64,
}

/// One exchange being written down; absent when there are too many already.
#[derive(Clone)]
pub(super) struct Entry {
    pages: Recorder,
    index: Option<usize>,
}

impl Recorder {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a page.
    pub fn begin(&self, method: &str, url: &str, headers: &HeaderMap) -> Entry {
        let mut pages = self.pages();
        if pages.exchanges.len() >= EXCHANGES {
            pages.left_out += 1;
            return Entry { pages: self.clone(), index: None };
        }
        pages.exchanges.push(Raw {
            at: Instant::now(),
            began: std::time::Instant::now(),
            took: Duration::ZERO,
            method: method.to_owned(),
            url: clip(url, LINE + LONGEST).to_owned(),
            request: RawPart { headers: shown(headers), ..RawPart::default() },
            answer: None,
            error: None,
        });
        Entry { pages: self.clone(), index: Some(pages.exchanges.len() - 1) }
    }

    /// Everything so far, secrets blacked out.
    pub fn exchanges(&self, redactor: &Redactor) -> Vec<Exchange> {
        let pages = self.pages();
        if pages.exchanges.is_empty() {
            return Vec::new();
        }
        // Twice over: what a name gave away in one place is a known value in all others.
        let mut found = Vec::new();
        let first: Vec<Exchange> = pages.exchanges.iter().map(|raw| raw.redacted(redactor, &mut found)).collect();
        let mut exchanges = if found.is_empty() {
            first
        } else {
            let redactor = redactor.with(found);
            pages.exchanges.iter().map(|raw| raw.redacted(&redactor, &mut Vec::new())).collect()
        };
        if pages.left_out > 0
            && let Some(last) = exchanges.last_mut()
        {
            let more = format!("{} more requests of this call are not shown", pages.left_out);
            last.error = Some(last.error.take().map_or(more.clone(), |error| format!("{error}; {more}")));
        }
        exchanges
    }
}

impl Entry {
    fn with(&self, change: impl FnOnce(&mut Raw, &mut usize)) {
        let Some(index) = self.index else { return };
        let mut pages = self.pages.pages();
        let pages = &mut *pages;
        if let Some(raw) = pages.exchanges.get_mut(index) {
            raw.took = raw.began.elapsed();
            change(raw, &mut pages.kept);
        }
    }

    /// A piece of what is sent.
    pub fn sent(&self, bytes: &[u8]) {
        self.with(|raw, kept| raw.request.push(bytes, kept));
    }

    /// The head of the answer.
    pub fn answered(&self, status: u16, headers: &HeaderMap) {
        let part = RawPart { headers: shown(headers), ..RawPart::default() };
        self.with(|raw, _| raw.answer = Some((status, part)));
    }

    /// A piece of the answer's body.
    pub fn received(&self, bytes: &[u8]) {
        self.with(|raw, kept| {
            if let Some((_, answer)) = &mut raw.answer {
                answer.push(bytes, kept);
            }
        });
    }

    /// Why there is no answer, or no more of it.
    pub fn failed(&self, why: &str) {
        self.with(|raw, _| raw.error = Some(why.to_owned()));
    }
}

impl RawPart {
    fn push(&mut self, bytes: &[u8], kept: &mut usize) {
        self.size += bytes.len() as u64;
        // A little more than is shown, so that a secret that lies across the end is seen whole.
        let room = (BODY + LONGEST).saturating_sub(self.body.len()).min((BODIES + LONGEST).saturating_sub(*kept));
        let taken = &bytes[..bytes.len().min(room)];
        self.body.extend_from_slice(taken);
        *kept += taken.len();
    }

    fn redacted(&self, redactor: &Redactor, found: &mut Vec<String>) -> Part {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), clip(&redactor.header(name, value, found), LINE).to_owned()))
            .collect();
        let all = self.body.len() as u64 == self.size;
        let (text, text_cut) = match text_of(&self.body, all) {
            Some(text) => {
                let black = redactor.text(text, found);
                // What may be the first half of a secret is left out with the end.
                let end = if all { BODY } else { black.len().saturating_sub(LONGEST).min(BODY) };
                let shown = clip(&black, end);
                (shown.to_owned(), shown.len() < black.len())
            }
            None => (format!("[{} bytes that are no text]", self.size), true),
        };
        Part { headers, body: text, size: self.size, cut: text_cut || !all }
    }
}

impl Raw {
    fn redacted(&self, redactor: &Redactor, found: &mut Vec<String>) -> Exchange {
        let url = redactor.text(&self.url, found);
        let (status, answer) =
            self.answer.as_ref().map(|(status, part)| (*status, part.redacted(redactor, found))).unzip();
        let unanswered = self.answer.is_none() && self.error.is_none();
        let took = if unanswered { self.began.elapsed() } else { self.took };
        let error = if unanswered { Some("no answer came before the call ended") } else { self.error.as_deref() };
        Exchange {
            at: self.at,
            millis: took.as_millis().try_into().unwrap_or(u64::MAX),
            method: self.method.clone(),
            url: clip(&url, LINE).to_owned(),
            request: self.request.redacted(redactor, found),
            status,
            answer,
            error: error.map(|error| redactor.text(error, found)),
        }
    }
}

fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), clip(&value, LINE + LONGEST).to_owned())
        })
        .collect()
}

/// The text that the bytes are; a character cut in half at the end of an unfinished body does not count against them.
fn text_of(bytes: &[u8], all: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if !all && error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok(),
        Err(_) => None,
    }
}

/// The beginning of a text, whole characters only.
pub(super) fn clip(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (name.parse::<http::HeaderName>().unwrap(), value.parse::<http::HeaderValue>().unwrap())
            })
            .collect()
    }

    #[test]
    fn an_exchange_is_kept_without_secrets() {
        let recorder = Recorder::default();
        let entry =
            recorder.begin("POST", "https://crm.example/?key=topsecret", &headers(&[("authorization", "Basic abc")]));
        entry.sent(b"username=me&accessKey=0123");
        entry.answered(200, &headers(&[("set-cookie", "a=b")]));
        entry.received(br#"{"sessionName":"5e55i0nn"#);
        entry.received(br#"ame"}"#);
        let next = recorder.begin("GET", "https://crm.example/rest/5e55i0nname/x", &HeaderMap::new());
        next.failed("the connection to 5e55i0nname was refused");
        let exchanges = recorder.exchanges(&Redactor::new(["topsecret".to_owned()]));
        let shown = serde_json::to_string(&exchanges).unwrap();
        for secret in ["topsecret", "0123", "5e55", "Basic", "a=b"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        assert_eq!(exchanges[0].url, "https://crm.example/?key=[secret]");
        assert_eq!(exchanges[0].status, Some(200));
        assert_eq!(exchanges[1].error.as_deref(), Some("the connection to [secret] was refused"));
    }

    #[test]
    fn bodies_are_bounded_and_a_secret_at_the_cut_is_not_halved() {
        let recorder = Recorder::default();
        let secret = "s3cr3t-s3cr3t-s3cr3t-s3cr3t";
        for start in [BODY - 10, BODY + LONGEST - 10] {
            let entry = recorder.begin("POST", "https://crm.example/", &HeaderMap::new());
            let mut body = "x".repeat(start);
            body.push_str(secret);
            body.push_str(&"y".repeat(BODY * 2));
            for piece in body.as_bytes().chunks(1000) {
                entry.sent(piece);
            }
        }
        for exchange in recorder.exchanges(&Redactor::new([secret.to_owned()])) {
            assert!(exchange.request.body.len() <= BODY);
            assert!(exchange.request.cut);
            assert!(!exchange.request.body.contains("s3cr"), "{}", &exchange.request.body[BODY - 40..]);
        }
    }

    #[test]
    fn the_call_as_a_whole_is_bounded() {
        let recorder = Recorder::default();
        for _ in 0..1000 {
            recorder.begin("POST", "https://crm.example/", &HeaderMap::new()).sent(&[b'x'; 20_000]);
        }
        let exchanges = recorder.exchanges(&Redactor::default());
        assert_eq!(exchanges.len(), EXCHANGES);
        assert!(exchanges.iter().map(|exchange| exchange.request.body.len()).sum::<usize>() <= BODIES);
        let said = exchanges[99].error.as_deref().unwrap();
        assert!(said.ends_with("900 more requests of this call are not shown"), "{said}");
        assert_eq!(exchanges[99].request.size, 20_000);
    }

    #[test]
    fn bytes_that_are_no_text_are_counted() {
        let recorder = Recorder::default();
        recorder.begin("POST", "https://crm.example/", &HeaderMap::new()).sent(&[0xff, 0xd8, 0xff]);
        assert_eq!(recorder.exchanges(&Redactor::default())[0].request.body, "[3 bytes that are no text]");
    }
}
