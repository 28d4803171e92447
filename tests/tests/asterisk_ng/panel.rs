//! `/asterisk_ng`: the widget AsteriskNG.

use std::time::{Duration, Instant};

use cordboard_tests::ami::Recording;
use cordboard_tests::amocrm::{ANNA, BORIS, Fault};
use serde_json::{Value, json};

use crate::world::{CALLED, CLIENT, Plan, RINGS, Told, id, own_id, recording};

fn quiet() -> Value {
    json!({ "status": "NOT_CONVERSATION", "call_info": null })
}

#[tokio::test]
async fn acceptance_05_to_07_the_envelope() {
    let world = Plan::default().start().await;
    let pong = world.panel("ping", json!({})).await;
    assert_eq!(
        pong,
        json!({
            "headers": { "status_code": 200, "detail": "success" },
            "content": { "jsonrpc": "2.0", "result": { "ping": "pong" }, "id": 17 },
        })
    );
    let stranger = world.panel_as((ANNA, "anna@example.com"), "wrong", "ping", json!({})).await;
    assert_eq!(stranger, json!({ "headers": { "status_code": 401, "detail": "Invalid secret key." } }));
    assert_eq!(world.panel("fly", json!({})).await["headers"]["status_code"], 404);
}

#[tokio::test]
async fn acceptance_08_nothing_happens_for_nine_and_a_half_seconds() {
    let world = Plan::default().start().await;
    let begun = Instant::now();
    let same = world.result("get_agent_status", json!({ "current_status": quiet() })).await;
    let took = begun.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(10)).contains(&took), "{took:?}");
    assert_eq!(same, quiet());
}

#[tokio::test]
async fn acceptance_09_a_call_goes_up() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Irina", "+44 7700 900123", ANNA);
    let inbound = recording("a_inbound_answered");
    let mut told = Told::of(&world.pbx, &inbound);
    told.before(RINGS);
    world.reaches(&id(&inbound), "ringing").await;
    // The name is looked up while it rings.
    world.hub.get(&format!("/v1/people/%2B{CLIENT}")).await;
    let polls = async {
        let first = world.result("get_agent_status", json!({ "current_status": quiet() }));
        let second = world.result("get_agent_status", json!({ "current_status": quiet() }));
        let (first, second) = tokio::join!(first, second);
        (first, second, Instant::now())
    };
    let answers = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let up = Instant::now();
        told.before("Event: HangupRequest");
        up
    };
    let ((first, second, heard), up) = tokio::join!(polls, answers);
    assert!(heard - up < Duration::from_millis(300), "{:?}", heard - up);
    assert_eq!(first, second, "all tabs of one user hear the same");
    let info = &first["call_info"];
    assert_eq!(first["status"], "CONVERSATION");
    assert_eq!((&info["contact_name"], &info["contact_phone"]), (&json!("Irina"), &json!(CLIENT)));
    assert_eq!((&info["is_hold"], &info["is_mute"]), (&json!(false), &json!(false)));
    assert!(info["timestamp"].as_u64().unwrap() > 1_700_000_000);
    let own = info["unique_id"].as_str().unwrap();
    assert!(own.len() == 36 && !own.contains(&id(&inbound)), "an id of the panel's own: {own}");
    let waiting = world.panel_as((BORIS, "boris@example.com"), crate::world::KEY, "get_agent_status", json!({})).await;
    assert_eq!(waiting["content"]["result"], quiet(), "nobody talks at Boris's");

    let ends = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        told.end();
    };
    let (over, ()) = tokio::join!(world.result("get_agent_status", json!({ "current_status": first })), ends);
    assert_eq!(over, quiet());
}

