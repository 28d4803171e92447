//! Calls that are moved: transfers, redirects, forwarding, pick-up.

use serde_json::{Value, json};

use super::{CALL, caller, desks, hub, moves, phone};
use crate::support::pbx::Line;

#[test]
fn blind_transfer() {
    let mut hub = hub();
    let (caller, first, second) = (caller(), phone(1, "1001"), phone(2, "1002"));
    hub.talk(&caller, &first);
    hub.event(
        "BlindTransfer",
        &[("Transferer", &first), ("Transferee", &caller)],
        "Result: Success\r\nIsExternal: Yes\r\nContext: from-internal\r\nExtension: 1002",
    );
    hub.unbridge("b1795246343.0", &[&caller, &first]);
    hub.hangup(&first, 16);
    hub.dial(&caller.clone().at("ext-local", "1002"), &second);
    hub.rings(&second);
    hub.wait(1_000);
    hub.answers(&caller, &second);
    hub.bridge("b2", &[&second, &caller]);
    hub.wait(2_000);
    hub.hangs_up(&second);
    hub.hangup(&second, 16);
    hub.hangup(&caller, 16);
    let call = hub.call(CALL);
    assert_eq!(moves(&call), json!([["blind", "1001", "1002", true]]));
    assert_eq!(desks(&call), ["1001", "1002"]);
    assert_eq!(call["agent"]["extension"], "1001");
    assert_eq!(call["attributes"]["final-party"], "1002");
    assert_eq!((&call["outcome"], &call["hangup_by"]), (&json!("answered"), &json!("callee")));
}

#[test]
fn blind_transfer_that_nobody_takes() {
    let mut hub = hub();
    let (caller, first, second) = (caller(), phone(1, "1001"), phone(2, "1002"));
    hub.talk(&caller, &first);
    hub.event(
        "BlindTransfer",
        &[("Transferer", &first), ("Transferee", &caller)],
        "Result: Success\r\nExtension: 1002",
    );
    hub.hangup(&first, 16);
    hub.dial(&caller, &second);
    hub.rings(&second);
    hub.wait(5_000);
    hub.dial_end(&caller, &second, "NOANSWER");
    hub.hangup(&second, 0);
    hub.hangup(&caller, 16);
    let call = hub.call(CALL);
    assert_eq!(moves(&call), json!([["blind", "1001", "1002", false]]));
    assert_eq!((&call["outcome"], &call["hangup_by"]), (&json!("answered"), &json!("pbx")));
}

#[test]
fn attended_transfer_by_the_telephone() {
    let mut hub = hub();
    let (caller, first) = (caller(), phone(1, "1001"));
    hub.talk(&caller, &first);
    hub.event("Hold", &[("", &first)], "MusicClass: default");
    let consult = Line::dials("1795246350.2", "1001", "1002");
    let target = Line::phone("1795246350.3", "1795246350.2", "1002");
    hub.talk(&consult, &target);
    let lines = [
        ("OrigTransferer", &first),
        ("SecondTransferer", &consult),
        ("Transferee", &caller),
        ("TransferTarget", &target.in_state(6)),
    ];
    hub.event("AttendedTransfer", &lines, "Result: Success\r\nDestType: Bridge\r\nDestBridgeUniqueid: b1795246350.2");
    hub.event("Unhold", &[("", &first)], "");
    hub.unbridge("b1795246343.0", &[&caller, &first]);
    let joined = Line { linked: CALL.to_owned(), ..target.clone() };
    hub.bridge("b1795246350.2", &[&caller]);
    hub.hangup(&first, 16);
    hub.hangup(&consult, 16);
    let over = hub.call("1795246350.2");
    assert_eq!(
        (&over["phase"], &over["direction"], &over["outcome"]),
        (&json!("ended"), &json!("internal"), &json!("answered"))
    );
    assert_eq!(hub.call(CALL)["phase"], "answered", "the customer still talks");
    hub.wait(4_000);
    hub.hangs_up(&joined);
    hub.hangup(&joined, 16);
    hub.hangup(&caller, 16);
    let call = hub.call(CALL);
    assert_eq!(moves(&call), json!([["attended", "1001", "1002", true]]));
    assert_eq!((&call["hangup_by"], &call["attributes"]["final-party"]), (&json!("callee"), &json!("1002")));
    assert_eq!((&call["agent"]["extension"], &call["phase"]), (&json!("1001"), &json!("ended")));
    assert_eq!(call["hold"], 5, "while the other was asked");
}

