//! The body of the existing middlewares.

use cordboard_sdk::prelude::*;
use serde_json::{Value, json};

use crate::support::{EXAMPLE, extension, instant, malformed, native, number, observed, seen, signed, with};

#[test]
fn the_example_says_all_it_holds() {
    let (observation, call) = observed(&native(), signed(EXAMPLE));
    assert_eq!(observation.id, "a1f0c0de-1f6e-4f3a-9a53-2f0c1f9f1c11");
    assert_eq!(observation.trust, Trust::Reported);
    assert_eq!(observation.at, instant("2026-11-20T09:18:47Z"));
    assert_eq!(call.phase, Some(CallPhase::Ended));
    assert_eq!(call.outcome.as_deref(), Some("answered"));
    assert_eq!(call.direction, Some(Direction::Inbound));
    assert_eq!(number(&call.caller), Some("+34600111222"));
    assert_eq!(number(&call.callee), Some("+34911222333"));
    assert_eq!(call.started_at, instant("2026-11-20T09:15:02Z"));
    assert_eq!(call.ended_at, instant("2026-11-20T09:18:47Z"));
    assert_eq!((call.answered_at, call.duration), (None, None));
    assert_eq!(extension(&call), Some("1001"));
    assert_eq!(call.system.as_deref(), Some("freepbx-madrid"));
    let url = "https://pbx.example.com/rec/a1f0c0de.mp3";
    assert_eq!(call.recordings.len(), 1);
    assert_eq!((call.recordings[0].id.as_str(), call.recordings[0].url.as_deref()), (url, Some(url)));
    assert_eq!((call.desks.len(), call.attributes.len()), (0, 0));
}

#[test]
fn every_status_word() {
    use CallPhase::{Answered, Ended, Ringing};
    for (word, phase, outcome) in [
        ("ringing", Ringing, None),
        ("Ringing", Ringing, None),
        ("answered", Answered, Some("answered")),
        ("in-progress", Answered, Some("answered")),
        ("IN_PROGRESS", Answered, Some("answered")),
        ("in progress", Answered, Some("answered")),
        ("completed", Ended, Some("answered")),
        ("ended", Ended, None),
        ("hangup", Ended, None),
        ("missed", Ended, Some("no-answer")),
        ("no-answer", Ended, Some("no-answer")),
        ("NO ANSWER", Ended, Some("no-answer")),
        ("noanswer", Ended, Some("no-answer")),
        ("busy", Ended, Some("busy")),
        ("failed", Ended, Some("failed")),
        ("rejected", Ended, Some("declined")),
        ("declined", Ended, Some("declined")),
        ("voicemail", Ended, Some("voicemail")),
        ("cancelled", Ended, Some("no-answer")),
        ("abandoned", Ended, Some("abandoned")),
    ] {
        let (_, call) = seen(json!({ "call_uuid": "1", "status": word }));
        assert_eq!((call.phase, call.outcome.as_deref()), (Some(phase), outcome), "{word}");
        assert_eq!(call.attributes, [], "{word}");
    }
}

#[test]
fn times_say_more_than_an_early_word() {
    let ended = json!({ "call_uuid": "1", "status": "answered", "start_time": 1000, "end_time": 2000 });
    let (_, call) = seen(ended);
    assert_eq!((call.phase, call.outcome.as_deref()), (Some(CallPhase::Ended), Some("answered")));
}

#[test]
fn an_unknown_word_is_kept_and_the_times_speak() {
    let (_, call) = seen(json!({ "call_uuid": "1", "status": "Parked in lot 7", "direction": "sideways" }));
    assert_eq!((call.phase, call.outcome, call.direction), (None, None, None));
    let word = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(call.attributes, [word("direction", "sideways"), word("status", "Parked in lot 7")]);
    let (_, call) = seen(json!({ "call_uuid": "1", "status": "parked", "start_time": "2026-11-20T09:15:02Z" }));
    assert_eq!(call.phase, Some(CallPhase::Ringing));
}