/// A name is not waited for: the panel shows the number meanwhile.
#[tokio::test]
async fn acceptance_09_a_crm_that_is_away_holds_up_no_panel() {
    // Whoever waited for the name would wait this long.
    let world = Plan { routing: "[directory]\nbudget = \"10s\"\n".into(), ..Plan::default() }.start().await;
    let learnt = || async { world.crm.faults().count("GET /api/v4/leads/pipelines") > 0 };
    world.until("the login", learnt).await;
    world.crm.faults().down(Fault::Hangs);
    let inbound = recording("a_inbound_answered");
    let mut told = Told::of(&world.pbx, &inbound);
    told.before(RINGS);
    world.reaches(&id(&inbound), "ringing").await;
    let poll = async {
        let state = world.result("get_agent_status", json!({ "current_status": quiet() })).await;
        (state, Instant::now())
    };
    let answers = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let up = Instant::now();
        told.before("Event: HangupRequest");
        up
    };
    let ((state, heard), up) = tokio::join!(poll, answers);
    let asked = world.crm.faults().count("GET /api/v4/contacts");
    assert!(asked > 0, "who it is was asked for");
    assert!(heard - up < Duration::from_secs(3), "{:?}", heard - up);
    let info = &state["call_info"];
    assert_eq!((&info["contact_phone"], &info["contact_name"]), (&json!(CLIENT), &json!(CLIENT)), "{state}");
    assert_eq!(info["contact_id"], Value::Null, "{state}");
    told.end();
}

#[tokio::test]
async fn acceptance_10_the_clients_channel_is_moved() {
    let world = Plan::default().start().await;
    let nothing = world.result("redirect", json!({ "phone": "1003" })).await;
    assert_eq!(nothing["exception_name"], "KeyError");
    let inbound = recording("a_inbound_answered");
    let mut told = Told::of(&world.pbx, &inbound);
    told.before("Event: HangupRequest");
    world.reaches(&id(&inbound), "answered").await;
    // The widget says it twice.
    let (one, other) = tokio::join!(
        world.result("redirect", json!({ "phone": "1003" })),
        world.result("redirect", json!({ "phone": "1003" }))
    );
    assert_eq!((one, other), (Value::Null, Value::Null));
    let channels = world.sent("Redirect", "Channel");
    assert_eq!(channels.len(), 1, "{channels:?}");
    assert!(channels[0].starts_with("PJSIP/trunk-"), "{channels:?}");
    assert_eq!(
        (world.sent("Redirect", "Exten"), world.sent("Redirect", "Context")),
        (vec!["1003".into()], vec!["from-internal".into()])
    );
    assert_eq!(world.sent("Redirect", "Priority"), ["1"]);
    told.end();
}

/// The names of a recording's channels that begin so.
fn channels(recording: &Recording, begins: &str) -> Vec<String> {
    let named = |event: Vec<u8>| {
        let text = String::from_utf8_lossy(&event).into_owned();
        text.lines().find_map(|line| line.strip_prefix("Channel: ").map(str::to_owned))
    };
    let mut names: Vec<String> = recording.events().into_iter().filter_map(named).collect();
    names.retain(|name| name.starts_with(begins));
    names.sort();
    names.dedup();
    names
}

/// Two calls with one number at one telephone, and one of them is gone: what is done is done to the call that is meant.
#[tokio::test]
async fn fault_10_the_channel_is_the_calls_own() {
    let world = Plan::default().start().await;
    let first = recording("a_inbound_answered");
    let second = first.anew(1);
    let mut one = Told::of(&world.pbx, &first);
    one.before("Event: HangupRequest");
    world.reaches(&id(&first), "answered").await;
    // Another call of the same client: its channels are the last that were seen with that number.
    let mut other = Told::of(&world.pbx, &second);
    other.before(RINGS);
    world.reaches(&own_id(&second), "ringing").await;
    assert_eq!(world.result("redirect", json!({ "phone": "1003" })).await, Value::Null);
    let clients = channels(&first, "PJSIP/trunk-");
    assert!(clients.len() == 1 && !channels(&second, "PJSIP/trunk-").contains(&clients[0]), "{clients:?}");
    assert_eq!(world.sent("Redirect", "Channel"), clients, "the client that is talked with");
    one.end();
    world.reaches(&id(&first), "ended").await;
    // The call that was talked in is gone, and the other one only rings.
    assert_eq!(world.result("hangup", json!({})).await["exception_name"], "KeyError");
    assert!(world.sent("Hangup", "Channel").is_empty(), "no channel that is gone, and none that is not meant");
    other.before("Event: HangupRequest");
    world.reaches(&own_id(&second), "answered").await;
    assert_eq!(world.result("hangup", json!({})).await, Value::Null);
    let telephones = channels(&second, "PJSIP/1001-");
    assert!(telephones.len() == 1 && !channels(&first, "PJSIP/1001-").contains(&telephones[0]), "{telephones:?}");
    assert_eq!(world.sent("Hangup", "Channel"), telephones, "the telephone's own channel in this call");
    other.end();
}

