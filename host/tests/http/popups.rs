//! What a desk is told while telephones ring: its own part of a call, under its own type.

use cordboard::live::{Sight, Subscription};
use cordboard::model::call::{CallPhase, Desk, Direction};
use cordboard::model::{Agent, Call, Instant, Item, Observation, Party, Phone, Trust};
use cordboard::store::Intake;
use serde_json::{Value, json};

use crate::fixture::{Fixture, Socket, token};

fn at(second: u64) -> Instant {
    Instant::clamped(1_790_000_000_000 + second * 1000)
}

fn rang(extension: &str, second: u64) -> Desk {
    Desk { extension: extension.to_owned(), rang_at: at(second), answered_at: None, stopped_at: None }
}

/// One sighting of the call `c`.
async fn seen(hub: &Fixture, second: u64, phase: CallPhase, desks: &[Desk]) {
    let caller = Party { number: Some(Phone::raw("+34600111222")), ..Party::default() };
    let call = Call {
        phase: Some(phase),
        direction: Some(Direction::Inbound),
        caller: Some(caller),
        desks: desks.to_vec(),
        ..Call::default()
    };
    commit(hub, second, call).await;
}

async fn commit(hub: &Fixture, second: u64, call: Call) {
    let observation = Observation {
        id: "c".to_owned(),
        also: Vec::new(),
        at: Some(at(second)),
        trust: Trust::Reported,
        item: Item::Call(call),
    };
    hub.hub.store.commit(Intake::of("acme", "pbx", vec![observation])).await.unwrap();
}

/// The types and numbers of the frames up to the end of the call, without notices.
async fn frames(socket: &mut Socket) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    loop {
        let frame = socket.next().await;
        let (Some(kind), Some(seq)) = (frame["type"].as_str(), frame["seq"].as_u64()) else { continue };
        if frame.get("call").is_some() && frame.get("subject").is_some() {
            all.push((kind.to_owned(), seq));
            if frame["call"]["phase"] == "ended" {
                return all;
            }
        }
    }
}

fn types(frames: &[(String, u64)]) -> Vec<&str> {
    frames.iter().map(|(kind, _)| kind.strip_prefix("call.").unwrap()).collect()
}

/// A ring group: 1001 and 1002 ring, 1002 takes it and hands it on to 1003.
async fn a_call(hub: &Fixture) {
    use CallPhase::{Answered, Ended, Ringing};
    seen(hub, 0, Ringing, &[rang("1001", 0)]).await;
    seen(hub, 1, Ringing, &[rang("1002", 1)]).await;
    seen(hub, 1, Ringing, &[rang("1002", 1)]).await;
    seen(hub, 5, Answered, &[Desk { answered_at: Some(at(5)), ..rang("1002", 1) }]).await;
    seen(hub, 20, Answered, &[rang("1003", 20)]).await;
    seen(hub, 30, Answered, &[Desk { stopped_at: Some(at(30)), ..rang("1003", 20) }]).await;
    seen(hub, 40, Ended, &[]).await;
}

#[tokio::test]
async fn each_desk_is_told_what_happens_at_it() {
    let hub = Fixture::start().await;
    let eva = token("acme", "supervisor", "eva");
    let mut ana = hub.socket("", &token("acme", "agent", "ana")).await;
    let mut luis = hub.socket("", &token("acme", "agent", "luis")).await;
    let mut supervisor = hub.socket("", &eva).await;
    let mut at_1002 = hub.socket("?agents=1002", &eva).await;
    let mut only_popups = hub.socket("?agents=1001&types=call.ringing,call.withdrawn", &eva).await;
    a_call(&hub).await;
    let whole = frames(&mut supervisor).await;
    assert_eq!(types(&whole), ["ringing", "ringing", "answered", "ringing", "withdrawn", "ended"]);
    let anas = frames(&mut ana).await;
    assert_eq!(types(&anas), ["ringing", "updated", "withdrawn", "updated", "updated", "ended"]);
    let numbers = |frames: &[(String, u64)]| frames.iter().map(|(_, seq)| *seq).collect::<Vec<_>>();
    assert_eq!(numbers(&anas), numbers(&whole), "the same events under the same numbers");
    // Luis has 1002 and 1003, and nothing to do with the first change.
    assert_eq!(types(&frames(&mut luis).await), ["ringing", "answered", "ringing", "withdrawn", "ended"]);
    assert_eq!(types(&frames(&mut at_1002).await), ["ringing", "answered", "updated", "updated", "ended"]);
    assert_eq!(only_popups.next().await["type"], "hello");
    for expected in ["call.ringing", "call.withdrawn"] {
        let frame = only_popups.next().await;
        assert_eq!(frame["type"], expected, "types are those that are told: {frame}");
    }
}

#[tokio::test]
async fn resuming_gives_the_same_frames() {
    let hub = Fixture::start().await;
    let roles =
        [("supervisor", "eva", ""), ("agent", "ana", ""), ("agent", "luis", ""), ("supervisor", "eva", "agents=1002")];
    let mut followed = Vec::new();
    for (role, sub, query) in roles {
        followed.push(hub.socket(&format!("?{query}"), &token("acme", role, sub)).await);
    }
    a_call(&hub).await;
    for ((role, sub, query), socket) in roles.into_iter().zip(&mut followed) {
        let live = frames(socket).await;
        let mut later = hub.socket(&format!("?since=0&{query}"), &token("acme", role, sub)).await;
        assert_eq!(frames(&mut later).await, live, "{sub} {query}");
    }
}