#[test]
fn posts_of_one_call_are_ordered_by_what_they_say() {
    let start = "2026-11-20T09:15:02Z";
    let post = |status: &str, end: Option<&str>| {
        seen(json!({ "call_uuid": "1", "status": status, "start_time": start, "end_time": end })).0.at
    };
    let ringing = post("ringing", None);
    let answered = post("answered", None);
    let ended = post("hangup", None);
    let completed = post("completed", Some("2026-11-20T09:15:10Z"));
    assert_eq!(ringing, instant(start));
    assert!(ringing < answered && answered < ended && ended < completed);
    assert_eq!(post("ringing", None), ringing, "the same post again is the same observation");
    assert_eq!(seen(json!({ "call_uuid": "1", "status": "ringing" })).0.at, None);
}

#[test]
fn start_without_end_and_end_without_start() {
    let (_, call) = seen(json!({ "call_uuid": "1", "start_time": "2026-11-20T09:15:02Z" }));
    assert_eq!((call.phase, call.ended_at), (Some(CallPhase::Ringing), None));
    let (_, call) = seen(json!({ "call_uuid": "1", "end_time": "2026-11-20T09:15:02Z", "status": "missed" }));
    assert_eq!((call.phase, call.started_at), (Some(CallPhase::Ended), None));
    assert_eq!(call.outcome.as_deref(), Some("no-answer"));
}

#[test]
fn a_telephone_that_rings_is_a_desk() {
    let ringing = |direction: &str, from: &str| {
        let body = json!({ "call_uuid": "1", "status": "ringing", "start_time": 1_700_000_000, "agent_ext": "1001",
            "direction": direction, "from": from, "to": "1001" });
        seen(body).1
    };
    let call = ringing("inbound", "+34600111222");
    assert_eq!(call.desks.len(), 1);
    assert_eq!((call.desks[0].extension.as_str(), call.desks[0].rang_at), ("1001", 1_700_000_000_000));
    assert_eq!(call.callee.and_then(|callee| callee.agent).and_then(|agent| agent.extension).as_deref(), Some("1001"));
    assert_eq!(ringing("outbound", "1001").desks, []);
    assert_eq!(ringing("internal", "1001").desks, [], "the caller's own telephone does not ring");
}

#[test]
fn numbers_for_texts_and_blanks_for_nothing() {
    let (observation, call) = seen(json!({
        "call_uuid": 17, "from": 34600111222u64, "to": "", "agent_ext": 1001, "start_time": 1_700_000_000.5,
        "end_time": null, "recording_url": "  ", "pbx_system": null, "unheard_of": { "deep": [1, 2] },
    }));
    assert_eq!(observation.id, "17");
    assert_eq!(number(&call.caller), Some("34600111222"));
    assert_eq!(call.started_at, Some(1_700_000_000_500));
    assert_eq!((call.callee, call.ended_at, call.recordings.len(), call.system), (None, None, 0, None));
}

#[test]
fn names_links_and_withheld_numbers() {
    let (_, call) =
        seen(json!({ "call_uuid": "1", "from": "\"Ada\" <+34600111222>", "to": "sip:1001@pbx.example.com" }));
    assert_eq!(number(&call.caller), Some("+34600111222"));
    assert_eq!(call.caller.and_then(|caller| caller.name).as_deref(), Some("Ada"));
    assert_eq!(number(&call.callee), Some("1001"));
    let (_, call) = seen(json!({ "call_uuid": "1", "from": "Anonymous", "recording_url": "out-1.wav" }));
    assert_eq!(call.caller, None);
    assert_eq!((call.recordings[0].id.as_str(), call.recordings[0].url.as_deref()), ("out-1.wav", None));
}

#[test]
fn zones_and_formats() {
    let settings = json!({ "secret": crate::support::SECRET, "zone": "Europe/Madrid", "times": ["%d/%m/%Y %H:%M:%S", "auto"],
        "recording_base": "https://pbx.example.com/rec/" });
    let body = json!({ "call_uuid": "1", "start_time": "20/11/2026 10:15:02", "end_time": "2026-11-20 10:15:10",
        "recording_url": "/out-1.wav" });
    let (_, call) = observed(&with(settings), signed(body.to_string()));
    assert_eq!(call.started_at, instant("2026-11-20T09:15:02Z"));
    assert_eq!(call.ended_at, instant("2026-11-20T09:15:10Z"));
    assert_eq!(call.recordings[0].url.as_deref(), Some("https://pbx.example.com/rec/out-1.wav"));
}

