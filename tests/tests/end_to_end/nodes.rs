//! Two hubs on one database, which deliver into one CRM.

use std::time::Duration;

use cordboard_tests::database::Database;
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::vtiger::FakeVtiger;
use reqwest::Method;

use crate::world::{EVERYTHING, routed};

/// Deliveries that a hub has made.
async fn made(hub: &Hub) -> u64 {
    let metrics = hub.ask(Method::GET, "/metrics").await.text().await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with("cordboard_deliveries_total{outcome=\"done\"}"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn each_record_is_created_once_whichever_hub_delivers_it() {
    const CALLS: usize = 30;
    let Some(database) = Database::create().await else { return };
    let crm = FakeVtiger::start().await.unwrap();
    let mut setup = routed(Setup::vtiger(&crm.url()), EVERYTHING).on(&database.url());
    // Few at a time, so that both have their share.
    setup.tenant = setup.tenant.replace("[sinks.crm]\n", "[sinks.crm]\nbatch = 1\nconcurrency = 2\n");
    let (one, two) = (Hub::start(setup.clone()).await, Hub::start(setup).await);
    crm.faults().latency(Duration::from_millis(5));
    for n in 0..CALLS {
        let call = PbxCall::number(n);
        // Both hear of the same call at the same time, and both have it to deliver.
        let (ringing, ended) = (call.ringing(), call.ended());
        let (first, second) = tokio::join!(one.post(&ringing), two.post(&ended));
        for answer in [first, second] {
            assert_eq!(answer.unwrap().status(), 200);
        }
    }
    one.until("everything is delivered", || async {
        let due = one.get("/v1/deliveries?state=due").await["items"].as_array().map(Vec::len);
        due == Some(0) && crm.count("PBXManager") >= CALLS
    })
    .await;
    assert_eq!(crm.faults().doubled(), Vec::<String>::new());
    assert_eq!(crm.count("PBXManager"), CALLS);
    let rows = crm.records("PBXManager");
    assert!(rows.iter().all(|row| row["callstatus"] == "completed"), "{rows:#?}");
    let (one, two) = (made(&one).await, made(&two).await);
    assert!(one > 0 && two > 0, "both have delivered: {one} and {two}");
}
