//! Calls that the PBX places to somebody outside, who is then connected with somebody inside: callbacks, dialers.

use serde_json::json;

use super::{CALL, desks, hub, moves, phone};
use crate::support::Hub;
use crate::support::pbx::Line;

const CUSTOMER: &str = "447700900456";

/// The customer is called first, without any number to show, and picks up.
fn called_back(exten: &str) -> (Hub, Line) {
    let mut hub = hub();
    let customer = Line::trunk(CALL, CALL);
    hub.new_channel(&customer);
    hub.event("DialBegin", &[("Dest", &customer)], &format!("DialString: {CUSTOMER}@trunk"));
    assert_eq!(hub.call(CALL)["callee"]["number"]["raw"], CUSTOMER);
    hub.rings(&customer);
    hub.wait(3_000);
    hub.state(&customer, 6);
    hub.event("DialEnd", &[("Dest", &customer.in_state(6))], "DialStatus: ANSWER");
    let customer = customer.at("from-internal", exten);
    hub.state(&customer, 6);
    (hub, customer)
}

fn assert_is_theirs(hub: &Hub) {
    let call = hub.call(CALL);
    assert_eq!(
        (&call["direction"], &call["callee"]["number"]["raw"], &call["agent"]["extension"]),
        (&json!("outbound"), &json!(CUSTOMER), &json!("1001"))
    );
    assert_eq!((&call["outcome"], desks(&call), moves(&call)), (&json!("answered"), vec!["1001"], json!([])));
}

#[test]
fn a_callback_to_an_extension() {
    let (mut hub, customer) = called_back("1001");
    let phone = phone(1, "1001");
    hub.dial(&customer, &phone);
    hub.rings(&phone);
    assert_eq!(hub.call(CALL)["callee"]["number"]["raw"], CUSTOMER, "while it rings there");
    hub.answers(&customer, &phone);
    hub.bridge("b1", &[&phone, &customer]);
    hub.wait(2_000);
    hub.hangs_up(&customer);
    hub.hangup(&customer, 16);
    hub.hangup(&phone, 16);
    assert_is_theirs(&hub);
    assert_eq!(hub.call(CALL)["hangup_by"], "callee", "who was called first is the one called");
}

#[test]
fn a_dialer_that_leads_into_a_queue() {
    let (mut hub, customer) = called_back("600");
    let phone = phone(1, "1001");
    hub.event("QueueCallerJoin", &[("", &customer)], "Queue: 600\r\nPosition: 1\r\nCount: 1");
    hub.dial(&customer, &phone);
    hub.rings(&phone);
    hub.answers(&customer, &phone);
    hub.event("QueueCallerLeave", &[("", &customer)], "Queue: 600\r\nPosition: 1\r\nCount: 0");
    hub.event("AgentConnect", &[("", &customer), ("Dest", &phone)], "Queue: 600\r\nHoldTime: 1\r\nRingTime: 1");
    hub.bridge("b1", &[&phone, &customer]);
    hub.hangup(&phone, 16);
    hub.hangup(&customer, 16);
    assert_is_theirs(&hub);
    assert_eq!(hub.call(CALL)["queue"], "600");
}

#[test]
fn a_callback_by_a_local_channel() {
    let mut hub = hub();
    let one = Line::local(CALL, CALL, CUSTOMER, "from-internal", 1);
    let two = Line::local("1795246343.1", CALL, CUSTOMER, "from-internal", 2);
    hub.new_channel(&one);
    hub.new_channel(&two);
    hub.event("DialBegin", &[("Dest", &one)], &format!("DialString: {CUSTOMER}@from-internal/n"));
    let customer = Line::trunk("1795246343.2", CALL);
    hub.dial(&two, &customer);
    hub.rings(&customer);
    hub.answers(&two, &customer);
    hub.event("DialEnd", &[("Dest", &one.in_state(6))], "DialStatus: ANSWER");
    let phone = phone(3, "1001");
    hub.dial(&one.clone().at("from-internal", "1001"), &phone);
    hub.rings(&phone);
    hub.answers(&one, &phone);
    for line in [&phone, &one, &two, &customer] {
        hub.hangup(line, 16);
    }
    assert_is_theirs(&hub);
}

/// Both numbers are outside: the agent has a mobile.
#[test]
fn an_agent_outside_is_called_first() {
    let mut hub = hub();
    let mobile = Line::trunk(CALL, CALL);
    hub.new_channel(&mobile);
    hub.event("DialBegin", &[("Dest", &mobile)], "DialString: 447700900999@trunk");
    hub.rings(&mobile);
    hub.event("DialEnd", &[("Dest", &mobile.in_state(6))], "DialStatus: ANSWER");
    let customer = Line::trunk("1795246343.1", CALL);
    hub.dial(&mobile.clone().at("from-internal", CUSTOMER), &customer);
    assert_eq!(hub.call(CALL)["callee"]["number"]["raw"], CUSTOMER);
}
