//! A Frappe site, played honestly: what the real one refuses it refuses, with the real one's types of exception, and
//! what the real one changes without a word it changes.
#![allow(dead_code, clippy::unwrap_used, reason = "each suite that shares this module uses a part of it")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::Mutex;

use cordboard_frappe::Frappe;
use cordboard_frappe::provision::{self, Order};
use cordboard_frappe::settings::Settings;
use cordboard_sdk::bindings::base::cordboard::hub::host::Content;
use cordboard_sdk::http::Error;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Map, Value, json};

pub type Row = Map<String, Value>;

/// 2026-03-05 10:15:30 UTC.
pub const START: Instant = 1_772_705_730_000;
/// The same on the site's wall, in Madrid.
pub const WALL: &str = "2026-03-05 11:15:30";
pub const ONE: &str = "+34600111222";

pub struct Site {
    settings: String,
    grant: Mutex<Option<Grant>>,
    state: Mutex<State>,
}

#[derive(Default)]
pub struct State {
    pub now: Instant,
    pub doctypes: BTreeMap<String, Value>,
    pub docs: BTreeMap<String, Vec<Row>>,
    pub asked: Vec<Request>,
    pub logs: Vec<(Level, String)>,
    pub files: HashMap<String, Vec<u8>>,
    pub faults: VecDeque<Planned>,
    /// Rights that the user lacks: "create CRM Call Log".
    pub denied: Vec<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub disabled_crm: bool,
    counter: u32,
}

pub struct Planned {
    method: &'static str,
    path: &'static str,
    does: Does,
}

pub enum Does {
    /// Answers this and does nothing.
    Answer(u16, Value),
    /// Answers with something else than JSON.
    Text(u16, &'static str),
    /// Does nothing, and nobody hears of it.
    Silent(Error),
    /// Does it, and nobody hears of it.
    Lost(Error),
}

pub fn settings(more: Value) -> Value {
    let mut settings =
        json!({"url": "https://crm.example.test", "api_key": "key-000001", "api_secret": "secret-000001"});
    settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    settings
}

impl Site {
    /// With Frappe CRM and what the hub's own setup makes, logged in.
    pub fn with(more: Value) -> Self {
        let site = Self::outside(more);
        site.set_up();
        site.login().unwrap();
        site
    }

    /// With Frappe CRM, and nothing of the hub's.
    pub fn outside(more: Value) -> Self {
        let state = State { now: START, ..State::default() };
        let site = Self { settings: settings(more).to_string(), grant: Mutex::default(), state: Mutex::new(state) };
        site.doctype("CRM Call Log", call_log());
        site.doctype("User", json!({"autoname": "", "fields": []}));
        for (doctype, title) in [("CRM Lead", "lead_name"), ("CRM Deal", "lead"), ("Contact", "full_name")] {
            let data = |name: &str| json!({"fieldname": name, "fieldtype": "Data"});
            let fields = ["name_", title, "mobile_no", "phone", "lead_owner", "deal_owner"].map(data);
            site.doctype(doctype, json!({"autoname": "", "module": "FCRM", "fields": fields}));
        }
        site.doctype(
            "CRM Telephony Agent",
            json!({"autoname": "field:user", "fields": [
            {"fieldname": "user", "fieldtype": "Data"}, {"fieldname": "mobile_no", "fieldtype": "Data"}]}),
        );
        site.doctype("File", json!({"autoname": "hash", "fields": [
            {"fieldname": "file_name", "fieldtype": "Data"}, {"fieldname": "file_url", "fieldtype": "Data"},
            {"fieldname": "attached_to_doctype", "fieldtype": "Data"},
            {"fieldname": "attached_to_name", "fieldtype": "Data"}, {"fieldname": "is_private", "fieldtype": "Check"}]}));
        site.doctype(
            "CRM Notification",
            json!({"autoname": "hash", "fields": [
            {"fieldname": "to_user", "fieldtype": "Data"}, {"fieldname": "notification_text", "fieldtype": "Data"},
            {"fieldname": "type", "fieldtype": "Select", "options": "Mention\nTask\nAssignment\nWhatsApp"}]}),
        );
        site.put("User", json!({"name": "ana@example.test"}));
        site.put("User", json!({"name": "hub@example.test"}));
        site.put("CRM Lead", json!({
            "name": "CRM-LEAD-2026-00003", "lead_name": "Ana Prueba", "mobile_no": ONE, "lead_owner": "ana@example.test"}));
        site
    }

