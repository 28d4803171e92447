//! The conversation with Asterisk: login, boot, keeping alive, connections that are lost, and what does not belong.

use cordboard_sdk::prelude::*;
use serde_json::{Value, json};

use crate::support::pbx::Line;
use crate::support::{Hub, settings};

const CALL: &str = "1795246343.0";

fn caller() -> Line {
    Line::outside(CALL, "447700900123", "442079460101")
}

fn phone() -> Line {
    Line::phone("1795246343.1", CALL, "1001")
}

fn with(key: &str, value: Value) -> Value {
    let mut settings = settings();
    settings[key] = value;
    settings
}

fn bytes(hub: &mut Hub, text: &str) {
    hub.input(Input::Bytes(text.as_bytes().to_vec()));
}

/// A channel as `CoreShowChannels` lists it.
fn listed(hub: &mut Hub, line: &Line, duration: &str, application: &str, bridge: &str) {
    let more =
        format!("Application: {application}\r\nApplicationData: x\r\nDuration: {duration}\r\nBridgeId: {bridge}");
    hub.event("CoreShowChannel", &[("", line)], &more);
}

fn list_over(hub: &mut Hub) {
    hub.lines("Event: CoreShowChannelsComplete\r\nEventList: Complete\r\nListItems: 0");
}

#[test]
fn login_boot_and_what_is_under_way() {
    let mut hub = Hub::new(with("filters", json!(["!Event: RTCP"])));
    hub.input(Input::Opened);
    assert_eq!(hub.sent, ["Action: Login\r\nActionID: cordboard-1\r\nUsername: hub\r\nSecret: hub-lab-secret\r\n\r\n"]);
    bytes(&mut hub, "Asterisk Call Manager/11.0.0\r\n");
    hub.answer("Login", "Message: Authentication accepted");
    assert!(hub.action_id("CoreShowChannels").is_none(), "Asterisk may still be booting");
    assert!(hub.sent.last().expect("sent").contains("Filter: !Event: RTCP\r\n"));
    hub.lines("Event: SuccessfulAuth\r\nPrivilege: security,all");
    hub.lines("Event: FullyBooted\r\nStatus: Fully Booted");
    assert!(hub.action_id("CoreShowChannels").is_some() && hub.action_id("CoreStatus").is_some());
    assert_eq!(hub.statuses, ["logging in", "logged in, waiting for Asterisk to boot", "logged in"]);
    hub.respond("CoreShowChannels", "Error", "Message: Permission denied");
    assert_eq!(
        hub.statuses.last().map(String::as_str),
        Some("logged in; no right to list channels: Permission denied")
    );
}

#[test]
fn whoever_is_not_told_of_the_boot_goes_on_all_the_same() {
    let mut hub = Hub::new(settings());
    hub.input(Input::Opened);
    bytes(&mut hub, "Asterisk Call Manager/5.0.4\r\n");
    hub.answer("Login", "Message: Authentication accepted");
    hub.wait(5_000);
    assert!(hub.action_id("CoreShowChannels").is_some());
}

#[test]
fn a_challenge_is_answered() {
    let mut hub = Hub::new(with("login", "md5".into()));
    hub.input(Input::Opened);
    bytes(&mut hub, "Asterisk Call Manager/5.0.4\r\n");
    hub.answer("Challenge", "Challenge: 105698584");
    let login = hub.sent.last().expect("sent").clone();
    assert!(
        login.contains("Key: 694e4ed344d70e8cbf523c51c91d8523\r\n") && !login.contains("hub-lab-secret"),
        "{login}"
    );
    hub.answer("Login", "Message: Authentication accepted");
    assert!(hub.statuses.last().expect("a status").contains("waiting for Asterisk to boot"));
}

#[test]
fn refused_logins_are_for_a_person_and_the_rest_is_not() {
    let refused = |words: &str| {
        let mut hub = Hub::new(settings());
        hub.input(Input::Opened);
        bytes(&mut hub, "Asterisk Call Manager/5.0.4\r\n");
        hub.respond("Login", "Error", &format!("Message: {words}"));
        let reconnect = hub.reconnects.pop().expect("it reconnects");
        assert!(reconnect.why.contains(words) && !reconnect.why.contains("hub-lab-secret"), "{}", reconnect.why);
        reconnect.misconfigured
    };
    assert!(refused("Authentication failed"));
    assert!(!refused("Asterisk is shutting down"));

    let mut hub = Hub::new(settings());
    hub.input(Input::Opened);
    bytes(&mut hub, "SSH-2.0-OpenSSH_9.2\r\n");
    assert!(hub.reconnects[0].misconfigured && hub.reconnects[0].why.contains("SSH-2.0"), "{:?}", hub.reconnects);

    let mut hub = Hub::new(settings());
    hub.input(Input::Opened);
    hub.wait(15_000);
    assert!(!hub.reconnects[0].misconfigured && hub.reconnects[0].why.contains("no answer to the login"));

    let mut hub = Hub::new(json!({ "host": "pbx", "username": "u", "password": "p", "internal_number_pattern": "(" }));
    hub.input(Input::Opened);
    assert!(hub.reconnects[0].misconfigured && hub.reconnects[0].why.contains("internal_number_pattern"));
}

