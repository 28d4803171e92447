//! Commands to a played Asterisk: which actions it is sent, what it says to them, and who may ask for them.

use std::time::Duration;

use cordboard_tests::ami::Recording;
use cordboard_tests::live::Live;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::pbx::{ANA, BOSS, LUIS, about, ask, call, id, logged_in, logged_in_with, sent, talks};
use crate::world::{reaches, stands};

#[tokio::test]
async fn a_click_becomes_a_call_that_can_be_followed() {
    let (hub, pbx) = logged_in().await;
    let mut live = Live::open(&hub, "?types=call.*", &hub.token(ANA.0, ANA.1)).await;
    let originate = json!({"name": "call.originate", "arguments": {"to": "447700900999"}});
    // Somebody who clicks and clicks, before anything is answered and after.
    let clicks = join_all((0..6).map(|_| ask(&hub, ANA, "click-1", &originate))).await;
    let (status, told) = ask(&hub, ANA, "click-1", &originate).await;
    assert_eq!((status.as_u16(), &told["state"]), (200, &json!("accepted")), "{told}");
    let placed = told["subject"].as_str().unwrap().to_owned();
    for (status, told) in clicks {
        let is_same = status == 200 && told["subject"] == placed.as_str();
        assert!(is_same || status == 202 && told["state"] == "running", "{status} {told}");
    }
    let seen = live.next_of("call.ringing").await;
    assert_eq!(seen["subject"]["id"], placed, "{seen}");
    assert_eq!(live.next_of("call.ended").await["subject"]["id"], placed);
    assert_eq!(pbx.actions("Originate").len(), 1, "the same key is one call");
    let (_, taken) = ask(&hub, ANA, "click-1", &json!({"name": "call.originate", "arguments": {"to": "1002"}})).await;
    assert_eq!(taken["status"], 409);

    // Both legs are one call, from the agent to the customer.
    let calls = hub.get("/v1/calls").await;
    assert_eq!(calls["items"].as_array().map(Vec::len), Some(1), "{calls}");
    let record = call(&hub, &placed).await;
    let raw = |side: &str| record[side]["number"]["raw"].clone();
    assert_eq!((raw("caller"), raw("callee")), (json!("1001"), json!("447700900999")), "{record}");
    assert_eq!(
        (&record["direction"], &record["outcome"], &record["agent"]["extension"]),
        (&json!("outbound"), &json!("answered"), &json!("1001")),
        "{record}"
    );
}

#[tokio::test]
async fn what_is_asked_of_a_call_reaches_the_dialplan_and_nothing_else_does() {
    let contexts = |text: String| text.replace("keepalive = 5", "keepalive = 5, contexts = [\"phones\", \"sales\"]");
    let (hub, pbx) = logged_in_with(contexts).await;
    let originate = |more: Value| {
        let mut arguments = json!({ "from": "1001", "to": "447700900999" });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "name": "call.originate", "arguments": arguments })
    };
    let all = json!({
        "context": "sales", "caller-id": "442079460000", "timeout": 12, "variables": { "CRM_REF": "deal-7" },
    });
    let (status, told) = ask(&hub, BOSS, "all", &originate(all)).await;
    assert_eq!((status.as_u16(), &told["state"]), (200, &json!("accepted")), "{told}");
    let placed = told["subject"].as_str().unwrap();
    for (name, value) in [
        ("Channel", "PJSIP/1001"),
        ("Context", "sales"),
        ("Exten", "447700900999"),
        ("Priority", "1"),
        ("Timeout", "12000"),
        ("CallerID", "\"447700900999\" <442079460000>"),
        ("Async", "true"),
        ("ChannelId", placed),
    ] {
        assert_eq!(sent(&pbx, "Originate", name), [value], "{name}");
    }
    let variables = sent(&pbx, "Originate", "Variable");
    assert!(variables.contains(&"CRM_REF=deal-7".to_owned()), "{variables:?}");
    let (status, told) = ask(&hub, BOSS, "usual", &originate(json!({}))).await;
    assert_eq!(status.as_u16(), 200, "{told}");
    assert_eq!(
        sent(&pbx, "Originate", "Context"),
        ["sales", "phones"],
        "the first of the tenant's file is the usual one"
    );

    let odd = [
        (json!({ "context": "from-internal" }), "not among the source's `contexts`"),
        (json!({ "context": "sales,s,1" }), "not among the source's `contexts`"),
        (json!({ "timeout": 0 }), "seconds"),
        (json!({ "caller-id": "\"x\" <1>" }), "only digits"),
        (json!({ "variables": { "A": "b,C=d" } }), "cannot stand in a variable"),
        (json!({ "variables": { "A": "${SHELL(id)}" } }), "cannot stand in a variable"),
        (json!({ "variables": { "A=x,B": "b" } }), "letters, digits"),
        (json!({ "codecs": "alaw" }), "codecs"),
    ];
    for (more, why) in odd {
        let (status, told) = ask(&hub, BOSS, &more.to_string(), &originate(more.clone())).await;
        assert_eq!((status.as_u16(), &told["type"]), (422, &json!("/docs#problem-refused")), "{more}: {told}");
        assert!(told["detail"].as_str().unwrap().contains(why), "{more}: {told}");
    }
    assert_eq!(pbx.actions("Originate").len(), 2);
}

