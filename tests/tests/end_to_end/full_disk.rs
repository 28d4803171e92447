//! The disk is full, and then has room again.

use std::process::Command;

use cordboard_tests::pbx::PbxCall;
use serde_json::Value;

use crate::world::World;

/// In KiB. The first start needs about a third of it.
const LIMIT: u64 = 2048;

fn with_notes(n: usize) -> Value {
    let mut body = PbxCall::number(n).ended();
    body["notes"] = "x".repeat(50_000).into();
    body
}

#[tokio::test]
async fn nothing_is_acknowledged_that_the_disk_has_no_room_for() {
    let world = World::with(|mut setup| {
        setup.largest_file = Some(LIMIT);
        setup
    })
    .await;
    let mut taken = 0;
    let refused = loop {
        let answer = world.hub.post(&with_notes(taken)).await.unwrap();
        if answer.status() != 200 {
            break answer;
        }
        taken += 1;
        assert!(taken < 200, "there is no limit");
    };
    assert!(taken > 0);
    let (status, after) = (refused.status(), refused.headers().contains_key("retry-after"));
    assert_eq!(status, 503, "{taken} were taken: {:?}\n{}", refused.text().await, world.hub.log());
    assert!(after, "it says when to come again");
    let health = world.hub.http.get(world.hub.url("/healthz")).send().await.unwrap();
    assert_eq!(health.status(), 200, "the hub lives");

    let room = Command::new("prlimit").args(["--fsize=unlimited", "--pid", &world.hub.pid().to_string()]).status();
    assert!(room.is_ok_and(|status| status.success()), "prlimit (package util-linux) makes room again");
    world
        .hub
        .until("the hub takes it", || async { world.hub.post(&with_notes(taken)).await.unwrap().status() == 200 })
        .await;
    world.hub.until("all calls in the CRM", || async { world.crm.count("PBXManager") == taken + 1 }).await;
    world.settled("done").await;
    assert_eq!(world.crm.faults().doubled(), Vec::<String>::new());
}
