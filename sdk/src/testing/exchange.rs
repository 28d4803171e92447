//! What is expected to be asked, and what is answered.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::http::{Error, Response};

/// What a request should look like. What is `None` may be anything.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// What it is for, shown when it fails.
    pub label: String,
    /// The method.
    pub method: String,
    /// Path and query, or a whole URL. Pairs of the query stand in any order. Without a `?` any query will do. A `*`
    /// in the path stands for anything.
    pub path: String,
    /// Headers that must be there, with these values.
    pub headers: Vec<(String, String)>,
    /// The body: forms are compared by their pairs, JSON by its values, anything else by its bytes.
    pub body: Option<Vec<u8>>,
    /// Texts that stand somewhere in the body.
    pub contains: Vec<String>,
}

/// An expected request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What should be asked.
    pub expected: Expected,
    /// What is answered.
    pub answer: Result<Response, Error>,
}

/// A recording of real traffic: a JSON file with `exchanges`, each with a `request` (`method`, `path`, `body`) and a
/// `response` (`status`, `headers`, `body`). A body is text, or a JSON value that was written as JSON.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The file's name.
    pub name: String,
    /// In the order they were recorded.
    pub exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
struct File {
    exchanges: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    #[serde(default)]
    label: String,
    request: RecordedRequest,
    response: RecordedResponse,
}

#[derive(Deserialize)]
struct RecordedRequest {
    method: String,
    path: String,
    #[serde(default)]
    body: Option<Value>,
}

#[derive(Deserialize)]
struct RecordedResponse {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Value>,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Panics
    /// When it is not there or not a recording.
    pub fn read(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads the text of a file, from `include_str!` say.
    ///
    /// # Panics
    /// When it is not a recording.
    pub fn parse(name: &str, text: &str) -> Self {
        let file: File = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let exchanges = file.exchanges.into_iter().enumerate().map(|(index, recorded)| recorded.exchange(name, index));
        Self { name: name.to_owned(), exchanges: exchanges.collect() }
    }

    /// Only the exchanges with these labels, in the order given.
    ///
    /// # Panics
    /// When there is no exchange with such a label.
    #[must_use]
    pub fn only(&self, labels: &[&str]) -> Self {
        let find = |label: &&str| {
            let found = self.exchanges.iter().find(|exchange| exchange.expected.label.ends_with(&format!(": {label}")));
            found.unwrap_or_else(|| panic!("{} has no exchange `{label}`", self.name)).clone()
        };
        Self { name: self.name.clone(), exchanges: labels.iter().map(find).collect() }
    }
}

impl Recorded {
    fn exchange(self, name: &str, index: usize) -> Exchange {
        let label = if self.label.is_empty() { (index + 1).to_string() } else { self.label };
        let expected = Expected {
            label: format!("{name}: {label}"),
            method: self.request.method,
            path: self.request.path,
            body: self.request.body.map(bytes),
            ..Expected::default()
        };
        let headers = self.response.headers.into_iter().map(|(key, value)| (key.to_lowercase(), value.into_bytes()));
        let answer = Response {
            status: self.response.status,
            headers: headers.collect(),
            body: self.response.body.map(bytes).unwrap_or_default(),
            at: 0,
        };
        Exchange { expected, answer: Ok(answer) }
    }
}

fn bytes(body: Value) -> Vec<u8> {
    match body {
        Value::String(text) => text.into_bytes(),
        Value::Null => vec![],
        other => other.to_string().into_bytes(),
    }
}
