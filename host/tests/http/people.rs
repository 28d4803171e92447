//! People by their number, the communications log, and where a dialplan sends a caller.

use cordboard::model::call::{CallPhase, Direction};
use cordboard::model::message::MessageStatus;
use cordboard::model::{Agent, Call, Contact, Instant, Item, Message, Numbering, Observation, Party, Phone, Trust};
use cordboard::store::Intake;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::fixture::{Fixture, KEY, token};

fn eva() -> String {
    token("acme", "supervisor", "eva")
}

fn at(second: u64) -> Option<Instant> {
    Instant::from_millis(1_790_000_000_000 + second * 1000)
}

async fn commit(hub: &Fixture, id: &str, item: Item) {
    let id = id.to_owned();
    let observation = Observation { id, also: Vec::new(), at: at(0), trust: Trust::Reported, item };
    let numbering = Numbering { region: "ES".parse().ok(), correct: Vec::new() };
    let intake = Intake { numbering: numbering.into(), ..Intake::of("acme", "pbx", vec![observation]) };
    hub.hub.store.commit(intake).await.unwrap();
}

fn party(raw: &str) -> Option<Party> {
    Some(Party { number: Some(Phone::raw(raw)), name: Some("as it came".to_owned()), agent: None })
}

/// Three calls and a message with one person, and one call with another.
async fn said(hub: &Fixture) {
    let call = |second: u64, direction: Direction, extension: &str, outcome: &str| Call {
        phase: Some(CallPhase::Ended),
        outcome: Some(outcome.to_owned()),
        direction: Some(direction),
        started_at: at(second),
        agent: Some(Agent { extension: Some(extension.to_owned()), ..Agent::default() }),
        ..Call::default()
    };
    let inbound = Call { caller: party("600 111 222"), ..call(10, Direction::Inbound, "1001", "answered") };
    let outbound = Call { callee: party("+34 600-111-222"), ..call(20, Direction::Outbound, "1002", "no-answer") };
    let missed = Call { caller: party("0034600111222"), ..call(40, Direction::Inbound, "1003", "no-answer") };
    let other = Call { caller: party("600999888"), ..call(50, Direction::Inbound, "1001", "answered") };
    for (id, call) in [("inbound", inbound), ("outbound", outbound), ("missed", missed), ("other", other)] {
        commit(hub, id, Item::Call(call)).await;
    }
    let sender: cordboard::model::Correspondent =
        serde_json::from_value(json!({ "ids": [{ "scheme": "phone", "value": "+34600111222" }] })).unwrap();
    let message = Message {
        direction: Some(Direction::Inbound),
        sender: Some(sender),
        sent_at: at(30),
        status: Some(MessageStatus::Read),
        ..Message::default()
    };
    commit(hub, "message", Item::Message(message)).await;
    let numbers = vec![Phone::raw("+34600111222")];
    let contact = Contact { name: Some("Inés Ortega".to_owned()), numbers, ..Contact::default() };
    commit(hub, "contact", Item::Contact(contact)).await;
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["subject"]["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_timeline_for_any_spelling_of_the_number() {
    let hub = Fixture::start().await;
    said(&hub).await;
    for typed in
        ["+34600111222", "600111222", "600%20111%20222", "(600)%20111.222", "0034-600-111-222", "tel:+34600111222"]
    {
        let (status, page) = hub.get(&format!("/v1/people/{typed}/timeline"), &eva()).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert_eq!(ids(&page), ["missed", "message", "outbound", "inbound"], "{typed}");
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["customer"]["name"], "Inés Ortega", "{item}");
            assert_eq!(item["customer"]["known"]["id"], "contact");
            let kind = item["type"].as_str().unwrap();
            assert!(item[kind].is_object() && item["at"].is_string(), "{item}");
        }
        assert_eq!(page["items"][0]["customer"]["number"]["e164"], "+34600111222");
    }
    let (_, first) = hub.get("/v1/people/600111222/timeline?limit=3", &eva()).await;
    let next = first["next"].as_str().unwrap();
    let (_, second) = hub.get(&format!("/v1/people/600111222/timeline?limit=3&after={next}"), &eva()).await;
    assert_eq!((ids(&first), ids(&second)), (vec!["missed", "message", "outbound"], vec!["inbound"]));
    assert_eq!(second["next"], Value::Null);
    let (_, page) = hub.get("/v1/people/600999888/timeline", &eva()).await;
    assert_eq!((ids(&page), &page["items"][0]["customer"]["name"]), (vec!["other"], &json!("as it came")));
    let (_, page) = hub.get("/v1/people/600000000/timeline", &eva()).await;
    assert_eq!(page, json!({ "items": [], "next": null }));
}