    /// Makes what the plan says, as a System Manager would.
    pub fn set_up(&self) {
        let settings: Settings = serde_json::from_str(&self.settings).unwrap();
        for step in provision::plan(&settings, None, &Order::default()) {
            if step.path == "/api/resource/DocType" {
                self.doctype(step.body["name"].as_str().unwrap(), step.body.clone());
            } else if step.path == "/api/resource/Custom%20Field" {
                let mut state = self.state();
                let doctype = state.doctypes.get_mut(step.body["dt"].as_str().unwrap()).unwrap();
                doctype["fields"].as_array_mut().unwrap().push(step.body.clone());
            }
        }
    }

    pub fn doctype(&self, name: &str, meta: Value) {
        self.state().doctypes.insert(name.to_owned(), meta);
        self.state().docs.entry(name.to_owned()).or_default();
    }

    pub fn put(&self, doctype: &str, row: Value) {
        self.state().docs.entry(doctype.to_owned()).or_default().push(row.as_object().unwrap().clone());
    }

    pub fn login(&self) -> Result<(), Failure> {
        let grant = Frappe::issue(self, self.grant())?;
        *self.grant.lock().unwrap() = Some(grant);
        Ok(())
    }

    pub fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn docs(&self, doctype: &str) -> Vec<Row> {
        self.state().docs.get(doctype).cloned().unwrap_or_default()
    }

    /// The one document of a DocType.
    pub fn only(&self, doctype: &str) -> Row {
        let mut docs = self.docs(doctype);
        assert_eq!(docs.len(), 1, "{docs:#?}");
        docs.remove(0)
    }

    /// The next request like this does otherwise.
    pub fn plan(&self, method: &'static str, path: &'static str, does: Does) {
        self.state().faults.push_back(Planned { method, path, does });
    }

    pub fn deliver(&self, changes: &[Change]) -> Vec<Outcome> {
        let outcomes = Frappe::deliver(self, changes.to_vec());
        assert_eq!(outcomes.len(), changes.len());
        for outcome in &outcomes {
            let text = format!("{outcome:?}");
            assert!(!text.contains("secret-000001"), "{text}");
        }
        outcomes
    }

    pub fn one(&self, change: &Change) -> Receipt {
        match self.deliver(std::slice::from_ref(change)).remove(0) {
            Outcome::Done(receipt) => receipt,
            other => panic!("not done: {other:?}"),
        }
    }

    pub fn fails(&self, change: &Change) -> Failure {
        match self.deliver(std::slice::from_ref(change)).remove(0) {
            Outcome::Failed(failure) => failure,
            other => panic!("not failed: {other:?}"),
        }
    }

    /// How many requests something takes.
    pub fn requests<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let before = self.state().asked.len();
        let result = work();
        let after = self.state().asked.len();
        (result, after - before)
    }
}

/// What the delivery after this one is given.
pub fn next(change: &Change, receipt: &Receipt, item: impl Into<Item>) -> Change {
    Change {
        revision: change.revision + 1,
        external_id: receipt.external_id.clone(),
        memo: receipt.memo.clone(),
        item: item.into(),
        ..change.clone()
    }
}

/// A delivery that comes from the source `inbox`.
pub fn from_inbox(id: &str, item: impl Into<Item>) -> Change {
    let mut change = cordboard_sdk::testing::change(id, item);
    change.subject.source = "inbox".into();
    change
}

pub fn number(e164: &str) -> Party {
    Party { number: Some(phone(e164)), ..Party::default() }
}

pub fn phone(e164: &str) -> Phone {
    Phone { raw: e164.into(), e164: Some(e164.into()), ..Phone::default() }
}

