//! What is asked of the PBX, and what becomes of it.

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

fn talking() -> Hub {
    let mut hub = Hub::ready(settings());
    hub.talk(&caller(), &phone());
    hub
}

fn sent<'a>(hub: &'a Hub, name: &str) -> Option<&'a str> {
    let sent = hub.sent.last()?;
    sent.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn rejected(hub: &Hub, id: &str) -> String {
    match hub.answered(id) {
        Some(Err(Failure::Rejected(rejected))) => rejected.why.clone(),
        other => panic!("not rejected: {other:?}"),
    }
}

/// Begins a call by a command and gives the command's and the call's id.
fn originate(hub: &mut Hub) -> (String, String) {
    let command = hub.command(
        "call.originate",
        json!({ "from": "1001", "to": "447700900456", "variables": { "CRM_REF": "deal-42" } }),
    );
    let call = sent(hub, "ChannelId").expect("an id").to_owned();
    (command, call)
}

#[test]
fn a_click_to_call_is_one_outbound_call_under_the_id_that_was_told() {
    let mut hub = Hub::ready(settings());
    let (command, call) = originate(&mut hub);
    for (name, value) in [
        ("Channel", "PJSIP/1001"),
        ("Context", "from-internal"),
        ("Exten", "447700900456"),
        ("Async", "true"),
        ("Timeout", "30000"),
    ] {
        assert_eq!(sent(&hub, name), Some(value), "{name}");
    }
    assert!(hub.sent.last().expect("sent").contains("Variable: CRM_REF=deal-42\r\n"));
    hub.answer("Originate", "Message: Originate successfully queued");
    assert_eq!(hub.answered(&command), Some(&Ok(CommandOutcome::Accepted(Some(call.clone())))));
    let agent = Line::phone(&call, &call, "1001");
    hub.new_channel(&agent);
    hub.event("DialBegin", &[("Dest", &agent)], "DialString: 1001");
    hub.rings(&agent);
    let record = hub.call(&call);
    assert_eq!(
        (&record["direction"], &record["callee"]["number"]["raw"]),
        (&json!("outbound"), &json!("447700900456"))
    );
    assert_eq!((&record["caller"]["number"]["raw"], &record["desks"]), (&json!("1001"), &json!([])));
    hub.wait(1_000);
    hub.state(&agent, 6);
    hub.event("DialEnd", &[("Dest", &agent.in_state(6))], "DialStatus: ANSWER");
    assert_eq!(hub.call(&call)["phase"], "ringing", "the agent's own telephone is no answer");
    let id = hub.action_id("Originate").expect("sent");
    hub.lines(&format!(
        "Event: OriginateResponse\r\nActionID: {id}\r\nResponse: Success\r\nReason: 4\r\nUniqueid: {call}"
    ));
    let trunk = Line::trunk("1795246350.1", &call);
    let agent = agent.at("from-internal", "447700900456");
    hub.dial(&agent, &trunk);
    hub.wait(2_000);
    hub.answers(&agent, &trunk);
    hub.wait(1_000);
    hub.hangs_up(&trunk);
    hub.hangup(&trunk, 16);
    hub.hangup(&agent, 16);
    let record = hub.call(&call);
    assert_eq!(
        (&record["outcome"], &record["hangup_by"], &record["talk"]),
        (&json!("answered"), &json!("callee"), &json!(1))
    );
    assert_eq!(hub.answers.len(), 1);
}

