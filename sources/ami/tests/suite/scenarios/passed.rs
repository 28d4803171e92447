//! Calls that are passed on to where no telephone rings, and telephones that send their calls elsewhere.

use cordboard_sdk::prelude::*;
use serde_json::json;

use super::{CALL, caller, desks, hub, moves, phone};
use crate::support::Hub;
use crate::support::pbx::Line;

/// 1001 talks with the caller and passes the call on; who put the telephone down is told in both orders.
fn passed_on(to: &str, is_put_down_late: bool) -> (Hub, Line) {
    let mut hub = hub();
    let (caller, first) = (caller(), phone(1, "1001"));
    hub.talk(&caller, &first);
    if !is_put_down_late {
        hub.hangs_up(&first);
    }
    hub.event(
        "BlindTransfer",
        &[("Transferer", &first), ("Transferee", &caller)],
        &format!("Result: Success\r\nIsExternal: Yes\r\nContext: from-internal\r\nExtension: {to}"),
    );
    if is_put_down_late {
        hub.hangs_up(&first);
    }
    hub.unbridge("b1795246343.0", &[&caller, &first]);
    hub.hangup(&first, 16);
    (hub, caller)
}

#[test]
fn into_voicemail() {
    for late in [false, true] {
        let (mut hub, caller) = passed_on("*1002", late);
        assert_eq!(moves(&hub.call(CALL)), json!([]), "it may yet be parked");
        hub.event(
            "Newexten",
            &[("", &caller)],
            "Extension: *1002\r\nApplication: VoiceMail\r\nAppData: 1002@default,u",
        );
        assert_eq!(moves(&hub.call(CALL)), json!([["blind", "1001", "*1002", null]]), "told at once");
        hub.wait(4_000);
        hub.hangs_up(&caller);
        hub.hangup(&caller, 16);
        let call = hub.call(CALL);
        assert_eq!(moves(&call), json!([["blind", "1001", "*1002", false]]));
        assert_eq!((&call["hangup_by"], &call["outcome"]), (&json!("caller"), &json!("answered")));
    }
}

#[test]
fn into_a_menu_of_which_nothing_is_seen() {
    for (late, by_caller) in [(false, true), (true, true), (true, false)] {
        let (mut hub, caller) = passed_on("700", late);
        hub.wait(4_000);
        if by_caller {
            hub.hangs_up(&caller);
        }
        hub.hangup(&caller, 16);
        let call = hub.call(CALL);
        assert_eq!(moves(&call), json!([["blind", "1001", "700", false]]));
        assert_eq!(call["hangup_by"], if by_caller { "caller" } else { "pbx" });
    }
}

#[test]
fn into_a_conference() {
    for is_there in [true, false] {
        let (mut hub, caller) = passed_on("800", true);
        let other = Line::dials("1795246340.7", "1004", "800");
        if is_there {
            hub.new_channel(&other);
            hub.state(&other, 6);
            hub.bridge("conference", &[&other]);
        }
        hub.bridge("conference", &[&caller]);
        let call = hub.call(CALL);
        assert_eq!(moves(&call), json!([["blind", "1001", "800", if is_there { json!(true) } else { json!(null) }]]));
        hub.wait(4_000);
        hub.hangs_up(&caller);
        hub.hangup(&caller, 16);
        let call = hub.call(CALL);
        assert_eq!(moves(&call), json!([["blind", "1001", "800", is_there]]));
        assert_eq!(
            (&call["hangup_by"], &call["attributes"]["final-party"]),
            (&json!("caller"), &json!(if is_there { "1004" } else { "1001" }))
        );
    }
}

/// A telephone sends its calls on to another one, which rings behind a Local channel.
fn sends_on(hub: &mut Hub, caller: &Line, from: &Line, counter: u32, to: &str) -> [Line; 3] {
    hub.event("DialEnd", &[("", caller), ("Dest", from)], &format!("DialStatus: CANCEL\r\nForward: {to}"));
    let uid = |more: u32| format!("1795246343.{}", counter + more);
    let one = Line::local(&uid(0), CALL, to, "from-internal", 1);
    let two = Line::local(&uid(1), CALL, to, "from-internal", 2);
    let phone = Line::phone(&uid(2), CALL, to);
    hub.new_channel(&one);
    hub.new_channel(&two);
    hub.event("DialBegin", &[("", caller), ("Dest", &one)], &format!("DialString: {to}@from-internal"));
    hub.hangup(from, 16);
    hub.dial(&two, &phone);
    hub.rings(&phone);
    [one, two, phone]
}

