//! The hub is killed again and again while PBXs post: what it has acknowledged is in the CRM, once, as it ended.
//!
//! `CORDBOARD_KILLS` says how often each hub is killed; `CORDBOARD_SEED` repeats a run's choices. Neither repeats the
//! moments: those are the machine's.

mod posters;
mod seed;

use std::time::{Duration, Instant};

use cordboard_tests::database::Database;
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::vtiger::FakeVtiger;

use posters::Posters;
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
        posted.acknowledged,
        posted.again,
        posted.calls.iter().map(|id| crm.faults().creates_of(id)).sum::<usize>(),
        crm.faults().count("revise"),
        doubled.len(),
        drained.as_secs_f64(),
    );
    assert!(posted.calls.len() > kills, "there was load: {} calls", posted.calls.len());
    assert_eq!(doubled, Vec::<String>::new(), "created more than once; see {}", hub.log());
    let mut standing = std::collections::HashMap::new();
    for row in crm.records("PBXManager") {
        let id = row["sourceuuid"].clone();
        assert!(standing.insert(id.clone(), row).is_none(), "{id} stands in the CRM more than once");
    }
    for id in &posted.calls {
        let row = standing.remove(id).unwrap_or_else(|| panic!("{id} was acknowledged and is not in the CRM"));
        let recording = format!("https://pbx.example.test/rec/{id}.wav");
        let is = [row["callstatus"].as_str(), row["totalduration"].as_str(), row["recordingurl"].as_str()];
        assert_eq!(is, ["completed", "145", recording.as_str()], "{id} is not as it ended: {row:#?}");
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
