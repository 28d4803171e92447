//! Mappings of one's own, and the schema that guards them.

use cordboard_sdk::prelude::*;
use serde_json::{Value, json};

use crate::support::{extension, instant, malformed, number, observed, plain, receive, with};

fn custom(mapping: Value) -> cordboard_sdk::testing::Outside {
    with(json!({ "format": "custom", "unsigned": true, "zone": "Europe/Madrid", "mapping": mapping }))
}

fn worked_example() -> Value {
    json!({
        "calls": "/events",
        "id": "/call/ref",
        "caller": "/call/a_party",
        "callee": "/call/b_party",
        "direction": "/call/way",
        "directions": { "E": "inbound", "S": "outbound" },
        "status": "/state",
        "statuses": { "SONANDO": "ringing", "COLGADA": "ended", "PERDIDA": "ended/no-answer" },
        "started_at": "/call/t0",
        "answered_at": "/call/t1",
        "ended_at": "/call/t2",
        "times": ["%d.%m.%Y %H:%M:%S"],
        "talk": "/call/talk_ms",
        "durations": "ms",
        "agent": ["/call/agent/ext", "/call/operator"],
        "recordings": "/call/files/*/url",
        "system": { "body": "/station" },
        "notes": "/call/remark",
        "attributes": { "acme-campaign": "/call/campaign" },
    })
}

#[test]
fn several_calls_in_one_body() {
    let body = json!({ "station": "central-7", "events": [
        { "state": "COLGADA", "call": { "ref": "77-1", "a_party": "600111222", "b_party": "911222333", "way": "E",
            "t0": "20.11.2026 10:15:02", "t1": "20.11.2026 10:15:16", "t2": "20.11.2026 10:18:47", "talk_ms": 211_000,
            "agent": { "ext": "12" }, "remark": "call back", "campaign": "autumn",
            "files": [{ "url": "https://x.example/1.wav" }, { "url": "https://x.example/2.wav" }] } },
        { "state": "SONANDO", "call": { "ref": "77-2", "way": "S", "operator": "13" } },
    ]});
    let accepted = receive(&custom(worked_example()), plain("application/json", body.to_string())).expect("accepted");
    let calls: Vec<_> = accepted.observations.iter().collect();
    assert_eq!([&*calls[0].id, &*calls[1].id], ["77-1", "77-2"]);
    let (Item::Call(first), Item::Call(second)) = (&calls[0].item, &calls[1].item) else { panic!("calls") };
    assert_eq!((first.outcome.as_deref(), first.direction), (Some("answered"), Some(Direction::Inbound)));
    assert_eq!(first.ended_at, instant("2026-11-20T09:18:47Z"));
    assert_eq!((first.talk, first.recordings.len(), extension(first)), (Some(211), 2, Some("12")));
    assert_eq!((first.system.as_deref(), first.notes.as_deref()), (Some("central-7"), Some("call back")));
    assert_eq!(first.attributes, [("acme-campaign".to_owned(), "autumn".to_owned())]);
    assert_eq!((second.phase, extension(second)), (Some(CallPhase::Ringing), Some("13")));
}

#[test]
fn a_form() {
    let mapping = json!({ "id": "uniqueid", "caller": "src", "callee": "dst", "status": "disposition",
        "started_at": "calldate", "duration": "duration", "talk": "billsec", "phase": "ended", "trust": "settled" });
    let body = "uniqueid=17.1&src=%2B34600111222&dst=1001&disposition=NO+ANSWER&calldate=2026-11-20+10%3A15%3A02\
                &duration=00%3A00%3A18&billsec=0";
    let (observation, call) = observed(&custom(mapping), plain("application/x-www-form-urlencoded", body));
    assert_eq!((observation.id.as_str(), observation.trust), ("17.1", Trust::Settled));
    assert_eq!((number(&call.caller), number(&call.callee)), (Some("+34600111222"), Some("1001")));
    assert_eq!((call.outcome.as_deref(), call.duration), (Some("no-answer"), Some(18)));
    assert_eq!(call.started_at, instant("2026-11-20T09:15:02Z"));
}

