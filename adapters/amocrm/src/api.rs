//! Requests to one account's REST interface.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use cordboard_sdk::Host;
use cordboard_sdk::http::Request;
use cordboard_sdk::serde_json::Value;
use cordboard_sdk::vocabulary::{Failure, Instant};

use crate::refusal::{self, Fault};

/// Items of one page: the most that amoCRM gives.
const PAGE: usize = 250;

/// Pages of one list that are read.
const PAGES: usize = 20;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One account, spoken to with one token, until it asks to be left alone.
pub struct Api<'h> {
    host: &'h dyn Host,
    base: String,
    token: String,
    /// When to stop asking.
    until: Option<Instant>,
    /// Why nothing more is asked.
    stopped: RefCell<Option<Fault>>,
    /// Requests that have written something, or may have.
    written: Cell<usize>,
}

impl<'h> Api<'h> {
    /// The account at this address.
    pub fn new(host: &'h dyn Host, base: &str, token: &str) -> Self {
        Self {
            host,
            base: base.to_owned(),
            token: token.to_owned(),
            until: None,
            stopped: RefCell::default(),
            written: Cell::default(),
        }
    }

    /// Asks nothing any more from this moment on.
    pub fn until(self, moment: Instant) -> Self {
        Self { until: Some(moment), ..self }
    }

    /// Asks nothing any more: whatever would be asked has this fault. The first one stays.
    pub fn stop(&self, fault: &Fault) {
        let mut stopped = self.stopped.borrow_mut();
        if stopped.is_none() {
            *stopped = Some(fault.clone());
        }
    }

    /// How many requests so far have written something, or may have.
    pub fn written(&self) -> usize {
        self.written.get()
    }

    /// Reads; nothing when amoCRM has nothing.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Option<Value>, Fault> {
        self.answered(Request::get(self.url(path)).query(query.iter().copied()), path, false)
    }

    /// Adds.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        Ok(self.answered(Request::post(self.url(path)).json(body), path, true)?.unwrap_or_default())
    }

    /// Changes.
    pub fn patch(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        Ok(self.answered(Request::patch(self.url(path)).json(body), path, true)?.unwrap_or_default())
    }

    /// A list, page by page until there is no next one.
    pub fn list(&self, path: &str, query: &[(&str, &str)], name: &str) -> Result<Vec<Value>, Fault> {
        let limit = PAGE.to_string();
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let page = page.to_string();
            let paged = [("limit", limit.as_str()), ("page", page.as_str())];
            let Some(body) = self.get(path, &[query, &paged].concat())? else { break };
            let Some(items) = body["_embedded"][name].as_array() else {
                let why = format!("get {path}: there is no `_embedded.{name}` in the answer");
                return Err(Fault::Silent { failure: Failure::retryable(why), uncertain: false });
            };
            all.extend(items.iter().cloned());
            if body["_links"]["next"].is_null() {
                break;
            }
        }
        Ok(all)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn answered(&self, request: Request, path: &str, writes: bool) -> Result<Option<Value>, Fault> {
        let operation = format!("{} {path}", request.method.to_lowercase());
        if let Some(fault) = self.not_now(&operation) {
            return Err(fault);
        }
        let request = request.bearer(&self.token).header("accept", "application/json").timeout(PATIENCE);
        let result = match request.send(self.host) {
            Ok(answer) => refusal::result(&operation, &answer, writes),
            // Whatever the reason why its answer did not come: it is looked for, and then tried again.
            Err(error) if writes && error.may_have_arrived() => {
                Err(Fault::Silent { failure: Failure::retryable(format!("{operation}: {error}")), uncertain: true })
            }
            Err(error) => Err(Fault::Silent { failure: error.into(), uncertain: false }),
        };
        let failure = result.as_ref().err().map(|fault| Failure::from(fault.clone()));
        if writes && matches!(failure, None | Some(Failure::Retryable(_))) {
            self.written.set(self.written.get() + 1);
        }
        if let (Err(fault), Some(Failure::Unauthorized(_) | Failure::RateLimited(_))) = (&result, &failure) {
            // It holds for whatever would be asked next.
            self.stop(fault);
        }
        result
    }

    /// Why a request is not made.
    fn not_now(&self, operation: &str) -> Option<Fault> {
        let late = self.until.filter(|until| self.host.now() >= *until).map(|_| {
            let why = format!("{operation}: not asked, for the time of this call was over");
            Fault::Silent { failure: Failure::retryable(why), uncertain: false }
        });
        self.stopped.borrow().clone().or(late)
    }
}

/// The rows of a list in an answer.
pub fn embedded<'v>(body: &'v Value, name: &str) -> &'v [Value] {
    body["_embedded"][name].as_array().map(Vec::as_slice).unwrap_or_default()
}