#[test]
fn attended_transfer_by_the_pbx() {
    let mut hub = hub();
    let (caller, first, target) = (caller(), phone(1, "1001"), phone(4, "1002"));
    hub.talk(&caller, &first);
    let one = Line::local("1795246350.2", CALL, "1002", "from-internal", 1);
    let two = Line::local("1795246350.3", CALL, "1002", "from-internal", 2);
    hub.new_channel(&one);
    hub.new_channel(&two);
    hub.event("LocalBridge", &[("LocalOne", &one), ("LocalTwo", &two)], "LocalOptimization: Yes");
    hub.event("DialBegin", &[("", &first), ("Dest", &one)], "DialString: 1002@from-internal");
    hub.dial(&two, &target);
    hub.rings(&target);
    hub.wait(1_000);
    hub.answers(&two, &target);
    hub.dial_end(&first, &one.in_state(6), "ANSWER");
    let lines = [
        ("OrigTransferer", &first),
        ("SecondTransferer", &first),
        ("Transferee", &caller),
        ("TransferTarget", &one.in_state(6)),
    ];
    hub.event("AttendedTransfer", &lines, "Result: Success\r\nDestType: Bridge");
    hub.event("BridgeMerge", &[], "ToBridgeUniqueid: b1795246343.0\r\nFromBridgeUniqueid: b9");
    hub.hangup(&first, 16);
    hub.hangup(&one, 16);
    hub.hangup(&two, 16);
    hub.bridge("b1795246343.0", &[&target]);
    hub.wait(2_000);
    hub.hangs_up(&caller);
    hub.hangup(&caller, 16);
    hub.hangup(&target, 16);
    let call = hub.call(CALL);
    assert_eq!(moves(&call), json!([["attended", "1001", "1002", true]]));
    assert_eq!((&call["hangup_by"], &call["attributes"]["final-party"]), (&json!("caller"), &json!("1002")));
    assert_eq!(hub.fold.ids(), [CALL]);
}

#[test]
fn a_call_that_another_telephone_picks_up() {
    let mut hub = hub();
    let (caller, rung) = (caller(), phone(1, "1001"));
    hub.new_channel(&caller);
    hub.dial(&caller, &rung);
    hub.rings(&rung);
    hub.wait(2_000);
    let picker = Line::dials("1795246346.2", "1002", "*81001");
    hub.new_channel(&picker);
    hub.event("Pickup", &[("", &picker), ("Target", &rung)], "");
    hub.event(
        "Rename",
        &[],
        &format!("Channel: {}\r\nNewname: {}<MASQ>\r\nUniqueid: {}", picker.name, picker.name, picker.uid),
    );
    hub.event("Rename", &[], &format!("Channel: {}\r\nNewname: {}\r\nUniqueid: {}", rung.name, picker.name, rung.uid));
    hub.event(
        "Rename",
        &[],
        &format!("Channel: {}<MASQ>\r\nNewname: {}<ZOMBIE>\r\nUniqueid: {}", picker.name, rung.name, picker.uid),
    );
    let taken = Line { name: picker.name.clone(), ..rung.clone() };
    hub.answers(&caller, &taken);
    hub.hangup(&picker, 16);
    hub.bridge("b1", &[&taken, &caller]);
    hub.wait(3_000);
    hub.hangs_up(&taken);
    hub.hangup(&taken, 16);
    hub.hangup(&caller, 16);
    let call = hub.call(CALL);
    assert_eq!(call["agent"]["extension"], "1002");
    assert_eq!(moves(&call), json!([["pickup", "1002", "1002", true]]));
    assert_eq!((desks(&call), &call["desks"][0]["answered_at"]), (vec!["1001"], &Value::Null));
    assert_eq!((&call["outcome"], &call["hangup_by"]), (&json!("answered"), &json!("callee")));
}