#[test]
fn a_member_of_a_ring_group_that_sends_its_calls_elsewhere() {
    for by_forward in [false, true] {
        let mut hub = hub();
        let (caller, first, second) = (caller(), phone(1, "1001"), phone(2, "1002"));
        // The third stands in the group by itself, too.
        let third = phone(3, "1003");
        hub.new_channel(&caller);
        for phone in [&first, &second, &third] {
            hub.dial(&caller, phone);
        }
        hub.rings(&first);
        hub.rings(&third);
        let [one, two, sent] = sends_on(&mut hub, &caller, &second, 4, "1003");
        hub.wait(2_000);
        let (who, other) = if by_forward { (&sent, &third) } else { (&third, &sent) };
        hub.answers(if by_forward { &two } else { &caller }, who);
        hub.dial_end(&caller, &first, "CANCEL");
        hub.dial_end(if by_forward { &caller } else { &two }, other, "CANCEL");
        hub.bridge("b1", &[who, &caller]);
        hub.wait(1_000);
        hub.hangs_up(&caller);
        for line in [&first, &third, &sent, &two, &one, &caller] {
            hub.hangup(line, 16);
        }
        let call = hub.call(CALL);
        assert_eq!(moves(&call), json!([["forward", "1002", "1003", by_forward]]));
        assert_eq!((&call["agent"]["extension"], &call["outcome"]), (&json!("1003"), &json!("answered")));
        let mut rang = desks(&call);
        rang.sort_unstable();
        rang.dedup();
        assert_eq!(rang, ["1001", "1002", "1003"]);
    }
}

#[test]
fn a_telephone_that_sends_its_calls_to_a_ring_group() {
    let mut hub = hub();
    let (caller, first) = (caller(), phone(1, "1001"));
    hub.new_channel(&caller);
    hub.dial(&caller, &first);
    hub.event("DialEnd", &[("", &caller), ("Dest", &first)], "DialStatus: CANCEL\r\nForward: 610");
    let half =
        |counter: u32, exten: &str, half| Line::local(&format!("1795246343.{counter}"), CALL, exten, "group", half);
    let (outer, goes_on) = (half(2, "610", 1), half(3, "610", 2));
    let (inner, dials) = (half(4, "1004", 1), half(5, "1004", 2));
    let answers = phone(6, "1004");
    for (from, one, two) in [(&caller, &outer, &goes_on), (&goes_on, &inner, &dials)] {
        hub.new_channel(one);
        hub.new_channel(two);
        hub.event("DialBegin", &[("", from), ("Dest", one)], "DialString: x");
        hub.wait(5_000);
    }
    hub.dial(&dials, &answers);
    hub.rings(&answers);
    hub.answers(&dials, &answers);
    for line in [&first, &answers, &inner, &dials, &outer, &goes_on, &caller] {
        hub.hangup(line, 16);
    }
    assert_eq!(moves(&hub.call(CALL)), json!([["forward", "1001", "610", true]]));
}

#[test]
fn two_telephones_that_send_their_calls_elsewhere_at_once() {
    let mut hub = hub();
    let (caller, first, second) = (caller(), phone(1, "1001"), phone(2, "1002"));
    hub.new_channel(&caller);
    hub.dial(&caller, &first);
    hub.dial(&caller, &second);
    let end = |phone: &Line, to: &str| {
        let fields = caller.fields("") + &phone.fields("Dest");
        format!("Event: DialEnd\r\n{fields}DialStatus: CANCEL\r\nForward: {to}\r\n\r\n")
    };
    hub.input(Input::Bytes((end(&first, "1003") + &end(&second, "1004")).into_bytes()));
    for line in [&first, &second, &caller] {
        hub.hangup(line, 16);
    }
    assert_eq!(moves(&hub.call(CALL)), json!([["forward", "1001", "1003", false], ["forward", "1002", "1004", false]]));
}
