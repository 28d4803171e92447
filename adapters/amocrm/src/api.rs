//! Requests to one account's REST interface.

use std::time::Duration;

use cordboard_sdk::Host;
use cordboard_sdk::http::Request;
use cordboard_sdk::serde_json::Value;
use cordboard_sdk::vocabulary::Failure;

use crate::refusal::{self, Fault};

/// Items of one page: the most that amoCRM gives.
const PAGE: usize = 250;

/// Pages of one list that are read.
const PAGES: usize = 20;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One account, spoken to with one token.
pub struct Api<'h> {
    host: &'h dyn Host,
    base: String,
    token: String,
}

impl<'h> Api<'h> {
    /// The account at this address.
    pub fn new(host: &'h dyn Host, base: &str, token: &str) -> Self {
        Self { host, base: base.to_owned(), token: token.to_owned() }
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
        let request = request.bearer(&self.token).header("accept", "application/json").timeout(PATIENCE);
        match request.send(self.host) {
            Ok(answer) => refusal::result(&operation, &answer, writes),
            Err(error) => {
                let uncertain = writes && error.may_have_arrived();
                Err(Fault::Silent { failure: error.into(), uncertain })
            }
        }
    }
}

/// The rows of a list in an answer.
pub fn embedded<'v>(body: &'v Value, name: &str) -> &'v [Value] {
    body["_embedded"][name].as_array().map(Vec::as_slice).unwrap_or_default()
}
