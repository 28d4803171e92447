//! What is known of calls after a connection that was lost.

use cordboard_sdk::prelude::*;
use serde_json::{Value, json};

use crate::support::pbx::Line;
use crate::support::{Hub, START, settings};

const CALL: &str = "1795246343.0";

fn caller() -> Line {
    Line::outside(CALL, "447700900123", "442079460101")
}

fn phone() -> Line {
    Line::phone("1795246343.1", CALL, "1001")
}

fn listed(hub: &mut Hub, line: &Line) {
    let more = "Application: Dial\r\nApplicationData: x\r\nDuration: 00:00:00\r\nBridgeId: ";
    hub.event("CoreShowChannel", &[("", line)], more);
}

fn list_over(hub: &mut Hub) {
    hub.lines("Event: CoreShowChannelsComplete\r\nEventList: Complete\r\nListItems: 1");
}

fn talking() -> Hub {
    let mut hub = Hub::ready(settings());
    hub.talk(&caller(), &phone());
    hub
}

#[test]
fn a_channel_that_is_listed_before_the_event_that_it_was_made() {
    let mut hub = Hub::new(settings());
    hub.login();
    listed(&mut hub, &caller());
    hub.new_channel(&caller());
    list_over(&mut hub);
    hub.dial(&caller(), &phone());
    hub.rings(&phone());
    hub.answers(&caller(), &phone());
    hub.wait(1_000);
    hub.hangs_up(&phone());
    hub.hangup(&phone(), 16);
    hub.hangup(&caller(), 16);
    assert_eq!(hub.fold.ids(), [CALL], "one call");
    let call = hub.call(CALL);
    assert_eq!((&call["outcome"], &call["direction"]), (&json!("answered"), &json!("inbound")), "{call}");
    assert_eq!(call["callee"]["number"]["raw"], "442079460101");
    assert_eq!(call["hangup_by"], "callee");
}

#[test]
fn a_telephone_that_is_listed_before_the_event_that_it_was_made_ends_no_call() {
    let mut hub = Hub::ready(settings());
    hub.new_channel(&caller());
    hub.input(Input::Closed("reset by peer".to_owned()));
    hub.login();
    listed(&mut hub, &caller());
    listed(&mut hub, &phone());
    hub.new_channel(&phone());
    list_over(&mut hub);
    hub.event("DialBegin", &[("", &caller()), ("Dest", &phone())], "DialString: 1001");
    hub.rings(&phone());
    assert_eq!(hub.fold.ids(), [CALL], "the call goes on");
    assert_eq!(hub.call(CALL)["phase"], "ringing");
    hub.answers(&caller(), &phone());
    assert_eq!(hub.call(CALL)["agent"]["extension"], "1001");
}

#[test]
fn holding_is_not_counted_on_while_nobody_listens() {
    let mut hub = talking();
    hub.event("Hold", &[("", &phone())], "MusicClass: default");
    hub.wait(4_000);
    hub.input(Input::Closed("reset by peer".to_owned()));
    assert_eq!(hub.call(CALL)["attributes"]["on-hold"], "false", "nobody knows");
    hub.wait(600_000);
    hub.login();
    listed(&mut hub, &caller().in_state(6));
    listed(&mut hub, &phone().in_state(6));
    list_over(&mut hub);
    hub.event("Hold", &[("", &phone())], "MusicClass: default");
    hub.wait(2_000);
    hub.event("Unhold", &[("", &phone())], "");
    hub.hangup(&phone(), 16);
    hub.hangup(&caller(), 16);
    assert_eq!(hub.call(CALL)["hold"], 6);
}

#[test]
fn without_a_list_a_call_ends_with_the_last_of_whom_anything_was_heard() {
    let mut hub = talking();
    hub.input(Input::Closed("reset by peer".to_owned()));
    hub.wait(5_000);
    hub.login();
    hub.respond("CoreShowChannels", "Error", "Message: Permission denied");
    // The telephone's end was missed. The caller is heard of, and hangs up.
    hub.event("Hold", &[("", &caller().in_state(6))], "MusicClass: default");
    assert_eq!(hub.call(CALL)["phase"], "answered");
    hub.wait(3_000);
    hub.hangup(&caller(), 16);
    let call = hub.call(CALL);
    assert_eq!((&call["phase"], &call["ended_at"]), (&json!("ended"), &json!(hub.now)));
}

#[test]
fn a_call_with_an_id_that_was_given_again_takes_commands() {
    let mut hub = Hub::ready(settings());
    hub.answer("CoreStatus", "CoreStartupDate: 2026-11-21\r\nCoreStartupTime: 07:40:42");
    hub.talk(&caller(), &phone());
    hub.input(Input::Closed("gone".to_owned()));
    hub.login();
    hub.answer("CoreStatus", "CoreStartupDate: 2026-11-21\r\nCoreStartupTime: 07:55:01");
    list_over(&mut hub);
    hub.talk(&caller(), &phone());
    let again = hub.fold.ids().into_iter().find(|id| *id != CALL).expect("another").to_owned();
    let before = hub.sent.len();
    hub.command("call.hangup", json!({ "call": again }));
    assert_eq!(hub.answers.len(), 0, "{:?}", hub.answers);
    assert!(hub.sent[before..].iter().any(|sent| sent.starts_with("Action: Hangup")), "{:?}", &hub.sent[before..]);
    assert_ne!(hub.call(&again)["phase"], Value::Null);
}

