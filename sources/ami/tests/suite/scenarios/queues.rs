//! Calls that wait in queues, and what may become of them there.

use serde_json::{Value, json};

use super::{CALL, caller, desks, hub, moves, phone};
use crate::support::Hub;
use crate::support::pbx::Line;

fn joins(hub: &mut Hub, caller: &Line) {
    hub.new_channel(caller);
    hub.state(caller, 6);
    hub.event("QueueCallerJoin", &[("", caller)], "Queue: 600\r\nPosition: 1\r\nCount: 1");
}

fn leaves(hub: &mut Hub, caller: &Line) {
    hub.event("QueueCallerLeave", &[("", caller)], "Queue: 600\r\nPosition: 1\r\nCount: 0");
}

#[test]
fn a_long_wait_while_twenty_telephones_ring_again_and_again() {
    let mut hub = hub();
    let caller = caller();
    joins(&mut hub, &caller);
    let mut counter = 1;
    let rings = hub.now;
    for _ in 0..15 {
        let phones: Vec<Line> = (0..20).map(|desk| phone(counter + desk, &(1001 + desk).to_string())).collect();
        counter += 20;
        for phone in &phones {
            hub.dial(&caller, phone);
            hub.rings(phone);
        }
        hub.wait(15_000);
        for phone in &phones {
            hub.dial_end(&caller, phone, "NOANSWER");
            hub.hangup(phone, 0);
        }
    }
    let last = phone(counter, "1005");
    hub.dial(&caller, &last);
    hub.rings(&last);
    hub.answers(&caller, &last);
    leaves(&mut hub, &caller);
    hub.event("AgentConnect", &[("", &caller), ("Dest", &last)], "Queue: 600\r\nHoldTime: 225\r\nRingTime: 1");
    hub.bridge("b1", &[&last, &caller]);
    let rang = hub.now - rings;
    hub.wait(3_000);
    hub.hangs_up(&last);
    hub.hangup(&last, 16);
    hub.hangup(&caller, 16);
    let call = hub.call(CALL);
    assert_eq!(
        (&call["outcome"], &call["agent"]["extension"], &call["talk"], &call["hangup_by"]),
        (&json!("answered"), &json!("1005"), &json!(3), &json!("callee"))
    );
    assert_eq!((desks(&call).len(), moves(&call)), (301, json!([])), "what was told stays");
    let said: u64 = call["attributes"]["ring-seconds"].as_str().expect("text").parse().expect("a number");
    assert!(said.abs_diff(rang / 1000) <= 1, "since the first telephone rang: {said}");
}

#[test]
fn a_long_wait_behind_local_channels() {
    let mut hub = hub();
    let caller = caller();
    joins(&mut hub, &caller);
    let mut counter = 1;
    for round in 0..250 {
        let uid = |more: u32| format!("1795246343.{}", counter + more);
        let one = Line::local(&uid(0), CALL, "1001", "from-queue", 1);
        let two = Line::local(&uid(1), CALL, "1001", "from-queue", 2);
        let phone = Line::phone(&uid(2), CALL, "1001");
        counter += 3;
        hub.new_channel(&one);
        hub.new_channel(&two);
        hub.event("DialBegin", &[("", &caller), ("Dest", &one)], "DialString: Local/1001@from-queue/n");
        hub.dial(&two, &phone);
        hub.rings(&phone);
        hub.wait(15_000);
        if round < 249 {
            hub.dial_end(&two, &phone, "NOANSWER");
            hub.dial_end(&caller, &one, "NOANSWER");
            for line in [&phone, &two, &one] {
                hub.hangup(line, 0);
            }
            // A straggler.
            hub.state(&phone, 5);
            continue;
        }
        hub.answers(&two, &phone);
        hub.dial_end(&caller, &one, "ANSWER");
        leaves(&mut hub, &caller);
        hub.wait(2_000);
        for line in [&phone, &two, &one, &caller] {
            hub.hangup(line, 16);
        }
    }
    assert_eq!(hub.fold.ids(), [CALL]);
    let call = hub.call(CALL);
    assert_eq!((&call["outcome"], &call["agent"]["extension"]), (&json!("answered"), &json!("1001")));
    assert_eq!(desks(&call).len(), 250);
}