/// An incoming call that extension 101 took.
pub fn finished() -> Call {
    Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".into()),
        direction: Some(Direction::Inbound),
        caller: Some(number(ONE)),
        callee: Some(number("+34910000001")),
        agent: Some(Agent { user: Some("ana@example.test".into()), ..Agent::extension("101") }),
        started_at: Some(START),
        answered_at: Some(START + 10_000),
        ended_at: Some(START + 95_000),
        duration: Some(95),
        talk: Some(85),
        ..Call::default()
    }
}

/// The same call while it rings.
pub fn ringing() -> Call {
    Call {
        phase: Some(CallPhase::Ringing),
        direction: Some(Direction::Inbound),
        caller: Some(number(ONE)),
        callee: Some(number("+34910000001")),
        started_at: Some(START),
        ..Call::default()
    }
}

pub fn call_log() -> Value {
    let field = |name: &str, kind: &str, options: &str| {
        let mandatory = u8::from(["from", "to", "type", "status"].contains(&name));
        json!({"fieldname": name, "fieldtype": kind, "options": options, "reqd": mandatory,
            "unique": u8::from(name == "id"), "length": 0, "ignore_xss_filter": 0, "default": null})
    };
    json!({"module": "FCRM", "custom": 0, "autoname": "field:id", "fields": [
        field("id", "Data", ""), field("from", "Data", ""), field("to", "Data", ""),
        field("type", "Select", "Incoming\nOutgoing"),
        field("status", "Select",
            "Initiated\nRinging\nIn Progress\nCompleted\nFailed\nBusy\nNo Answer\nQueued\nCanceled"),
        field("start_time", "Datetime", ""), field("end_time", "Datetime", ""), field("duration", "Duration", ""),
        field("medium", "Data", ""), field("telephony_medium", "Select", "\nManual\nTwilio\nExotel"),
        field("recording_url", "Small Text", ""), field("caller", "Link", "User"), field("receiver", "Link", "User"),
        field("reference_doctype", "Link", "DocType"), field("reference_docname", "Dynamic Link", "reference_doctype"),
        field("links", "Table", "Dynamic Link"),
    ]})
}

fn refusal(status: u16, kind: &str, message: &str) -> (u16, Value) {
    let shown = json!([json!({"message": message, "title": "Message"}).to_string()]).to_string();
    (
        status,
        json!({
            "exception": format!("frappe.exceptions.{kind}: {message}"), "exc_type": kind,
            "exc": "[\"Traceback (most recent call last):\\n  File \\\"apps/frappe/frappe/app.py\\\"\"]",
            "_server_messages": shown,
        }),
    )
}

type Answered = Result<Value, (u16, Value)>;

