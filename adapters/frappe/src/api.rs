//! The operations of Frappe's REST interface that are needed, one function each. Version 1 of it: the same on
//! Frappe 15 and 16.

use std::cell::Cell;

use cordboard_sdk::Host;
use cordboard_sdk::http::{Multipart, Request, Response, encode};
use cordboard_sdk::serde_json::{Map, Value, json};
use cordboard_sdk::vocabulary::Failure;

use crate::meta::Meta;
use crate::refusal::{self, Fault};
use crate::settings::Settings;

/// A document as Frappe shows it: values by field name.
pub type Row = Map<String, Value>;

/// Longer addresses than this are refused by some proxies: what would be longer is posted.
const ADDRESS: usize = 1500;

/// How a request says who asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Credential {
    /// The header `Authorization`.
    Header(String),
    /// The session's id.
    Session(String),
}

/// One site, spoken to as one user.
pub struct Api<'h> {
    host: &'h dyn Host,
    site: String,
    credential: Credential,
    secrets: Vec<String>,
    requests: Cell<usize>,
    spent: Cell<Option<u64>>,
}

impl<'h> Api<'h> {
    /// The site, as this user.
    pub fn new(host: &'h dyn Host, settings: &Settings, credential: Credential) -> Self {
        let mut secrets = settings.secrets();
        match &credential {
            Credential::Header(text) => secrets.extend(text.split_whitespace().last().map(str::to_owned)),
            Credential::Session(sid) => secrets.push(sid.clone()),
        }
        let site = settings.site().to_owned();
        Self { host, site, credential, secrets, requests: Cell::new(0), spent: Cell::new(None) }
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.requests.get()
    }

    /// Milliseconds to wait when four fifths of what the site allows in its window are used up: people work there too.
    pub fn spent(&self) -> Option<u64> {
        self.spent.get()
    }

    /// Documents that fit, by fields. `order` keeps pages apart: without it Frappe promises none.
    pub fn list(&self, doctype: &str, filters: &Value, fields: &[&str], limit: usize) -> Result<Vec<Row>, Fault> {
        self.list_by("filters", doctype, filters, fields, limit)
    }

    /// Documents of which one condition holds.
    pub fn list_any(&self, doctype: &str, any: &Value, fields: &[&str], limit: usize) -> Result<Vec<Row>, Fault> {
        self.list_by("or_filters", doctype, any, fields, limit)
    }

    fn list_by(
        &self,
        by: &str,
        doctype: &str,
        filters: &Value,
        fields: &[&str],
        limit: usize,
    ) -> Result<Vec<Row>, Fault> {
        let operation = format!("list {doctype}");
        // With the rows of a child table beside it, `modified` alone could be either's.
        let joined = fields.iter().any(|field| field.starts_with("`tab"));
        let order = if joined { format!("`tab{doctype}`.modified desc") } else { "modified desc".to_owned() };
        let query = [
            ("fields", json!(fields).to_string()),
            (by, filters.to_string()),
            ("order_by", order.clone()),
            ("limit_page_length", limit.to_string()),
        ];
        let request = Request::get(self.resource(doctype, None)).query(query);
        let value = if request.url.len() <= ADDRESS {
            self.answered(&operation, request, false)?
        } else {
            let mut body = json!({"doctype": doctype, "fields": fields, "order_by": order, "limit_page_length": limit});
            body[by] = filters.clone();
            self.answered(&operation, Request::post(self.method("frappe.client.get_list")).json(&body), false)?
        };
        rows(&operation, value)
    }

    /// One document, child rows and all.
    pub fn get(&self, doctype: &str, name: &str) -> Result<Row, Fault> {
        let operation = format!("read {doctype}");
        row(&operation, self.answered(&operation, Request::get(self.resource(doctype, Some(name))), false)?, false)
    }

    /// A new document; gives it as it is stored.
    pub fn create(&self, doctype: &str, doc: &Row) -> Result<Row, Fault> {
        let operation = format!("create {doctype}");
        let request = Request::post(self.resource(doctype, None)).json(doc);
        row(&operation, self.answered(&operation, request, true)?, true)
    }

