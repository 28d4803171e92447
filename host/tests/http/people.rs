//! People by their number, what was said with them, and where a dialplan sends a caller.

use cordboard::model::call::{CallPhase, Direction};
use cordboard::model::message::MessageStatus;
use cordboard::model::{Agent, Call, Contact, Instant, Item, Message, Numbering, Observation, Party, Phone, Trust};
use cordboard::store::Intake;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::fixture::{Fixture, KEY, token};

pub fn eva() -> String {
    token("acme", "supervisor", "eva")
}

pub fn at(second: u64) -> Option<Instant> {
    Instant::from_millis(1_790_000_000_000 + second * 1000)
}

pub async fn commit(hub: &Fixture, id: &str, item: Item) {
    let id = id.to_owned();
    let observation = Observation { id, also: Vec::new(), at: at(0), trust: Trust::Reported, item };
    let numbering = Numbering { region: "ES".parse().ok(), correct: Vec::new() };
    let intake = Intake { numbering: numbering.into(), ..Intake::of("acme", "pbx", vec![observation]) };
    hub.hub.store.commit(intake).await.unwrap();
}

pub fn party(raw: &str) -> Option<Party> {
    Some(Party { number: Some(Phone::raw(raw)), name: Some("as it came".to_owned()), agent: None })
}

/// Three calls and a message with one person, and one call with another.
pub async fn said(hub: &Fixture) {
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

pub fn ids(page: &Value) -> Vec<&str> {
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

/// A number at home may be written as somebody else's is for the world: +34 687 75 12 34 and +687 75 12 34.
#[tokio::test]
async fn the_digits_of_one_number_are_not_those_of_another() {
    let hub = Fixture::start().await;
    let with = |second: u64, raw: &str| Call {
        direction: Some(Direction::Inbound),
        started_at: at(second),
        caller: party(raw),
        ..Call::default()
    };
    commit(&hub, "madrid", Item::Call(with(10, "687 75 12 34"))).await;
    commit(&hub, "noumea", Item::Call(with(20, "+687 75 12 34"))).await;
    let unread = Observation {
        id: "written".to_owned(),
        also: Vec::new(),
        at: at(0),
        trust: Trust::Reported,
        item: Item::Call(with(30, "687751234")),
    };
    hub.hub.store.commit(Intake::of("acme", "pbx", vec![unread])).await.unwrap();
    let numbers = vec![Phone::raw("+687 75 12 34")];
    let contact = Contact { name: Some("Marie".to_owned()), numbers, ..Contact::default() };
    commit(&hub, "contact", Item::Contact(contact)).await;
    let timeline = async |typed: &str| {
        let (_, page) = hub.get(&format!("/v1/people/{typed}/timeline"), &eva()).await;
        ids(&page).join(" ")
    };
    assert_eq!(timeline("+34687751234").await, "written madrid");
    assert_eq!(timeline("687751234").await, "written madrid");
    assert_eq!(timeline("+687751234").await, "written noumea");
    let names = async |typed: &str| hub.get(&format!("/v1/people/{typed}"), &eva()).await.1["matches"].clone();
    assert_eq!(names("687751234").await, json!([]));
    assert_eq!(names("+687751234").await[0]["name"], "Marie");
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