#[test]
fn silence_is_asked_about_once() {
    let mut hub = Hub::ready(settings());
    hub.wait(20_000);
    assert!(hub.action_id("Ping").is_some());
    hub.answer("Ping", "Ping: Pong");
    hub.wait(15_000);
    assert!(hub.reconnects.is_empty());
    hub.wait(30_000);
    assert_eq!(hub.reconnects.len(), 1);
    assert!(hub.reconnects[0].why.contains("ping") && !hub.reconnects[0].misconfigured);
}

#[test]
fn a_call_goes_on_over_a_lost_connection() {
    let mut hub = Hub::ready(with("cdr", true.into()));
    hub.talk(&caller(), &phone());
    let before = hub.call(CALL);
    hub.lines("Event: Nothing");
    let lost = hub.now;
    hub.wait(4_000);
    hub.input(Input::Closed("reset by peer".to_owned()));
    hub.wait(8_000);
    hub.login();
    listed(&mut hub, &caller().in_state(6), "00:00:13", "Dial", "b");
    listed(&mut hub, &phone().in_state(6), "00:00:13", "AppDial", "b");
    list_over(&mut hub);
    assert_eq!(hub.call(CALL), before, "nothing has changed");
    assert_eq!(hub.jobs.len(), 1);
    let parameters: Value = serde_json::from_str(&hub.jobs[0].parameters).expect("JSON");
    assert_eq!((hub.jobs[0].kind.as_str(), &parameters["since"]), ("cdr", &json!(lost)));
    hub.hangs_up(&caller());
    hub.hangup(&phone(), 16);
    hub.hangup(&caller(), 16);
    let call = hub.call(CALL);
    assert_eq!(
        (&call["phase"], &call["hangup_by"], &call["attributes"]["repaired"]),
        (&json!("ended"), &json!("caller"), &Value::Null)
    );
}

#[test]
fn missed_time_begins_when_something_was_heard_last_by_the_clock_of_the_hub() {
    let mut hub = Hub::ready(with("cdr", true.into()));
    hub.talk(&caller(), &phone());
    hub.now -= 3_600_000;
    hub.lines("Event: Nothing");
    let heard = hub.now;
    // Half open: nobody says that it is gone. The timers here go by the clock that was set back.
    hub.wait(3_660_000);
    assert_eq!(hub.reconnects.len(), 1);
    hub.input(Input::Closed("dropped".to_owned()));
    hub.wait(8_000);
    hub.login();
    let missed: Value = serde_json::from_str(&hub.jobs[0].parameters).expect("JSON");
    assert_eq!((&missed["since"], &missed["until"]), (&json!(heard), &json!(hub.now)));
}

#[test]
fn a_call_that_ended_meanwhile_has_an_end_that_nobody_knows() {
    let mut hub = Hub::ready(settings());
    hub.talk(&caller(), &phone());
    hub.input(Input::Closed("reset by peer".to_owned()));
    hub.wait(8_000);
    hub.login();
    list_over(&mut hub);
    let call = hub.call(CALL);
    assert_eq!(
        (&call["phase"], &call["outcome"], &call["attributes"]["repaired"]),
        (&json!("ended"), &json!("answered"), &json!("true"))
    );
    assert_eq!((&call["ended_at"], &call["talk"]), (&Value::Null, &Value::Null));
    assert!(hub.jobs.is_empty(), "no CDR database is set");
    // What comes late changes nothing more.
    let count = hub.observations.len();
    hub.hangup(&caller(), 16);
    assert_eq!(hub.observations.len(), count);
}

#[test]
fn an_unanswered_call_that_vanished_has_no_outcome() {
    let mut hub = Hub::ready(settings());
    hub.new_channel(&caller());
    hub.dial(&caller(), &phone());
    hub.rings(&phone());
    hub.input(Input::Closed("reset by peer".to_owned()));
    hub.login();
    list_over(&mut hub);
    let call = hub.call(CALL);
    assert_eq!((&call["phase"], &call["outcome"]), (&json!("ended"), &Value::Null));
}

