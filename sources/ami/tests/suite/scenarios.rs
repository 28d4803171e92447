//! Calls that no recording has, with the events in the order that Asterisk 16 and 22 send them.

use cordboard_sdk::prelude::*;
use serde_json::{Value, json};

use crate::support::pbx::Line;
use crate::support::{Hub, settings};

const CALL: &str = "1795246343.0";

fn hub() -> Hub {
    Hub::ready(settings())
}

fn caller() -> Line {
    Line::outside(CALL, "447700900123", "442079460101")
}

fn phone(counter: u32, extension: &str) -> Line {
    Line::phone(&format!("1795246343.{counter}"), CALL, extension)
}

fn desks(call: &Value) -> Vec<&str> {
    call["desks"].as_array().expect("a list").iter().map(|desk| desk["extension"].as_str().expect("text")).collect()
}

fn moves(call: &Value) -> Value {
    let short = |one: &Value| json!([one["kind"], one["by"], one["to"], one["answered"]]);
    call["transfers"].as_array().expect("a list").iter().map(short).collect()
}

#[test]
fn a_ringing_desk_is_told_at_once_and_an_answer_too() {
    let mut hub = hub();
    let (caller, phone) = (caller(), phone(1, "1001"));
    hub.new_channel(&caller);
    let call = hub.call(CALL);
    assert_eq!(call["phase"], Value::Null, "nothing rings yet, and the call is there");
    assert_eq!((&call["direction"], &call["callee"]["number"]["raw"]), (&json!("inbound"), &json!("442079460101")));
    hub.dial(&caller, &phone);
    assert_eq!(hub.call(CALL)["phase"], Value::Null);
    let before = hub.observations.len();
    hub.rings(&phone);
    assert_eq!(hub.observations.len(), before + 1);
    let call = hub.call(CALL);
    assert_eq!((&call["phase"], desks(&call)), (&json!("ringing"), vec!["1001"]));
    assert_eq!(call["desks"][0]["rang_at"], json!(hub.now));
    hub.event("DialState", &[("", &caller), ("Dest", &phone.in_state(5))], "DialStatus: RINGING");
    assert_eq!(hub.observations.len(), before + 1, "nothing new, nothing told");
    hub.answers(&caller, &phone);
    assert_eq!((&hub.call(CALL)["phase"], &hub.call(CALL)["agent"]["extension"]), (&json!("answered"), &json!("1001")));
}

#[test]
fn a_telephone_that_rings_before_it_is_told_to_be_dialled() {
    let mut hub = hub();
    let (caller, phone) = (caller(), phone(1, "1001"));
    hub.new_channel(&caller);
    hub.new_channel(&phone);
    hub.rings(&phone);
    assert_eq!(hub.call(CALL)["phase"], Value::Null, "nobody is known to call it yet");
    hub.event("DialBegin", &[("", &caller), ("Dest", &phone.in_state(5))], "DialString: 1001");
    let call = hub.call(CALL);
    assert_eq!((&call["phase"], desks(&call)), (&json!("ringing"), vec!["1001"]));
    assert_eq!(call["desks"][0]["rang_at"], json!(hub.now));
}

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
fn a_menu_before_anybody_rings() {
    let mut hub = hub();
    let caller = caller();
    hub.new_channel(&caller);
    hub.state(&caller, 6);
    hub.wait(4_000);
    assert_eq!(hub.call(CALL)["phase"], Value::Null);
    hub.hangs_up(&caller);
    hub.hangup(&caller, 16);
    let call = hub.call(CALL);
    assert_eq!((&call["outcome"], &call["talk"], &call["wait"]), (&json!("abandoned"), &json!(0), &json!(4)));

    let mut hub = self::hub();
    let phone = phone(1, "1001");
    hub.new_channel(&caller);
    hub.state(&caller, 6);
    hub.wait(4_000);
    hub.dial(&caller, &phone);
    hub.rings(&phone);
    hub.wait(1_000);
    hub.answers(&caller, &phone);
    hub.wait(1_000);
    hub.hangs_up(&phone);
    hub.hangup(&phone, 16);
    hub.hangup(&caller, 16);
    let call = hub.call(CALL);
    assert_eq!((&call["outcome"], &call["talk"], &call["wait"]), (&json!("answered"), &json!(1), &json!(5)));
    assert_eq!(call["callee"]["number"]["raw"], "442079460101");
}

#[test]
fn a_queue_that_its_caller_leaves() {
    let mut hub = hub();
    let (caller, phone) = (caller(), phone(1, "1001"));
    hub.new_channel(&caller);
    hub.state(&caller, 6);
    hub.event("QueueCallerJoin", &[("", &caller)], "Queue: 600\r\nPosition: 1\r\nCount: 1");
    assert_eq!((&hub.call(CALL)["queue"], &hub.call(CALL)["phase"]), (&json!("600"), &Value::Null));
    hub.dial(&caller, &phone);
    hub.rings(&phone);
    hub.wait(6_000);
    hub.hangs_up(&caller);
    hub.event(
        "QueueCallerAbandon",
        &[("", &caller)],
        "Queue: 600\r\nPosition: 1\r\nOriginalPosition: 1\r\nHoldTime: 6",
    );
    hub.event("QueueCallerLeave", &[("", &caller)], "Queue: 600\r\nPosition: 1\r\nCount: 0");
    hub.dial_end(&caller, &phone, "CANCEL");
    hub.hangup(&phone, 0);
    hub.hangup(&caller, 16);
    let call = hub.call(CALL);
    assert_eq!(
        (&call["outcome"], &call["agent"], &call["hangup_by"]),
        (&json!("abandoned"), &Value::Null, &json!("caller"))
    );
    assert_eq!(desks(&call), ["1001"]);
}

