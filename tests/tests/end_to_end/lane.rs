//! How a lane keeps to its bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::vtiger::Fault;
use cordboard_tests::web::Web;

use crate::world::{World, delivery, outcomes, plain, routed, until};

const RINGING: &str = "[[routes]]\nfrom = \"pbx\"\nto = \"crm\"\nwhile = \"call.phase == 'ringing'\"\n";

fn sink(mut setup: Setup, keys: &str) -> Setup {
    setup.tenant = setup.tenant.replace("[sinks.crm]\n", &format!("[sinks.crm]\n{keys}\n"));
    setup
}

#[tokio::test]
async fn a_lane_is_no_faster_than_its_rate() {
    let world = World::with(|setup| sink(setup, "batch = 1\nrate = \"2/s\"")).await;
    let begun = Instant::now();
    for n in 0..8 {
        world.post(&PbxCall::number(n).ended()).await;
    }
    world.hub.until("all calls in the CRM", || async { world.crm.count("PBXManager") == 8 }).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(2900), "two at once, then two in a second: eight calls in {took:?}");
    world.settled("done").await;
    assert_eq!(world.crm.faults().doubled(), Vec::<String>::new());
}

#[tokio::test]
async fn a_lane_has_no_more_calls_under_way_than_its_concurrency() {
    let crm = Web::start(|_| (200, String::new())).await.unwrap();
    crm.takes(Duration::from_millis(200));
    let hub = Hub::start(plain(&crm.url(""), "batch = 1\nconcurrency = 3")).await;
    for n in 0..12 {
        assert_eq!(hub.post(&PbxCall::number(n).ended()).await.unwrap().status(), 200);
    }
    until("all calls in the CRM", || crm.asked().len() >= 12).await;
    assert_eq!(crm.most_at_once(), 3, "as many as it may, and never more");
}

#[tokio::test]
async fn a_lane_waits_as_long_as_the_crm_asks_and_spends_no_try() {
    let world = World::with(|setup| sink(setup, "attempts = 1")).await;
    world.crm.faults().next("create", Fault::TooMany(2));
    let begun = Instant::now();
    world.post(&PbxCall::number(1).ended()).await;
    world
        .hub
        .until("the lane waits", || async {
            world.hub.get("/v1/lanes").await.to_string().contains("the outside system asks for less")
        })
        .await;
    let counted = (world.hub.metric("cordboard_lanes_paused").await, world.hub.metric("cordboard_lanes_waiting").await);
    assert_eq!(counted, (Some(0.0), Some(1.0)), "it goes on by itself: nobody is needed");
    let asked = world.crm.faults().requests();
    world.post(&PbxCall::number(2).ended()).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(world.crm.faults().requests(), asked, "nothing is asked meanwhile, not even for another call");
    let done = delivery(&world.hub, "call-1", "done").await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "it waited {:?}", begun.elapsed());
    assert_eq!(outcomes(&world.hub, &done).await, ["rate-limited", "done"]);
    delivery(&world.hub, "call-2", "done").await;
    assert_eq!(world.crm.faults().doubled(), Vec::<String>::new());
}

#[tokio::test]
async fn a_popup_is_judged_by_the_record_as_it_is_when_its_turn_comes() {
    let world = World::with(|setup| routed(sink(setup, "batch = 1\nconcurrency = 1"), RINGING)).await;
    world.post(&PbxCall::number(0).ringing()).await;
    world.settled("done").await;
    world.crm.faults().latency(Duration::from_millis(700));
    let before = world.crm.faults().requests();
    for n in 1..4 {
        world.post(&PbxCall::number(n).ringing()).await;
    }
    // All three are claimed at once; while the first is being told, the last one ends.
    until("the CRM is asked", || world.crm.faults().requests() > before).await;
    world.post(&PbxCall::number(3).ended()).await;
    world.hub.until("two popups", || async { world.crm.count("PBXManager") == 3 }).await;
    world
        .hub
        .until("the third is left", || async {
            world.hub.get("/v1/deliveries?state=stale").await["items"].as_array().is_some_and(|all| all.len() == 1)
        })
        .await;
    assert!(world.call("call-3").is_none(), "nobody is told of a ringing that is over");
}

#[tokio::test]
async fn a_change_that_always_fails_holds_up_no_other_after_an_outage() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let crm = Web::start(move |asked| {
        let fails = is_down.load(Ordering::SeqCst) || asked.path.ends_with("/call-0");
        (if fails { 503 } else { 200 }, String::new())
    });
    let crm = crm.await.unwrap();
    let keys = "batch = 1\nconcurrency = 1\nbreaker = { failures = 2, pause = \"200ms\" }";
    let hub = Hub::start(plain(&crm.url(""), keys)).await;
    for n in 0..6 {
        assert_eq!(hub.post(&PbxCall::number(n).ended()).await.unwrap().status(), 200);
    }
    let waits = || async { hub.get("/v1/lanes").await.to_string().contains("\"waiting\"") };
    hub.until("the lane waits", waits).await;
    down.store(false, Ordering::SeqCst);
    for n in 1..6 {
        delivery(&hub, &format!("call-{n}"), "done").await;
    }
    delivery(&hub, "call-0", "due").await;
}