#[test]
fn an_agent_that_cannot_be_called() {
    let mut hub = Hub::ready(settings());
    let (command, _) = originate(&mut hub);
    hub.respond("Originate", "Error", "Message: Extension does not exist.");
    assert_eq!(rejected(&hub, &command), "Extension does not exist.");
    assert!(hub.fold.ids().is_empty());

    // Asterisk takes it on, and has not even a channel for it.
    let (command, call) = originate(&mut hub);
    hub.answer("Originate", "Message: Originate successfully queued");
    hub.wait(500);
    let id = hub.action_id("Originate").expect("sent");
    hub.lines(&format!("Event: OriginateResponse\r\nActionID: {id}\r\nResponse: Failure\r\nChannel: PJSIP/1001\r\nReason: 0\r\nUniqueid: <unknown>"));
    assert_eq!(hub.answered(&command), Some(&Ok(CommandOutcome::Accepted(Some(call.clone())))));
    let record = hub.call(&call);
    assert_eq!(
        (&record["phase"], &record["outcome"], &record["agent"]["extension"]),
        (&json!("ended"), &json!("failed"), &json!("1001"))
    );

    // The failure comes without an answer before it.
    let (command, _) = originate(&mut hub);
    let id = hub.action_id("Originate").expect("sent");
    hub.lines(&format!(
        "Event: OriginateResponse\r\nActionID: {id}\r\nResponse: Failure\r\nReason: 5\r\nUniqueid: <unknown>"
    ));
    assert!(rejected(&hub, &command).contains("busy"));
}

#[test]
fn where_the_id_cannot_be_chosen_a_variable_tells_it() {
    let mut hub = Hub::ready(settings());
    let (_, call) = originate(&mut hub);
    hub.answer("Originate", "Message: Originate successfully queued");
    let agent = Line { linked: String::new(), ..Line::phone("1795246350.7", "", "1001") };
    hub.new_channel(&agent);
    hub.event("VarSet", &[("", &agent)], &format!("Variable: CORDBOARD_CALL\r\nValue: {call}"));
    hub.rings(&agent);
    assert_eq!(hub.call(&call), hub.call("1795246350.7"));
    assert_eq!(hub.call(&call)["callee"]["number"]["raw"], "447700900456");
}

#[test]
fn calls_are_moved_hung_up_and_muted_by_the_right_channel() {
    let mut hub = talking();
    let (customer, agent) = (caller().name, phone().name);
    let cases = [
        ("call.hangup", json!({ "call": CALL }), "Hangup", &customer),
        ("call.redirect", json!({ "call": CALL, "to": "1003" }), "Redirect", &customer),
        ("call.transfer", json!({ "call": CALL, "to": "1003" }), "BlindTransfer", &agent),
        ("call.mute", json!({ "call": CALL, "on": true }), "MuteAudio", &agent),
        ("call.mute", json!({ "call": CALL, "on": false, "extension": "1001" }), "MuteAudio", &agent),
    ];
    for (name, arguments, action, channel) in cases {
        let command = hub.command(name, arguments);
        assert_eq!((sent(&hub, "Action"), sent(&hub, "Channel")), (Some(action), Some(channel.as_str())), "{name}");
        hub.answer(action, "Message: It is done");
        assert_eq!(
            hub.answered(&command),
            Some(&Ok(CommandOutcome::Done(json!({ "message": "It is done" }).to_string())))
        );
    }
    let command = hub.command("call.hangup", json!({ "call": CALL }));
    hub.respond("Hangup", "Error", "Message: No such channel");
    assert_eq!(rejected(&hub, &command), "No such channel");
}

