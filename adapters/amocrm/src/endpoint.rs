//! What the account sends to the hub: answers written in chats, changes of contacts, the end of an integration.
//!
//! Nothing is asked of anybody here: amoCRM waits two seconds.

use cordboard_sdk::Host;
use cordboard_sdk::abilities::Answer;
use cordboard_sdk::records::{Contact, Identity, Item, Observation};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Incoming, Phone, Reply};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::asterisk_ng;
use crate::chat;
use crate::form;
use crate::secret::same;
use crate::session::Session;
use crate::settings::Settings;

/// Contacts of one hook that are reported.
const CONTACTS: usize = 100;

/// Answers one request.
pub fn handle(host: &dyn Host, request: &Incoming) -> Answer {
    let settings: Settings = match host.settings_as() {
        Ok(settings) => settings,
        Err(_) => return refusal(500, "the settings of this sink cannot be read"),
    };
    let path: Vec<&str> = request.path.trim_end_matches('/').rsplit('/').collect();
    match (request.method.as_str(), path.as_slice()) {
        ("POST", [_, "chat", ..]) => chat::hook::handle(host, &settings, request),
        ("POST", [token, "hook", ..]) => hook(host, &settings, token, request),
        ("GET", ["off", ..]) => switched_off(host, &settings, request),
        _ => asterisk_ng::handle(host, &settings, request)
            .unwrap_or_else(|| refusal(404, "there are `chat/<scope>`, `hook/<token>` and `off` here")),
    }
}

/// A webhook of the account. amoCRM does not sign them: the address is the secret.
fn hook(host: &dyn Host, settings: &Settings, token: &str, request: &Incoming) -> Answer {
    match &settings.hook_token {
        Some(secret) if same(secret, token) => {}
        Some(_) => return refusal(401, "the last part of the address is not the setting `hook_token`"),
        None => return refusal(403, "nothing is taken from the account: `hook_token` is not set"),
    }
    let body = form::nested(&request.form_pairs());
    let account = host.grant().and_then(|grant| Session::read(&grant.token)).map_or(0, |session| session.account.id);
    let foreign = |id: &Value| account != 0 && id.as_str().is_some_and(|id| id != account.to_string());
    if foreign(&body["account"]["id"]) {
        return refusal(403, "the webhook is another account's");
    }
    let changed = ["add", "update"].iter().flat_map(|what| form::rows(&body["contacts"][*what]));
    let contacts = changed.filter(|row| row["type"] != "company" && !foreign(&row["account_id"])).take(CONTACTS);
    let observations = contacts.filter_map(contact).collect();
    Answer { observations, ..Reply::json(200, &json!({})).into() }
}

/// A contact as the hook shows it: a text for everything.
fn contact(row: &Value) -> Option<Observation> {
    let text = |value: &Value| value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let id = text(&row["id"]).filter(|id| id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit()))?;
    let fields = form::rows(&row["custom_fields"]).into_iter().filter(|field| field["code"] == "PHONE");
    let values = fields.flat_map(|field| form::rows(&field["values"]));
    let numbers = values.filter_map(|value| text(&value["value"]).or(text(value))).take(50).map(Phone::raw).collect();
    let contact = Contact {
        ids: vec![Identity { scheme: "user-id".into(), value: format!("amocrm:{id}") }],
        numbers,
        name: text(&row["name"]),
        ..Contact::default()
    };
    let seconds = text(&row["last_modified"]).or(text(&row["updated_at"])).and_then(|text| text.parse::<u64>().ok());
    let at = seconds.map(|seconds| seconds.saturating_mul(1000));
    Some(Observation { at, ..Observation::of(format!("contact/{id}"), Item::Contact(contact)) })
}

/// The integration was switched off in the account: nothing will be accepted until it is switched on again.
fn switched_off(host: &dyn Host, settings: &Settings, request: &Incoming) -> Answer {
    let query = request.query_pairs();
    let member = |names: &[&str]| {
        query
            .iter()
            .find(|(name, _)| names.contains(&name.as_str()))
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    };
    // The pages differ in the name.
    let (client, account) = (member(&["client_uuid", "client_id"]), member(&["account_id"]));
    let signature = hex::decode(member(&["signature"])).unwrap_or_default();
    let secret = settings.client_secret.as_deref().unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return refusal(500, "no secret") };
    mac.update(format!("{client}|{account}").as_bytes());
    if secret.is_empty() || mac.verify_slice(&signature).is_err() {
        return refusal(401, "the signature is missing or wrong");
    }
    host.error("the integration was switched off in amoCRM: nothing can be written until it is switched on again");
    Reply::json(200, &json!({})).into()
}

fn refusal(status: u16, why: &str) -> Answer {
    Reply::json(status, &json!({"error": why})).into()
}