    /// Changes the fields given; gives the document as it is stored.
    pub fn update(&self, doctype: &str, name: &str, changed: &Row) -> Result<Row, Fault> {
        let operation = format!("update {doctype}");
        let request = Request::put(self.resource(doctype, Some(name))).json(changed);
        row(&operation, self.answered(&operation, request, true)?, true)
    }

    /// Deletes a document.
    pub fn delete(&self, doctype: &str, name: &str) -> Result<(), Fault> {
        let request = Request::delete(self.resource(doctype, Some(name)));
        self.answered(&format!("delete {doctype}"), request, true).map(|_| ())
    }

    /// New documents, all or none; gives their names in the same order.
    pub fn insert_many(&self, doctype: &str, docs: &[&Row]) -> Result<Vec<String>, Fault> {
        let operation = format!("create {doctype} ({} at once)", docs.len());
        let docs: Vec<Row> = docs
            .iter()
            .map(|doc| {
                let mut doc = (*doc).clone();
                doc.insert("doctype".into(), json!(doctype));
                doc
            })
            .collect();
        let request = Request::post(self.method("frappe.client.insert_many")).json(&json!({ "docs": docs }));
        let value = self.answered(&operation, request, true)?;
        let names: Vec<String> = value.as_array().into_iter().flatten().map(name_text).collect();
        if names.len() == docs.len() && names.iter().all(|name| !name.is_empty()) {
            return Ok(names);
        }
        let why = format!("{operation}: success, and {} names for {} documents", names.len(), docs.len());
        Err(Fault::Silent { failure: Failure::retryable(why), uncertain: true })
    }

    /// How many documents fit.
    pub fn count(&self, doctype: &str, filters: &Value) -> Result<u64, Fault> {
        let query = [("doctype", doctype.to_owned()), ("filters", filters.to_string())];
        let value = self.ask("frappe.client.get_count", query)?;
        value.as_u64().ok_or_else(|| unexpected(&format!("count {doctype}"), false))
    }

    /// What a DocType is, by rights that every user has. Custom fields and changed properties are in it.
    pub fn meta(&self, doctype: &str) -> Result<Meta, Fault> {
        let operation = format!("read DocType {doctype}");
        let url = format!("{}/api/v2/doctype/{}/meta", self.site, encode(doctype));
        let value = self.answered(&operation, Request::get(url), false)?;
        Meta::read(&value).ok_or_else(|| unexpected(&operation, false))
    }