#[test]
fn a_redirect_by_command_is_told_once_with_who_asked() {
    let mut hub = Hub::ready(settings());
    let (caller, phone) = (caller(), phone());
    hub.new_channel(&caller);
    hub.dial(&caller, &phone);
    hub.rings(&phone);
    hub.input(Input::Command(Command {
        id: "one".to_owned(),
        name: "call.redirect".to_owned(),
        agent: Some(Agent::extension("1001")),
        arguments: json!({ "call": CALL, "to": "1003" }).to_string(),
    }));
    hub.answer("Redirect", "Message: Redirect successful");
    hub.dial_end(&caller, &phone, "CANCEL");
    hub.hangup(&phone, 16);
    let other = Line::phone("1795246343.2", CALL, "1003");
    hub.dial(&caller.at("ext-local", "1003"), &other);
    hub.rings(&other);
    let moves = hub.call(CALL)["transfers"].clone();
    assert_eq!(moves.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&moves[0]["kind"], &moves[0]["by"], &moves[0]["to"]),
        (&json!("redirect"), &json!("1001"), &json!("1003"))
    );
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let mut hub = talking();
    let before = hub.sent.len();
    let cases: [(&str, Value, &str); 16] = [
        ("call.hold", json!({ "call": CALL, "on": true, "extension": "1009" }), "none of the telephones"),
        ("call.fly", json!({}), "`call.fly` is no command"),
        ("call.hangup", json!({ "call": "7.7" }), "`7.7` is not under way"),
        ("call.hangup", json!({}), "missing field `call`"),
        ("call.mute", json!({ "call": CALL, "on": true, "extension": "1009" }), "none of the telephones"),
        (
            "call.redirect",
            json!({ "call": CALL, "to": "1003", "context": "macro-x" }),
            "not among the source's `contexts`",
        ),
        ("call.redirect", json!({ "call": CALL, "to": "1003&SIP/x" }), "only digits"),
        ("call.originate", json!({ "from": "1001", "to": "447\r\nAction: Logoff" }), "only digits"),
        ("call.originate", json!({ "from": "PJSIP/1001", "to": "447" }), "only digits"),
        ("call.originate", json!({ "from": "1001", "to": "447", "timeout": 9000 }), "seconds"),
        ("call.originate", json!({ "from": "1001", "to": "447", "variables": { "A": "b,C=d" } }), "`,` cannot stand"),
        (
            "call.originate",
            json!({ "from": "1001", "to": "447", "variables": { "A": "${SHELL(x)}" } }),
            "`$` cannot stand",
        ),
        ("call.originate", json!({ "from": "1001", "to": "447", "variables": { "A)": "x" } }), "a variable's name"),
        ("extension.state", json!({}), "missing field `extension`"),
        ("extension.state", json!({ "extension": "1001\r\n\r\nAction: Logoff" }), "only digits"),
        ("extension.state", json!({ "extension": "1001),SHELL(x" }), "only digits"),
    ];
    for (name, arguments, why) in cases {
        let command = hub.command(name, arguments.clone());
        let told = rejected(&hub, &command);
        assert!(told.contains(why), "{name} {arguments}: {told}");
    }
    assert_eq!(hub.sent.len(), before, "nothing of it left");
}

#[test]
fn nobody_knows_what_became_of_a_command_when_the_connection_is_lost() {
    let mut hub = talking();
    let command = hub.command("call.hangup", json!({ "call": CALL }));
    hub.input(Input::Closed("reset".to_owned()));
    assert!(matches!(hub.answered(&command), Some(Ok(CommandOutcome::Unknown(_)))));
    let command = hub.command("call.hangup", json!({ "call": CALL }));
    assert!(matches!(hub.answered(&command), Some(Err(Failure::Retryable(_)))));
}

#[test]
fn whose_telephone_is_muted_stands_in_the_call() {
    let mut hub = talking();
    for (on, shown) in [(true, "1001"), (false, "none")] {
        hub.command("call.mute", json!({ "call": CALL, "on": on, "extension": "1001" }));
        hub.answer("MuteAudio", "");
        let record = hub.call(CALL);
        assert_eq!(record["attributes"]["muted"], shown, "{record}");
    }
    hub.command("call.mute", json!({ "call": CALL, "on": true, "extension": "1001" }));
    hub.respond("MuteAudio", "Error", "Message: Permission denied");
    assert_eq!(hub.call(CALL)["attributes"]["muted"], "none", "what was refused was not done");
}

/// 1001 is asked to hold, or to talk on; Asterisk has passed that on.
fn asked_to_hold(hub: &mut Hub, on: bool) -> String {
    let command = hub.command("call.hold", json!({ "call": CALL, "on": on }));
    let asked = ["Action", "Channel", "Variable"].map(|name| sent(hub, name));
    let event = if on { "Event=hold" } else { "Event=talk" };
    assert_eq!(asked, [Some("PJSIPNotify"), Some(phone().name.as_str()), Some(event)]);
    hub.answer("PJSIPNotify", "Message: NOTIFY sent");
    assert_eq!(hub.answered(&command), None, "it was asked, and has not done it yet");
    command
}

