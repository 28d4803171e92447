//! Calls logged by hand: whose they are, what may be said in them, and what is said again.

use cordboard::model::call::Direction;
use cordboard::model::{Call, Item};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::fixture::{Fixture, answer, token};
use crate::people::{commit, eva, party};

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
    let (status, record) = answer(keyed(&log, "k1")).await;
    assert_eq!(status, StatusCode::CREATED, "{record}");
    assert_eq!(record["call"]["callee"]["number"]["e164"], "+34600999888");
    assert_eq!((&record["call"]["phase"], &record["call"]["duration"]), (&json!("ended"), &json!(61)));
    let (_, again) = answer(keyed(&log, "k1")).await;
    assert_eq!((&again["id"], &again["revision"]), (&record["id"], &record["revision"]));
    let (_, other) = answer(keyed(&log, "k2")).await;
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
    for odd in ["n/a", "anonymous", "home", "600 111 222 or 600 111 223"] {
        let call = json!({ "direction": "inbound" });
        wrong(json!({ "customer": { "name": "x", "number": odd }, "call": call }), "/customer/number").await;
    }
}

#[tokio::test]
async fn a_customer_is_found_by_a_number_that_was_typed_with_words() {
    let hub = Fixture::start().await;
    for (n, typed) in ["600 111 222 (casa)", "tel.: 600111222", "+34 600 111 222 доб. 12"].into_iter().enumerate() {
        let log = json!({ "customer": { "number": typed }, "call": { "direction": "inbound" } });
        let (status, record) = hub.post("/v1/calls", &eva(), &log).await;
        assert_eq!(status, StatusCode::CREATED, "{typed}: {record}");
        let number = &record["call"]["caller"]["number"];
        assert_eq!((&number["raw"], &number["e164"]), (&json!(typed), &json!("+34600111222")));
        let (_, page) = hub.get("/v1/people/600111222/timeline", &eva()).await;
        assert_eq!(page["items"].as_array().unwrap().len(), n + 1, "{typed}");
    }
}

#[tokio::test]
async fn an_id_is_whose_it_was_first() {
    let hub = Fixture::start().await;
    let (ana, luis) = (token("acme", "agent", "ana"), token("acme", "agent", "luis"));
    let visit = |notes: &str, extension: &str| {
        let agent = json!({ "extension": extension });
        json!({ "id": "visit-7", "call": { "direction": "outbound", "notes": notes, "agent": agent } })
    };
    let (status, record) = hub.post("/v1/calls", &ana, &visit("hers", "1001")).await;
    assert_eq!(status, StatusCode::CREATED, "{record}");
    let (status, problem) = hub.post("/v1/calls", &luis, &visit("his", "1002")).await;
    assert_eq!((status, &problem["field"]), (StatusCode::CONFLICT, &json!("/id")), "{problem}");
    assert_eq!(problem["type"], "/docs#problem-clash");
    assert!(!problem.to_string().contains("hers"), "{problem}");
    let place = format!("/v1/calls/{}", record["id"]);
    assert_eq!(hub.get(&place, &eva()).await.1, record, "nothing was taken");
    assert_eq!(hub.get(&place, &luis).await.0, StatusCode::NOT_FOUND);
    // Whose it is may correct it, and so may a supervisor; what a supervisor logged is no agent's.
    let (status, record) = hub.post("/v1/calls", &ana, &visit("hers, corrected", "1001")).await;
    assert_eq!((status, &record["call"]["notes"]), (StatusCode::CREATED, &json!("hers, corrected")));
    let (status, record) = hub.post("/v1/calls", &eva(), &visit("taken over", "1003")).await;
    assert_eq!((status, &record["call"]["agent"]["extension"]), (StatusCode::CREATED, &json!("1003")));
    assert_eq!(hub.post("/v1/calls", &ana, &visit("again", "1001")).await.0, StatusCode::CONFLICT);
    hub.post("/v1/calls", &eva(), &json!({ "id": "1", "call": { "notes": "nobody's desk" } })).await;
    let (status, problem) = hub.post("/v1/calls", &ana, &json!({ "id": "1", "call": {} })).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    // Of many at once one has it.
    let at_once = (0..20).map(|n| {
        let (who, extension) = if n % 2 == 0 { (&ana, "1001") } else { (&luis, "1002") };
        let call = json!({ "notes": extension, "agent": { "extension": extension } });
        let request =
            hub.request(Method::POST, "/v1/calls", Some(who.as_str())).json(&json!({ "id": "2", "call": call }));
        async move { (extension, answer(request).await) }
    });
    let mut owners: Vec<&str> = Vec::new();
    for (extension, (status, told)) in futures::future::join_all(at_once).await {
        match status {
            StatusCode::CREATED => owners.push(extension),
            status => assert_eq!(status, StatusCode::CONFLICT, "{told}"),
        }
    }
    assert_eq!((owners.len(), owners.iter().all(|owner| *owner == owners[0])), (10, true), "{owners:?}");
}