#[test]
fn one_leg_each() {
    let mapping = json!({ "id": "/id", "status": "/legs/*/state" });
    let state = |legs: &[&str]| {
        let legs: Vec<_> = legs.iter().map(|state| json!({ "state": state })).collect();
        let body = json!({ "id": "1", "legs": legs }).to_string();
        let (_, call) = observed(&custom(mapping.clone()), plain("application/json", body));
        (call.phase, call.outcome)
    };
    assert_eq!(state(&["busy", "ringing"]), (Some(CallPhase::Ringing), None));
    assert_eq!(state(&["busy", "ringing", "answered"]).0, Some(CallPhase::Answered));
    assert_eq!(state(&["busy", "no-answer"]), (Some(CallPhase::Ended), Some("busy".into())));
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    let outside = custom(worked_example());
    let refused = |body: Value| malformed(&outside, plain("application/json", body.to_string()));
    assert_eq!(refused(json!({ "station": "x" })).0, "/events");
    assert_eq!(refused(json!({ "events": 7 })).0, "/events");
    assert_eq!(refused(json!({ "events": [{ "state": "SONANDO" }] })).0, "/events/0/call/ref");
    let call = |call: Value| json!({ "events": [{ "call": { "ref": "1" } }, { "call": call }] });
    assert_eq!(refused(call(json!({ "ref": "2", "a_party": { "n": 1 } }))).0, "/events/1/call/a_party");
    assert_eq!(refused(call(json!({ "ref": "2", "t0": "2026-11-20" }))).0, "/events/1/call/t0");
    assert_eq!(refused(call(json!({ "ref": "2", "talk_ms": -1 }))).0, "/events/1/call/talk_ms");
    assert_eq!(refused(call(json!({ "ref": "x".repeat(300) }))).0, "/events/1/call/ref");
    let answer = receive(&outside, plain("application/json", json!({ "events": [] }).to_string()));
    assert!(matches!(answer, Err(Refusal::Ignored(_))));
}

#[test]
fn a_mapping_for_each_kind_of_body() {
    let outside = custom(json!([
        { "when": { "/kind": ["call", "cdr"] }, "id": "/id" },
        { "when": { "/kind": "heartbeat" }, "ignore": "a sign of life" },
    ]));
    let post = |kind: &str| receive(&outside, plain("application/json", json!({ "kind": kind, "id": 1 }).to_string()));
    assert!(post("CDR").is_ok());
    assert!(matches!(post("heartbeat"), Err(Refusal::Ignored(why)) if why == "a sign of life"));
    assert!(matches!(post("other"), Err(Refusal::Ignored(why)) if why.contains("no mapping")));
}

#[test]
fn mappings_that_cannot_work_say_which_line() {
    for (mapping, reason) in [
        (json!({}), "`id` is missing"),
        (json!({ "id": 7 }), "`id`"),
        (json!({ "id": "/id", "caller": { "vale": "x" } }), "`caller`"),
        (json!({ "id": "/id", "statuses": { "X": "over" } }), "`statuses`, `X`"),
        (json!({ "id": "/id", "directions": { "X": "up" } }), "`directions`, `X`"),
        (json!({ "id": "/id", "times": ["iso"] }), "`iso`"),
        (json!({ "id": "/id", "durations": "h" }), "`durations`"),
        (json!({ "id": "/id", "trust": "total" }), "`trust`"),
        (json!({ "id": "/id", "attributes": { "Bad Name": "/x" } }), "`Bad Name`"),
        (json!([{ "id": "/id" }, { "caller": "/x" }]), "mapping 2: `id` is missing"),
    ] {
        match receive(&custom(mapping.clone()), plain("application/json", "{}")) {
            Err(Refusal::Unauthenticated(why)) => assert!(why.contains(reason), "{mapping}: {why}"),
            other => panic!("{mapping}: {other:?}"),
        }
    }
}

#[test]
fn the_schema_takes_what_works_and_nothing_else() {
    use cordboard_pbx_webhook::PbxWebhook;
    let schema: Value = serde_json::from_str(&PbxWebhook::describe().settings_schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for ready in ["3cx", "yeastar", "freeswitch"] {
        let path = format!("{}/src/ready/{ready}.json", env!("CARGO_MANIFEST_DIR"));
        let mapping: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON");
        let settings = json!({ "format": "custom", "secret": "s", "mapping": mapping });
        let errors: Vec<_> = schema.iter_errors(&settings).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{ready}");
        let sample = plain("application/json", "{\"id\": 1}");
        let answer = receive(&with(json!({ "format": "custom", "unsigned": true, "mapping": mapping })), sample);
        assert!(!matches!(answer, Err(Refusal::Unauthenticated(_))), "{answer:?}");
    }
    for good in [
        json!({ "secret": "s" }),
        json!({ "signature": { "secrets": ["a", "b"], "encoding": "base64", "prefix": "v1=" } }),
        json!({ "unsigned": true, "zone": "Europe/Madrid", "times": ["epoch-ms"] }),
        json!({ "format": "custom", "token": { "secret": "s" }, "mapping": worked_example() }),
    ] {
        assert!(schema.is_valid(&good), "{good}");
    }
    for bad in [
        json!({ "secret": "s", "secrets": "s" }),
        json!({ "secret": "" }),
        json!({ "secret": [] }),
        json!({ "secret": "s", "format": "asterisk" }),
        json!({ "secret": "s", "timestamp": {} }),
        json!({ "secret": "s", "signature": { "algorithm": "md5" } }),
        json!({ "secret": "s", "mapping": { "id": 7 } }),
        json!({ "secret": "s", "mapping": { "id": "/x", "colour": "/y" } }),
    ] {
        assert!(!schema.is_valid(&bad), "{bad}");
    }
}