#[test]
fn a_telephone_is_on_hold_when_asterisk_says_so() {
    let mut hub = talking();
    for (on, event) in [(true, "Hold"), (false, "Unhold")] {
        let command = asked_to_hold(&mut hub, on);
        hub.wait(500);
        hub.event(event, &[("", &phone())], "");
        assert!(matches!(hub.answered(&command), Some(Ok(CommandOutcome::Done(_)))), "{:?}", hub.answers);
        assert_eq!(hub.call(CALL)["attributes"]["on-hold"], on.to_string());
        let before = hub.sent.len();
        let again = hub.command("call.hold", json!({ "call": CALL, "on": on }));
        assert!(matches!(hub.answered(&again), Some(Ok(CommandOutcome::Done(_)))));
        assert_eq!(hub.sent.len(), before, "it is so already");
    }
}

#[test]
fn a_telephone_that_does_not_hold_when_it_is_asked() {
    let mut hub = talking();
    let command = asked_to_hold(&mut hub, true);
    hub.wait(2_900);
    assert_eq!(hub.answered(&command), None);
    hub.wait(200);
    assert!(rejected(&hub, &command).contains("does not do it"));
    assert!(hub.call(CALL)["attributes"]["on-hold"].is_null());

    let command = asked_to_hold(&mut hub, true);
    hub.hangs_up(&phone());
    hub.hangup(&phone(), 16);
    assert!(rejected(&hub, &command).contains("was hung up"));

    let mut hub = talking();
    let command = asked_to_hold(&mut hub, true);
    hub.input(Input::Closed("reset".to_owned()));
    assert!(matches!(hub.answered(&command), Some(Ok(CommandOutcome::Unknown(_)))));

    let mut hub = talking();
    let command = hub.command("call.hold", json!({ "call": CALL, "on": true }));
    hub.respond("PJSIPNotify", "Error", "Message: Permission denied");
    assert_eq!(rejected(&hub, &command), "Permission denied");
}

#[test]
fn a_telephone_that_rings_or_is_no_pjsip_channel_cannot_be_asked_to_hold() {
    let mut hub = Hub::ready(settings());
    let (caller, phone) = (caller(), phone());
    hub.new_channel(&caller);
    hub.dial(&caller, &phone);
    hub.rings(&phone);
    let command = hub.command("call.hold", json!({ "call": CALL, "on": true, "extension": "1001" }));
    assert!(rejected(&hub, &command).contains("has not answered"));

    let mut hub = Hub::ready(settings());
    let older = Line { name: "SIP/1001-00000001".to_owned(), ..phone };
    hub.talk(&caller, &older);
    let command = hub.command("call.hold", json!({ "call": CALL, "on": true }));
    assert!(rejected(&hub, &command).contains("only on a PJSIP channel"));
}

#[test]
fn an_agent_hangs_the_own_telephone_up() {
    let mut hub = talking();
    hub.input(Input::Command(Command {
        id: "h".to_owned(),
        name: "call.hangup".to_owned(),
        agent: Some(Agent::extension("1001")),
        arguments: json!({ "call": CALL }).to_string(),
    }));
    assert_eq!(sent(&hub, "Channel"), Some(phone().name.as_str()));
    hub.answer("Hangup", "Message: Channel Hungup");
    hub.hangup(&phone(), 16);
    hub.hangup(&caller(), 16);
    assert_eq!(hub.call(CALL)["hangup_by"], "callee", "no event says who it was");
}

#[test]
fn a_telephone_that_is_turned_away_has_hung_up_no_call() {
    let mut hub = Hub::ready(settings());
    let (caller, phone) = (caller(), phone());
    hub.new_channel(&caller);
    hub.dial(&caller, &phone);
    hub.rings(&phone);
    hub.input(Input::Command(Command {
        id: "h".to_owned(),
        name: "call.hangup".to_owned(),
        agent: Some(Agent::extension("1001")),
        arguments: json!({ "call": CALL }).to_string(),
    }));
    assert_eq!(sent(&hub, "Channel"), Some(phone.name.as_str()));
    hub.answer("Hangup", "Message: Channel Hungup");
    hub.hangup(&phone, 21);
    hub.hangs_up(&caller);
    hub.hangup(&caller, 16);
    assert_eq!(hub.call(CALL)["hangup_by"], "caller", "the call went on, and then the caller gave up");
}

/// What Asterisk is asked of an extension's telephone, by these settings.
fn asked(hub: &mut Hub, extension: &str) -> (String, Option<String>) {
    let before = hub.sent.len();
    let command = hub.command("extension.state", json!({ "extension": extension }));
    let variable = (hub.sent.len() > before).then(|| sent(hub, "Variable").expect("a variable").to_owned());
    (command, variable)
}