#[tokio::test]
async fn an_event_says_what_happened_at_desks() {
    let hub = Fixture::start().await;
    a_call(&hub).await;
    let (_, page) = hub.get("/v1/events", &token("acme", "supervisor", "eva")).await;
    let desks: Vec<&Value> = page["events"].as_array().unwrap().iter().map(|event| &event["desks"]).collect();
    let expected = [
        json!({ "ringing": ["1001"] }),
        json!({ "ringing": ["1002"] }),
        json!({ "answered": ["1002"], "withdrawn": ["1001"] }),
        json!({ "ringing": ["1003"] }),
        json!({ "withdrawn": ["1003"] }),
        Value::Null,
    ];
    assert_eq!(desks, expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_is_written_once_for_each_type_whoever_listens() {
    let hub = Fixture::start().await;
    let mut feeds = Vec::new();
    for own in ["1001", "1002", "1001", "1002"] {
        let sight = Sight::Desk(vec![own.to_owned()].into());
        let types = vec!["call.answered".to_owned(), "call.withdrawn".to_owned()];
        let wanted = Subscription { types, ..Subscription::default() };
        feeds.push(hub.hub.live.follow("acme", None, sight, wanted).await.unwrap());
    }
    seen(&hub, 0, CallPhase::Ringing, &[rang("1001", 0), rang("1002", 0)]).await;
    let taken = Desk { answered_at: Some(at(5)), ..rang("1001", 0) };
    seen(&hub, 5, CallPhase::Answered, &[taken]).await;
    let mut texts = Vec::new();
    for feed in &mut feeds {
        texts.push(feed.next().await.unwrap());
    }
    let place = |text: &axum::extract::ws::Utf8Bytes| text.as_str().as_ptr();
    assert_eq!((place(&texts[0]), place(&texts[1])), (place(&texts[2]), place(&texts[3])));
    assert_ne!(place(&texts[0]), place(&texts[1]));
}

#[tokio::test]
async fn colleagues_are_named_from_the_tenants_file_and_outsiders_from_the_ledger() {
    let hub = Fixture::start().await;
    let mut luis = hub.socket("?types=call.identified,call.ringing", &token("acme", "agent", "luis")).await;
    let mut ana = hub.socket("?types=call.identified", &token("acme", "agent", "ana")).await;
    assert_eq!((luis.next().await["type"].clone(), ana.next().await["type"].clone()), (json!("hello"), json!("hello")));
    let party = |raw: &str| Some(Party { number: Some(Phone::raw(raw)), ..Party::default() });
    let call = Call {
        phase: Some(CallPhase::Ringing),
        direction: Some(Direction::Internal),
        caller: party("1001"),
        callee: party("1002"),
        desks: vec![rang("1002", 0)],
        ..Call::default()
    };
    commit(&hub, 0, call).await;
    assert_eq!(luis.next().await["type"], "call.ringing", "the ringing comes first");
    let named = luis.next().await;
    assert_eq!((&named["type"], &named["complete"]), (&json!("call.identified"), &json!(true)));
    assert_eq!((&named["desks"], &named["number"]["raw"]), (&json!(["1002"]), &json!("1001")));
    assert_eq!(named["call"]["subject"]["id"], "c");
    assert_eq!(named["matches"], json!([{ "id": "1001", "kind": "agent", "name": "Ana" }]));

    let log = json!({
        "id": "h", "customer": { "name": "Inés Ortega", "number": "600 111 222" },
        "call": { "direction": "outbound", "duration": 61, "agent": { "extension": "1003" } },
    });
    let (status, record) = hub.post("/v1/calls", &token("acme", "supervisor", "eva"), &log).await;
    assert_eq!(status, 201, "{record}");
    let placed = Call {
        phase: Some(CallPhase::Ringing),
        direction: Some(Direction::Outbound),
        callee: party("+34600111222"),
        agent: Some(Agent { extension: Some("1001".into()), ..Agent::default() }),
        ..Call::default()
    };
    let observation = Observation {
        id: "out".to_owned(),
        also: Vec::new(),
        at: Some(at(50)),
        trust: Trust::Reported,
        item: Item::Call(placed),
    };
    let mut answered = observation.clone();
    if let Item::Call(call) = &mut answered.item {
        call.phase = Some(CallPhase::Answered);
    }
    hub.hub.store.commit(Intake::of("acme", "pbx", vec![observation])).await.unwrap();
    hub.hub.store.commit(Intake::of("acme", "pbx", vec![answered])).await.unwrap();
    let named = ana.next().await;
    assert_eq!((&named["desks"], &named["matches"][0]["name"]), (&json!(["1001"]), &json!("Inés Ortega")), "{named}");
    assert_eq!(named["matches"][0]["source"], "manual");
    // Once for the call: what comes next is of another one.
    seen(&hub, 60, CallPhase::Ringing, &[rang("1001", 60)]).await;
    assert_eq!(ana.next().await["call"]["subject"]["id"], "c");
}

#[tokio::test]
async fn a_withheld_number_is_nobodys() {
    let hub = Fixture::start().await;
    let mut ana = hub.socket("?types=call.identified,call.withdrawn", &token("acme", "agent", "ana")).await;
    assert_eq!(ana.next().await["type"], "hello");
    let caller = Party { number: Some(Phone::raw("anonymous")), ..Party::default() };
    let call = Call {
        phase: Some(CallPhase::Ringing),
        direction: Some(Direction::Inbound),
        caller: Some(caller),
        desks: vec![rang("1001", 0)],
        ..Call::default()
    };
    commit(&hub, 0, call.clone()).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    commit(&hub, 9, Call { phase: Some(CallPhase::Ended), ..call }).await;
    assert_eq!(ana.next().await["type"], "call.withdrawn");
}