#[test]
fn without_a_list_a_call_that_is_transferred_lives_on() {
    let mut hub = talking();
    hub.input(Input::Closed("reset by peer".to_owned()));
    hub.wait(1_000);
    hub.login();
    hub.respond("CoreShowChannels", "Error", "Message: Permission denied");
    let (caller, phone) = (caller().in_state(6), phone().in_state(6));
    let more = "Extension: 1002\r\nContext: from-internal\r\nResult: Success\r\nIsExternal: Yes";
    hub.event("BlindTransfer", &[("Transferer", &phone), ("Transferee", &caller)], more);
    hub.hangup(&phone, 16);
    assert_eq!(hub.call(CALL)["phase"], "answered", "who was transferred is there");
    let other = Line::phone("1795246343.7", CALL, "1002");
    hub.dial(&caller, &other);
    hub.rings(&other);
    hub.answers(&caller, &other);
    assert_eq!(hub.call(CALL)["attributes"]["final-party"], "1002");
}

#[test]
fn nobody_knows_whether_a_telephone_still_holds() {
    let mut hub = talking();
    hub.event("Hold", &[("", &phone())], "MusicClass: default");
    hub.input(Input::Closed("reset by peer".to_owned()));
    hub.login();
    listed(&mut hub, &caller().in_state(6));
    listed(&mut hub, &phone().in_state(6));
    list_over(&mut hub);
    hub.command("call.hold", json!({ "call": CALL, "extension": "1001", "on": false }));
    assert!(hub.answers.is_empty(), "it is asked: {:?}", hub.answers);
    let sent = hub.sent.last().expect("an action");
    assert!(sent.starts_with("Action: PJSIPNotify") && sent.contains("Event=talk"), "{sent}");
}

fn left_open(call: Value) -> Input {
    let item: Call = serde_json::from_value(call).expect("a call");
    let unfinished = vec![Unfinished { id: CALL.to_owned(), item: item.into() }];
    Input::Left(Left { heard: START, unfinished })
}

#[test]
fn a_desk_that_talks_on_an_older_asterisk_while_the_hub_was_down() {
    let lines = [
        format!(
            "Channel: {}\r\nUniqueID: {CALL}\r\nChannelState: 6\r\nApplication: Dial\r\nBridgedUniqueID: {}",
            caller().name,
            phone().uid
        ),
        format!(
            "Channel: {}\r\nUniqueID: {}\r\nChannelState: 6\r\nApplication: AppDial\r\nBridgedUniqueID: {CALL}",
            phone().name,
            phone().uid
        ),
    ];
    for order in [[0, 1], [1, 0]] {
        let mut hub = Hub::new(settings());
        hub.input(left_open(json!({
            "phase": "answered", "direction": "inbound", "started_at": START, "answered_at": START + 2_000,
            "caller": { "number": { "raw": "447700900123", "variants": [] } },
            "desks": [{ "extension": "1001", "rang_at": START + 100, "answered_at": START + 2_000 }],
        })));
        hub.wait(60_000);
        hub.login();
        for at in order {
            hub.lines(&format!("Event: CoreShowChannel\r\n{}\r\nDuration: 00:01:00", lines[at]));
        }
        list_over(&mut hub);
        assert_eq!(hub.call(CALL)["desks"][0]["stopped_at"], Value::Null, "{order:?}: it talks on");
        hub.wait(1_000);
        hub.hangup(&phone(), 16);
        hub.hangup(&caller(), 16);
        let desks = &hub.call(CALL)["desks"];
        assert_eq!(desks[0]["stopped_at"], json!(hub.now - 10), "{order:?}: {desks}");
        assert_eq!((hub.fold.ids(), desks.as_array().map(Vec::len)), (vec![CALL], Some(1)), "{order:?}");
    }
}

#[test]
fn a_callback_whose_agent_answers_after_the_hub_was_down() {
    let mut hub = Hub::new(settings());
    hub.input(left_open(json!({
        "phase": "answered", "direction": "outbound", "started_at": START, "answered_at": START + 2_000,
        "callee": { "number": { "raw": "447700900456", "variants": [] } },
        "attributes": [["click-to-call", "true"]],
    })));
    hub.wait(60_000);
    hub.login();
    let customer = Line::trunk(CALL, CALL).in_state(6);
    listed(&mut hub, &customer);
    list_over(&mut hub);
    hub.dial(&customer, &phone());
    hub.rings(&phone());
    hub.answers(&customer, &phone());
    hub.hangs_up(&customer);
    hub.hangup(&customer, 16);
    hub.hangup(&phone(), 16);
    let call = hub.call(CALL);
    assert_eq!((&call["agent"]["extension"], &call["hangup_by"]), (&json!("1001"), &json!("callee")), "{call}");
    assert_eq!(call["attributes"]["ring-seconds"], Value::Null, "that was before");
}
