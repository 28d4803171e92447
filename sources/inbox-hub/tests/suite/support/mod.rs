//! What the tests of the source share.

pub mod server;

use std::path::PathBuf;

use cordboard_inbox_hub::InboxHub;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::Outside;
use cordboard_sdk::vocabulary::Incoming;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub const SECRET: &str = "test-only-webhook-secret-0123456789";
pub const SESSION: &str = "nueva_sesion_wa";

/// 2025-10-15T10:30:00Z, the recordings' own base.
pub const BASE: Instant = 1_760_524_200_000;

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

pub fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

pub fn recorded(file: &str) -> Value {
    serde_json::from_slice(&bytes(file)).unwrap()
}

/// What the recordings' manifest says of each.
pub fn manifest() -> Vec<Value> {
    recorded("manifest.json")["recordings"].as_array().unwrap().clone()
}

pub fn settings(more: Value) -> Value {
    let mut settings = json!({
        "url": "https://inbox.test", "sessions": [SESSION], "secret": SECRET, "api_key": "test-key", "auth": "api_key",
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

pub fn outside(more: Value) -> Outside {
    Outside::new().settings(settings(more)).at(BASE)
}

pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

pub fn post(headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Incoming {
    let request = cordboard_sdk::testing::post("/v1/hooks/acme/whatsapp", headers, body);
    Incoming { received_at: BASE + 60_000, ..request }
}

/// A body as the server would send it.
pub fn signed(body: impl Into<Vec<u8>>) -> Incoming {
    let body = body.into();
    let signature = sign(SECRET, &body);
    post(&[("X-Webhook-Signature", &signature)], body)
}

pub fn receive(outside: &Outside, request: Incoming) -> Result<Accepted, Refusal> {
    InboxHub::receive(outside, request)
}

/// An event about the one session.
pub fn event(name: &str, data: Value) -> Value {
    json!({ "event": name, "sessionId": SESSION, "timestamp": "2025-10-15T10:30:05.000Z", "data": data })
}

/// What a body of that event shows.
pub fn seen(name: &str, data: Value) -> Vec<Observation> {
    accepted(&event(name, data)).observations
}

pub fn accepted(body: &Value) -> Accepted {
    receive(&outside(json!({})), signed(body.to_string())).unwrap_or_else(|refusal| panic!("{body}: {refusal:?}"))
}

pub fn refused(body: &Value) -> Refusal {
    receive(&outside(json!({})), signed(body.to_string())).expect_err("refused")
}

/// The first message among observations, with its observation.
pub fn message(observations: &[Observation]) -> (&Observation, &Message) {
    let found = observations.iter().find_map(|seen| match &seen.item {
        Item::Message(message) => Some((seen, message)),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no message in {observations:#?}"))
}

pub fn contact(observations: &[Observation]) -> (&Observation, &Contact) {
    let found = observations.iter().find_map(|seen| match &seen.item {
        Item::Contact(contact) => Some((seen, contact)),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no contact in {observations:#?}"))
}

pub fn conversation(observations: &[Observation]) -> (&Observation, &Conversation) {
    let found = observations.iter().find_map(|seen| match &seen.item {
        Item::Conversation(conversation) => Some((seen, conversation)),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no conversation in {observations:#?}"))
}

pub fn session(observations: &[Observation]) -> (&Observation, &Session) {
    let found = observations.iter().find_map(|seen| match &seen.item {
        Item::Session(session) => Some((seen, session)),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no session in {observations:#?}"))
}

pub fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// An answer of the recordings.
pub fn answer(file: &str, status: u16, headers: &[(&str, &str)]) -> Response {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    Response { status, headers, body: bytes(file), at: 0 }
}

pub fn ok(data: Value) -> Value {
    json!({ "success": true, "data": data })
}

pub fn command(name: &str, arguments: Value) -> Command {
    Command { id: "c1".into(), name: name.into(), agent: None, arguments: arguments.to_string() }
}
