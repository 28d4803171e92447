//! Who may report calls.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cordboard_pbx_webhook::PbxWebhook;
use cordboard_sdk::prelude::*;
use cordboard_sdk::testing::{Outside, post};
use cordboard_sdk::vocabulary::Incoming;
use serde_json::{Value, json};

use crate::support::{EXAMPLE, SECRET, hex, hmac, native, receive, signed, with};

fn unauthenticated(outside: &Outside, request: Incoming) -> String {
    match receive(outside, request) {
        Err(Refusal::Unauthenticated(why)) => why,
        other => panic!("expected unauthenticated, got {other:?}"),
    }
}

fn with_header(name: &str, value: &str) -> Incoming {
    post("/", &[(name, value)], EXAMPLE)
}

#[test]
fn the_example_is_accepted() {
    assert_eq!(receive(&native(), signed(EXAMPLE)).expect("accepted").observations.len(), 1);
}

#[test]
fn wrong_signatures_are_refused() {
    let outside = native();
    let good = hex(&hmac(SECRET, EXAMPLE.as_bytes()));
    let mut other = good.clone();
    other.replace_range(0..1, if good.starts_with('0') { "1" } else { "0" });
    let cases = [
        (good.to_uppercase(), "lower-case hex"),
        (good[..62].to_owned(), "32 bytes"),
        (format!("{good}00"), "32 bytes"),
        (other, "does not fit"),
        (hex(&hmac("another secret", EXAMPLE.as_bytes())), "does not fit"),
        (format!("sha256={good}"), "32 bytes"),
        (String::new(), "32 bytes"),
        ("ü".repeat(32), "32 bytes"),
    ];
    for (value, reason) in cases {
        let why = unauthenticated(&outside, with_header("x-signature", &value));
        assert!(why.contains(reason) && why.contains("x-signature"), "{value}: {why}");
    }
    assert!(unauthenticated(&outside, with_header("x-other", &good)).contains("missing"));
    let mut twice = signed(EXAMPLE);
    twice.headers.push(twice.headers[1].clone());
    assert!(unauthenticated(&outside, twice).contains("twice"));
    let mut changed = signed(EXAMPLE);
    changed.body.push(b' ');
    assert!(unauthenticated(&outside, changed).contains("does not fit"));
}

#[test]
fn a_bad_signature_wins_over_a_bad_body() {
    let mut request = signed("not json");
    request.body.push(b'!');
    unauthenticated(&native(), request);
}

#[test]
fn secrets_can_be_changed_one_at_a_time() {
    for settings in [
        json!({ "secret": ["new", SECRET] }),
        json!({ "signature": { "secrets": ["new", SECRET] } }),
        json!({ "secret": "new", "signature": { "secret": SECRET } }),
    ] {
        let outside = with(settings);
        receive(&outside, signed(EXAMPLE)).expect("the old secret");
        receive(&outside, with_header("x-signature", &hex(&hmac("new", EXAMPLE.as_bytes())))).expect("the new secret");
        unauthenticated(&outside, with_header("x-signature", &hex(&hmac("third", EXAMPLE.as_bytes()))));
    }
}

#[test]
fn other_hashes_headers_and_spellings() {
    use ::hmac::{Hmac, KeyInit, Mac};
    let mut sha1 = Hmac::<sha1::Sha1>::new_from_slice(SECRET.as_bytes()).expect("a key");
    sha1.update(EXAMPLE.as_bytes());
    let sha1 = format!("sha1={}", hex(&sha1.finalize().into_bytes()).to_uppercase());
    let outside = with(json!({
        "secret": SECRET,
        "signature": { "header": "X-Hub-Signature", "algorithm": "sha1", "prefix": "sha1=", "encoding": "hex-any" },
    }));
    receive(&outside, with_header("x-hub-signature", &sha1)).expect("accepted");

    let mut sha512 = Hmac::<sha2::Sha512>::new_from_slice(SECRET.as_bytes()).expect("a key");
    sha512.update(EXAMPLE.as_bytes());
    let sha512 = STANDARD.encode(sha512.finalize().into_bytes());
    let outside = with(json!({ "secret": SECRET, "signature": { "algorithm": "sha512", "encoding": "base64" } }));
    receive(&outside, with_header("x-signature", &sha512)).expect("accepted");
    for value in [&sha512[..sha512.len() - 1], &STANDARD.encode([0; 64]), &STANDARD.encode([0; 90]), "=", ""] {
        unauthenticated(&outside, with_header("x-signature", value));
    }
}

#[test]
fn requests_of_another_time_are_refused() {
    let outside = with(json!({
        "secret": SECRET,
        "timestamp": { "header": "X-Timestamp", "tolerance": 60, "signed": "{timestamp}.{body}" },
    }));
    let request = |sent: &str| {
        let signature = hex(&hmac(SECRET, format!("{sent}.{EXAMPLE}").as_bytes()));
        post("/", &[("x-timestamp", sent), ("x-signature", &signature)], EXAMPLE)
    };
    let now = request("0").received_at / 1000;
    receive(&outside, request(&now.to_string())).expect("now");
    receive(&outside, request(&(now - 60).to_string())).expect("just in time");
    receive(&outside, request(&format!("{}", (now + 59) * 1000))).expect("in milliseconds");
    assert!(unauthenticated(&outside, request(&(now - 61).to_string())).contains("61 s away"));
    assert!(unauthenticated(&outside, request(&(now + 61).to_string())).contains("61 s away"));
    assert!(unauthenticated(&outside, request("soon")).contains("does not hold a time"));
    assert!(unauthenticated(&outside, signed(EXAMPLE)).contains("missing"));
    let mut moved = request(&(now - 61).to_string());
    moved.headers[0].1 = now.to_string().into_bytes();
    assert!(unauthenticated(&outside, moved).contains("does not fit"));
}