#[tokio::test]
async fn the_inbox_is_narrowed_and_paged() {
    let hub = Fixture::start().await;
    said(&hub).await;
    let list = async |query: &str| {
        let (status, page) = hub.get(&format!("/v1/inbox?{query}"), &eva()).await;
        assert_eq!(status, StatusCode::OK, "{query}: {page}");
        ids(&page).join(" ")
    };
    assert_eq!(list("").await, "other missed message outbound inbound");
    assert_eq!(list("type=message").await, "message");
    assert_eq!(list("type=call,message&direction=inbound").await, "other missed message inbound");
    assert_eq!(list("direction=outbound").await, "outbound");
    assert_eq!(list("agent=1001").await, "other inbound");
    assert_eq!(list("outcome=no-answer").await, "missed outbound");
    assert_eq!(list("outcome=read").await, "message");
    assert_eq!(list("number=600.99.98.88").await, "other");
    assert_eq!(list("number=600111222&type=call&direction=inbound").await, "missed inbound");
    assert_eq!(list("source=pbx&agent=1002").await, "outbound");
    assert_eq!(list("source=manual").await, "");
    let (from, to) = (at(20).unwrap(), at(40).unwrap());
    assert_eq!(list(&format!("from={from}&to={to}")).await, "message outbound");
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (_, page) = hub.get(&format!("/v1/inbox?limit=2{after}"), &eva()).await;
        assert!(page["items"].as_array().unwrap().len() <= 2);
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["other", "missed", "message", "outbound", "inbound"]);
}