#[tokio::test]
async fn what_the_pbx_refuses_is_told_in_its_words() {
    let (hub, pbx) = logged_in().await;
    pbx.lacks("447700900998");
    let originate = json!({"name": "call.originate", "arguments": {"from": "1001", "to": "447700900998"}});
    let (status, told) = ask(&hub, BOSS, "k1", &originate).await;
    assert_eq!((status.as_u16(), &told["type"]), (422, &json!("/docs#problem-refused")), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("Extension does not exist."), "{told}");
    let (status, told) = ask(&hub, BOSS, "k2", &json!({"name": "call.hangup", "arguments": {"call": "1.1"}})).await;
    assert_eq!(status.as_u16(), 422, "{told}");
}

#[tokio::test]
async fn nothing_that_could_be_a_second_action_reaches_the_pbx() {
    let (hub, pbx) = logged_in().await;
    for to in
        ["1002\r\n\r\nAction: Command\r\nCommand: core stop now", "1002\nX: y", "10\u{0}02", "1002&PJSIP/1003", "${X}"]
    {
        let originate = json!({"name": "call.originate", "arguments": {"from": "1001", "to": to}});
        let (status, told) = ask(&hub, BOSS, to.escape_default().to_string().as_str(), &originate).await;
        assert_eq!(status.as_u16(), 422, "{to}: {told}");
    }
    assert_eq!(pbx.actions("Originate").len() + pbx.actions("Command").len(), 0);
}

#[tokio::test]
async fn a_call_is_moved_muted_and_ended_over_both_ways() {
    let (hub, pbx) = logged_in().await;
    let mut live = Live::open(&hub, "?types=none", &hub.token(ANA.0, ANA.1)).await;
    let recording = Recording::load("asterisk-22", "a_inbound_answered");
    let id = id(&recording);
    let rest = pbx.ring(&recording);
    reaches(&hub, &id, "ringing").await;
    let (status, told) = ask(&hub, BOSS, "t0", &about("call.transfer", &id, json!({ "to": "1003" }))).await;
    assert_eq!(status.as_u16(), 422, "nobody has answered: {told}");

    let end = rest.iter().position(|event| event.starts_with(b"Event: HangupRequest")).unwrap();
    rest[..end].iter().for_each(|event| pbx.tell(event));
    reaches(&hub, &id, "answered").await;
    let (status, told) = ask(&hub, ANA, "m", &about("call.mute", &id, json!({ "on": true }))).await;
    assert_eq!((status.as_u16(), &told["state"]), (200, &json!("done")), "{told}");
    assert_eq!(sent(&pbx, "MuteAudio", "State"), ["on"]);
    let (status, told) = ask(&hub, ANA, "h", &about("call.hold", &id, json!({ "on": true }))).await;
    assert_eq!((status.as_u16(), &told["type"]), (422, &json!("/docs#problem-refused")), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("was asked, and does not do it"), "{told}");
    assert_eq!(sent(&pbx, "PJSIPNotify", "Variable"), ["Event=hold"]);
    assert!(sent(&pbx, "PJSIPNotify", "Channel")[0].starts_with("PJSIP/1001-"), "the agent's own telephone");

    let mut over_the_socket = async |key: &str, command: Value| {
        let mut frame = command;
        frame["type"] = "command".into();
        frame["id"] = key.into();
        live.say(&frame).await;
        live.next_of("command").await
    };
    let told = over_the_socket("t", about("call.transfer", &id, json!({ "to": "1002" }))).await;
    assert_eq!((&told["id"], &told["state"]), (&json!("t"), &json!("done")), "{told}");
    assert!(sent(&pbx, "BlindTransfer", "Channel")[0].starts_with("PJSIP/1001-"), "by the agent's own telephone");
    assert_eq!(sent(&pbx, "BlindTransfer", "Exten"), ["1002"]);
    let told = over_the_socket("x", about("call.transfer", &id, json!({ "to": "1002&SIP/x" }))).await;
    assert_eq!((&told["state"], &told["failure"]), (&json!("failed"), &json!("rejected")), "{told}");
    assert!(told["why"].as_str().unwrap().contains("only digits"), "{told}");
    let told = over_the_socket("e", about("call.hangup", &id, json!({}))).await;
    assert_eq!(told["state"], "done", "{told}");
    assert!(sent(&pbx, "Hangup", "Channel")[0].starts_with("PJSIP/1001-"), "who hangs up puts the own telephone down");
    assert_eq!(hub.get("/v1/commands/e").await["state"], "done", "and it is written down");
    let (status, told) = ask(&hub, BOSS, "r", &about("call.redirect", &id, json!({ "to": "1003" }))).await;
    assert_eq!((status.as_u16(), &told["state"]), (200, &json!("done")), "{told}");
    assert!(sent(&pbx, "Redirect", "Channel")[0].starts_with("PJSIP/trunk-"), "the customer goes elsewhere");
}

