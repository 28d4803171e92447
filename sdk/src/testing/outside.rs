//! The scripted outside.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::asking::{Asking, Question};
use super::compare::differences;
use super::{Exchange, Expected, Office, Recording};
use crate::host::{Content, Level, Rows};
use crate::http::{Error, Request, Response};
use crate::vocabulary::{Failure, Grant, Instant};
use crate::{Host, Ledger};

/// 2026-11-21T12:00:00Z, the time unless a test sets another.
pub(super) const NOON: Instant = 1_795_262_400_000;

/// A [`Host`] that plays a script: requests are expected in order and answered as told.
///
/// Dropped with requests still expected it panics, so a test need not ask for that.
pub struct Outside {
    settings: String,
    state: Mutex<State>,
    office: Office,
}

struct State {
    now: Instant,
    grant: Option<Grant>,
    script: VecDeque<Exchange>,
    always: Vec<Exchange>,
    questions: VecDeque<Question>,
    asked: Vec<Request>,
    logs: Vec<(Level, String)>,
    files: HashMap<String, Content>,
    seed: u64,
}

impl Default for Outside {
    fn default() -> Self {
        Self::new()
    }
}

impl Outside {
    /// Expects nothing; the settings are `{}`, it is noon, there is no grant.
    pub fn new() -> Self {
        let state = State {
            now: NOON,
            grant: None,
            script: VecDeque::new(),
            always: vec![],
            questions: VecDeque::new(),
            asked: vec![],
            logs: vec![],
            files: HashMap::new(),
            seed: 1,
        };
        Self { settings: "{}".to_owned(), state: Mutex::new(state), office: Office::default() }
    }

    /// With these settings.
    #[must_use]
    pub fn settings(mut self, settings: Value) -> Self {
        self.settings = settings.to_string();
        self
    }

    /// With a grant that never expires.
    #[must_use]
    pub fn granted(self, token: impl Into<String>) -> Self {
        self.set_grant(Some(Grant { token: token.into(), ..Grant::default() }));
        self
    }

    /// At this moment.
    #[must_use]
    pub fn at(self, now: Instant) -> Self {
        self.set_now(now);
        self
    }

    /// Plays these exchanges of a recording's file, after whatever is expected already. See [`Recording`].
    #[must_use]
    pub fn recorded(self, path: impl AsRef<Path>) -> Self {
        self.play(&Recording::read(path));
        self
    }

    /// Expects the exchanges of a recording next, in their order.
    pub fn play(&self, recording: &Recording) {
        self.state().script.extend(recording.exchanges.iter().cloned());
    }

    /// Expects a request next; say what is answered. See [`Expected::path`] for how paths are compared.
    pub fn expect(&self, method: &str, path: &str) -> Expecting<'_> {
        Expecting { outside: self, always: false, expected: Expected::of(method, path) }
    }

    /// Answers such a request whenever it is asked and the script expects another, any number of times or never.
    pub fn always(&self, method: &str, path: &str) -> Expecting<'_> {
        Expecting { outside: self, always: true, expected: Expected::of(method, path) }
    }

    /// The tenant: nobody and nothing, until a test says otherwise.
    pub fn office(&self) -> &Office {
        &self.office
    }

    /// Sets the clock.
    pub fn set_now(&self, now: Instant) {
        self.state().now = now;
    }

    /// Sets the grant.
    pub fn set_grant(&self, grant: Option<Grant>) {
        self.state().grant = grant;
    }

    /// Gives a file to [`Host::fetch`].
    pub fn file(&self, url: impl Into<String>, media_type: &str, bytes: impl Into<Vec<u8>>) {
        let content = Content { media_type: Some(media_type.to_owned()), bytes: bytes.into() };
        self.state().files.insert(url.into(), content);
    }

    /// Expects a query next, among queries; say what is answered. Statements are compared word by word, however they are
    /// broken into lines.
    pub fn expect_query(&self, database: &str, statement: &str, parameters: &[&str]) -> Asking<'_> {
        Asking::new(self, database, statement, parameters)
    }

    pub(super) fn will_answer(&self, question: Question) {
        self.state().questions.push_back(question);
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Request> {
        self.state().asked.clone()
    }

    /// Every line logged so far.
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.state().logs.clone()
    }

    /// What is still expected, by label.
    pub fn left(&self) -> Vec<String> {
        let state = self.state();
        let requests = state.script.iter().map(|exchange| exchange.expected.title());
        requests.chain(state.questions.iter().map(Question::title)).collect()
    }

    /// Forgets what is still expected.
    pub fn forget(&self) {
        let mut state = self.state();
        state.script.clear();
        state.questions.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let left = self.left();
        if !left.is_empty() && !std::thread::panicking() {
            panic!("expected and never asked: {}", left.join("; "));
        }
    }
}

impl Host for Outside {
    fn settings(&self) -> &str {
        &self.settings
    }

    fn grant(&self) -> Option<Grant> {
        self.state().grant.clone()
    }

    fn log(&self, level: Level, message: &str) {
        self.state().logs.push((level, message.to_owned()));
    }

    fn now(&self) -> Instant {
        self.state().now
    }

