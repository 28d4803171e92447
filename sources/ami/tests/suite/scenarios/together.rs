//! Several telephones of one extension: a softphone beside the one on the desk.

use serde_json::{Value, json};

use super::{CALL, caller, desks, hub, phone};
use crate::support::Hub;
use crate::support::pbx::Line;

/// The one desk that the call rang at: since when, when it was answered, when it stopped.
fn desk(hub: &Hub) -> [Value; 3] {
    let call = hub.call(CALL);
    assert_eq!(desks(&call), ["1001"], "{call}");
    ["rang_at", "answered_at", "stopped_at"].map(|field| call["desks"][0][field].clone())
}

/// A call for which two telephones of 1001 are dialled.
fn dialled() -> (Hub, Line, Line, Line) {
    let mut hub = hub();
    let (caller, one, other) = (caller(), phone(1, "1001"), phone(2, "1001"));
    hub.new_channel(&caller);
    hub.dial(&caller, &one);
    hub.dial(&caller, &other);
    (hub, caller, one, other)
}

/// A call that rings at two telephones of 1001, and since when it rings there.
fn ringing() -> (Hub, Line, Line, Line, u64) {
    let (mut hub, caller, one, other) = dialled();
    hub.rings(&one);
    let since = hub.now;
    hub.wait(3_000);
    hub.rings(&other);
    (hub, caller, one, other, since)
}

#[test]
fn they_are_one_desk_that_rings_once() {
    let (mut hub, caller, one, other, since) = ringing();
    assert_eq!(desk(&hub), [json!(since), Value::Null, Value::Null]);
    hub.wait(1_000);
    hub.hangs_up(&other);
    hub.hangup(&other, 21);
    hub.dial_end(&caller, &other, "NOANSWER");
    assert_eq!(desk(&hub), [json!(since), Value::Null, Value::Null], "one refuses, and the other rings on");
    hub.wait(1_000);
    hub.answers(&caller, &one);
    assert_eq!(desk(&hub)[1..], [json!(hub.now), Value::Null]);
}

#[test]
fn the_one_that_answers_is_not_withdrawn_with_the_other() {
    // As Asterisk dials: who lost is cancelled before the answer is told.
    for winner in [1, 2] {
        let (mut hub, caller, one, other, since) = ringing();
        let (winner, loser) = if winner == 1 { (one, other) } else { (other, one) };
        hub.state(&winner, 6);
        hub.dial_end(&caller, &loser, "CANCEL");
        hub.hangup(&loser, 26);
        assert_eq!(desk(&hub)[2], Value::Null, "nothing has stopped at this desk");
        hub.dial_end(&caller, &winner.in_state(6), "ANSWER");
        let answered = hub.now;
        assert_eq!(desk(&hub), [json!(since), json!(answered), Value::Null]);
        hub.wait(5_000);
        hub.hangup(&winner, 16);
        assert_eq!(desk(&hub), [json!(since), json!(answered), json!(hub.now)]);
    }
}

#[test]
fn nobody_answers_and_the_desk_stops_with_the_last_of_them() {
    let (mut hub, caller, one, other, since) = ringing();
    hub.dial_end(&caller, &one, "NOANSWER");
    assert_eq!(desk(&hub)[2], Value::Null);
    hub.wait(2_000);
    hub.dial_end(&caller, &other, "NOANSWER");
    assert_eq!(desk(&hub), [json!(since), Value::Null, json!(hub.now)]);
}

#[test]
fn one_refuses_before_the_other_rings() {
    let (mut hub, caller, one, other) = dialled();
    hub.rings(&one);
    let since = hub.now;
    hub.hangup(&one, 21);
    hub.dial_end(&caller, &one, "NOANSWER");
    assert_eq!(desk(&hub), [json!(since), Value::Null, Value::Null]);
    hub.rings(&other);
    hub.answers(&caller, &other);
    assert_eq!(desk(&hub), [json!(since), json!(hub.now), Value::Null]);
}

#[test]
fn a_second_try_is_a_second_ringing() {
    let mut hub = hub();
    let (caller, first, second) = (caller(), phone(1, "1001"), phone(2, "1001"));
    hub.new_channel(&caller);
    hub.dial(&caller, &first);
    hub.rings(&first);
    hub.wait(5_000);
    hub.dial_end(&caller, &first, "NOANSWER");
    hub.hangup(&first, 16);
    hub.wait(1_000);
    hub.dial(&caller, &second);
    hub.rings(&second);
    assert_eq!(desks(&hub.call(CALL)), ["1001", "1001"]);
}

#[test]
fn one_is_busy_and_never_rang_before_the_other_rings() {
    let (mut hub, caller, one, other) = dialled();
    hub.dial_end(&caller, &one, "BUSY");
    hub.hangup(&one, 17);
    assert!(desks(&hub.call(CALL)).is_empty(), "the other one may still ring");
    hub.rings(&other);
    let since = hub.now;
    hub.dial_end(&caller, &other, "NOANSWER");
    assert_eq!(desk(&hub), [json!(since), Value::Null, json!(hub.now)]);
}

#[test]
fn a_caller_who_waits_for_long_leaves_no_halves_of_desks() {
    let mut hub = hub();
    let caller = caller();
    hub.new_channel(&caller);
    for round in 0..150 {
        let (one, other) = (phone(2 * round + 1, "1001"), phone(2 * round + 2, "1001"));
        for telephone in [&one, &other] {
            hub.dial(&caller, telephone);
            hub.rings(telephone);
        }
        for telephone in [&one, &other] {
            hub.dial_end(&caller, telephone, "NOANSWER");
            hub.hangup(telephone, 19);
        }
    }
    assert_eq!(desks(&hub.call(CALL)).len(), 150, "each round is one desk");
}