#[test]
fn a_call_picked_up_from_a_member_behind_a_local_channel() {
    for by_caller in [false, true] {
        let mut hub = hub();
        let caller = caller();
        joins(&mut hub, &caller);
        let one = Line::local("1795246343.1", CALL, "1001", "from-queue", 1);
        let two = Line::local("1795246343.2", CALL, "1001", "from-queue", 2);
        let rung = phone(3, "1001");
        hub.new_channel(&one);
        hub.new_channel(&two);
        hub.event("DialBegin", &[("", &caller), ("Dest", &one)], "DialString: Local/1001@from-queue/n");
        hub.dial(&two, &rung);
        hub.rings(&rung);
        hub.wait(2_000);
        let picker = Line::dials("1795246346.4", "1003", "*8");
        hub.new_channel(&picker);
        hub.state(&picker, 6);
        hub.event("Pickup", &[("", &picker), ("Target", &rung)], "");
        hub.hangup(&rung, 16);
        hub.dial_end(&two, &picker.in_state(6), "ANSWER");
        hub.state(&two, 6);
        hub.state(&one, 6);
        hub.dial_end(&caller, &one.in_state(6), "ANSWER");
        leaves(&mut hub, &caller);
        hub.event("AgentConnect", &[("", &caller), ("Dest", &one)], "Queue: 600\r\nHoldTime: 2\r\nRingTime: 2");
        hub.bridge("b1", &[&one, &caller]);
        hub.bridge("b2", &[&picker, &two]);
        hub.wait(3_000);
        hub.hangs_up(if by_caller { &caller } else { &picker });
        for line in [&picker, &two, &one, &caller] {
            hub.hangup(line, 16);
        }
        let call = hub.call(CALL);
        assert_eq!(moves(&call), json!([["pickup", "1003", "1003", true]]));
        assert_eq!(
            (&call["outcome"], &call["agent"]["extension"], &call["talk"]),
            (&json!("answered"), &json!("1003"), &json!(3))
        );
        assert_eq!((desks(&call), &call["desks"][0]["answered_at"]), (vec!["1001"], &Value::Null));
        assert_eq!(call["hangup_by"], if by_caller { "caller" } else { "callee" });
        assert_eq!(hub.call("1795246346.4")["outcome"], "answered", "whose own call it is, too");
    }
}

/// The caller waits, and a member rings.
fn waits() -> (Hub, Line) {
    let mut hub = hub();
    let caller = caller();
    joins(&mut hub, &caller);
    let rung = phone(1, "1001");
    hub.dial(&caller, &rung);
    hub.rings(&rung);
    hub.wait(3_000);
    (hub, caller)
}

/// The member rings no more; another one is called, and answers.
fn goes_on(hub: &mut Hub, caller: &Line, is_given_up: bool) -> Value {
    let (rung, other) = (phone(1, "1001"), phone(2, "1002"));
    hub.dial_end(caller, &rung, "CANCEL");
    if is_given_up {
        hub.event("QueueCallerAbandon", &[("", caller)], "Queue: 600\r\nPosition: 1\r\nHoldTime: 3");
    }
    leaves(hub, caller);
    hub.hangup(&rung, 26);
    hub.dial(&caller.clone().at("ext-local", "1002"), &other);
    hub.rings(&other);
    hub.answers(caller, &other);
    hub.bridge("b1", &[&other, caller]);
    hub.wait(1_000);
    hub.hangs_up(caller);
    hub.hangup(caller, 16);
    hub.hangup(&other, 16);
    hub.call(CALL)
}

#[test]
fn who_leaves_a_queue_by_a_key_is_not_redirected() {
    let (mut hub, caller) = waits();
    let call = goes_on(&mut hub, &caller, false);
    assert_eq!((moves(&call), desks(&call)), (json!([]), vec!["1001", "1002"]));
    assert_eq!((&call["agent"]["extension"], &call["hangup_by"]), (&json!("1002"), &json!("caller")));
}

#[test]
fn who_is_redirected_out_of_a_queue() {
    // By somebody else: to the queue it is as if the caller had hung up.
    let (mut hub, caller) = waits();
    let call = goes_on(&mut hub, &caller, true);
    assert_eq!(moves(&call), json!([["redirect", null, "1002", true]]));
    // By a command, which is known.
    let (mut hub, caller) = waits();
    hub.command("call.redirect", json!({ "call": CALL, "to": "1002" }));
    hub.answer("Redirect", "Message: Redirect successful");
    let call = goes_on(&mut hub, &caller, false);
    assert_eq!(moves(&call), json!([["redirect", null, "1002", true]]));
}

#[test]
fn an_attended_transfer_into_a_queue() {
    let mut hub = hub();
    let (caller, first) = (caller(), phone(1, "1001"));
    hub.talk(&caller, &first);
    let consult = Line::dials("1795246350.2", "1001", "600");
    joins(&mut hub, &consult);
    hub.wait(1_000);
    let lines = [("OrigTransferer", &first), ("SecondTransferer", &consult), ("Transferee", &caller)];
    hub.event("AttendedTransfer", &lines, "Result: Success\r\nDestType: App\r\nDestApp: Queue");
    hub.unbridge("b1795246343.0", &[&caller, &first]);
    hub.hangup(&first, 16);
    hub.hangup(&consult, 16);
    let asked = hub.call("1795246350.2");
    assert_eq!((&asked["queue"], &asked["phase"]), (&json!("600"), &json!("ended")));
    assert_eq!((&hub.call(CALL)["queue"], &hub.call(CALL)["phase"]), (&json!("600"), &json!("answered")));
    let agent = phone(5, "1002");
    hub.dial(&caller, &agent);
    hub.rings(&agent);
    hub.wait(1_000);
    hub.answers(&caller, &agent);
    leaves(&mut hub, &caller);
    hub.event("AgentConnect", &[("", &caller), ("Dest", &agent)], "Queue: 600\r\nHoldTime: 1\r\nRingTime: 1");
    hub.bridge("b2", &[&agent, &caller]);
    hub.wait(1_000);
    hub.hangs_up(&caller);
    hub.hangup(&caller, 16);
    hub.hangup(&agent, 16);
    let call = hub.call(CALL);
    assert_eq!(moves(&call), json!([["attended", "1001", "600", true]]));
    assert_eq!((&call["attributes"]["final-party"], &call["hangup_by"]), (&json!("1002"), &json!("caller")));
}