#[tokio::test]
async fn a_key_stands_for_one_request() {
    let hub = Fixture::start().await;
    let post = async |token: &str, body: Value| {
        let request = hub.request(Method::POST, "/v1/calls", Some(token)).header("idempotency-key", "k");
        answer(request.json(&body)).await
    };
    let log = |notes: &str, start: &str| json!({ "call": { "notes": notes, "started_at": start } });
    let (first, later, earlier) = ("2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z", "2026-11-21T07:00:00Z");
    let (status, record) = post(&eva(), log("a", first)).await;
    assert_eq!(status, StatusCode::CREATED, "{record}");
    let ana = token("acme", "agent", "ana");
    for (who, body) in [
        (eva(), log("b", first)),
        (eva(), log("a", later)),
        (eva(), log("a", earlier)),
        (eva(), json!({ "call": { "notes": "a", "started_at": first, "outcome": "answered" } })),
        (ana, log("a", first)),
    ] {
        let (status, problem) = post(&who, body.clone()).await;
        assert_eq!((status, &problem["field"]), (StatusCode::CONFLICT, &json!("Idempotency-Key")), "{body}: {problem}");
    }
    let (status, again) = post(&eva(), log("a", first)).await;
    assert_eq!((status, again), (StatusCode::CREATED, record));
}

#[tokio::test]
async fn a_time_is_corrected_or_it_is_said_that_it_is_not() {
    let hub = Fixture::start().await;
    let log = async |start: &str, end: &str| {
        let call = json!({ "started_at": start, "ended_at": end });
        hub.post("/v1/calls", &eva(), &json!({ "id": "t", "call": call })).await
    };
    let time = |hour: u32| format!("2026-11-21T{hour:02}:00:00.000Z");
    assert_eq!(log(&time(9), &time(12)).await.0, StatusCode::CREATED);
    let (status, record) = log(&time(8), &time(11)).await;
    assert_eq!((status, &record["call"]["started_at"]), (StatusCode::CREATED, &json!(time(8))), "{record}");
    let place = format!("/v1/calls/{}", record["id"]);
    for (start, end, field) in [(9, 11, "/call/started_at"), (8, 12, "/call/ended_at"), (7, 12, "/call/ended_at")] {
        let (status, problem) = log(&time(start), &time(end)).await;
        assert_eq!((status, &problem["field"]), (StatusCode::CONFLICT, &json!(field)), "{problem}");
        let kept = if field == "/call/started_at" { time(8) } else { time(11) };
        assert!(problem["detail"].as_str().unwrap().contains(&kept), "{problem}");
        assert_eq!(hub.get(&place, &eva()).await.1, record, "all of it or nothing");
    }
}

#[tokio::test]
async fn nobodys_telephone_rings_for_what_is_logged_by_hand() {
    let hub = Fixture::start().await;
    let ana = token("acme", "agent", "ana");
    let (own, foreign) = (json!({ "extension": "1001" }), json!({ "extension": "1002", "name": "Luis" }));
    let rang = |extension: &str| json!([{ "extension": extension, "rang_at": "2026-11-21T08:00:00Z" }]);
    for (who, call, status, field) in [
        (&eva(), json!({ "phase": "ringing", "desks": rang("1002") }), 422, "/call/phase"),
        (&eva(), json!({ "phase": "answered" }), 422, "/call/phase"),
        (&ana, json!({ "phase": "ringing" }), 422, "/call/phase"),
        (&ana, json!({ "desks": rang("1002") }), 403, "/call/desks/0/extension"),
        (&ana, json!({ "caller": { "agent": foreign } }), 403, "/call/caller/agent/extension"),
        (&ana, json!({ "callee": { "agent": { "name": "Luis" } } }), 403, "/call/callee/agent/extension"),
        (&ana, json!({ "agent": foreign }), 403, "/call/agent/extension"),
    ] {
        let (got, problem) = hub.post("/v1/calls", who, &json!({ "call": call })).await;
        assert_eq!((got.as_u16(), &problem["field"]), (status, &json!(field)), "{call}: {problem}");
    }
    let call = json!({ "phase": "ended", "desks": rang("1001"), "caller": { "agent": own } });
    let (status, record) = hub.post("/v1/calls", &ana, &json!({ "call": call })).await;
    assert_eq!((status, &record["call"]["phase"]), (StatusCode::CREATED, &json!("ended")), "{record}");
    let (status, record) = hub.post("/v1/calls", &eva(), &json!({ "call": { "desks": rang("1002") } })).await;
    assert_eq!((status, &record["call"]["phase"]), (StatusCode::CREATED, &json!("ended")), "{record}");
}
