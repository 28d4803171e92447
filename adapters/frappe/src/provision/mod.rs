//! What a site needs before the hub can write to it: DocTypes, fields, a role with the least rights, a user, a webhook.
//!
//! This is asked and done as somebody who may change a site, a System Manager, once. What is there already is left as it
//! is; a DocType of the hub's own that an earlier version made gets the fields it lacks.

mod hook;
mod people;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use cordboard_sdk::Host;
use cordboard_sdk::abilities::Step;
use cordboard_sdk::http::encode;
use cordboard_sdk::serde_json::{self, Value, json};
use cordboard_sdk::vocabulary::Failure;
use serde::{Deserialize, Serialize};

use crate::api::{Api, Row, text};
use crate::known::Known;
use crate::preset::Kind;
use crate::refusal::Fault;
use crate::session;
use crate::settings::{Settings, WhatsApp};

/// Stands for the setting `webhook_secret`, which is put in when the step is made, and in no text before.
const SECRET: &str = "{webhook_secret}";

/// Custom rights of one role, at most.
const RIGHTS: usize = 500;

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wanted {
    #[serde(skip)]
    says: String,
    #[serde(skip)]
    details: Vec<String>,
    method: String,
    path: String,
    body: Value,
    /// The document that it makes: its DocType and name.
    #[serde(skip)]
    document: Option<(String, String)>,
    /// It makes the key pair of this user, whose secret is shown once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys_of: Option<String>,
}

impl Wanted {
    /// A document.
    fn new(says: String, doctype: &str, name: &str, body: Value) -> Self {
        let document = Some((doctype.to_owned(), name.to_owned()));
        Self { document, ..Self::asked(says, format!("/api/resource/{}", encode(doctype)), body) }
    }

    /// A method's doing.
    fn asked(says: String, path: String, body: Value) -> Self {
        Self { says, details: vec![], method: "POST".into(), path, body, document: None, keys_of: None }
    }

    /// A change of its document.
    fn changed(&self, says: String, body: Value) -> Self {
        let name = self.document.as_ref().map(|(_, name)| encode(name)).unwrap_or_default();
        Self {
            method: "PUT".into(),
            path: format!("{}/{name}", self.path),
            ..Self::asked(says, self.path.clone(), body)
        }
    }

    fn step(self) -> Step {
        let work = serde_json::to_string(&self).unwrap_or_default();
        Step { says: self.says, details: self.details, work }
    }
}

/// What a site lacks, in order.
pub fn plan(host: &dyn Host, endpoint: Option<&str>) -> Result<Vec<Step>, Failure> {
    let settings: Settings = host.settings_as()?;
    let (credential, known) = session::of(host, &settings)?;
    let api = Api::new(host, &settings, credential);
    let mut wanted = documents(&settings, &known);
    match (endpoint, &settings.webhook_secret) {
        (Some(endpoint), Some(_)) => wanted.extend(hook::webhook(&settings, &known, endpoint)),
        (None, _) => host.warn("no webhook is planned: the hub has no public address"),
        (_, None) => {
            host.warn("no webhook is planned: `webhook_secret` is not set, so nothing can be sent from the site")
        }
    }
    let mut lacking = Vec::new();
    for one in wanted {
        lacking.extend(missing(&api, one)?);
    }
    lacking.extend(rights_missing(&api, &settings, &known)?);
    if let Some(user) = settings.bot.as_deref().map(str::trim).filter(|user| !user.is_empty()) {
        let there = there(&api, "User", user)?;
        lacking.extend(match &there {
            Some(stored) => people::role_missing(stored, user, settings.role()),
            None => Some(people::user(user, settings.role())),
        });
        if !there.as_ref().is_some_and(people::has_keys) {
            lacking.push(people::keys(user));
        }
    }
    Ok(lacking.into_iter().map(Wanted::step).collect())
}

/// Makes one of them.
pub fn make(host: &dyn Host, step: &Step) -> Result<Option<String>, Failure> {
    let settings: Settings = host.settings_as()?;
    let (credential, _) = session::of(host, &settings)?;
    let api = Api::new(host, &settings, credential);
    let mut wanted: Wanted = serde_json::from_str(&step.work)
        .map_err(|_| Failure::rejected("step", "this step was planned by another version: plan anew"))?;
    if wanted.body["webhook_secret"] == SECRET {
        wanted.body["webhook_secret"] = json!(settings.needed(&settings.webhook_secret, "webhook_secret")?);
    }
    let answer = match api.carry_out(&step.says, &wanted.method, &wanted.path, &wanted.body) {
        // Somebody was quicker, or an answer was lost.
        Err(fault) if fault.is_duplicate() => return Ok(None),
        answer => answer?,
    };
    let Some(user) = wanted.keys_of else { return Ok(None) };
    let secret = answer["api_secret"].as_str().unwrap_or_default();
    let user = api.get("User", &user)?;
    Ok(Some(format!("api_key: {}\napi_secret: {secret}", text(&user, "api_key"))))
}

