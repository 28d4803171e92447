//! Whatever comes is answered; nothing panics.

use cordboard_sdk::prelude::*;
use cordboard_sdk::testing::Outside;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{open, plain, receive};

const FIELDS: [&str; 14] = [
    "call_uuid",
    "from",
    "to",
    "direction",
    "start_time",
    "answer_time",
    "end_time",
    "duration",
    "status",
    "recording_url",
    "agent_ext",
    "msg",
    "variables",
    "CallType",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9T:+./ Z-]{0,30}".prop_map(Value::from),
        prop::sample::select(vec![
            "ringing",
            "completed",
            "30012",
            "30011",
            "inbound",
            "NewCdr",
            "<a>1</a>",
            "{\"a\":1}"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let name = prop_oneof![prop::sample::select(FIELDS.to_vec()).prop_map(str::to_owned), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..8).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn sources() -> Vec<Outside> {
    let custom = json!({
        "format": "custom", "unsigned": true, "zone": "America/New_York", "times": ["auto", "%d.%m.%Y %H:%M:%S"],
        "mapping": {
            "calls": "", "id": ["/call_uuid", { "join": ["/from", "/to"], "with": "-" }], "caller": "/from",
            "callee": { "inbound": "/to", "outbound": { "body": "/to" } }, "direction": "/direction",
            "status": ["/status", "/*/status"], "started_at": "/start_time", "ended_at": "/end_time",
            "duration": "/duration", "recordings": ["/recording_url", "/recordings/*/url"], "notes": "/msg",
            "attributes": { "first": "/*/*" }, "loose_names": true, "percent_encoded": true,
        },
    });
    ["native", "3cx", "yeastar", "freeswitch"].map(open).into_iter().chain([crate::support::with(custom)]).collect()
}

/// Every observation holds to the contract, every refusal says why.
fn check(outside: &Outside, content_type: &str, body: &[u8]) {
    match receive(outside, plain(content_type, body)) {
        Ok(accepted) => {
            for observation in accepted.observations {
                assert!((1..=255).contains(&observation.id.len()), "{:?}", observation.id);
                assert!(!observation.id.bytes().any(|byte| byte.is_ascii_control()), "{:?}", observation.id);
                let Item::Call(call) = observation.item else { panic!("a call") };
                assert!(call.ended_at >= call.started_at || call.ended_at.is_none());
            }
        }
        Err(Refusal::Malformed(malformed)) => assert!(!malformed.why.is_empty()),
        Err(Refusal::Ignored(why)) => assert!(!why.is_empty()),
        Err(other) => panic!("{other:?}"),
    }
}

const KINDS: [&str; 6] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/xml",
    "image/png",
    "",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes(body in prop::collection::vec(any::<u8>(), 0..300), kind in prop::sample::select(KINDS.to_vec())) {
        for outside in sources() {
            check(&outside, kind, &body);
        }
    }

    #[test]
    fn any_text(body in "[<>/&;=\"'{}\\[\\]:,a-c0-9 %+#!?\\\\-]{0,80}", kind in prop::sample::select(KINDS.to_vec())) {
        for outside in sources() {
            check(&outside, kind, body.as_bytes());
            check(&outside, kind, format!("<cdr>{body}</cdr>").as_bytes());
            check(&outside, kind, format!("cdr={body}").as_bytes());
            check(&outside, kind, format!("--x\r\n{body}\r\n\r\n{body}\r\n--x--").as_bytes());
        }
    }

    #[test]
    fn any_object(fields in prop::collection::vec((prop::sample::select(FIELDS.to_vec()), any_json()), 0..10)) {
        let body: Map<String, Value> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let body = Value::Object(body).to_string();
        for outside in sources() {
            check(&outside, "application/json", body.as_bytes());
        }
    }

    #[test]
    fn any_event(kind in prop::sample::select(vec!["30011", "30012", "30016"]), message in any_json()) {
        let packed = json!({ "type": kind, "msg": message.to_string() }).to_string();
        let open_ = json!({ "type": kind, "msg": message }).to_string();
        for body in [packed, open_] {
            check(&open("yeastar"), "application/json", body.as_bytes());
        }
    }

    #[test]
    fn any_settings(settings in any_json()) {
        let outside = crate::support::with(settings);
        let _ = receive(&outside, plain("application/json", crate::support::EXAMPLE));
    }
}

#[test]
fn hostile_shapes_for_every_format() {
    let deep_json = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_xml = "<a>".repeat(10_000);
    let big = format!("{{\"call_uuid\":\"{}\"}}", "x".repeat(1 << 20));
    let many = format!("{{\"variables\":{{{}}}}}", "\"uuid\":\"1\",".repeat(10_000).trim_end_matches(','));
    let calls = format!("[{}]", vec!["{\"call_uuid\":\"1\"}"; 2000].join(","));
    for outside in sources() {
        for body in [&deep_json, &deep_xml, &big, &many, &calls] {
            for kind in KINDS {
                check(&outside, kind, body.as_bytes());
            }
        }
    }
}
