//! The stock widget, and the short form.

use super::*;

#[test]
fn the_stock_widget_is_answered_in_its_words() {
    let outside = office(json!({}));
    let answer = stock(&outside, "_action=status");
    let reply = answer.response().unwrap();
    assert_eq!(reply.status, 200);
    let header = |name: &str| {
        let found = reply.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    assert_eq!(header("content-type").as_deref(), Some("text/javascript; charset=utf-8"));
    assert_eq!(header("access-control-allow-origin").as_deref(), Some("*"));
    assert_eq!(given(&answer), json!({ "status": "ok", "action": "status", "data": [] }));
    let bad = ask(&outside, request("GET", "/asterisk", "_login=admin&_secret=wrong&_action=status"));
    assert_eq!(given(&bad), json!({ "status": "not authorized." }));
    for (query, status) in [
        ("_action=call&from=101", "invalid data."),
        ("_action=call&from=101&to=12", "invalid phones."),
        ("_action=call&from=999&to=79990001122", "unknown agent number."),
        ("_action=fly", "unknown action."),
    ] {
        assert_eq!(given(&stock(&outside, query)), json!({ "status": status }), "{query}");
    }
    assert_eq!(text(&ask(&outside, request("GET", "/asterisk", "_login=admin"))), "NO_PARAMS");
    assert_eq!(ask(&outside, request("POST", "/asterisk", "")).response().unwrap().status, 405);
    assert!(outside.office().commands().is_empty());
}

#[test]
fn the_stock_widget_places_a_call() {
    let outside = office(json!({}));
    let answer = stock(&outside, "_action=call&from=101&to=%2B7+%28999%29+000-11-22&as=Anna");
    assert_eq!(given(&answer)["status"], "ok");
    let [command] = &outside.office().commands()[..] else { panic!() };
    assert_eq!(command.name, "call.originate");
    let arguments: Value = serde_json::from_str(&command.arguments).unwrap();
    assert_eq!(arguments, json!({ "from": "101", "to": "+79990001122" }));
    assert_eq!(command.agent.as_ref().unwrap().extension.as_deref(), Some("101"));
    outside.office().will(Err(Failure::rejected("asterisk", "Extension does not exist.")));
    let refused = given(&stock(&outside, "_action=call&from=101&to=79990001122"));
    assert_eq!(
        (&refused["status"], refused["data"].as_str().unwrap().contains("does not exist")),
        (&json!("error"), true)
    );
}

#[test]
fn the_short_form_is_the_old_servers_to_the_letter() {
    let outside = office(json!({ "short": true }));
    assert_eq!(text(&stock(&outside, "_action=status")), "asterisk_cb({'status': 'ok'});");
    assert_eq!(text(&stock(&outside, "_action=cdr")), "asterisk_cb({'status': 'no cdr.'});");
    assert_eq!(text(&stock(&outside, "_action=call&from=101&to=102")), "asterisk_cb({'status': 'ok'});");
    assert_eq!(ask(&outside, request("GET", "/asterisk", "_login=admin")).response().unwrap().status, 422);
}

#[test]
fn the_stock_widget_sees_what_rings_and_what_was() {
    let outside = office(json!({ "zone": "Europe/Moscow" }));
    let mut ringing = talk();
    (ringing.phase, ringing.answered_at, ringing.agent) = (Some(CallPhase::Ringing), None, None);
    ringing.desks[0].answered_at = None;
    outside.office().call("1.1", ringing);
    let rings = given(&stock(&outside, "_action=status"));
    assert_eq!(
        (&rings["data"][0]["connectedlinenum"], &rings["data"][0]["calleridnum"]),
        (&json!("+79990001122"), &json!("101"))
    );
    let ended = |talk_seconds: u32, direction| Call {
        phase: Some(CallPhase::Ended),
        direction: Some(direction),
        talk: Some(talk_seconds),
        duration: Some(talk_seconds + 10),
        recordings: vec![Recording { id: "/m/2026/a.wav".into(), ..recording() }],
        ..talk()
    };
    outside.office().call("1.2", ended(60, Direction::Inbound));
    outside.office().call("1.3", ended(4, Direction::Inbound));
    outside.office().call("1.4", ended(60, Direction::Internal));
    let (from, to) = (NOON / 1000 - 86_400, NOON / 1000);
    let answer = stock(&outside, &format!("_action=cdr&date_from={from}&date_to={to}"));
    let history: Value = serde_json::from_str(&text(&answer)).unwrap();
    assert_eq!(
        history,
        json!({ "status": "ok", "data": [{
            "calldate": "2026-11-21 14:59:40", "src": "+79990001122", "dst": "101", "duration": 70, "billsec": 60,
            "uniqueid": "1.2", "recordingfile": "a.wav",
        }] })
    );
    let headers = &answer.response().unwrap().headers;
    assert!(
        headers.iter().any(|(name, value)| name == "x-real_date" && value == b"2026-11-20 12:00:00"),
        "{headers:?}"
    );
    let wide = stock(&outside, &format!("_action=cdr&date_from={}&date_to={to}", to - 30 * 86_400));
    let headers = &wide.response().unwrap().headers;
    assert!(
        headers.iter().any(|(name, value)| name == "x-real_date" && value == b"2026-11-14 12:00:00"),
        "{headers:?}"
    );
}