/// The documents that there should be, parents first.
fn documents(settings: &Settings, known: &Known) -> Vec<Wanted> {
    let mut wanted = vec![people::role(settings.role())];
    match settings.whatsapp {
        WhatsApp::Own => {
            for kind in [Kind::Session, Kind::Contact, Kind::Conversation, Kind::Message] {
                let doctype = kind.doctype(settings);
                wanted.extend(doctype.map(|name| schema::own(settings, kind, &name, settings.role(), known.crm)));
            }
        }
        WhatsApp::Existing => wanted.extend(schema::existing_message(known)),
        WhatsApp::Off => {}
    }
    wanted.extend(schema::call_fields(settings, known));
    wanted
}

fn there(api: &Api, doctype: &str, name: &str) -> Result<Option<Row>, Fault> {
    match api.get(doctype, name) {
        Ok(row) => Ok(Some(row)),
        Err(fault) if fault.is_gone() => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The document itself when it is not there; what it lacks when it is.
fn missing(api: &Api, wanted: Wanted) -> Result<Option<Wanted>, Fault> {
    let Some((doctype, name)) = &wanted.document else { return Ok(Some(wanted)) };
    let Some(stored) = there(api, doctype, name)? else { return Ok(Some(wanted)) };
    Ok(match doctype.as_str() {
        "DocType" => fields_missing(&stored, &wanted, name),
        "Webhook" => differs(&stored, &wanted, name),
        "Property Setter" if text(&stored, "value") != wanted.body["value"] => {
            Some(wanted.changed(wanted.says.clone(), json!({"value": wanted.body["value"]})))
        }
        _ => None,
    })
}

/// Fields are added to those that are there, however a person has changed them.
fn fields_missing(stored: &Row, wanted: &Wanted, doctype: &str) -> Option<Wanted> {
    let there = stored.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: BTreeSet<&str> = there.iter().filter_map(|field| field["fieldname"].as_str()).collect();
    let fields = wanted.body["fields"].as_array().into_iter().flatten();
    let new: Vec<&Value> =
        fields.filter(|field| field["fieldname"].as_str().is_some_and(|name| !names.contains(name))).collect();
    if new.is_empty() {
        return None;
    }
    let named: Vec<&str> = new.iter().filter_map(|field| field["fieldname"].as_str()).collect();
    let says = format!("add to the DocType {doctype}: {}", named.join(", "));
    let all: Vec<&Value> = there.iter().chain(new).collect();
    Some(wanted.changed(says, json!({ "fields": all })))
}

/// A webhook that goes elsewhere, or is switched off. The secret cannot be read; it is put in again with the rest.
fn differs(stored: &Row, wanted: &Wanted, name: &str) -> Option<Wanted> {
    let body = wanted.body.as_object()?;
    let compared = [
        "webhook_doctype",
        "webhook_docevent",
        "condition",
        "request_url",
        "webhook_json",
        "enable_security",
        "enabled",
    ];
    let other: Vec<&str> = compared.into_iter().filter(|member| stored.get(*member) != body.get(*member)).collect();
    if other.is_empty() {
        return None;
    }
    let mut changed = wanted.changed(format!("mend the webhook \"{name}\": {}", other.join(", ")), wanted.body.clone());
    changed.details.clone_from(&wanted.details);
    Some(changed)
}

fn rights_missing(api: &Api, settings: &Settings, known: &Known) -> Result<Vec<Wanted>, Fault> {
    let role = settings.role();
    let filters = json!([["role", "=", role], ["permlevel", "=", 0]]);
    let rows = api.list("Custom DocPerm", &filters, &["parent", "read", "write", "create"], RIGHTS)?;
    let given: BTreeMap<&str, &Row> = rows.iter().map(|row| (text(row, "parent"), row)).collect();
    let mut lacking = Vec::new();
    for (doctype, rights) in people::rights(settings, known) {
        let has = |right: &str| given.get(doctype.as_str()).is_some_and(|row| row.get(right) == Some(&json!(1)));
        lacking.extend(rights.iter().filter(|right| !has(right)).map(|right| people::right(role, &doctype, right)));
    }
    Ok(lacking)
}