#[tokio::test]
async fn an_agent_sees_its_own_desk() {
    let hub = Fixture::start().await;
    said(&hub).await;
    let (ana, luis) = (token("acme", "agent", "ana"), token("acme", "agent", "luis"));
    assert_eq!(ids(&hub.get("/v1/inbox", &ana).await.1), ["other", "inbound"]);
    assert_eq!(ids(&hub.get("/v1/inbox", &luis).await.1), ["missed", "outbound"], "all desks of one person");
    assert_eq!(ids(&hub.get("/v1/inbox?agent=1003", &luis).await.1), ["missed"]);
    assert_eq!(ids(&hub.get("/v1/people/600111222/timeline", &ana).await.1), ["inbound"]);
    let (status, problem) = hub.get("/v1/inbox?agent=1002", &ana).await;
    assert_eq!((status, &problem["field"]), (StatusCode::FORBIDDEN, &json!("agent")));
    assert!(ids(&hub.get("/v1/inbox", &token("other", "supervisor", "x")).await.1).is_empty());
    for path in ["/v1/inbox", "/v1/people/600111222", "/v1/people/600111222/timeline"] {
        let status = hub.request(Method::GET, path, None).send().await.unwrap().status();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_named() {
    let hub = Fixture::start().await;
    let cases = [
        ("/v1/inbox?type=fax", "type"),
        ("/v1/inbox?direction=sideways", "direction"),
        ("/v1/inbox?number=nobody", "number"),
        ("/v1/inbox?limit=0", "limit"),
        ("/v1/inbox?limit=501", "limit"),
        ("/v1/inbox?from=yesterday", "from"),
        ("/v1/people/nobody", "number"),
        ("/v1/people/anonymous/timeline", "number"),
    ];
    for (path, field) in cases {
        let (status, problem) = hub.get(path, &eva()).await;
        assert_eq!((status, problem["field"].as_str()), (StatusCode::BAD_REQUEST, Some(field)), "{path}: {problem}");
    }
    assert_eq!(hub.get("/v1/inbox?agents=1001", &eva()).await.0, StatusCode::BAD_REQUEST);
    let odd = "1".repeat(400);
    assert_eq!(hub.get(&format!("/v1/people/{odd}"), &eva()).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(hub.get("/v1/inbox?after=nonsense", &eva()).await.0, StatusCode::OK, "a cursor of another list is none");
}

#[tokio::test]
async fn who_has_a_number() {
    let hub = Fixture::start().await;
    said(&hub).await;
    let (status, known) = hub.get("/v1/people/600-111-222", &eva()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&known["number"]["e164"], &known["complete"]), (&json!("+34600111222"), &json!(true)));
    let contact = json!({ "source": "pbx", "id": "contact", "kind": "contact", "name": "Inés Ortega" });
    assert_eq!(known["matches"], json!([contact]));
    let (_, known) = hub.get("/v1/people/1001", &token("acme", "agent", "luis")).await;
    assert_eq!(known["matches"][0]["name"], "Ana");
    let (_, known) = hub.get("/v1/people/600000000", &eva()).await;
    assert_eq!((&known["matches"], &known["complete"]), (&json!([]), &json!(true)));
}

#[tokio::test]
async fn a_call_is_logged_with_its_customer() {
    let hub = Fixture::start().await;
    let log = json!({
        "customer": { "name": " Bar Paco ", "number": "(600) 99.98-88" },
        "call": {
            "direction": "outbound", "duration": 61, "notes": "Wants an offer",
            "started_at": "2026-11-21T08:00:00Z", "agent": { "extension": "1002" },
        },
    });
    let keyed = |body: &Value, key: &str| {
        hub.request(Method::POST, "/v1/calls", Some(&eva())).header("idempotency-key", key).json(body)
    };
    let (status, record) = crate::fixture::answer(keyed(&log, "k1")).await;
    assert_eq!(status, StatusCode::CREATED, "{record}");
    assert_eq!(record["call"]["callee"]["number"]["e164"], "+34600999888");
    assert_eq!((&record["call"]["phase"], &record["call"]["duration"]), (&json!("ended"), &json!(61)));
    let (_, again) = crate::fixture::answer(keyed(&log, "k1")).await;
    assert_eq!((&again["id"], &again["revision"]), (&record["id"], &record["revision"]));
    let (_, other) = crate::fixture::answer(keyed(&log, "k2")).await;
    assert_ne!(other["id"], record["id"]);
    // Later calls with the number show the name.
    let call = Call { direction: Some(Direction::Inbound), caller: party("600999888"), ..Call::default() };
    commit(&hub, "later", Item::Call(call)).await;
    let (_, page) = hub.get("/v1/inbox?number=600999888", &eva()).await;
    let names: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|item| &item["customer"]["name"]).collect();
    assert_eq!(names, ["Bar Paco"; 3]);

    let wrong = async |body: Value, field: &str| {
        let (status, problem) = hub.post("/v1/calls", &eva(), &body).await;
        assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)), "{problem}");
    };
    let who = json!({ "name": "x" });
    wrong(json!({ "customer": who, "call": {} }), "/call/direction").await;
    wrong(json!({ "customer": who, "call": { "direction": "internal" } }), "/call/direction").await;
    wrong(json!({ "customer": {}, "call": { "direction": "inbound" } }), "/customer").await;
    let twice = json!({ "customer": who, "call": { "direction": "inbound", "caller": { "name": "y" } } });
    wrong(twice, "/customer").await;
}

#[tokio::test]
async fn a_dialplan_that_dials_whatever_comes_back_gets_nothing_it_should_not_dial() {
    let hub = Fixture::start().await;
    said(&hub).await;
    let basic = |password: &str| {
        use base64::Engine;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("asterisk:{password}")))
    };
    let doors = [
        None,
        Some("Basic nonsense".to_owned()),
        Some(basic("ck_wrong")),
        Some(basic(KEY)),
        Some(format!("Bearer {KEY}")),
        Some(format!("Bearer {}", eva())),
        Some("Bearer x".to_owned()),
    ];
    let numbers =
        ["600111222", "1001", "nobody", "%00", "%FF%FE", "..%2F..%2Fetc", "${SHELL(id)}", "1%0A2", &"9".repeat(5000)];
    for door in &doors {
        for number in numbers {
            let mut request = hub.request(Method::GET, &format!("/v1/route/{number}"), None);
            if let Some(door) = door {
                request = request.header("authorization", door);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{number} {door:?}");
            assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
            assert_eq!(response.text().await.unwrap(), "", "{number} {door:?}");
        }
    }
    let metrics = hub.request(Method::GET, "/metrics", None).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("cordboard_route_total{outcome=\"refused\"}"), "refusals are counted: {metrics}");
}