#[test]
fn a_call_over_the_change_of_clocks() {
    let settings = json!({ "secret": crate::support::SECRET, "zone": "Europe/Madrid" });
    let body = json!({ "call_uuid": "1", "start_time": "2026-10-25 02:59:50", "end_time": "2026-10-25 02:00:20" });
    let (_, call) = observed(&with(settings), signed(body.to_string()));
    assert_eq!(call.ended_at.zip(call.started_at).map(|(end, start)| end - start), Some(30_000));
}

#[test]
fn bad_values_are_named() {
    let long = "9".repeat(200);
    let cases: Vec<(Value, &str, &str)> = vec![
        (json!({}), "/call_uuid", "no call id"),
        (json!({ "call_uuid": null }), "/call_uuid", "no call id"),
        (json!({ "call_uuid": "  " }), "/call_uuid", "no call id"),
        (json!({ "call_uuid": "x".repeat(10_240) }), "/call_uuid", "255"),
        (json!({ "call_uuid": "a\u{0}b" }), "/call_uuid", "control character"),
        (json!({ "call_uuid": "a\nb" }), "/call_uuid", "control character"),
        (json!({ "call_uuid": ["a"] }), "/call_uuid", "a list"),
        (json!({ "call_uuid": { "id": "a" } }), "/call_uuid", "an object"),
        (json!({ "call_uuid": true }), "/call_uuid", "true or false"),
        (json!({ "call_uuid": 1e30 }), "/call_uuid", "too large"),
        (json!({ "call_uuid": "1", "from": long }), "/from", "64"),
        (json!({ "call_uuid": "1", "to": long }), "/to", "64"),
        (json!({ "call_uuid": "1", "to": [1] }), "/to", "a list"),
        (json!({ "call_uuid": "1", "from": "1\u{0}" }), "/from", "control character"),
        (json!({ "call_uuid": "1", "agent_ext": long }), "/agent_ext", "64"),
        (json!({ "call_uuid": "1", "pbx_system": "x\u{0}" }), "/pbx_system", "control character"),
        (json!({ "call_uuid": "1", "status": "x\u{0}y" }), "/status", "control character"),
        (json!({ "call_uuid": "1", "recording_url": "x".repeat(5000) }), "/recording_url", "4096"),
        (json!({ "call_uuid": "1", "start_time": "99999-01-01T00:00:00Z" }), "/start_time", "out of range"),
        (json!({ "call_uuid": "1", "end_time": "soon" }), "/end_time", "is not a time"),
        (json!({ "call_uuid": "1", "start_time": -1 }), "/start_time", "out of range"),
        (json!({ "call_uuid": "1", "start_time": 2000, "end_time": 1000 }), "/end_time", "negative"),
        (json!({ "call_uuid": "1", "duration": -5 }), "/duration", "negative"),
        (json!({ "call_uuid": "1", "duration": "long" }), "/duration", "not a duration"),
    ];
    for (body, place, reason) in cases {
        let (field, why) = malformed(&native(), signed(body.to_string()));
        assert_eq!(field, place, "{why}");
        assert!(why.contains(reason), "{place}: {why}");
        assert!(why.len() < 300, "{why}");
    }
}

#[test]
fn bad_bodies() {
    let deep = format!("{{\"call_uuid\":\"1\",\"x\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, place, reason) in [
        ("", "", "not JSON"),
        ("hello", "", "not JSON"),
        (r#"["1", "2"]"#, "", "one JSON object"),
        ("7", "", "one JSON object"),
        ("null", "", "one JSON object"),
        (r#"{"call_uuid": "1""#, "", "not JSON"),
        (r#"{"call_uuid": "1"} x"#, "", "not JSON"),
        (r#"{"call_uuid": "1", "from": "\ud800"}"#, "/from", "not JSON"),
        (r#"{"call_uuid": "1", "call_uuid": "2"}"#, "", "duplicate"),
        (deep.as_str(), "/x", "nested"),
        ("\u{feff}{}", "", "not JSON"),
    ] {
        let (field, why) = malformed(&native(), signed(body));
        let shown: String = body.chars().take(40).collect();
        assert_eq!(field, place, "{shown}: {why}");
        assert!(why.contains(reason), "{shown}: {why}");
    }
    let (_, why) = malformed(&native(), signed(&b"{\"call_uuid\": \"\xff\"}"[..]));
    assert!(why.contains("not JSON"), "{why}");
}