fn with(key: &str, value: &str) -> Hub {
    let mut settings = settings();
    settings[key] = value.into();
    Hub::ready(settings)
}

fn state(state: &str, said: &str) -> Result<CommandOutcome, Failure> {
    Ok(CommandOutcome::Done(json!({ "state": state, "said": said }).to_string()))
}

#[test]
fn what_asterisk_says_of_a_telephone_is_one_of_four_words() {
    let mut hub = Hub::ready(settings());
    for (said, word) in [
        ("NOT_INUSE", "free"),
        ("INUSE", "busy"),
        ("RINGING", "busy"),
        ("RINGINUSE", "busy"),
        ("BUSY", "busy"),
        ("ONHOLD", "busy"),
        ("HOLDINUSE", "busy"),
        ("UNAVAILABLE", "unreachable"),
        ("UNKNOWN", "unknown"),
        ("", "unknown"),
        ("not_inuse", "unknown"),
    ] {
        let (command, _) = asked(&mut hub, "1001");
        let id = hub.action_id("Getvar").expect("it is asked");
        let frame = format!("Action: Getvar\r\nActionID: {id}\r\nVariable: DEVICE_STATE(PJSIP/1001)\r\n\r\n");
        assert_eq!(hub.sent.last(), Some(&frame));
        assert_eq!(hub.answered(&command), None, "nothing is said before Asterisk has");
        hub.answer("Getvar", &format!("Variable: DEVICE_STATE(PJSIP/1001)\r\nValue: {said}"));
        assert_eq!(hub.answered(&command), Some(&state(word, said)), "{said}");
    }
    assert!(hub.observations.is_empty(), "a question shows nothing");
}

#[test]
fn a_telephone_is_asked_for_as_it_is_called() {
    for (mut hub, function) in [
        (Hub::ready(settings()), Some("DEVICE_STATE(PJSIP/1001)")),
        (with("profile", "issabel"), Some("DEVICE_STATE(SIP/1001)")),
        (with("profile", "freepbx"), Some("EXTENSION_STATE(1001@from-internal)")),
        (with("agent_channel", "Local/{extension}@desks/n"), Some("EXTENSION_STATE(1001@desks)")),
        (with("agent_channel", "PJSIP/branch/{extension}"), None),
    ] {
        let (command, variable) = asked(&mut hub, "1001");
        assert_eq!(variable.as_deref(), function);
        if function.is_none() {
            assert!(rejected(&hub, &command).contains("agent_channel"));
        }
    }
}

#[test]
fn a_device_that_asterisk_does_not_know_is_none_only_where_its_name_is_no_guess() {
    let invalid = |hub: &mut Hub| {
        let (command, _) = asked(hub, "1001");
        hub.answer("Getvar", "Variable: DEVICE_STATE(PJSIP/1001)\r\nValue: INVALID");
        command
    };
    let mut guessed = Hub::ready(settings());
    let command = invalid(&mut guessed);
    assert!(rejected(&guessed, &command).contains("`PJSIP/{extension}`"));
    let mut set = with("agent_channel", "PJSIP/{extension}");
    let command = invalid(&mut set);
    assert_eq!(set.answered(&command), Some(&state("unreachable", "INVALID")));
}

#[test]
fn nobody_knows_of_a_telephone_when_asterisk_refuses_or_is_away() {
    let mut hub = Hub::ready(settings());
    let (command, _) = asked(&mut hub, "1001");
    hub.respond("Getvar", "Error", "Message: Permission denied");
    assert_eq!(hub.answered(&command), Some(&state("unknown", "Permission denied")));
    let (command, _) = asked(&mut hub, "1001");
    hub.input(Input::Closed("reset".to_owned()));
    assert!(matches!(hub.answered(&command), Some(Ok(CommandOutcome::Unknown(_)))));
    let (command, variable) = asked(&mut hub, "1001");
    assert!(matches!(hub.answered(&command), Some(Err(Failure::Retryable(_)))));
    assert_eq!(variable, None);
}
