//! What the tests of the source share.

use std::fmt::Write;

use cordboard_pbx_webhook::PbxWebhook;
use cordboard_sdk::prelude::*;
use cordboard_sdk::testing::{Outside, post};
use cordboard_sdk::vocabulary::Incoming;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The body of an existing middleware.
pub const EXAMPLE: &str = r#"{
  "call_uuid": "a1f0c0de-1f6e-4f3a-9a53-2f0c1f9f1c11",
  "from": "+34600111222",
  "to": "+34911222333",
  "direction": "inbound",
  "start_time": "2026-11-20T09:15:02Z",
  "end_time": "2026-11-20T09:18:47Z",
  "status": "completed",
  "recording_url": "https://pbx.example.com/rec/a1f0c0de.mp3",
  "agent_ext": "1001",
  "pbx_system": "freepbx-madrid"
}"#;

pub fn hmac(secret: &str, bytes: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("written");
        text
    })
}

pub fn signed(body: impl Into<Vec<u8>>) -> Incoming {
    let body = body.into();
    let signature = hex(&hmac(SECRET, &body));
    post("/v1/hooks/acme/pbx", &[("content-type", "application/json"), ("x-signature", &signature)], body)
}

pub fn with(settings: serde_json::Value) -> Outside {
    Outside::new().settings(settings)
}

pub fn native() -> Outside {
    with(serde_json::json!({ "secret": SECRET }))
}

pub fn receive(outside: &Outside, request: Incoming) -> Result<Accepted, Refusal> {
    PbxWebhook::receive(outside, request)
}

/// The one observation of a body that is accepted.
pub fn observed(outside: &Outside, request: Incoming) -> (Observation, Call) {
    let mut accepted = receive(outside, request).expect("accepted");
    assert_eq!(accepted.observations.len(), 1);
    let observation = accepted.observations.remove(0);
    let Item::Call(call) = observation.item.clone() else { panic!("a call") };
    (observation, call)
}

/// The native body with some of its fields.
pub fn seen(body: serde_json::Value) -> (Observation, Call) {
    observed(&native(), signed(body.to_string()))
}

/// Why a signed body is malformed: field and sentence.
pub fn malformed(outside: &Outside, request: Incoming) -> (String, String) {
    match receive(outside, request) {
        Err(Refusal::Malformed(Malformed { field, why })) => (field, why),
        other => panic!("expected malformed, got {other:?}"),
    }
}

/// An unsigned source of some format.
pub fn open(format: &str) -> Outside {
    with(serde_json::json!({ "format": format, "unsigned": true }))
}

pub fn plain(content_type: &str, body: impl Into<Vec<u8>>) -> Incoming {
    post("/v1/hooks/acme/pbx", &[("content-type", content_type)], body)
}

pub fn instant(text: &str) -> Option<u64> {
    Some(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond() as u64)
}

pub fn number(party: &Option<Party>) -> Option<&str> {
    party.as_ref()?.number.as_ref().map(|number| number.raw.as_str())
}

pub fn extension(call: &Call) -> Option<&str> {
    call.agent.as_ref()?.extension.as_deref()
}
