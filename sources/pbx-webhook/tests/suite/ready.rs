//! The ready mappings, each on the payload that its PBX documents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cordboard_sdk::prelude::*;
use cordboard_sdk::testing::post;
use serde_json::json;

use crate::support::{SECRET, extension, hmac, instant, malformed, number, observed, open, plain, receive, with};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn times(call: &Call) -> [Option<u64>; 3] {
    [call.started_at, call.answered_at, call.ended_at]
}

fn attribute<'c>(call: &'c Call, name: &str) -> Option<&'c str> {
    call.attributes.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

#[test]
fn a_call_that_3cx_reports() {
    let (observation, call) = observed(&open("3cx"), plain(JSON, include_str!("../payloads/3cx-inbound.json")));
    assert_eq!(observation.id, "2026-11-20T09:15:02Z_+34600111222");
    assert_eq!(observation.trust, Trust::Settled);
    assert_eq!((call.phase, call.outcome.as_deref()), (Some(CallPhase::Ended), Some("answered")));
    assert_eq!(call.direction, Some(Direction::Inbound));
    assert_eq!(number(&call.caller), Some("+34600111222"));
    assert_eq!(call.caller.as_ref().and_then(|caller| caller.name.as_deref()), Some("Ada Romero"));
    assert_eq!(extension(&call), Some("104"));
    assert_eq!(call.agent.as_ref().and_then(|agent| agent.name.as_deref()), Some("Luis Prado"));
    assert_eq!(times(&call), ["2026-11-20T09:15:02Z", "2026-11-20T09:15:16Z", "2026-11-20T09:18:47Z"].map(instant));
    assert_eq!((call.talk, call.queue.as_deref()), (Some(211), Some("800")));
    assert_eq!(call.notes.as_deref(), Some("Asked about the invoice of October."));
    assert_eq!(call.recordings[0].url.as_deref(), Some("https://pbx.example.com/recordings/991.wav"));
    assert_eq!(attribute(&call, "3cx-agent-email"), Some("luis@example.com"));
    assert_eq!(attribute(&call, "3cx-contact-type"), None, "a variable that nothing was put in for");
}

#[test]
fn a_missed_call_of_3cx_as_a_form() {
    let body = include_str!("../payloads/3cx-missed.form").trim_end();
    let (observation, call) = observed(&open("3cx"), plain(FORM, body));
    assert_eq!(observation.id, "2026-11-20T09:15:02Z_+34600111222");
    assert_eq!((call.direction, call.outcome.as_deref()), (Some(Direction::Inbound), Some("no-answer")));
    assert_eq!(call.caller.and_then(|caller| caller.name), None);
}

#[test]
fn yeastar_signs_in_base64() {
    let body = include_str!("../payloads/yeastar-cdr.json");
    let signature = STANDARD.encode(hmac(SECRET, body.as_bytes()));
    let outside = with(json!({ "format": "yeastar", "secret": SECRET, "zone": "Europe/Madrid",
        "recording_base": "https://pbx.example.com/rec" }));
    let request = post("/", &[("x-signature", &signature), ("content-type", JSON)], body);
    let (observation, call) = observed(&outside, request);
    assert_eq!((observation.id.as_str(), observation.trust), ("1795252502.118", Trust::Settled));
    assert_eq!((call.phase, call.outcome.as_deref()), (Some(CallPhase::Ended), Some("answered")));
    assert_eq!(call.direction, Some(Direction::Inbound));
    assert_eq!(number(&call.caller), Some("+34600111222"));
    assert_eq!(number(&call.callee), Some("2002"));
    assert_eq!(extension(&call), Some("2002"));
    assert_eq!(call.agent.as_ref().and_then(|agent| agent.name.as_deref()), Some("Luis"));
    assert_eq!(call.line.as_ref().map(|line| line.raw.as_str()), Some("+34911222333"));
    assert_eq!(call.started_at, instant("2026-11-20T09:15:02Z"));
    assert_eq!((call.duration, call.talk), (Some(225), Some(211)));
    assert_eq!(call.system.as_deref(), Some("yeastar 3631A0000XYZ"));
    let file = "20261120101516-1795252502.118-34600111222-2002-Inbound.wav";
    assert_eq!(call.recordings[0].id, file);
    assert_eq!(call.recordings[0].url.as_deref(), Some(format!("https://pbx.example.com/rec/{file}").as_str()));
    assert_eq!(attribute(&call, "yeastar-trunk"), Some("carrier"));
}