impl State {
    fn answer(&mut self, request: &Request) -> (u16, Value) {
        let url = request.url.strip_prefix("https://crm.example.test").unwrap();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let query: HashMap<String, String> = pairs(query);
        let header = |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(header("accept"), Some("application/json"), "errors would be pages of HTML");
        let open = path.ends_with("get_time_zone") || path.ends_with("handle_request");
        if !open && header("authorization") != Some("token key-000001:secret-000001") {
            return refusal(401, "AuthenticationError", "");
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let segments: Vec<String> = path.trim_start_matches('/').split('/').map(decode).collect();
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        let result = match (request.method.as_str(), words.as_slice()) {
            ("GET", ["api", "v2", "doctype", doctype, "meta"]) => match self.meta(doctype) {
                Ok(meta) => Ok(json!({ "data": meta })),
                // Version 2 refuses in a form of its own.
                Err((status, body)) => Err((status, json!({"errors": [{"type": body["exc_type"]}]}))),
            },
            ("GET", ["api", "resource", doctype]) => self.list(doctype, &query).map(|rows| json!({ "data": rows })),
            ("POST", ["api", "resource", doctype]) => self.insert(doctype, &body).map(|doc| json!({ "data": doc })),
            ("GET", ["api", "resource", doctype, name]) => self.read(doctype, name).map(|doc| json!({ "data": doc })),
            ("PUT", ["api", "resource", doctype, name]) => {
                self.update(doctype, name, &body).map(|doc| json!({ "data": doc }))
            }
            ("DELETE", ["api", "resource", doctype, name]) => {
                self.delete(doctype, name).map(|()| json!({ "data": "ok" }))
            }
            (_, ["api", "method", method]) => self.method(method, &query, &body, request),
            _ => Err(refusal(404, "DoesNotExistError", "not found")),
        };
        match result {
            Ok(body) => (if request.method == "DELETE" { 202 } else { 200 }, body),
            Err(refused) => refused,
        }
    }

    fn method(&mut self, method: &str, query: &HashMap<String, String>, body: &Value, request: &Request) -> Answered {
        let answer = match method {
            "frappe.auth.get_logged_user" => json!("hub@example.test"),
            "frappe.client.get_time_zone" => json!({"time_zone": "Europe/Madrid"}),
            "frappe.utils.change_log.get_versions" if self.disabled_crm => json!({"frappe": {"version": "15.55.1"}}),
            "frappe.utils.change_log.get_versions" => {
                json!({"frappe": {"version": "15.55.1"}, "crm": {"version": "1.81.1"}})
            }
            "frappe.client.get_doc_permissions" => {
                let right = |right: &str| u8::from(!self.denied.contains(&format!("{right} {}", query["doctype"])));
                json!({"permissions": {"read": right("read"), "write": right("write"), "create": right("create")}})
            }
            "frappe.client.get_count" => {
                let mut query = query.clone();
                query.insert("limit_page_length".into(), "0".into());
                json!(self.list(&query["doctype"].clone(), &query)?.len())
            }
            "frappe.client.get_list" => {
                let mut query = HashMap::new();
                for (name, value) in body.as_object().unwrap() {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    query.insert(name.clone(), text);
                }
                json!(self.list(body["doctype"].as_str().unwrap(), &query)?)
            }
            "frappe.client.insert_many" => {
                let docs = body["docs"].as_array().unwrap();
                if docs.len() > 200 {
                    return Err(refusal(417, "ValidationError", "Only 200 inserts allowed in one request"));
                }
                let before = self.docs.clone();
                let mut names = Vec::new();
                for doc in docs {
                    match self.insert(doc["doctype"].as_str().unwrap(), doc) {
                        Ok(doc) => names.push(doc["name"].clone()),
                        Err(refused) => {
                            self.docs = before;
                            return Err(refused);
                        }
                    }
                }
                json!(names)
            }
            "crm.integrations.api.get_contact_by_phone_number" if !self.disabled_crm => {
                let asked = &query["phone_number"];
                let lead = self.docs["CRM Lead"].iter().find(|row| row.get("mobile_no") == Some(&json!(asked)));
                match lead {
                    Some(lead) => json!({"name": lead["name"], "lead": lead["name"], "full_name": lead["lead_name"],
                        "mobile_no": asked}),
                    None => json!({"mobile_no": asked.trim_start_matches('+')}),
                }
            }
            "crm.integrations.exotel.handler.handle_request" => {
                let row = body.as_object().unwrap().clone();
                self.docs.entry("exotel".into()).or_default().push(row);
                return Ok(json!({}));
            }
            "upload_file" => {
                let text = String::from_utf8_lossy(&request.body).into_owned();
                let part = |name: &str| {
                    let start = text.split(&format!("name=\"{name}\"\r\n\r\n")).nth(1)?;
                    start.split("\r\n").next().map(str::to_owned)
                };
                assert_eq!(part("is_private").as_deref(), Some("1"), "0 is the default, and public");
                let name = text.split("filename=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
                let url = format!("/private/files/{name}");
                self.insert(
                    "File",
                    &json!({"file_name": name, "file_url": url, "is_private": 1,
                    "attached_to_doctype": part("doctype"), "attached_to_name": part("docname")}),
                )?
            }
            _ => return Err(refusal(417, "ValidationError", "Failed to get method")),
        };
        Ok(json!({ "message": answer }))
    }

    fn meta(&self, doctype: &str) -> Answered {
        self.doctypes.get(doctype).cloned().ok_or_else(|| refusal(404, "DoesNotExistError", "DocType not found"))
    }

    fn may(&self, right: &str, doctype: &str) -> Result<(), (u16, Value)> {
        if self.denied.contains(&format!("{right} {doctype}")) {
            let (status, mut body) = refusal(403, "PermissionError", "x");
            body["_error_message"] = json!(format!("No permission for <strong>{doctype}</strong>"));
            return Err((status, body));
        }
        Ok(())
    }

    fn list(&self, doctype: &str, query: &HashMap<String, String>) -> Result<Vec<Value>, (u16, Value)> {
        self.meta(doctype)?;
        self.may("read", doctype)?;
        let parse =
            |name: &str| query.get(name).map(|text| serde_json::from_str::<Value>(text).unwrap()).unwrap_or_default();
        let (filters, any, fields) = (parse("filters"), parse("or_filters"), parse("fields"));
        let holds = |row: &Row, filter: &Value| {
            let parts = filter.as_array().unwrap();
            let (field, op, value) = match parts.as_slice() {
                [field, op, value] | [_, field, op, value] => (field.as_str().unwrap(), op.as_str().unwrap(), value),
                _ => panic!("{filter}"),
            };
            let there = row.get(field).cloned().unwrap_or_default();
            let text = there.as_str().unwrap_or_default().to_lowercase();
            let low = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
            match op {
                "=" => text == low(value),
                "in" => value.as_array().unwrap().iter().any(|value| low(value) == text),
                "like" => like(&text, &low(value)),
                "is" => text.is_empty() == (value == "not set"),
                _ => panic!("{op}"),
            }
        };
        let limit: usize = query.get("limit_page_length").map_or(20, |text| text.parse().unwrap());
        let all = |row: &&Row| {
            filters.as_array().into_iter().flatten().all(|filter| holds(row, filter))
                && (any.is_null() || any.as_array().unwrap().iter().any(|filter| holds(row, filter)))
        };
        let shown = |row: &Row| {
            let names = fields.as_array().cloned().unwrap_or_else(|| vec![json!("name")]);
            let one = |name: &Value| {
                let name = name.as_str().unwrap().rsplit('.').next().unwrap().to_owned();
                (name.clone(), row.get(&name).cloned().unwrap_or_default())
            };
            Value::Object(names.iter().map(one).collect())
        };
        let rows = self.docs.get(doctype).into_iter().flatten().filter(all);
        Ok(rows.take(if limit == 0 { usize::MAX } else { limit }).map(shown).collect())
    }

    fn at(&self, doctype: &str, name: &str) -> Result<usize, (u16, Value)> {
        let rows = self.docs.get(doctype).into_iter().flatten();
        let found = rows.enumerate().find(|(_, row)| row["name"].as_str().unwrap().eq_ignore_ascii_case(name));
        found.map(|(at, _)| at).ok_or_else(|| (404, json!({"exc_type": "DoesNotExistError"})))
    }

    fn read(&self, doctype: &str, name: &str) -> Answered {
        self.may("read", doctype)?;
        let row = &self.docs[doctype][self.at(doctype, name)?];
        Ok(Value::Object(
            row.iter().filter(|(_, value)| !value.is_null()).map(|(n, v)| (n.clone(), v.clone())).collect(),
        ))
    }

    fn insert(&mut self, doctype: &str, doc: &Value) -> Answered {
        if !self.doctypes.contains_key(doctype) {
            return Err(refusal(500, "ImportError", "Module import failed"));
        }
        self.may("create", doctype)?;
        let mut row = self.cleaned(doctype, doc.as_object().unwrap());
        let meta = self.doctypes[doctype].clone();
        for field in meta["fields"].as_array().unwrap() {
            let name = field["fieldname"].as_str().unwrap();
            if let (None, Some(default)) = (row.get(name), field["default"].as_str()) {
                let default = if default == "Now" { "2026-03-05 11:00:00" } else { default };
                row.insert(name.to_owned(), json!(default));
            }
        }
        self.valid(doctype, &row)?;
        self.counter += 1;
        let autoname = meta["autoname"].as_str().unwrap_or_default();
        let name = match autoname.strip_prefix("field:") {
            Some(field) => row.get(field).and_then(Value::as_str).unwrap_or_default().trim().to_owned(),
            None => format!("{:010x}", self.counter),
        };
        if self.at(doctype, &name).is_ok() {
            return Err(refusal(409, "DuplicateEntryError", &format!("('{doctype}', '{name}', IntegrityError(1062))")));
        }
        self.unique(doctype, &row, &name)?;
        row.insert("name".into(), json!(name));
        row.insert("creation".into(), json!(format!("2026-03-05 11:00:00.{:06}", self.counter)));
        row.insert("doctype".into(), json!(doctype));
        self.docs.get_mut(doctype).unwrap().push(row);
        self.read(doctype, &name)
    }

    fn update(&mut self, doctype: &str, name: &str, changed: &Value) -> Answered {
        let at = self.at(doctype, name)?;
        self.may("write", doctype)?;
        let mut row = self.docs[doctype][at].clone();
        row.extend(self.cleaned(doctype, changed.as_object().unwrap()));
        self.valid(doctype, &row)?;
        self.unique(doctype, &row, name)?;
        self.docs.get_mut(doctype).unwrap()[at] = row;
        self.read(doctype, name)
    }

    fn delete(&mut self, doctype: &str, name: &str) -> Result<(), (u16, Value)> {
        let at = self.at(doctype, name)?;
        self.may("delete", doctype)?;
        self.docs.get_mut(doctype).unwrap().remove(at);
        Ok(())
    }

    /// Unknown fields are dropped; markup is cleaned where the field does not say otherwise.
    fn cleaned(&self, doctype: &str, doc: &Row) -> Row {
        let mut row = Row::new();
        for field in self.doctypes[doctype]["fields"].as_array().unwrap() {
            let name = field["fieldname"].as_str().unwrap();
            let Some(value) = doc.get(name) else { continue };
            let value = match (value.as_str(), field["fieldtype"].as_str().unwrap()) {
                (Some(text), "Int") => json!(text.parse::<i64>().unwrap_or(0)),
                (Some(text), _) if text.contains("<script") && field["ignore_xss_filter"] != 1 => {
                    json!(text.replace('&', "&amp;").replace("<script", "&lt;script").replace("< ", "&lt; "))
                }
                _ => value.clone(),
            };
            row.insert(name.to_owned(), value);
        }
        row
    }

    fn valid(&self, doctype: &str, row: &Row) -> Result<(), (u16, Value)> {
        for field in self.doctypes[doctype]["fields"].as_array().unwrap() {
            let name = field["fieldname"].as_str().unwrap();
            let value = row.get(name).cloned().unwrap_or_default();
            let text = value.as_str().unwrap_or_default();
            let options = field["options"].as_str().unwrap_or_default();
            if field["reqd"] == 1 && (value.is_null() || value == "") {
                return Err(refusal(417, "MandatoryError", &format!("[{doctype}]: {name}")));
            }
            if text.is_empty() {
                continue;
            }
            match field["fieldtype"].as_str().unwrap() {
                "Select" if !options.lines().any(|option| option == text) => {
                    return Err(refusal(417, "ValidationError", &format!("{name} cannot be \"{text}\"")));
                }
                "Data" | "Link" if text.chars().count() > 140 => {
                    return Err(refusal(417, "CharacterLengthExceededError", &format!("{name} is too long")));
                }
                "Datetime" if text.len() < 19 || text.ends_with('Z') || !text.is_ascii() || text.contains('+') => {
                    return Err((
                        500,
                        json!({"exc_type": "OperationalError",
                        "exception": "pymysql.err.OperationalError: (1292, \"Incorrect datetime value\")"}),
                    ));
                }
                "Small Text" if text.len() > 65_535 => return Err(refusal(500, "DataError", "Data too long")),
                "Link" if options != "DocType" && self.at(options, text).is_err() => {
                    return Err(refusal(417, "LinkValidationError", &format!("Could not find {name}: {text}")));
                }
                _ => {}
            }
            let phone = |c: char| c.is_ascii_digit() || " +_-,.*#()".contains(c);
            if options == "Phone" && (text.len() > 20 || !text.chars().all(phone)) {
                return Err(refusal(417, "InvalidPhoneNumberError", &format!("{text} is not a valid Phone Number")));
            }
        }
        Ok(())
    }

    fn unique(&self, doctype: &str, row: &Row, own: &str) -> Result<(), (u16, Value)> {
        for field in self.doctypes[doctype]["fields"].as_array().unwrap().iter().filter(|field| field["unique"] == 1) {
            let name = field["fieldname"].as_str().unwrap();
            let value = row.get(name).and_then(Value::as_str).unwrap_or_default();
            let taken = |other: &Row| {
                let there = other.get(name).and_then(Value::as_str).unwrap_or_default();
                !value.is_empty() && there.eq_ignore_ascii_case(value) && other["name"] != own
            };
            if self.docs[doctype].iter().any(taken) {
                return Err(refusal(417, "UniqueValidationError", &format!("{name} must be unique")));
            }
        }
        Ok(())
    }
}

fn like(text: &str, pattern: &str) -> bool {
    match pattern.split_once('%') {
        None => text == pattern,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| like(text, rest)))),
    }
}

