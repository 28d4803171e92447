//! What can go wrong with a connection, each by itself.

use std::time::Duration;

use cordboard_tests::database::Database;
use cordboard_tests::hub::{Hub, Setup, free_port};
use cordboard_tests::line::LineServer;
use cordboard_tests::live::Live;
use cordboard_tests::proxy::Proxy;
use cordboard_tests::tls::AUTHORITY;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{connected, connection, reaches, setup, stands, tenant};

#[tokio::test]
async fn a_refused_port_is_tried_again_until_somebody_listens() {
    let port = free_port();
    let hub = Hub::start(setup(&format!("tcp://127.0.0.1:{port}"))).await;
    hub.until("the reason is shown", || async {
        let shown = connection(&hub).await;
        shown["state"] == "waiting"
            && shown["until"].is_string()
            && shown["why"].as_str().is_some_and(|why| why.contains("refuses"))
    })
    .await;
    let ana = hub.token("agent", "ana");
    let mut live = Live::open(&hub, "", &ana).await;
    assert_eq!(live.hello["away"], json!(["line"]), "whoever comes while it is away is told so");
    let server = LineServer::at(port).await;
    server.connected(1).await;
    let shown = stands(&hub, "connected").await;
    assert_eq!(shown["why"], Value::Null);
    assert!(shown["lost"]["why"].as_str().is_some_and(|why| why.contains("refuses")), "{shown}");
    assert_eq!(live.next_of("source.connected").await["source"], "line");
    assert_eq!(Live::open(&hub, "", &ana).await.hello["away"], json!([]));
}

#[tokio::test]
async fn a_place_that_is_not_allowed_is_not_connected_to() {
    let server = LineServer::start().await;
    let text = tenant(&format!("tcp://127.0.0.1:{}", server.port()), "");
    let hub = Hub::start(Setup::of(&["everything"], text.replace("allow = [\"127.0.0.1\", \"localhost\"]", ""))).await;
    let shown = stands(&hub, "misconfigured").await;
    assert!(shown["why"].as_str().unwrap().contains("add \"127.0.0.1\" to `allow`"), "{shown}");
    assert_eq!(server.connects(), 0);
    assert!(hub.log().contains("cannot connect until somebody mends it"), "said loudly");
}

#[tokio::test]
async fn a_component_that_is_refused_waits_long() {
    let (hub, server) = connected().await;
    server.say("LOCKED");
    let shown = stands(&hub, "misconfigured").await;
    assert_eq!(shown["why"], "the other side does not know us");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(server.connects(), 1, "with the backoff of a loss it would have come back several times");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    // Its connections are open; nobody ever reads or writes.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hub = Hub::start(setup(&format!("tcp://{}", silent.local_addr().unwrap()))).await;
    for _ in 0..3 {
        let came = tokio::time::timeout(Duration::from_secs(30), silent.accept()).await;
        // What was accepted stays open on this side.
        std::mem::forget(came.expect("it comes again").unwrap());
    }
    hub.until("the reason is told", || async { hub.log().contains("the other side is silent") }).await;
}