#[test]
fn a_yeastar_telephone_rings() {
    let (observation, call) = observed(&open("yeastar"), plain(JSON, include_str!("../payloads/yeastar-ringing.json")));
    assert_eq!((observation.id.as_str(), observation.trust), ("1795252502.118", Trust::Reported));
    assert_eq!((call.phase, call.outcome.as_deref()), (Some(CallPhase::Ringing), None));
    assert_eq!(call.direction, Some(Direction::Inbound));
    assert_eq!(number(&call.caller), Some("+34600111222"));
    assert_eq!(extension(&call), Some("2002"), "the one that rings, not the one that gave up");
}

#[test]
fn states_of_yeastar_members() {
    let member = |kind: &str, number: &str, status: &str| {
        let number = if kind == "extension" { ("number", number) } else { ("to", number) };
        json!({ kind: { number.0: number.1, "channel_id": "c", "member_status": status } })
    };
    let state = |members: Vec<serde_json::Value>| {
        let body = json!({ "type": 30011, "sn": "s", "msg": { "call_id": "1", "members": members } });
        observed(&open("yeastar"), plain(JSON, body.to_string())).1
    };
    let call = state(vec![member("inbound", "2002", "ANSWER")]);
    assert_eq!(call.phase, Some(CallPhase::Ringing), "a menu that picks up is nobody");
    let call = state(vec![member("inbound", "2002", "ANSWERED"), member("extension", "2002", "ANSWER")]);
    assert_eq!((call.phase, extension(&call)), (Some(CallPhase::Answered), Some("2002")));
    let call = state(vec![member("extension", "2002", "ALERT"), member("outbound", "600111222", "RING")]);
    assert_eq!((call.phase, call.direction), (Some(CallPhase::Ringing), Some(Direction::Outbound)));
    assert_eq!((number(&call.caller), number(&call.callee)), (Some("2002"), Some("600111222")));
    let call = state(vec![member("extension", "2001", "ALERT"), member("extension", "2002", "RING")]);
    assert_eq!((number(&call.caller), number(&call.callee)), (Some("2001"), Some("2002")));
    let call = state(vec![member("extension", "2001", "BYE")]);
    assert_ne!(call.phase, Some(CallPhase::Ended), "that one telephone left does not end a call");
}

#[test]
fn other_yeastar_events_and_the_older_ones() {
    let other = json!({ "type": 30008, "sn": "s", "msg": "{\"extension\":\"2002\",\"status\":\"Ringing\"}" });
    assert!(matches!(receive(&open("yeastar"), plain(JSON, other.to_string())), Err(Refusal::Ignored(_))));
    let (observation, call) = observed(&open("yeastar"), plain(JSON, include_str!("../payloads/yeastar-s-cdr.json")));
    assert_eq!(observation.id, "1795252502.5");
    assert_eq!((call.direction, call.outcome.as_deref()), (Some(Direction::Internal), Some("no-answer")));
    assert_eq!((call.duration, call.recordings.len()), (Some(19), 0));
    let broken = json!({ "type": 30012, "sn": "s", "msg": "{\"call_id\":" });
    assert_eq!(malformed(&open("yeastar"), plain(JSON, broken.to_string())).0, "/msg");
    let nameless = json!({ "type": 30012, "sn": "s", "msg": { "status": "BUSY" } });
    assert_eq!(malformed(&open("yeastar"), plain(JSON, nameless.to_string())).0, "/msg/call_id");
}