fn pairs(query: &str) -> HashMap<String, String> {
    let decode = |text: &str| decode(&text.replace('+', " "));
    query.split('&').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (decode(n), decode(v))).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| std::str::from_utf8(after.get(..2)?).ok()).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

impl Host for Site {
    fn settings(&self) -> &str {
        &self.settings
    }

    fn grant(&self) -> Option<Grant> {
        self.grant.lock().unwrap().clone()
    }

    fn log(&self, level: Level, message: &str) {
        self.state().logs.push((level, message.to_owned()));
    }

    fn now(&self) -> Instant {
        self.state().now
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn send(&self, request: Request) -> Result<Response, Error> {
        let mut state = self.state();
        state.asked.push(request.clone());
        let fits = |planned: &Planned| planned.method == request.method && request.url.contains(planned.path);
        let does = match state.faults.front().is_some_and(fits) {
            true => state.faults.pop_front().map(|planned| planned.does),
            false => None,
        };
        let respond = |status: u16, body: Vec<u8>, headers: Vec<(String, Vec<u8>)>, at| {
            Ok(Response { status, headers, body, at })
        };
        let (headers, now) = (state.headers.clone(), state.now);
        match does {
            Some(Does::Answer(status, body)) => respond(status, body.to_string().into_bytes(), headers, now),
            Some(Does::Text(status, text)) => respond(status, text.into(), headers, now),
            Some(Does::Silent(error)) => Err(error),
            Some(Does::Lost(error)) => {
                let _ = state.answer(&request);
                Err(error)
            }
            None => {
                let (status, body) = state.answer(&request);
                respond(status, body.to_string().into_bytes(), headers, now)
            }
        }
    }

    fn fetch(&self, url: &str, limit: u64) -> Result<Content, Failure> {
        let bytes = self.state().files.get(url).cloned();
        let bytes = bytes.ok_or_else(|| Failure::retryable(format!("{url}: not there yet")))?;
        if bytes.len() as u64 > limit {
            return Err(Failure::rejected("too-long", format!("{url} is longer than {limit} bytes")));
        }
        Ok(Content { media_type: Some("audio/x-wav".into()), bytes })
    }
}

/// A recording of the real server: one request and its answer.
pub struct Recorded {
    pub method: String,
    pub path: String,
    pub body: Value,
    pub answer: Response,
    pub all: Value,
}

pub fn recorded(name: &str) -> Recorded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recordings/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let all: Value = serde_json::from_str(&text).unwrap();
    let (request, response) = (&all["request"], &all["response"]);
    let headers = response["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pair| (pair[0].as_str().unwrap().to_lowercase(), pair[1].as_str().unwrap().as_bytes().to_vec()));
    let body = match response.get("json") {
        Some(json) => json.to_string(),
        None => response["body_text"].as_str().unwrap_or_default().to_owned(),
    };
    Recorded {
        method: request["method"].as_str().unwrap_or_default().to_owned(),
        path: request["path"].as_str().unwrap_or_default().to_owned(),
        body: request["json"].clone(),
        answer: Response {
            status: response["status"].as_u64().unwrap_or(0).try_into().unwrap(),
            headers: headers.collect(),
            body: body.into_bytes(),
            at: 0,
        },
        all,
    }
}