#[test]
fn a_telephone_that_sends_its_calls_elsewhere() {
    let mut hub = hub();
    let (caller, first, second) = (caller(), phone(1, "1001"), phone(4, "1003"));
    hub.new_channel(&caller);
    hub.dial(&caller, &first);
    hub.event("DialEnd", &[("", &caller), ("Dest", &first)], "DialStatus: CANCEL\r\nForward: 1003");
    let one = Line::local("1795246343.2", CALL, "1003", "from-internal", 1);
    let two = Line::local("1795246343.3", CALL, "1003", "from-internal", 2);
    hub.new_channel(&one);
    hub.new_channel(&two);
    hub.event("DialBegin", &[("", &caller), ("Dest", &one)], "DialString: 1003@from-internal");
    hub.hangup(&first, 16);
    hub.dial(&two, &second);
    hub.rings(&second);
    hub.wait(2_000);
    hub.answers(&two, &second);
    hub.dial_end(&caller, &one, "ANSWER");
    hub.bridge("b1", &[&second, &two]);
    hub.bridge("b2", &[&one, &caller]);
    hub.unbridge("b2", &[&caller, &one]);
    hub.bridge("b1", &[&caller]);
    hub.hangup(&one, 16);
    hub.hangup(&two, 16);
    hub.wait(2_000);
    hub.hangs_up(&caller);
    hub.hangup(&caller, 16);
    hub.hangup(&second, 16);
    let call = hub.call(CALL);
    assert_eq!(moves(&call), json!([["forward", "1001", "1003", true]]));
    assert_eq!(
        (&call["agent"]["extension"], &call["outcome"], &call["hangup_by"]),
        (&json!("1003"), &json!("answered"), &json!("caller"))
    );
}

#[test]
fn a_redirect_while_they_talk() {
    let mut hub = hub();
    let (caller, first, second) = (caller(), phone(1, "1001"), phone(2, "1003"));
    hub.talk(&caller, &first);
    hub.unbridge("b1795246343.0", &[&caller, &first]);
    hub.dial(&caller.clone().at("ext-local", "1003"), &second);
    hub.hangup(&first, 16);
    hub.rings(&second);
    hub.answers(&caller, &second);
    hub.hangs_up(&caller);
    hub.hangup(&caller, 16);
    hub.hangup(&second, 16);
    let call = hub.call(CALL);
    assert_eq!(moves(&call), json!([["redirect", null, "1003", true]]));
    assert_eq!(call["agent"]["extension"], "1001");
}

#[test]
fn telephones_that_ring_one_after_the_other_are_no_redirect() {
    let mut hub = hub();
    let (caller, first, second) = (caller(), phone(1, "1001"), phone(2, "1003"));
    hub.new_channel(&caller);
    for phone in [&first, &second] {
        hub.dial(&caller, phone);
        hub.rings(phone);
        hub.wait(3_000);
        hub.dial_end(&caller, phone, "NOANSWER");
        hub.hangup(phone, 0);
    }
    hub.hangup(&caller, 19);
    let call = hub.call(CALL);
    assert_eq!((moves(&call), desks(&call), &call["outcome"]), (json!([]), vec!["1001", "1003"], &json!("no-answer")));
}

#[test]
fn an_outbound_call_that_is_passed_on() {
    let mut hub = hub();
    let (agent, customer) = (Line::dials(CALL, "1001", "447700900456"), Line::trunk("1795246343.1", CALL));
    let customer = Line { number: "447700900456".to_owned(), connected: "442079460100".to_owned(), ..customer };
    hub.talk(&agent, &customer);
    let second = phone(2, "1002");
    hub.event(
        "BlindTransfer",
        &[("Transferer", &agent), ("Transferee", &customer)],
        "Result: Success\r\nExtension: 1002",
    );
    hub.hangup(&agent, 16);
    hub.dial(&customer, &second);
    hub.rings(&second);
    hub.answers(&customer, &second);
    hub.hangs_up(&customer);
    hub.hangup(&customer, 16);
    hub.hangup(&second, 16);
    let call = hub.call(CALL);
    assert_eq!(
        (&call["direction"], &call["agent"]["extension"], &call["hangup_by"]),
        (&json!("outbound"), &json!("1001"), &json!("callee"))
    );
    assert_eq!(
        (&call["line"]["raw"], moves(&call)),
        (&json!("442079460100"), json!([["blind", "1001", "1002", true]]))
    );
}
