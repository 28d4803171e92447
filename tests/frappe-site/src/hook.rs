//! Webhooks of the site: who is to be told of what, in Frappe's own expressions.

use minijinja::value::Value as Shown;
use minijinja::{Environment, Error, ErrorKind};
use serde_json::{Value, json};

use crate::{Row, Site};

/// A delivery that is due: sent after the commit, by a worker in the background.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// The webhook's name.
    pub webhook: String,
    /// The document that it tells of.
    pub document: String,
    /// Where to.
    pub url: String,
    /// Headers of its own.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// With which it is signed.
    pub secret: Option<String>,
}

impl Site {
    /// Notes who is to be told of what has just happened to a document.
    pub(crate) fn happened(&mut self, event: &str, doctype: &str, document: &Row) {
        let hooks = self.docs.get("Webhook").cloned().unwrap_or_default();
        let concerns = |hook: &&Row| {
            hook["webhook_doctype"] == doctype
                && hook["webhook_docevent"] == event
                && hook.get("enabled") != Some(&json!(0))
        };
        for hook in hooks.iter().filter(concerns) {
            let word = |name: &str| hook.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            if !condition(&word("condition"), document) {
                continue;
            }
            let rows = hook.get("webhook_headers").and_then(Value::as_array).cloned().unwrap_or_default();
            let header = |row: &Value| Some((row["key"].as_str()?.to_owned(), row["value"].as_str()?.to_owned()));
            let secret = hook.get("webhook_secret").and_then(Value::as_str).map(str::to_owned);
            self.due.push(Hook {
                webhook: word("name"),
                document: document["name"].as_str().unwrap_or_default().to_owned(),
                url: word("request_url"),
                headers: rows.iter().filter_map(header).collect(),
                body: self.rendered(&word("webhook_json"), document),
                secret: secret.filter(|_| hook.get("enable_security") == Some(&json!(1))),
            });
        }
    }
}

impl Site {
    /// A template rendered. All documents, by DocType and name, are the database that it may ask.
    fn rendered(&self, template: &str, document: &Row) -> Vec<u8> {
        let named = |rows: &Vec<Row>| {
            let name = |row: &Row| row.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            Value::Object(rows.iter().map(|row| (name(row), json!(row))).collect())
        };
        let asks = template.contains("frappe.db");
        let all = self.docs.iter().filter(|_| asks).map(|(doctype, rows)| (doctype.clone(), named(rows))).collect();
        let context = Shown::from_serialize(json!({"doc": document, "frappe": {"db": Value::Object(all)}}));
        escaped(&environment().render_str(template, context).expect("a webhook's template"))
    }
}

/// Python and Jinja as far as webhooks speak them: a document is a dictionary with `get`, and the database is asked for
/// values of others.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_unknown_method_callback(|_, value, method, arguments| {
        let found = match (method, arguments) {
            ("get", [name]) => value.get_item(name),
            ("get_value", [doctype, name, field]) => {
                let within = |value: &Shown, key| value.get_item(key).unwrap_or_default();
                Ok(within(&within(&within(value, doctype), name), field))
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        found.map(|found| if found.is_undefined() { Shown::from(()) } else { found })
    });
    environment
}

fn context(document: &Row) -> Shown {
    Shown::from_serialize(json!({ "doc": document }))
}

fn condition(expression: &str, document: &Row) -> bool {
    if expression.trim().is_empty() {
        return true;
    }
    let environment = environment();
    let expression = environment.compile_expression(expression).expect("a webhook's condition");
    expression.eval(context(document)).expect("a webhook's condition").is_true()
}

/// The JSON of a template, written anew: what is not ASCII is escaped.
fn escaped(text: &str) -> Vec<u8> {
    let value: Value = serde_json::from_str(text).expect("a webhook's template makes JSON");
    let mut bytes = Vec::new();
    for c in value.to_string().chars() {
        match c.is_ascii() {
            true => bytes.push(c as u8),
            false => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    bytes.extend(format!("\\u{unit:04x}").into_bytes());
                }
            }
        }
    }
    bytes
}
