//! A Frappe site, played honestly: what the real one refuses it refuses, with the real one's words and types of
//! exception, and what the real one changes without a word it changes. Held to recordings of Frappe 15.55 with Frappe
//! CRM 1.81; `Site::upgrade` makes it a 16, as far as that is known to differ.
//!
//! No socket and no clock: requests go into [`Site::answer`], and webhooks to be sent come out of [`Site::hooks`].
//!
//! Not played: sessions and OAuth's dances, workflows, rate limits, version 2 of the interface but for its meta.

mod access;
mod document;
mod hook;
mod list;
mod method;
mod refusal;
mod schema;
mod stock;

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

pub use access::User;
pub use hook::Hook;
pub use refusal::Refusal;
pub use schema::call_log;

/// A document: values by field name.
pub type Row = Map<String, Value>;

type Answer<T = Value> = Result<T, Refusal>;

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Upper case.
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Asked {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// JSON, unless the request asked for a page and was refused.
    pub body: Result<Value, String>,
}

/// The site's wall clock, to the microsecond.
pub type Clock = Box<dyn Fn() -> String + Send + Sync>;

/// A site.
pub struct Site {
    /// What the wall clock shows in the site's zone.
    pub clock: Clock,
    /// Apps and their versions.
    pub apps: BTreeMap<String, String>,
    /// Who there is, by e-mail address.
    pub users: BTreeMap<String, User>,
    /// The DocTypes as they stand, with custom fields and changed properties.
    pub doctypes: BTreeMap<String, Value>,
    /// Documents by DocType, in the order of their making.
    pub docs: BTreeMap<String, Vec<Row>>,
    /// Rights that everybody lacks: "create CRM Call Log".
    pub denied: Vec<String>,
    /// What another app has sent to its customers because it was written into its DocType.
    pub sent: Vec<Row>,
    due: Vec<Hook>,
    counter: u64,
}

impl Site {
    /// Answers a request: one transaction.
    pub fn answer(&mut self, asked: &Asked) -> Answered {
        let due = self.due.len();
        match self.answered(asked) {
            Ok(body) => Answered { status: if asked.method == "DELETE" { 202 } else { 200 }, body: Ok(body) },
            Err(refusal) => {
                self.due.truncate(due);
                let json = asked.header("accept").is_some_and(|accept| accept.contains("json"));
                let page = || format!("<!DOCTYPE html>\n<!-- Built on Frappe. -->\n<title>{}</title>", refusal.kind);
                let status = refusal.status;
                Answered { status, body: if json { Ok(refusal.body()) } else { Err(page()) } }
            }
        }
    }

    fn answered(&mut self, asked: &Asked) -> Answer {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let query: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let who = self.who(asked.header("authorization"))?;
        let body = self.body(asked)?;
        let segments: Vec<String> = path.trim_start_matches('/').split('/').map(decoded).collect();
        let words: Vec<&str> = segments.iter().map(String::as_str).filter(|word| *word != "v1").collect();
        match (asked.method.as_str(), words.as_slice()) {
            ("GET", ["api", "v2", "doctype", doctype, "meta"]) => match self.seen(&who, doctype) {
                Ok(meta) => Ok(json!({ "data": meta })),
                Err(refusal) => Err(Refusal { second: true, ..refusal }),
            },
            ("GET", ["api", "resource", doctype]) => Ok(json!({ "data": self.list(&who, doctype, &query)? })),
            ("POST", ["api", "resource", doctype]) => {
                let name = self.insert(&who, doctype, &body)?;
                Ok(json!({ "data": self.shown(doctype, &name)? }))
            }
            ("GET", ["api", "resource", doctype, name]) => {
                self.may(&who, "read", doctype)?;
                Ok(json!({ "data": self.shown(doctype, name)? }))
            }
            ("PUT", ["api", "resource", doctype, name]) => {
                self.update(&who, doctype, name, &body)?;
                Ok(json!({ "data": self.shown(doctype, name)? }))
            }
            ("DELETE", ["api", "resource", doctype, name]) => {
                self.delete(&who, doctype, name)?;
                Ok(json!({ "data": "ok" }))
            }
            (_, ["api", "method", method]) => self.method(&who, method, &query, &body, asked),
            _ => Err(Refusal::gone()),
        }
    }

    fn body(&self, asked: &Asked) -> Answer {
        let json = asked.header("content-type").is_some_and(|kind| kind.contains("json"));
        match serde_json::from_slice(&asked.body) {
            Ok(body) => Ok(body),
            Err(_) if json && !asked.body.is_empty() => Err(match self.is_16() {
                true => Refusal::new(417, "DataError", "Invalid request body"),
                false => Refusal::new(500, "JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
            }),
            Err(_) => Ok(json!({})),
        }
    }

    /// Makes it a Frappe 16.
    pub fn upgrade(&mut self) {
        self.apps.insert("frappe".into(), "16.0.0".into());
    }

    fn is_16(&self) -> bool {
        self.apps.get("frappe").is_some_and(|version| version.starts_with("16"))
    }

    /// Whether Frappe CRM is there.
    pub fn has_crm(&self) -> bool {
        self.apps.contains_key("crm")
    }

    /// The webhooks that are to be sent now, taken out.
    pub fn hooks(&mut self) -> Vec<Hook> {
        std::mem::take(&mut self.due)
    }

    /// A document that somebody makes in the desk. Its name.
    pub fn typed(&mut self, doctype: &str, doc: &Value) -> Answer<String> {
        self.insert("Administrator", doctype, doc)
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

/// A part of a path as it was meant.
fn decoded(part: &str) -> String {
    let pair = format!("x={}", part.replace('+', "%2B"));
    form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
