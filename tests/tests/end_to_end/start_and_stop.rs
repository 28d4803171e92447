//! Starting beside somebody else, and stopping with work under way.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::live::Live;
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::vtiger::FakeVtiger;

use crate::world::{World, until};

/// Starts a hub that is to end by itself; what it says.
fn refused(hub: &Hub) -> String {
    let mut child = hub.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("it runs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    said
}

#[tokio::test]
async fn a_taken_port_is_said() {
    let hub = Hub::prepare(Setup::vtiger("http://127.0.0.1:9"));
    let _taken = std::net::TcpListener::bind(hub.address()).unwrap();
    let said = refused(&hub);
    assert!(said.contains(&format!("{} is taken: another hub may be running", hub.address())), "{said}");
}

#[tokio::test]
async fn a_second_hub_on_the_same_file_is_turned_away() {
    let world = World::start().await;
    let file = world.hub.folder().join("data/cordboard.db");
    let second = Hub::prepare(Setup::vtiger(&world.crm.url()).on(&format!("sqlite:{}", file.display())));
    let said = refused(&second);
    assert!(said.contains("is in use by another hub"), "{said}");
    assert!(said.contains("cordboard.db"), "{said}");
    world.post(&PbxCall::number(1).ended()).await;
}

#[tokio::test]
async fn no_database_is_said() {
    let setup = Setup::vtiger("http://127.0.0.1:9").on("postgres://nobody:hush@127.0.0.1:9/none");
    let said = refused(&Hub::prepare(setup));
    assert!(said.contains("127.0.0.1:9") || said.contains("store"), "{said}");
    assert!(!said.contains("hush"), "no password is told: {said}");
}

#[tokio::test]
async fn stopping_with_work_under_way_takes_no_longer_than_ten_seconds() {
    let mut world = World::start().await;
    world.crm.faults().latency(Duration::from_millis(300));
    for n in 0..20 {
        world.post(&PbxCall::number(n).ended()).await;
    }
    until("deliveries under way", || world.crm.faults().requests() > 6).await;
    let mut live = Live::open(&world.hub, "", &world.hub.token("supervisor", "eva")).await;
    let (took, code) = world.hub.stop().await;
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    assert_eq!(code, Some(0), "{}", world.hub.log());
    let closed = tokio::spawn(async move { live.next().await }).await;
    assert!(closed.is_err(), "the subscriber was told");
    assert!(world.crm.count("PBXManager") < 20, "there was work left");

    world.crm.faults().latency(Duration::ZERO);
    world.hub.launch();
    world.hub.ready().await;
    world.settled("done").await;
    assert_eq!(world.crm.count("PBXManager"), 20);
    assert_eq!(world.crm.faults().doubled(), Vec::<String>::new());
}

#[tokio::test]
async fn stopping_beside_a_crm_that_hangs_takes_no_longer_than_ten_seconds() {
    let crm = FakeVtiger::start().await.unwrap();
    let mut hub = Hub::start(Setup::vtiger(&crm.url())).await;
    crm.faults().next("create", cordboard_tests::vtiger::Fault::Hangs);
    assert_eq!(hub.post(&PbxCall::number(1).ended()).await.unwrap().status(), 200);
    until("the create that hangs", || crm.count("PBXManager") == 1).await;
    let (took, code) = hub.stop().await;
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    assert_eq!(code, Some(0), "{}", hub.log());
    hub.launch();
    hub.ready().await;
    hub.until("the delivery is done", || async {
        hub.get("/v1/deliveries?state=done").await["items"].as_array().is_some_and(|items| items.len() == 1)
    })
    .await;
    assert_eq!(crm.faults().creates_of("call-1"), 1);
}
