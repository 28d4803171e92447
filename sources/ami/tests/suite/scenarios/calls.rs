//! Who rings, who answers, and how a call ends that stays where it is.

use cordboard_sdk::prelude::*;
use serde_json::{Value, json};

use super::{CALL, caller, desks, hub, moves, phone};
use crate::support::pbx::Line;
use crate::support::{Hub, settings};

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
fn a_telephone_that_is_told_to_ring_when_dialling_is_over() {
    let mut hub = hub();
    let (caller, phone) = (caller(), phone(1, "1001"));
    hub.new_channel(&caller);
    hub.dial(&caller, &phone);
    hub.dial_end(&caller, &phone, "CANCEL");
    assert_eq!(desks(&hub.call(CALL)), ["1001"]);
    hub.rings(&phone);
    hub.hangup(&phone, 26);
    hub.hangup(&caller, 16);
    assert_eq!(desks(&hub.call(CALL)), ["1001"], "it was told, with the moment at which it was dialled");
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
fn a_handset_of_an_analogue_line_is_reserved_before_it_dials() {
    let mut hub = hub();
    let mut handset = phone(0, "1001").at("from-internal", "");
    handset.linked.clone_from(&handset.uid);
    handset.state = 1;
    let id = handset.uid.clone();
    hub.new_channel(&handset);
    let handset = handset.in_state(4).at("from-internal", "1002");
    hub.event("Newstate", &[("", &handset)], "");
    let other = Line { linked: id.clone(), ..phone(1, "1002") };
    hub.dial(&handset, &other);
    hub.rings(&other);
    hub.answers(&handset, &other);
    hub.hangs_up(&handset);
    hub.hangup(&other, 16);
    hub.hangup(&handset, 16);
    let call = hub.call(&id);
    assert_eq!((&call["direction"], &call["outcome"]), (&json!("internal"), &json!("answered")), "{call}");
    assert_eq!((&call["callee"]["number"]["raw"], &call["hangup_by"]), (&json!("1002"), &json!("caller")));
    assert_eq!((call["attributes"]["click-to-call"].is_null(), desks(&call)), (true, vec!["1002"]));
}