#[test]
fn busy_declined_failed_and_voicemail() {
    for (cause, status, rang, outcome) in [
        (17, "BUSY", false, "busy"),
        (21, "NOANSWER", true, "declined"),
        (0, "NOANSWER", true, "no-answer"),
        (20, "CHANUNAVAIL", false, "failed"),
    ] {
        let mut hub = hub();
        let (caller, phone) = (caller(), phone(1, "1001"));
        hub.new_channel(&caller);
        hub.dial(&caller, &phone);
        if rang {
            hub.rings(&phone);
        }
        hub.wait(1_000);
        hub.hangs_up(&phone);
        hub.dial_end(&caller, &phone, status);
        hub.hangup(&phone, cause);
        hub.hangup(&caller, cause);
        let call = hub.call(CALL);
        assert_eq!((&call["outcome"], &call["hangup_by"]), (&json!(outcome), &json!("pbx")), "{call}");
        assert_eq!(desks(&call).len(), usize::from(outcome != "failed"));
    }
    let mut hub = hub();
    let (caller, phone) = (caller(), phone(1, "1001"));
    hub.new_channel(&caller);
    hub.dial(&caller, &phone);
    hub.rings(&phone);
    hub.dial_end(&caller, &phone, "NOANSWER");
    hub.hangup(&phone, 0);
    hub.event("Newexten", &[("", &caller)], "Extension: 1001\r\nApplication: VoiceMail\r\nAppData: 1001@default,u");
    hub.state(&caller, 6);
    hub.wait(9_000);
    hub.hangs_up(&caller);
    hub.hangup(&caller, 16);
    assert_eq!(hub.call(CALL)["outcome"], "voicemail");
}

#[test]
fn callers_without_a_number_and_names_in_any_bytes() {
    let mut hub = hub();
    let caller = Line { number: "anonymous".to_owned(), caller: "Anonymous".to_owned(), ..caller() };
    hub.new_channel(&caller);
    let call = hub.call(CALL);
    assert_eq!((&call["caller"]["number"], &call["attributes"]["anonymous"]), (&Value::Null, &json!("true")));
    let latin = b"Event: Newchannel\r\nChannel: PJSIP/trunk-00000001\r\nChannelState: 4\r\nCallerIDNum: 447\r\nCallerIDName: J\xf6rg\r\nContext: from-trunk\r\nExten: 4420\r\nUniqueid: 2.0\r\nLinkedid: 2.0\r\n\r\n";
    hub.input(Input::Bytes(latin.to_vec()));
    assert_eq!(hub.call("2.0")["caller"]["name"], "Jörg");
}

#[test]
fn people_who_meet_in_a_conference() {
    let mut hub = hub();
    let (outside, inside) = (caller(), Line::dials("1795246344.1", "1001", "800"));
    hub.new_channel(&outside);
    hub.state(&outside, 6);
    hub.bridge("conference", &[&outside]);
    hub.wait(3_000);
    assert_eq!(hub.call(CALL)["phase"], Value::Null);
    hub.new_channel(&inside);
    hub.state(&inside, 6);
    hub.bridge("conference", &[&Line { linked: CALL.to_owned(), ..inside.clone() }]);
    hub.wait(5_000);
    hub.hangs_up(&inside);
    hub.hangup(&inside, 16);
    hub.wait(1_000);
    hub.hangs_up(&outside);
    hub.hangup(&outside, 16);
    let (first, second) = (hub.call(CALL), hub.call("1795246344.1"));
    assert_eq!(
        (&first["outcome"], &first["agent"]["extension"], &first["hangup_by"]),
        (&json!("answered"), &json!("1001"), &json!("caller"))
    );
    assert_eq!(
        (&second["outcome"], &second["direction"], &second["talk"]),
        (&json!("answered"), &json!("internal"), &json!(5))
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
fn a_ring_group_behind_local_channels() {
    let mut hub = Hub::ready({
        let mut settings = settings();
        settings["profile"] = "freepbx".into();
        settings
    });
    let caller = caller();
    hub.new_channel(&caller);
    let mut phones = Vec::new();
    for (counter, extension) in [(1, "1001"), (4, "1002")] {
        let uid = |more: u32| format!("1795246343.{}", counter + more);
        let one = Line::local(&uid(0), CALL, extension, "from-internal", 1);
        let two = Line::local(&uid(1), CALL, extension, "from-internal", 2);
        hub.new_channel(&one);
        hub.new_channel(&two);
        hub.event("DialBegin", &[("", &caller), ("Dest", &one)], "DialString: x");
        let phone = Line::phone(&uid(2), CALL, extension);
        hub.dial(&two, &phone);
        hub.rings(&phone);
        phones.push((one, two, phone));
    }
    hub.wait(2_000);
    let (one, two, phone) = &phones[1];
    hub.answers(two, phone);
    hub.dial_end(&caller, &one.in_state(6), "ANSWER");
    let (other_one, other_two, other) = &phones[0];
    hub.dial_end(&caller, other_one, "CANCEL");
    hub.dial_end(other_two, other, "CANCEL");
    for line in [other_one, other_two, other] {
        hub.hangup(line, 26);
    }
    hub.wait(4_000);
    hub.hangs_up(phone);
    for line in [phone, two, one, &caller] {
        hub.hangup(line, 16);
    }
    let call = hub.call(CALL);
    assert_eq!(
        (&call["agent"]["extension"], desks(&call), moves(&call)),
        (&json!("1002"), vec!["1001", "1002"], json!([]))
    );
    assert_eq!(call["hangup_by"], "callee");
    assert_eq!(hub.fold.ids(), [CALL]);
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