/// Ana's and Luis's telephones ring, and Luis takes the call at the second of his.
#[tokio::test]
async fn an_agent_acts_on_calls_of_the_own_telephones_alone() {
    let two = |text: String| text.replace("[\"1002\"]", "[\"1009\", \"1002\"]");
    let (hub, pbx) = logged_in_with(two).await;
    let recording = Recording::load("asterisk-22", "p_ring_group");
    let id = id(&recording);
    let rest = talks(&pbx, &recording);
    reaches(&hub, &id, "answered").await;
    let forbidden = async |who: (&str, &str), key: &str| {
        for (name, more) in [
            ("call.hangup", json!({})),
            ("call.transfer", json!({ "to": "1001" })),
            ("call.redirect", json!({ "to": "1001" })),
            ("call.mute", json!({ "on": true })),
            ("call.mute", json!({ "on": true, "extension": "1002" })),
        ] {
            let key = format!("{key} {name} {more}");
            let (status, told) = ask(&hub, who, &key, &about(name, &id, more)).await;
            let at = told["field"].as_str().unwrap_or_default();
            assert_eq!(status.as_u16(), 403, "{key}: {told}");
            assert!(["/arguments/call", "/arguments/extension"].contains(&at), "{key}: {told}");
        }
    };
    forbidden(ANA, "it rang at hers, and he has it").await;
    let (status, told) = ask(&hub, LUIS, "m", &about("call.mute", &id, json!({ "on": true }))).await;
    assert_eq!((status.as_u16(), &told["state"]), (200, &json!("done")), "{told}");
    let (status, told) = ask(&hub, LUIS, "h", &about("call.hangup", &id, json!({}))).await;
    assert_eq!((status.as_u16(), &told["state"]), (200, &json!("done")), "{told}");
    for action in ["MuteAudio", "Hangup"] {
        let channels = sent(&pbx, action, "Channel");
        assert!(channels.len() == 1 && channels[0].starts_with("PJSIP/1002-"), "{action}: {channels:?}");
    }
    rest.iter().for_each(|event| pbx.tell(event));
    reaches(&hub, &id, "ended").await;
    forbidden(LUIS, "it is over").await;

    // While it rings at both, either may turn the own telephone away.
    let again = recording.anew(1);
    let rang = again.events().into_iter().take_while(|event| !event.starts_with(b"Event: DialEnd"));
    rang.for_each(|event| pbx.tell(&event));
    let ringing = || async {
        let calls = hub.get("/v1/calls?phase=ringing").await;
        calls["items"][0]["call"]["desks"].as_array().is_some_and(|desks| desks.len() == 2)
    };
    hub.until("both ring", ringing).await;
    let calls = hub.get("/v1/calls?phase=ringing").await;
    let other = calls["items"][0]["subject"]["id"].as_str().unwrap();
    let (status, told) = ask(&hub, ANA, "d", &about("call.hangup", other, json!({}))).await;
    assert_eq!((status.as_u16(), &told["state"]), (200, &json!("done")), "{told}");
    assert!(sent(&pbx, "Hangup", "Channel")[1].starts_with("PJSIP/1001-"), "{:?}", sent(&pbx, "Hangup", "Channel"));
}

#[tokio::test]
async fn a_command_whose_connection_is_lost_is_unknown_and_not_repeated() {
    let (hub, pbx) = logged_in().await;
    pbx.freeze();
    let originate = json!({"name": "call.originate", "arguments": {"from": "1001", "to": "447700900999"}});
    let asking = ask(&hub, BOSS, "k", &originate);
    let losing = async {
        let begun = || async { hub.ask(Method::GET, "/v1/commands/k").await.status() == 200 };
        hub.until("it is begun", begun).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        pbx.down();
    };
    let ((status, told), ()) = tokio::join!(asking, losing);
    assert_eq!((status.as_u16(), &told["state"]), (200, &json!("unknown")), "{told}");
    let (status, told) = ask(&hub, BOSS, "other", &originate).await;
    assert_eq!(status.as_u16(), 503, "nothing is begun while there is no connection: {told}");
    pbx.thaw();
    pbx.listen().await;
    pbx.logged_in(2).await;
    stands(&hub, "connected").await;
    let (_, again) = ask(&hub, BOSS, "k", &originate).await;
    assert_eq!(again["state"], "unknown", "{again}");
    assert!(pbx.actions("Originate").len() <= 1, "it was not sent a second time");
}
