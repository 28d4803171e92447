//! The whole way to amoCRM: a PBX posts, the hub keeps, the account is played with its limits and its tokens.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chats;
mod world;

use std::time::Duration;

use cordboard_tests::amocrm::{ANNA, Fault};
use cordboard_tests::pbx::PbxCall;
use serde_json::json;
use world::World;

/// A caller whom the account knows.
fn known(n: usize) -> PbxCall {
    PbxCall { from: "+79990001122".to_owned(), ..PbxCall::number(n) }
}

#[tokio::test]
async fn a_call_stands_in_amocrm_once() {
    let world = World::start().await;
    world.post(&known(1).ringing()).await;
    world.post(&known(1).answered()).await;
    for _ in 0..3 {
        world.post(&known(1).ended()).await;
    }
    world.settled().await;
    let notes = world.crm.world().calls("call-1");
    assert_eq!(notes.len(), 1, "{notes:#?}");
    let note = &notes[0];
    assert_eq!((&note["note_type"], &note["created_by"]), (&json!("call_in"), &json!(ANNA)));
    assert_eq!(note["params"]["phone"], "+79990001122");
    assert_eq!(note["created_at"], 1_795_252_220, "when the call began, and not when it was sent");
    assert_eq!(note["params"]["link"], "https://pbx.example.test/rec/call-1.wav");
    let popups = world.crm.world().popups.clone();
    assert!(popups.len() <= 1, "at most one, if it was still ringing: {popups:?}");
}

#[tokio::test]
async fn a_number_that_nobody_has_becomes_an_incoming_lead() {
    let world = World::start().await;
    world.post(&PbxCall::number(7).ended()).await;
    world.post(&PbxCall::number(7).ended()).await;
    world.settled().await;
    {
        let crm = world.crm.world();
        assert_eq!((crm.unsorted.len(), crm.seen("call-7")), (1, 1));
        assert_eq!(crm.unsorted[0]["metadata"]["phone"], "+34600000007");
    }
    let delivery = world.hub.get("/v1/deliveries?limit=1").await["items"][0].clone();
    assert_eq!(delivery["external_id"], world.crm.world().unsorted[0]["uid"], "{delivery}");
}

#[tokio::test]
async fn calls_of_an_outage_come_afterwards_and_once() {
    let world = World::start().await;
    world.crm.faults().down(Fault::Page(503));
    for n in 0..12 {
        world.post(&known(n).ended()).await;
    }
    world.until("a try", || async { world.crm.faults().count("POST /api/v4/calls") > 0 }).await;
    let waits = || async { world.hub.get("/v1/lanes").await.to_string().contains("\"waiting\"") };
    world.until("the lane waits", waits).await;
    world.crm.faults().up();
    world.settled().await;
    let crm = world.crm.world();
    for n in 0..12 {
        let notes = crm.calls(&format!("call-{n}"));
        assert_eq!(notes.len(), 1, "{notes:#?}");
        assert_eq!(notes[0]["created_at"], 1_795_252_220, "the time of the call");
    }
}

#[tokio::test]
async fn one_401_costs_one_refresh_and_the_tokens_stay() {
    let mut world = World::start().await;
    world.crm.faults().next("POST /api/v4/calls", Fault::Stranger);
    world.post(&known(1).ended()).await;
    world.settled().await;
    assert_eq!(world.crm.world().seen("call-1"), 1);
    assert_eq!(world.crm.world().tokens.exchanges, 2);
    // A crash: the stored pair is the one that works.
    world.hub.kill();
    world.hub.launch();
    world.hub.ready().await;
    world.post(&known(2).ended()).await;
    world.settled().await;
    assert_eq!(world.crm.world().seen("call-2"), 1);
    assert_eq!(world.crm.world().tokens.exchanges, 2, "and the code was not tried again");
}

#[tokio::test]
async fn the_hub_keeps_to_the_limit() {
    let world = World::start().await;
    world.crm.limits().enforce(Duration::from_secs(1));
    for n in 0..20 {
        world.post(&PbxCall::number(n).ended()).await;
    }
    world.settled().await;
    let log = world.crm.faults().log();
    let refused = log.iter().filter(|logged| matches!(logged.status, 429 | 403)).count();
    assert_eq!(refused, 0, "of {} requests, at most {} in a second", log.len(), world.crm.limits().most());
    assert_eq!(world.crm.world().unsorted.len(), 20);
}