#[test]
fn a_session_takes_up_what_one_before_it_left() {
    let mut first = Hub::ready(with("cdr", true.into()));
    first.talk(&caller(), &phone());
    let left = |id: &str| {
        let item: Call = serde_json::from_value(json!({
            "phase": "answered", "outcome": "answered", "direction": "inbound", "queue": "600",
            "caller": { "number": { "raw": "447700900123", "variants": [] }, "name": "Ann" },
            "callee": { "number": { "raw": "442079460101", "variants": [] } },
            "agent": { "extension": "1001" }, "started_at": crate::support::START, "answered_at": crate::support::START + 2000,
        }))
        .expect("a call");
        Unfinished { id: id.to_owned(), item: item.into() }
    };
    let mut hub = Hub::new(with("cdr", true.into()));
    let heard = hub.now;
    hub.input(Input::Left(Left { heard: hub.now, unfinished: vec![left(CALL), left("1795246300.9")] }));
    hub.wait(60_000);
    hub.login();
    listed(&mut hub, &caller().in_state(6).at("ext-local", "1001"), "00:01:00", "Queue", "b");
    listed(&mut hub, &phone().in_state(6), "00:01:00", "AppQueue", "b");
    list_over(&mut hub);
    assert_eq!(hub.call("1795246300.9")["phase"], "ended");
    let missed: Value = serde_json::from_str(&hub.jobs[0].parameters).expect("JSON");
    assert_eq!((hub.jobs.len(), &missed["since"]), (1, &json!(heard)), "since then nobody listened");
    hub.wait(5_000);
    hub.hangs_up(&phone());
    hub.hangup(&phone(), 16);
    hub.hangup(&caller(), 16);
    let call = hub.call(CALL);
    assert_eq!((&call["phase"], &call["hangup_by"]), (&json!("ended"), &json!("callee")));
    for (field, observation) in hub.observations.iter().filter(|one| one.id == CALL).flat_map(|observation| {
        ["caller", "callee", "queue", "direction", "agent", "outcome"].map(|field| (field, observation))
    }) {
        let item = serde_json::to_value(&observation.item).expect("JSON");
        assert_eq!(item["call"][field], Value::Null, "{field} was known, and is told anew: {item}");
    }
}

#[test]
fn telephones_of_a_call_that_another_session_left_open_stop_too() {
    let desk = |extension: &str, rang: u64, answered: Option<u64>| {
        let mut desk = json!({ "extension": extension, "rang_at": crate::support::START + rang });
        if let Some(answered) = answered {
            desk["answered_at"] = (crate::support::START + answered).into();
        }
        desk
    };
    let left = |answered: Option<u64>| -> Unfinished {
        let item: Call = serde_json::from_value(json!({
            "phase": if answered.is_some() { "answered" } else { "ringing" }, "direction": "inbound",
            "caller": { "number": { "raw": "447700900123", "variants": [] } },
            "started_at": crate::support::START, "answered_at": answered.map(|at| crate::support::START + at),
            "desks": [desk("1001", 100, answered), desk("1002", 200, None)],
        }))
        .expect("a call");
        Unfinished { id: CALL.to_owned(), item: item.into() }
    };
    for answered in [Some(2_000), None] {
        let mut hub = Hub::new(settings());
        hub.input(Input::Left(Left { heard: hub.now, unfinished: vec![left(answered)] }));
        hub.wait(60_000);
        hub.login();
        listed(&mut hub, &caller().in_state(6).at("ext-local", "1001"), "00:01:00", "Dial", "b");
        listed(&mut hub, &phone().in_state(6), "00:01:00", "AppDial", "b");
        let before = hub.now;
        list_over(&mut hub);
        hub.wait(5_000);
        hub.hangs_up(&phone());
        let hung_up = hub.now + 10;
        hub.hangup(&phone(), 16);
        hub.hangup(&caller(), 16);
        let call = hub.call(CALL);
        let times = |extension: &str| -> [Option<u64>; 3] {
            let desks = call["desks"].as_array().expect("a list");
            let mut of = desks.iter().filter(|desk| desk["extension"] == extension);
            let desk = of.next().expect("a desk");
            assert!(of.next().is_none(), "{extension} rang once: {call}");
            ["rang_at", "answered_at", "stopped_at"].map(|name| desk[name].as_u64())
        };
        let at = |since: u64| Some(crate::support::START + since);
        let picked_up = answered.map_or(Some(before), at);
        assert_eq!(times("1001"), [at(100), picked_up, Some(hung_up)], "it talked on");
        assert_eq!(times("1002"), [at(200), None, Some(before)], "the list has it no more");
        assert_eq!(hub.fold.ids(), [CALL]);
    }
}

