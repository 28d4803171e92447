//! The hub is killed again and again while PBXs post: what it has acknowledged it has kept, and the CRM has every call
//! once, as all posts about it together tell it.
//!
//! `CORDBOARD_KILLS` says how often each hub is killed; `CORDBOARD_SEED` repeats a run's choices. Neither repeats the
//! moments: those are the machine's.

mod posters;
mod seed;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use cordboard_tests::database::Database;
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::vtiger::FakeVtiger;
use futures::StreamExt;
use reqwest::Method;

use posters::{Posted, Posters};
use seed::Seed;

/// Kills when nobody says how many.
const KILLS: usize = 6;

/// After the last kill all must be delivered in this time. What a killed hub had claimed on PostgreSQL waits out its
/// lease of a minute first.
const DRAIN: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_the_embedded_store() {
    killed("SQLite", |setup| setup).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_postgresql() {
    let Some(database) = Database::create().await else { return };
    killed("PostgreSQL", |setup| setup.on(&database.url())).await;
}

async fn killed(store: &str, on: impl FnOnce(Setup) -> Setup) {
    let kills = std::env::var("CORDBOARD_KILLS").ok().map_or(KILLS, |kills| kills.parse().expect("CORDBOARD_KILLS"));
    let mut seed = Seed::of_the_day();
    println!("{store}: CORDBOARD_SEED={} CORDBOARD_KILLS={kills}", seed.start());
    let crm = FakeVtiger::start().await.unwrap();
    let crm = std::sync::Arc::new(crm);
    let mut setup = on(Setup::vtiger(&crm.url()));
    // Every change is delivered, so that creates and revisions are under way at any moment.
    let condition = setup.tenant.find("when =").expect("the route has a condition");
    setup.tenant.truncate(condition);
    let begun = Instant::now();
    let mut hub = Hub::start(setup).await;
    let posters = Posters::start(&hub, crm.clone(), &mut seed);
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(20 + seed.below(1500))).await;
        hub.kill();
        tokio::time::sleep(Duration::from_millis(seed.below(100))).await;
        hub.launch();
        // Some are killed while they start.
        if seed.below(4) > 0 {
            hub.ready().await;
        }
    }
    hub.ready().await;
    let posted = posters.end().await;
    let seconds = begun.elapsed().as_secs_f64();
    let drained = drained(&hub, &crm, posted.calls.len()).await;
    let doubled = crm.faults().doubled();
    println!(
        "{store}: {} calls, {kills} kills in {seconds:.0} s, {} posts acknowledged, {} posts that got no answer or a \
         refusal and were sent again, {} creates, {} revisions, doubled={}, drained in {:.0} s",
        posted.calls.len(),
        posted.acknowledged.len(),
        posted.again,
        posted.calls.iter().map(|call| crm.faults().creates_of(&call.pbx.id)).sum::<usize>(),
        crm.faults().count("revise"),
        doubled.len(),
        drained.as_secs_f64(),
    );
    assert!(posted.calls.len() > kills, "there was load: {} calls", posted.calls.len());
    kept(&hub, &posted).await;
    assert_eq!(doubled, Vec::<String>::new(), "created more than once; see {}", hub.log());
    agrees(&crm, &posted);
}

/// Every body that was acknowledged is kept under its number, as it was posted.
async fn kept(hub: &Hub, posted: &Posted) {
    let numbers: HashSet<u64> = posted.acknowledged.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers.len(), posted.acknowledged.len(), "a number was given twice");
    let looked = futures::stream::iter(&posted.acknowledged).for_each_concurrent(16, |(number, body)| async move {
        let raw = hub.ask(Method::GET, &format!("/v1/intake/{number}?raw=true")).await;
        assert_eq!(raw.status(), 200, "post {number} was acknowledged and is gone: {body}");
        assert_eq!(raw.text().await.unwrap(), *body, "post {number} is not what was posted");
    });
    looked.await;
}

/// The CRM has every call once, as all of its posts together tell it, and nothing else.
fn agrees(crm: &FakeVtiger, posted: &Posted) {
    let mut standing = HashMap::new();
    for row in crm.records("PBXManager") {
        let id = row["sourceuuid"].clone();
        assert!(standing.insert(id.clone(), row).is_none(), "{id} stands in the CRM more than once");
    }
    for call in &posted.calls {
        let id = &call.pbx.id;
        let row = standing.remove(id).unwrap_or_else(|| panic!("{id} was acknowledged and is not in the CRM"));
        let recording = call.pbx.recording();
        for (field, value) in [
            ("callstatus", "completed"),
            ("direction", "inbound"),
            ("customernumber", call.pbx.from.as_str()),
            ("starttime", "2026-11-21 09:10:20"),
            ("endtime", "2026-11-21 09:12:45"),
            ("totalduration", "145"),
            ("billduration", if call.in_parts { "130" } else { "0" }),
            ("recordingurl", recording.as_str()),
            ("user", "19x5"),
        ] {
            assert_eq!(row[field], value, "{field} of {id} is not as it ended: {row:#?}");
        }
    }
    assert!(standing.is_empty(), "calls in the CRM that nobody posted: {standing:#?}");
}

/// Waits until nothing is due; how long that took.
async fn drained(hub: &Hub, crm: &FakeVtiger, calls: usize) -> Duration {
    let begun = Instant::now();
    loop {
        let due = hub.get("/v1/deliveries?state=due&limit=1").await;
        if due["items"].as_array().is_some_and(Vec::is_empty) {
            return begun.elapsed();
        }
        assert!(
            begun.elapsed() < DRAIN,
            "after {DRAIN:?} there are still deliveries due ({} of {calls} calls are in the CRM): {due:#}\n{}",
            crm.count("PBXManager"),
            hub.log()
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
