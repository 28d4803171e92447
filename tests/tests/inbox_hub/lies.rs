//! A server that answers pages of HTML, is wrong about its totals, or gives the same page for ever.

use cordboard_tests::inbox_hub::Fault;

use crate::world::{Wish, World, stage};

#[tokio::test]
async fn pages_of_a_proxy_are_waited_out() {
    let world = World::start(Wish::sync(), |server| {
        server.world().fill(120, 2, 3);
        for status in [502, 200, 503] {
            server.faults().next("/api/contacts/", Fault::Page(status));
        }
    })
    .await;
    world.server.connected(true).await;
    world.hub.until("it says why", || async { world.job("sync").await["why"].is_string() }).await;
    let job = world.done("sync").await;
    assert_eq!([stage(&job, "contacts"), stage(&job, "messages")], [(120, 0, 0), (6, 0, 0)]);
    assert_eq!(job["why"], serde_json::Value::Null, "what is over is not told any more");
}

#[tokio::test]
async fn totals_decide_nothing() {
    for total in [0, 100_000] {
        let world = World::start(Wish::sync(), |server| {
            server.world().fill(230, 2, 3);
            server.world().total = Some(total);
        })
        .await;
        world.server.connected(true).await;
        let job = world.done("sync").await;
        assert_eq!(stage(&job, "contacts"), (230, 0, 0), "a total of {total}");
        assert!(world.server.faults().asked().len() < 40, "a total of {total}");
        assert!(world.hub.log().contains("and gave 230"), "the log tells it:\n{}", world.hub.log());
    }
}

#[tokio::test]
async fn a_list_that_goes_in_circles_ends() {
    let world = World::start(Wish::sync(), |server| {
        server.world().fill(500, 2, 3);
        (server.world().circle, server.world().total) = (true, Some(100_000));
    })
    .await;
    world.server.connected(true).await;
    let job = world.done("sync").await;
    assert_eq!(stage(&job, "contacts").0, 100, "what was there is kept: {job:#}");
    assert!(world.hub.log().contains("goes in circles"));
    assert!(world.server.faults().asked().len() < 40);
}
