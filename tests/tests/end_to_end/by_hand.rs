//! Calls logged by hand.

use cordboard_tests::live::Live;
use serde_json::{Value, json};

use crate::world::{World, routed};

#[tokio::test]
async fn a_call_logged_by_hand_goes_the_way_of_all_others() {
    let world = World::with(|setup| routed(setup, "[[routes]]\nfrom = \"manual\"\nto = \"crm\"\n")).await;
    let mut live = Live::open(&world.hub, "?sources=manual", &world.hub.token("supervisor", "eva")).await;
    let call = json!({
        "phase": "ended", "outcome": "answered", "direction": "outbound", "duration": 61,
        "caller": { "number": { "raw": "101" } }, "callee": { "number": { "raw": "600 11 22 33" } },
        "agent": { "extension": "101" }, "started_at": "2026-11-21T08:00:00Z", "notes": "Wants an offer",
    });
    let log = |body: Value| {
        let request = world.hub.http.post(world.hub.url("/v1/calls")).bearer_auth(world.hub.token("admin", "test"));
        request.json(&body).send()
    };
    let answer = log(json!({ "id": "by-hand-1", "call": call })).await.unwrap();
    assert_eq!(answer.status(), 201, "{:?}", answer.text().await);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    let record: Value = answer.json().await.unwrap();
    assert_eq!(world.hub.get(&place).await["id"], record["id"]);
    assert_eq!(
        live.next_of("call.ended").await["subject"],
        json!({ "source": "manual", "kind": "call", "id": "by-hand-1" })
    );
    let again = log(json!({ "id": "by-hand-1", "call": call })).await.unwrap();
    assert_eq!(again.json::<Value>().await.unwrap()["id"], record["id"], "the same id is the same call");
    world.hub.until("the call in the CRM", || async { world.call("by-hand-1").is_some() }).await;
    world.settled("done").await;
    let row = world.call("by-hand-1").unwrap();
    assert_eq!(row["customernumber"], "+34600112233", "{row:#?}");
    assert_eq!((row["direction"].as_str(), row["totalduration"].as_str()), ("outbound", "61"));
    assert_eq!(row["user"], "19x5");
    let deliveries = world.hub.get("/v1/deliveries").await;
    let said = "notes: left out, PBXManager has no field for them; name one in `fields.description`";
    assert_eq!(deliveries["items"][0]["shortened"], json!([said]), "what the CRM has no place for is said");

    let wrong = log(json!({ "call": { "phase": "over" } })).await.unwrap();
    assert_eq!(wrong.status(), 422);
    assert_eq!(wrong.json::<Value>().await.unwrap()["field"], "/call/phase");
    let nobody = world.hub.http.post(world.hub.url("/v1/calls")).json(&json!({ "call": {} })).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
}

#[tokio::test]
async fn a_call_by_hand_that_no_route_wants_stays_in_the_hub() {
    let world = World::start().await;
    let request = world.hub.http.post(world.hub.url("/v1/calls")).bearer_auth(world.hub.token("agent", "ana"));
    let answer = request.json(&json!({ "call": { "phase": "ended" } })).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.json::<Value>().await.unwrap()["call"]["agent"]["extension"], "101", "an agent's own desk");
    assert_eq!(world.hub.get("/v1/deliveries").await["items"], json!([]));
}