#[tokio::test]
async fn fault_13_the_panel_knows_the_contact_both_ways() {
    let world = Plan::default().start().await;
    let (client, called) = {
        let mut crm = world.crm.world();
        (crm.contact("Irina", &format!("+{CLIENT}"), ANNA), crm.contact("Pyotr", &format!("+{CALLED}"), ANNA))
    };
    for (name, contact) in [("a_inbound_answered", client), ("f_outbound_answered", called)] {
        let call = recording(name);
        let mut told = Told::of(&world.pbx, &call);
        told.before("Event: HangupRequest");
        world.reaches(&id(&call), "answered").await;
        let known =
            || async { world.result("get_agent_status", json!({})).await["call_info"]["contact_id"] == json!(contact) };
        world.until(&format!("{name} has its contact"), known).await;
        told.end();
        world.reaches(&id(&call), "ended").await;
    }
    let found = world.result("get_contacts", json!({ "start_with": "Bor", "max_results": 9 })).await;
    assert_eq!(found, json!([{ "uuid": BORIS.to_string(), "name": "Boris", "phone": "1002" }]));
    let last = world.result("get_last_contacts", json!({ "max_results": 9 })).await;
    let numbers: Vec<&str> = last.as_array().unwrap().iter().filter_map(|one| one["phone"].as_str()).collect();
    assert!(numbers.contains(&CLIENT) && numbers.contains(&CALLED), "{last}");
}

/// A telephone that holds is shown, and asked to hold or to talk on; that it does not is told.
#[tokio::test]
async fn fault_13_the_panel_knows_of_holding() {
    let world = Plan::default().start().await;
    let nothing = world.result("set_hold", json!({ "is_hold": true })).await;
    assert_eq!(nothing["exception_name"], "KeyError");
    let call = recording("u_hold");
    let mut told = Told::of(&world.pbx, &call);
    told.before("Event: Hold");
    world.reaches(&id(&call), "answered").await;
    let holds = || async { world.result("get_agent_status", json!({})).await["call_info"]["is_hold"].clone() };
    assert_eq!(holds().await, json!(false));
    let refused = world.result("set_hold", json!({ "is_hold": true })).await;
    assert_eq!(refused["exception_name"], "ValueError");
    assert!(refused["message"].as_str().unwrap().contains("does not do it"), "{refused}");
    let talking = world.result("get_agent_status", json!({})).await;
    let (state, ()) = tokio::join!(world.result("get_agent_status", json!({ "current_status": talking })), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        told.before("Event: Unhold");
    });
    assert_eq!(state["call_info"]["is_hold"], json!(true), "at once: {state}");
    let asked = || world.sent("PJSIPNotify", "Variable");
    let (done, ()) = tokio::join!(world.result("set_hold", json!({ "is_hold": false })), async {
        world.until("the telephone is asked", || async { asked().len() == 2 }).await;
        told.before("Event: HangupRequest");
    });
    assert_eq!((done, asked()), (Value::Null, vec!["Event=hold".into(), "Event=talk".into()]));
    world.until("it is talked again", || async { holds().await == json!(false) }).await;
    told.end();
}

#[tokio::test]
async fn a_telephone_is_muted_and_the_panel_shows_it() {
    let world = Plan::default().start().await;
    let call = recording("a_inbound_answered");
    let mut told = Told::of(&world.pbx, &call);
    told.before("Event: HangupRequest");
    world.reaches(&id(&call), "answered").await;
    let talking = world.result("get_agent_status", json!({})).await;
    let polled = world.result("get_agent_status", json!({ "current_status": talking }));
    let muted = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.result("set_mute", json!({ "is_mute": true })).await
    };
    let (state, done) = tokio::join!(polled, muted);
    assert_eq!((&state["call_info"]["is_mute"], done), (&json!(true), Value::Null));
    assert_eq!(
        (world.sent("MuteAudio", "State"), world.sent("MuteAudio", "Direction")),
        (vec!["on".into()], vec!["in".into()])
    );
    assert_eq!(world.result("hangup", json!({})).await, Value::Null);
    assert!(world.sent("Hangup", "Channel")[0].starts_with("PJSIP/1001-"));
    assert_eq!(world.sent("Hangup", "Cause"), ["16"]);
    told.end();
}
