//! The store goes away and comes back.

use std::time::{Duration, Instant};

use cordboard_tests::database::Database;
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::proxy::Proxy;
use cordboard_tests::vtiger::FakeVtiger;

#[tokio::test]
async fn nothing_is_acknowledged_while_the_store_is_gone() {
    let Some(database) = Database::create().await else { return };
    let wire = Proxy::start(database.address()).await.unwrap();
    let crm = FakeVtiger::start().await.unwrap();
    let hub = Hub::start(Setup::vtiger(&crm.url()).on(&database.url_through(wire.port()))).await;
    assert_eq!(hub.post(&PbxCall::number(1).ended()).await.unwrap().status(), 200);
    hub.until("the first call in the CRM", || async { crm.count("PBXManager") == 1 }).await;

    wire.cut();
    for n in 2..6 {
        let begun = Instant::now();
        let answer = hub.post(&PbxCall::number(n).ended()).await.unwrap();
        let status = answer.status();
        let after = answer.headers().get("retry-after").cloned();
        assert_eq!(status, 503, "{:?}", answer.text().await);
        assert!(after.is_some(), "it says when to come again");
        assert!(begun.elapsed() < Duration::from_secs(15), "and says so soon: {:?}", begun.elapsed());
    }
    let health = hub.http.get(hub.url("/healthz")).send().await.unwrap();
    assert_eq!(health.status(), 200, "the hub itself lives");
    let ready = hub.http.get(hub.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503, "and is not ready");

    wire.mend();
    hub.until("the hub is ready again", || async {
        hub.http.get(hub.url("/readyz")).send().await.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    let calls = hub.get("/v1/calls").await;
    assert_eq!(calls["items"].as_array().unwrap().len(), 1, "what was not acknowledged is not there: {calls}");
    assert_eq!(hub.post(&PbxCall::number(2).ended()).await.unwrap().status(), 200);
    hub.until("the second call in the CRM", || async { crm.count("PBXManager") == 2 }).await;
    assert_eq!(crm.faults().doubled(), Vec::<String>::new());
}