#[test]
fn a_call_that_was_under_way_is_taken_up_with_its_beginning_estimated() {
    let mut hub = Hub::new(settings());
    hub.login();
    let (caller, phone) = (caller().in_state(6).at("ext-local", "1001"), phone().in_state(6));
    listed(&mut hub, &phone, "00:01:30", "AppDial", "b");
    listed(&mut hub, &caller, "00:01:30", "Dial", "b");
    list_over(&mut hub);
    let call = hub.call(CALL);
    assert_eq!(
        (&call["phase"], &call["agent"]["extension"], &call["answered_at"]),
        (&json!("answered"), &json!("1001"), &Value::Null)
    );
    let started = call["started_at"].as_u64().expect("a time");
    assert!(hub.now - 90_000 - started < 100, "{started}");
    assert_eq!(hub.observations[0].trust, Trust::Inferred);
    assert_eq!(call["attributes"]["repaired"], "true");
}

#[test]
fn without_the_right_to_list_calls_are_taken_up_by_what_is_heard_of_them() {
    let mut hub = Hub::ready(settings());
    hub.talk(&caller(), &phone());
    hub.input(Input::Closed("reset by peer".to_owned()));
    hub.wait(1_000);
    hub.login();
    hub.respond("CoreShowChannels", "Error", "Message: Permission denied");
    assert_eq!(hub.call(CALL)["phase"], "answered");
    // Another one was under way; what is heard of it tells of it.
    let other = Line::outside("1795246340.8", "447700900999", "442079460102").in_state(6);
    hub.event("Hold", &[("", &other)], "MusicClass: default");
    assert_eq!(hub.call("1795246340.8")["attributes"]["repaired"], "true");
    hub.wait(10_000);
    hub.event("Unhold", &[("", &other)], "");
    hub.hangup(&other, 16);
    assert_eq!(hub.call("1795246340.8")["phase"], "ended");
    for _ in 0..(2 * 3600 / 19) {
        hub.wait(19_000);
        hub.lines("Event: Nothing");
    }
    hub.wait(60_000);
    assert_eq!(hub.call(CALL)["phase"], "ended", "nothing was heard of it for two hours");
}

#[test]
fn a_restart_ends_all_calls_and_ids_that_come_again_are_other_calls() {
    let mut hub = Hub::ready(settings());
    hub.answer("CoreStatus", "CoreStartupDate: 2026-11-21\r\nCoreStartupTime: 07:40:42");
    hub.talk(&caller(), &phone());
    hub.input(Input::Closed("gone".to_owned()));
    hub.wait(3_000);
    hub.login();
    hub.answer("CoreStatus", "CoreStartupDate: 2026-11-21\r\nCoreStartupTime: 07:55:01");
    assert_eq!(hub.call(CALL)["phase"], "ended");
    list_over(&mut hub);
    hub.new_channel(&caller());
    let ids = hub.fold.ids();
    assert_eq!(ids.len(), 2, "{ids:?}");
    let again = ids.iter().find(|id| **id != CALL).expect("another").to_string();
    assert!(again.starts_with(CALL), "{again}");
    hub.dial(&caller(), &phone());
    hub.rings(&phone());
    assert_eq!(hub.call(&again)["phase"], "ringing");
    // And once more while it lives: its end was missed.
    hub.new_channel(&caller());
    assert_eq!((&hub.call(&again)["phase"], hub.fold.ids().len()), (&json!("ended"), 3));
}

#[test]
fn a_shutdown_ends_calls_now() {
    let mut hub = Hub::ready(settings());
    hub.talk(&caller(), &phone());
    hub.lines("Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\nRestart: False");
    let call = hub.call(CALL);
    assert_eq!(
        (&call["phase"], &call["hangup_by"], &call["ended_at"]),
        (&json!("ended"), &json!("pbx"), &json!(hub.now))
    );
    assert_eq!(hub.statuses.last().map(String::as_str), Some("Asterisk is shutting down"));
}