    /// Repeatable: the same numbers in every run.
    fn random(&self, bytes: &mut [u8]) {
        let mut state = self.state();
        for byte in bytes {
            state.seed = state.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state.seed >> 56) as u8;
        }
    }

    fn send(&self, request: Request) -> Result<Response, Error> {
        let mut state = self.state();
        state.asked.push(request.clone());
        let found = match state.script.front() {
            Some(next) => differences(&next.expected, &request),
            None => vec![format!("nothing more is expected, got {} {}", request.method, request.url)],
        };
        let exchange = if found.is_empty() {
            state.script.pop_front()
        } else {
            state.always.iter().find(|exchange| differences(&exchange.expected, &request).is_empty()).cloned()
        };
        let now = state.now;
        let Some(exchange) = exchange else {
            let title = state.script.front().map_or_else(String::new, |next| next.expected.title());
            state.script.clear();
            drop(state);
            let mut text = format!("request {} {} is not the one expected: {title}\n", request.method, request.url);
            for difference in found {
                let _ = writeln!(text, "  {difference}");
            }
            panic!("{text}");
        };
        match exchange.answer {
            Ok(answer) if answer.body.len() > request.limit => {
                Err(Error::TooLong { host: request.url, limit: request.limit })
            }
            Ok(answer) => Ok(Response { at: now, ..answer }),
            Err(error) => Err(error),
        }
    }

    fn fetch(&self, url: &str, limit: u64) -> Result<Content, Failure> {
        let content = self.state().files.get(url).cloned();
        let content = content.ok_or_else(|| Failure::rejected("http-404", format!("{url} is not there")))?;
        if content.bytes.len() as u64 > limit {
            return Err(Failure::rejected("too-long", format!("{url} is longer than {limit} bytes")));
        }
        Ok(content)
    }

    fn query(&self, database: &str, statement: &str, parameters: &[&str]) -> Result<Rows, Failure> {
        let next = self.state().questions.pop_front();
        let asked = Question::new(database, statement, parameters);
        match next {
            Some(expected) if expected.is(&asked) => expected.answer,
            expected => {
                let expected = expected.map_or_else(String::new, |expected| expected.title());
                self.forget();
                panic!("{} is not the query expected: {expected}", asked.title());
            }
        }
    }

    fn ledger(&self) -> &dyn Ledger {
        &self.office
    }
}

/// A request that is expected, waiting for its answer to be told.
#[must_use = "say what is answered"]
pub struct Expecting<'a> {
    outside: &'a Outside,
    always: bool,
    expected: Expected,
}

impl Expecting<'_> {
    /// With this header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.expected.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this body; JSON and forms are compared by what they say.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.expected.body = Some(body.into());
        self
    }

    /// With this JSON.
    pub fn body_json(self, body: Value) -> Self {
        self.body(body.to_string())
    }

    /// With these pairs as a form.
    pub fn body_form(self, pairs: &[(&str, &str)]) -> Self {
        self.body(crate::http::form(pairs.iter().copied()))
    }

    /// With this text somewhere in the body.
    pub fn body_contains(mut self, text: &str) -> Self {
        self.expected.contains.push(text.to_owned());
        self
    }

    /// Answers this.
    pub fn answer(self, status: u16, body: impl Into<Vec<u8>>) {
        self.answer_with(Response { status, body: body.into(), ..Response::default() });
    }

    /// Answers JSON.
    pub fn answer_json(self, status: u16, body: Value) {
        let headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
        self.answer_with(Response { status, headers, body: body.to_string().into_bytes(), at: 0 });
    }

    /// Answers this, headers and all.
    pub fn answer_with(self, answer: Response) {
        self.play(Ok(answer));
    }

    /// Does not answer.
    pub fn fail(self, error: Error) {
        self.play(Err(error));
    }

    fn play(self, answer: Result<Response, Error>) {
        let exchange = Exchange { expected: self.expected, answer };
        let mut state = self.outside.state();
        if self.always {
            state.always.push(exchange);
        } else {
            state.script.push_back(exchange);
        }
    }
}

impl Expected {
    fn of(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), ..Self::default() }
    }

    fn title(&self) -> String {
        let line = format!("{} {}", self.method, self.path);
        if self.label.is_empty() { line } else { format!("{} ({line})", self.label) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_order() {
        let outside = Outside::new().at(5).granted("t");
        outside.expect("GET", "/a").header("accept", "x").answer(200, "1");
        outside.expect("GET", "/b").fail(Error::Timeout("crm.test".into()));
        let host: &dyn Host = &outside;
        let answer = Request::get("http://crm.test/a").header("Accept", "x").send(host).unwrap();
        assert_eq!((answer.status, answer.text(), answer.at), (200, "1".to_owned(), 5));
        assert!(Request::get("http://crm.test/b").send(host).unwrap_err().may_have_arrived());
        assert_eq!(outside.left(), Vec::<String>::new());
    }

    #[test]
    #[should_panic(expected = "form b: expected 1")]
    fn another_request_fails_with_the_difference() {
        let outside = Outside::new();
        outside.expect("POST", "/a").body_form(&[("b", "1")]).answer(200, "");
        let _ = Request::post("http://crm.test/a").form([("b", "2")]).send(&outside);
    }

    #[test]
    #[should_panic(expected = "never asked: GET /a")]
    fn what_is_never_asked_fails() {
        Outside::new().expect("GET", "/a").answer(200, "");
    }

    #[test]
    fn a_recording_is_played() {
        let text = r#"{"exchanges": [
            {"label": "ask", "request": {"method": "GET", "path": "/w?a=1&b=2"}, "response": {"status": 200, "body": {"ok": true}}}
        ]}"#;
        let outside = Outside::new();
        outside.play(&Recording::parse("one", text).only(&["ask"]));
        let answer = Request::get("http://crm.test/w").query([("b", "2"), ("a", "1")]).send(&outside).unwrap();
        assert_eq!(answer.json::<Value>().unwrap(), serde_json::json!({ "ok": true }));
    }
}