#[test]
fn a_freeswitch_record_in_json() {
    let (observation, call) = observed(&open("freeswitch"), plain(JSON, include_str!("../payloads/freeswitch.json")));
    assert_eq!(observation.id, "7be1c0de-9f5c-4a53-8a52-0e9d34c1aa01");
    assert_eq!(observation.trust, Trust::Settled);
    assert_eq!((call.phase, call.outcome.as_deref()), (Some(CallPhase::Ended), Some("answered")));
    assert_eq!(call.direction, Some(Direction::Inbound));
    assert_eq!(number(&call.caller), Some("+34600111222"));
    assert_eq!(call.caller.as_ref().and_then(|caller| caller.name.as_deref()), Some("Ada Romero"));
    assert_eq!(number(&call.callee), Some("+34911222333"));
    assert_eq!(extension(&call), Some("1001"));
    assert_eq!(times(&call), [Some(1_795_166_102_250), Some(1_795_166_116_500), Some(1_795_166_327_750)]);
    assert_eq!((call.duration, call.hold, call.wait, call.hangup_cause), (Some(225), Some(12), Some(14), Some(16)));
    let file = "/var/lib/freeswitch/recordings/acme.example.com/archive/7be1c0de.wav";
    assert_eq!((call.recordings[0].id.as_str(), call.recordings[0].url.as_deref()), (file, None));
    assert_eq!(call.system.as_deref(), Some("fs-madrid"));
    assert_eq!(attribute(&call, "freeswitch-domain"), Some("acme.example.com"));
}

#[test]
fn a_freeswitch_record_in_xml_in_every_wrapping() {
    let xml = include_str!("../payloads/freeswitch.xml");
    let escaped: String = form_urlencoded::Serializer::new(String::new()).append_pair("cdr", xml).finish();
    let base64 = form_urlencoded::Serializer::new(String::new()).append_pair("cdr", &STANDARD.encode(xml)).finish();
    for (kind, body) in [
        ("text/xml", xml.to_owned()),
        (FORM, escaped),
        (FORM, format!("cdr={xml}")),
        ("application/x-www-form-base64-encoded", base64),
    ] {
        let (observation, call) = observed(&open("freeswitch"), plain(kind, body));
        assert_eq!(observation.id, "2d90c0de-1111-4a53-8a52-0e9d34c1aa02");
        assert_eq!((call.phase, call.outcome.as_deref()), (Some(CallPhase::Ended), Some("busy")));
        assert_eq!((call.direction, call.hangup_cause), (Some(Direction::Outbound), Some(17)));
        assert_eq!((number(&call.caller), number(&call.callee)), (Some("1001"), Some("600111222")));
        assert_eq!(call.line.as_ref().map(|line| line.raw.as_str()), Some("+34911222333"));
        assert_eq!(extension(&call), Some("1001"));
        assert_eq!(times(&call), [Some(1_795_166_102_000), None, Some(1_795_166_110_000)]);
        assert_eq!(call.system.as_deref(), Some("fs-madrid"));
    }
}

#[test]
fn legs_of_a_freeswitch_call_are_passed_over() {
    for body in [
        json!({ "variables": { "uuid": "b", "originating_leg_uuid": "a" } }),
        json!({ "variables": { "uuid": "b" }, "callflow": [{ "caller_profile": {
            "originator": { "originator_caller_profiles": [{ "uuid": "a" }] } } }] }),
        json!({ "variables": { "uuid": "b" }, "callflow": { "caller_profile": {
            "originator": { "originator_caller_profile": { "uuid": "a" } } } } }),
    ] {
        let answer = receive(&open("freeswitch"), plain(JSON, body.to_string()));
        assert!(matches!(&answer, Err(Refusal::Ignored(why)) if why.contains("leg")), "{answer:?}");
    }
}

#[test]
fn queues_menus_and_voicemail_of_freeswitch() {
    let outcome = |variables: serde_json::Value| {
        let mut body = json!({ "variables": { "uuid": "a", "start_epoch": "1795166102", "answer_epoch": "1795166103",
            "bridge_epoch": "0", "end_epoch": "1795166110", "hangup_cause": "NORMAL_CLEARING" } });
        for (name, value) in variables.as_object().expect("an object") {
            body["variables"][name] = value.clone();
        }
        observed(&open("freeswitch"), plain(JSON, body.to_string())).1.outcome
    };
    assert_eq!(outcome(json!({})).as_deref(), Some("no-answer"));
    assert_eq!(outcome(json!({ "last_app": "voicemail" })).as_deref(), Some("voicemail"));
    assert_eq!(outcome(json!({ "cc_queue": "8000", "cc_cause": "cancel" })).as_deref(), Some("abandoned"));
    assert_eq!(outcome(json!({ "bridge_epoch": "1795166105", "last_app": "bridge" })).as_deref(), Some("answered"));
    assert_eq!(outcome(json!({ "hangup_cause": "CALL_REJECTED" })).as_deref(), Some("declined"));
}