#[test]
fn a_clock_that_goes_back_makes_no_call_end_before_it_began() {
    let mut hub = Hub::ready(settings());
    hub.new_channel(&caller());
    hub.dial(&caller(), &phone());
    hub.rings(&phone());
    hub.wait(2_000);
    hub.answers(&caller(), &phone());
    hub.now -= 3_600_000;
    hub.wait(7_000);
    hub.hangs_up(&caller());
    hub.hangup(&phone(), 16);
    hub.hangup(&caller(), 16);
    let call = hub.call(CALL);
    assert_eq!((&call["phase"], &call["wait"]), (&json!("ended"), &json!(2)));
    // The time of the jump itself is lost; nothing is negative.
    assert_eq!(call["talk"], 0);
    assert!(call["ended_at"].as_u64() >= call["answered_at"].as_u64());
}

#[test]
fn what_has_no_end_costs_the_connection_and_no_call() {
    for (flood, why) in
        [("x".repeat(70_000), "a line of more than"), ("a: b\r\n".repeat(200_000), "a message of more than")]
    {
        let mut hub = Hub::ready(settings());
        hub.talk(&caller(), &phone());
        for piece in flood.as_bytes().chunks(4_096) {
            hub.input(Input::Bytes(piece.to_vec()));
        }
        assert_eq!(hub.reconnects.len(), 1);
        assert!(hub.reconnects[0].why.contains(why) && !hub.reconnects[0].misconfigured, "{}", hub.reconnects[0].why);
        hub.input(Input::Closed("dropped".to_owned()));
        hub.login();
        listed(&mut hub, &caller().in_state(6), "00:00:13", "Dial", "b");
        listed(&mut hub, &phone().in_state(6), "00:00:13", "AppDial", "b");
        list_over(&mut hub);
        assert_eq!(hub.call(CALL)["phase"], "answered");
    }
}

#[test]
fn floods_of_variables_channels_and_strangers_are_bounded() {
    let mut hub = Hub::ready(settings());
    hub.new_channel(&caller());
    let count = hub.observations.len();
    for number in 0..20_000 {
        hub.lines(&format!("Event: VarSet\r\nUniqueid: {CALL}\r\nVariable: V{number}\r\nValue: x"));
    }
    for number in 0..200 {
        hub.lines(&format!(
            "Event: VarSet\r\nUniqueid: {CALL}\r\nVariable: MIXMONITOR_FILENAME\r\nValue: /tmp/{number}.wav"
        ));
    }
    assert_eq!(hub.observations.len(), count, "nothing of it is news before anybody answers");
    hub.dial(&caller(), &phone());
    hub.answers(&caller(), &phone());
    assert_eq!(hub.call(CALL)["recordings"].as_array().map(Vec::len), Some(16));
    // Ends of channels that nobody knows.
    let before = hub.fold.ids().len();
    for number in 0..1_000 {
        for event in ["Hangup", "BridgeLeave", "VarSet", "Cdr", "HangupRequest", "QueueCallerLeave", "UnParkedCall"] {
            hub.lines(&format!("Event: {event}\r\nChannel: PJSIP/x-{number}\r\nUniqueid: 9.{number}\r\nLinkedid: 9.{number}\r\nVariable: FROM_DID\r\nValue: 1\r\nParkeeUniqueid: 9.{number}"));
        }
    }
    assert_eq!(hub.fold.ids().len(), before);
}

#[test]
fn more_calls_than_can_be_kept_put_out_the_oldest() {
    let mut hub = Hub::ready(settings());
    for number in 0..10_050 {
        let line = Line::outside(&format!("1795246343.{number}"), "447700900123", "442079460101");
        hub.lines(format!("Event: Newchannel\r\n{}", line.fields("")).trim_end());
    }
    let ended = hub.fold.ids().iter().filter(|id| hub.call(id)["phase"] == "ended").count();
    assert_eq!((ended, &hub.call(CALL)["attributes"]["repaired"]), (50, &json!("true")));
}

#[test]
fn garbage_on_the_line_does_no_harm() {
    let mut hub = Hub::ready(settings());
    hub.talk(&caller(), &phone());
    let mut seed = 1_u64;
    for _ in 0..200 {
        let noise: Vec<u8> = (0..97)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) as u8
            })
            .collect();
        hub.input(Input::Bytes(noise));
        bytes(
            &mut hub,
            "\r\n\r\nEvent: \r\n\r\nEvent\r\n\r\n:\r\n\r\nEvent: Newchannel\r\n\r\nEvent: DialEnd\r\nDestUniqueid: \r\n\r\n",
        );
    }
    assert!(hub.reconnects.is_empty());
    hub.hangup(&phone(), 16);
    hub.hangup(&caller(), 16);
    assert_eq!(hub.call(CALL)["phase"], "ended");
}