#[tokio::test]
async fn a_link_that_is_half_open_is_found_out() {
    let server = LineServer::start().await;
    let wire = Proxy::start(format!("127.0.0.1:{}", server.port())).await.unwrap();
    let hub = Hub::start(setup(&format!("tcp://127.0.0.1:{}", wire.port()))).await;
    server.connected(1).await;
    stands(&hub, "connected").await;
    wire.freeze();
    hub.until("the link is given up", || async { hub.log().contains("the other side is silent") }).await;
    wire.mend();
    server.connected(2).await;
    server.say("CALL 1 ringing");
    reaches(&hub, "1", "ringing").await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_disconnected() {
    let (hub, server) = connected().await;
    server.go_deaf();
    // Each line makes the component answer at length; nobody takes the answers, so the kernel's buffers fill, then ours.
    let asking = async {
        loop {
            server.say("FLOOD");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let given_up = async {
        hub.until("it is given up", || async {
            connection(&hub).await["connects"].as_u64() > Some(1) || hub.log().contains("does not read")
        })
        .await;
    };
    tokio::select! { () = asking => {}, () = given_up => {} }
    assert!(hub.log().contains("does not read"), "{}", hub.log());
}

#[tokio::test]
async fn tls_with_a_known_authority_and_the_right_name() {
    let server = LineServer::secured().await;
    let text = tenant(&format!("tls://localhost:{}", server.port()), "ca = \"pbx-ca.pem\"");
    let mut hub = Hub::prepare(Setup::of(&["everything"], text));
    std::fs::write(hub.folder().join("pbx-ca.pem"), AUTHORITY).unwrap();
    hub.launch();
    hub.ready().await;
    server.connected(1).await;
    server.say("CALL 1 ringing");
    reaches(&hub, "1", "ringing").await;
}

#[tokio::test]
async fn tls_with_a_wrong_name_an_unknown_authority_or_none_at_all() {
    let (secured, plain) = (LineServer::secured().await, LineServer::start().await);
    for (place, more, why) in [
        (format!("tls://127.0.0.1:{}", secured.port()), "ca = \"pbx-ca.pem\"", "is not for the name `127.0.0.1`"),
        (format!("tls://localhost:{}", secured.port()), "", "name it as `ca`"),
    ] {
        let mut hub = Hub::prepare(Setup::of(&["everything"], tenant(&place, more)));
        std::fs::write(hub.folder().join("pbx-ca.pem"), AUTHORITY).unwrap();
        hub.launch();
        hub.ready().await;
        let shown = stands(&hub, "misconfigured").await;
        assert!(shown["why"].as_str().unwrap().contains(why), "{shown}");
    }
    assert_eq!(secured.connects(), 0);
    let hub = Hub::start(setup(&format!("tls://127.0.0.1:{}", plain.port()))).await;
    let told = || async {
        plain.say("this is no TLS");
        connection(&hub).await["state"] == "misconfigured"
    };
    hub.until("the connection is misconfigured", told).await;
    let shown = connection(&hub).await;
    assert!(shown["why"].as_str().unwrap().contains("does not speak TLS"), "{shown}");
}

#[tokio::test]
async fn a_component_that_breaks_down_costs_itself_alone() {
    let (broken, sound) = (LineServer::start().await, LineServer::start().await);
    let text = tenant(&format!("tcp://127.0.0.1:{}", broken.port()), "");
    let other = text.split("[sources.line]").nth(1).unwrap();
    let other = other.replace(&broken.port().to_string(), &sound.port().to_string());
    let hub = Hub::start(Setup::of(&["everything"], format!("{text}\n[sources.other]{other}"))).await;
    broken.connected(1).await;
    sound.connected(1).await;
    broken.say("CALL open ringing");
    reaches(&hub, "open", "ringing").await;
    let mut live = Live::open(&hub, "", &hub.token("supervisor", "x")).await;
    broken.say("CRASH");
    assert_eq!(live.next_of("source.disconnected").await["source"], "line");
    // A new session on a new connection, told what the one before left open.
    broken.connected(2).await;
    reaches(&hub, "open", "ended").await;
    broken.say("CALL 2 ringing");
    reaches(&hub, "2", "ringing").await;
    assert_eq!(sound.connects(), 1, "the other source does not notice");
    let sources = hub.get("/v1/sources").await;
    assert_eq!(sources[1]["connection"]["connects"], 1);
    // Over and over: it is given a rest.
    for n in 3..7 {
        broken.connected(n - 1).await;
        broken.say("CRASH");
        hub.until("it noticed", || async { hub.log().matches("session broke down").count() >= n - 1 }).await;
    }
    let shown = stands(&hub, "waiting").await;
    assert!(shown["why"].as_str().unwrap().contains("crashed"), "{shown}");
    assert!(hub.log().contains("its component breaks down"), "a person is told");
}

#[tokio::test]
async fn nothing_is_lost_while_the_store_is_away() {
    let Some(database) = Database::create().await else { return };
    let wire = Proxy::start(database.address()).await.unwrap();
    let server = LineServer::start().await;
    let setup = setup(&format!("tcp://127.0.0.1:{}", server.port())).on(&database.url_through(wire.port()));
    let hub = Hub::start(setup).await;
    server.connected(1).await;
    server.say("CALL 0 ended");
    reaches(&hub, "0", "ended").await;

    wire.cut();
    for n in 1..=500 {
        server.say(format!("CALL {n} ringing\nCALL {n} ended"));
    }
    hub.until("it waits", || async { hub.log().contains("waits for the store") }).await;
    wire.mend();
    hub.until("all of it is in the ledger", || async {
        let page = hub.ask(reqwest::Method::GET, "/v1/calls?limit=1&phase=ended").await;
        page.status().is_success() && connection(&hub).await["observations"] == 1_001
    })
    .await;
    for n in [1, 250, 500] {
        reaches(&hub, &n.to_string(), "ended").await;
    }
    let shown = connection(&hub).await;
    assert_eq!((shown["dropped"].as_u64(), shown["uncommitted"].as_u64()), (Some(0), Some(0)));
}