#[test]
fn five_minutes_either_way_unless_said_otherwise() {
    let outside = with(json!({ "secret": SECRET, "timestamp": { "header": "X-Timestamp" } }));
    let away = |seconds: i64| {
        let mut request = signed(EXAMPLE);
        let sent = request.received_at as i64 / 1000 + seconds;
        request.headers.push(("x-timestamp".into(), sent.to_string().into_bytes()));
        request
    };
    for seconds in [-300, 0, 300] {
        receive(&outside, away(seconds)).unwrap_or_else(|why| panic!("{seconds}: {why:?}"));
    }
    for seconds in [-301, 301] {
        assert!(unauthenticated(&outside, away(seconds)).contains("301 s away"), "{seconds}");
    }
}

#[test]
fn a_token_stands_for_a_signature() {
    let outside = with(json!({ "token": { "prefix": "Bearer ", "secrets": ["one", "two"] } }));
    receive(&outside, with_header("authorization", "Bearer two")).expect("accepted");
    for value in ["Bearer three", "two", "Bearer  two", "bearer two", ""] {
        unauthenticated(&outside, with_header("authorization", value));
    }
    let outside = with(json!({ "token": { "prefix": "Basic ", "encoding": "base64", "secret": "pbx:word" } }));
    let value = format!("Basic {}", STANDARD.encode("pbx:word"));
    receive(&outside, with_header("authorization", &value)).expect("accepted");
}

#[test]
fn nobody_is_let_in_by_leaving_things_out() {
    for settings in [
        json!({ "secret": "" }),
        json!({ "secret": [] }),
        json!({ "token": {} }),
        json!({ "secrte": SECRET }),
        json!({ "secret": SECRET, "format": "asterisk" }),
        json!({ "secret": SECRET, "format": "custom" }),
        json!({ "secret": SECRET, "zone": "Mars/Olympus" }),
        json!({ "secret": SECRET, "timestamp": { "header": "X-Timestamp", "signed": "{body}" } }),
    ] {
        let (outside, why) = misconfigured(&settings);
        assert!(outside.logs().iter().any(|(level, _)| *level == Level::Error), "{settings}: {why}");
    }
}

fn misconfigured(settings: &Value) -> (Outside, String) {
    let outside = with(settings.clone());
    let why = unauthenticated(&outside, signed(EXAMPLE));
    let why = why.strip_prefix("misconfigured: ").unwrap_or_else(|| panic!("{settings}: {why}")).to_owned();
    (outside, why)
}

#[test]
fn no_proof_is_dropped_in_silence() {
    let schema: Value = serde_json::from_str(&PbxWebhook::describe().settings_schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let timestamp = json!({ "header": "X-Timestamp" });
    let together = json!({ "header": "X-Timestamp", "signed": "{timestamp}.{body}" });
    let token = json!({ "secret": "word" });
    for (settings, reason) in [
        (json!({ "unsigned": true, "secret": SECRET }), "`unsigned = true` and `secret` exclude each other"),
        (
            json!({ "unsigned": true, "signature": { "header": "X-Sig" } }),
            "`unsigned = true` and `signature` exclude each other",
        ),
        (json!({ "unsigned": true, "timestamp": timestamp }), "`unsigned = true` and `timestamp` exclude each other"),
        (json!({ "unsigned": true, "token": token }), "`unsigned = true` and `token` exclude each other"),
        (json!({ "signature": { "header": "X-Sig" }, "token": token }), "`signature` says how requests are signed"),
        (json!({ "timestamp": together, "token": token }), "`timestamp.signed` says how requests are signed"),
        (json!({ "timestamp": timestamp }), "nobody can prove who they are"),
        (json!({ "unsigned": false }), "nobody can prove who they are"),
        (json!({}), "nobody can prove who they are"),
    ] {
        let (_, why) = misconfigured(&settings);
        assert!(why.contains(reason), "{settings}: {why}");
        assert!(!schema.is_valid(&settings), "{settings}");
    }
    for good in [
        json!({ "unsigned": true }),
        json!({ "timestamp": timestamp, "token": token }),
        json!({ "timestamp": together, "signature": { "secret": SECRET } }),
    ] {
        assert!(schema.is_valid(&good), "{good}");
    }
}

#[test]
fn unsigned_only_when_the_file_says_so_and_with_a_warning() {
    let outside = with(json!({ "unsigned": true }));
    receive(&outside, post("/", &[], EXAMPLE)).expect("accepted");
    receive(&outside, post("/", &[], EXAMPLE)).expect("accepted");
    assert_eq!(outside.logs().iter().filter(|(level, _)| *level == Level::Warn).count(), 1);
}
