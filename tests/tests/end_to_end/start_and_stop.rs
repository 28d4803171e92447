//! Starting beside somebody else, and stopping with work under way.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cordboard_tests::database::Database;
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::live::Live;
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::proxy::Proxy;
use cordboard_tests::vtiger::{FakeVtiger, Fault};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

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

/// Stops the hub: in time, and as one that was told to.
async fn stops(hub: &mut Hub) {
    let (took, code) = hub.stop().await;
    assert!(took < Duration::from_secs(10), "it took {took:?}:\n{}", hub.log());
    assert_eq!(code, Some(0), "{}", hub.log());
}

/// A subscriber, and with what its socket is closed.
async fn told(hub: &Hub) -> JoinHandle<(u16, String)> {
    let mut live = Live::open(hub, "", &hub.token("supervisor", "eva")).await;
    tokio::spawn(async move { live.close().await })
}

/// A webhook whose body comes a byte at a time and never ends.
async fn drips(hub: &Hub) -> JoinHandle<()> {
    let mut stream = TcpStream::connect(hub.address()).await.unwrap();
    let head = "POST /v1/hooks/acme/pbx HTTP/1.1\r\nhost: hub\r\ncontent-length: 100000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::spawn(async move {
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
}

#[tokio::test]
async fn stopping_with_work_under_way_takes_no_longer_than_ten_seconds() {
    let mut world = World::start().await;
    world.crm.faults().latency(Duration::from_millis(300));
    for n in 0..20 {
        world.post(&PbxCall::number(n).ended()).await;
    }
    until("deliveries under way", || world.crm.faults().requests() > 6).await;
    let told = told(&world.hub).await;
    stops(&mut world.hub).await;
    assert_eq!(told.await.unwrap().0, 1001, "the subscriber was told");
    assert!(world.crm.count("PBXManager") < 20, "there was work left");

    world.crm.faults().latency(Duration::ZERO);
    world.hub.launch();
    world.hub.ready().await;
    world.settled("done").await;
    assert_eq!(world.crm.count("PBXManager"), 20);
    assert_eq!(world.crm.faults().doubled(), Vec::<String>::new());
}

#[tokio::test]
async fn stopping_beside_all_that_hangs_takes_no_longer_than_ten_seconds() {
    let crm = FakeVtiger::start().await.unwrap();
    let mut hub = Hub::start(Setup::vtiger(&crm.url())).await;
    crm.faults().next("create", Fault::Hangs);
    assert_eq!(hub.post(&PbxCall::number(1).ended()).await.unwrap().status(), 200);
    until("the create that hangs", || crm.count("PBXManager") == 1).await;
    let (dripping, told) = (drips(&hub).await, told(&hub).await);
    stops(&mut hub).await;
    let (code, reason) = told.await.unwrap();
    assert_eq!(code, 1001, "the subscriber was told: {reason}");
    assert!(reason.contains("resume with since="), "{reason}");
    dripping.abort();
    hub.launch();
    hub.ready().await;
    hub.until("the delivery is done", || async {
        hub.get("/v1/deliveries?state=done").await["items"].as_array().is_some_and(|items| items.len() == 1)
    })
    .await;
    assert_eq!(crm.faults().creates_of("call-1"), 1);
}

#[tokio::test]
async fn stopping_while_the_store_is_silent_takes_no_longer_than_ten_seconds() {
    let Some(database) = Database::create().await else { return };
    let wire = Proxy::start(database.address()).await.unwrap();
    let mut hub = Hub::start(Setup::vtiger("http://127.0.0.1:9").on(&database.url_through(wire.port()))).await;
    assert_eq!(hub.post(&PbxCall::number(1).ringing()).await.unwrap().status(), 200);
    wire.freeze();
    let (http, url, body) = (hub.http.clone(), hub.url("/v1/hooks/acme/pbx"), PbxCall::number(1).ended().to_string());
    let signature = cordboard_tests::pbx::signature(cordboard_tests::pbx::SECRET, body.as_bytes());
    let posted = tokio::spawn(http.post(url).header("x-signature", signature).body(body).send());
    tokio::time::sleep(Duration::from_millis(500)).await;
    stops(&mut hub).await;
    let answer = posted.await.unwrap();
    assert!(!answer.is_ok_and(|answer| answer.status().is_success()), "what is not committed is not acknowledged");
}

/// A tenant's file that nobody can read to its end stands for a disk that does not answer.
#[tokio::test]
async fn stopping_while_a_disk_is_silent_takes_no_longer_than_ten_seconds() {
    let mut world = World::start().await;
    let made = Command::new("mkfifo").arg(world.hub.folder().join("tenants/silent.toml")).status();
    assert!(made.is_ok_and(|made| made.success()));
    let signalled = Command::new("kill").args(["-HUP", &world.hub.pid().to_string()]).status();
    assert!(signalled.is_ok_and(|signalled| signalled.success()));
    // By now it has been read twice: as a change that was seen, and by the signal.
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.post(&PbxCall::number(1).ended()).await;
    stops(&mut world.hub).await;
}