    /// Asks a method that only reads.
    pub fn ask<V: AsRef<str>>(
        &self,
        method: &str,
        query: impl IntoIterator<Item = (&'static str, V)>,
    ) -> Result<Value, Fault> {
        self.answered(&format!("ask {method}"), Request::get(self.method(method)).query(query), false)
    }

    /// A private file that belongs to a document; gives where Frappe has it.
    pub fn upload(
        &self,
        doctype: &str,
        name: &str,
        file: &str,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<String, Fault> {
        let operation = format!("attach to {doctype}");
        let form = Multipart::new()
            .field("doctype", doctype)
            .field("docname", name)
            .field("is_private", "1")
            .field("folder", "Home/Attachments")
            .file("file", file, media_type, bytes);
        let stored = self.answered(&operation, Request::post(self.method("upload_file")).multipart(form), true)?;
        match stored["file_url"].as_str() {
            Some(url) if !url.is_empty() => Ok(url.to_owned()),
            _ => Err(unexpected(&operation, true)),
        }
    }

    /// What Exotel would tell the CRM. Its endpoint proves the caller by the key alone, and says success to anything.
    pub fn exotel(&self, key: &str, call: &Value) -> Result<(), Fault> {
        let url = self.method("crm.integrations.exotel.handler.handle_request");
        let request = Request::post(url).query([("key", key)]).json(call).header("accept", "application/json");
        let answer = self.sent("show the call", request, true)?;
        match refusal::result("show the call", &answer, true) {
            Err(_) if answer.is_success() && answer.body.trim_ascii().starts_with(b"{") => Ok(()),
            result => result.map(|_| ()),
        }
    }

    fn resource(&self, doctype: &str, name: Option<&str>) -> String {
        let url = format!("{}/api/resource/{}", self.site, encode(doctype));
        name.map_or(url.clone(), |name| format!("{url}/{}", encode(name)))
    }

    fn method(&self, name: &str) -> String {
        format!("{}/api/method/{name}", self.site)
    }

    /// Any request that changes the site. Some methods answer with nothing.
    pub fn carry_out(&self, operation: &str, method: &str, path: &str, body: &Value) -> Result<Value, Fault> {
        let request = Request::new(method, format!("{}{path}", self.site)).json(body);
        let answer = self.asked(operation, request, true)?;
        if answer.is_success() && answer.body.trim_ascii() == b"{}" {
            return Ok(Value::Null);
        }
        self.told(operation, &answer, true)
    }

    fn answered(&self, operation: &str, request: Request, writes: bool) -> Result<Value, Fault> {
        let answer = self.asked(operation, request, writes)?;
        self.told(operation, &answer, writes)
    }

    fn asked(&self, operation: &str, request: Request, writes: bool) -> Result<Response, Fault> {
        // Without this header errors may be pages of HTML.
        let request = request.header("accept", "application/json");
        let request = match &self.credential {
            Credential::Header(value) => request.header("authorization", value),
            Credential::Session(sid) => request.header("cookie", format!("sid={sid}")),
        };
        let answer = self.sent(operation, request, writes)?;
        self.note_rate(&answer);
        Ok(answer)
    }

    fn told(&self, operation: &str, answer: &Response, writes: bool) -> Result<Value, Fault> {
        let result = refusal::result(operation, answer, writes);
        result.map_err(|fault| refusal::without(self.at_guests_door(fault), &self.secrets))
    }

    fn sent(&self, operation: &str, request: Request, writes: bool) -> Result<Response, Fault> {
        self.requests.set(self.requests.get() + 1);
        request.send(self.host).map_err(|error| {
            let uncertain = writes && error.may_have_arrived();
            let failure = match Failure::from(error) {
                Failure::Retryable(it) => Failure::retryable(format!("{operation}: {}", it.why)),
                other => other,
            };
            refusal::without(Fault::Silent { failure, uncertain }, &self.secrets)
        })
    }

    /// A session that has ended makes a guest of the caller; Frappe says so by a missing right.
    fn at_guests_door(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Said(said) if said.status == 403 && matches!(self.credential, Credential::Session(_)) => {
                let stranger = said.stranger || said.kind == "SessionExpired";
                Fault::Said(refusal::Said { stranger, ..said })
            }
            other => other,
        }
    }

    fn note_rate(&self, answer: &Response) {
        let number = |name: &str| answer.header(name).and_then(|value| value.trim().parse::<u64>().ok());
        let (limit, remaining) = (number("x-ratelimit-limit"), number("x-ratelimit-remaining"));
        if let (Some(limit), Some(remaining)) = (limit, remaining)
            && remaining < limit / 5
        {
            let reset = number("x-ratelimit-reset").unwrap_or(10).saturating_mul(1000);
            self.spent.set(Some(reset.clamp(1000, 60_000)));
        }
    }
}

/// A member's text; empty when there is none.
pub fn text<'v>(row: &'v Row, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A document's name: a number when Frappe counts them.
pub fn name_of(row: &Row) -> String {
    row.get("name").map(name_text).unwrap_or_default()
}

fn name_text(value: &Value) -> String {
    match value {
        Value::String(name) => name.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn unexpected(operation: &str, writes: bool) -> Fault {
    let failure = Failure::retryable(format!("{operation}: success, and the answer is not of the form expected"));
    Fault::Silent { failure, uncertain: writes }
}

fn rows(operation: &str, value: Value) -> Result<Vec<Row>, Fault> {
    let Value::Array(list) = value else { return Err(unexpected(operation, false)) };
    let rows: Option<Vec<Row>> =
        list.into_iter().map(|row| if let Value::Object(row) = row { Some(row) } else { None }).collect();
    rows.ok_or_else(|| unexpected(operation, false))
}

fn row(operation: &str, value: Value, writes: bool) -> Result<Row, Fault> {
    match value {
        Value::Object(row) if !name_of(&row).is_empty() => Ok(row),
        _ => Err(unexpected(operation, writes)),
    }
}
