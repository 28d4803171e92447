//! A connection from its start to its end.

use cordboard_tests::hub::Hub;
use cordboard_tests::line::LineServer;
use cordboard_tests::live::Live;

use crate::world::{connected, connection, reaches, setup, stands, tenant};

#[tokio::test]
async fn what_comes_over_a_socket_is_in_the_ledger() {
    let (hub, server) = connected().await;
    let mut live = Live::open(&hub, "", &hub.token("agent", "ana")).await;
    server.hears("HELLO", 1).await;
    server.say("CALL 7 ringing");
    reaches(&hub, "7", "ringing").await;
    server.say("CALL 7 answered\nCALL 8 ringing\nCALL 7 ended");
    reaches(&hub, "7", "ended").await;
    let shown = connection(&hub).await;
    assert_eq!((shown["state"].as_str(), shown["status"].as_str()), (Some("connected"), Some("connected")));
    assert_eq!((shown["connects"].as_u64(), shown["observations"].as_u64()), (Some(1), Some(4)));
    assert!(shown["received"].as_u64() > Some(40) && shown["sent"].as_u64() >= Some(6), "{shown}");
    assert!(shown["last_input"].is_string() && shown["since"].is_string(), "{shown}");

    server.hang_up();
    assert_eq!(live.next_of("source.disconnected").await["source"], "line");
    let back = live.next_of("source.connected").await;
    assert_eq!((back["source"].as_str(), back["tenant"].as_str()), (Some("line"), Some("acme")));
    server.connected(2).await;
    server.say("CALL 8 answered");
    reaches(&hub, "8", "answered").await;
    assert_eq!(stands(&hub, "connected").await["connects"], 2, "the session lived on");
}

#[tokio::test]
async fn what_is_sent_after_a_report_comes_after_its_commit() {
    let (hub, server) = connected().await;
    for n in 0..20 {
        server.say(format!("CALL {n} ended\nACK"));
        server.hears("ACK", n + 1).await;
        assert_eq!(crate::world::phase(&hub, &n.to_string()).await.as_deref(), Some("ended"), "{n}");
    }
}

#[tokio::test]
async fn order_is_kept_under_load() {
    let (hub, server) = connected().await;
    for n in 0..3_000 {
        server.say(format!("CALL {n} ringing\nCALL {n} answered\nCALL {n} ended"));
    }
    hub.until("all of it", || async { connection(&hub).await["observations"] == 9_000 }).await;
    let mut since = 0;
    let (mut seen, mut events) = (std::collections::HashMap::<String, Vec<String>>::new(), 0);
    loop {
        let page = hub.get(&format!("/v1/events?since={since}&limit=500")).await;
        let items = page["events"].as_array().unwrap_or_else(|| panic!("{page}"));
        let Some(last) = items.last() else { break };
        since = last["seq"].as_u64().unwrap();
        for event in items {
            events += 1;
            let id = event["subject"]["id"].as_str().unwrap().to_owned();
            seen.entry(id).or_default().push(event["type"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen.len(), 3_000, "{events} events");
    for (id, types) in seen {
        assert_eq!(types, ["call.ringing", "call.answered", "call.ended"], "{id}");
    }
}

#[tokio::test]
async fn a_new_session_is_told_what_was_left_open() {
    let server = LineServer::start().await;
    let mut hub = Hub::start(setup(&format!("tcp://127.0.0.1:{}", server.port()))).await;
    server.connected(1).await;
    server.say("CALL open ringing\nCALL over ended");
    reaches(&hub, "open", "ringing").await;
    reaches(&hub, "over", "ended").await;
    hub.kill();
    hub.launch();
    hub.ready().await;
    // This component says of every call that was left open that it has ended.
    reaches(&hub, "open", "ended").await;
    server.connected(2).await;
    server.say("CALL next ringing");
    reaches(&hub, "next", "ringing").await;
    let (took, code) = hub.stop().await;
    assert_eq!(code, Some(0), "{took:?}\n{}", hub.log());
    assert_eq!(server.open(), 0, "the socket is closed with the hub");
}

#[tokio::test]
async fn a_new_plan_touches_what_it_changes_and_nothing_else() {
    let (hub, server) = connected().await;
    let other = LineServer::start().await;
    let place = format!("tcp://127.0.0.1:{}", server.port());
    let write = |text: &str| std::fs::write(hub.folder().join("tenants/acme.toml"), text).unwrap();

    write(&tenant(&place, "paths = [\"/elsewhere\"]"));
    hub.until("the plan is read", || async { hub.get("/v1/sources").await[0]["paths"][0].is_string() }).await;
    server.say("CALL 1 ringing");
    reaches(&hub, "1", "ringing").await;
    assert_eq!(server.connects(), 1, "an unchanged source keeps its connection");

    write(&tenant(&format!("tcp://127.0.0.1:{}", other.port()), ""));
    other.connected(1).await;
    hub.until("the old one is closed", || async { server.open() == 0 }).await;
    reaches(&hub, "1", "ended").await;

    write("region = \"ES\"\n");
    hub.until("the last one is closed", || async { other.open() == 0 }).await;
    assert_eq!(hub.get("/v1/sources").await.as_array().map(Vec::len), Some(0));
    assert_eq!((server.connects(), other.connects()), (1, 1));
}

#[tokio::test]
async fn the_command_line_and_the_metrics_show_it() {
    let (hub, server) = connected().await;
    server.say("CALL 1 ringing");
    reaches(&hub, "1", "ringing").await;
    let shown = hub.command(&["sources"]).output().unwrap();
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    assert!(text.contains("line") && text.contains("connected"), "{text}");
    let metrics = hub.ask(reqwest::Method::GET, "/metrics").await.text().await.unwrap();
    assert!(metrics.contains("cordboard_connections{state=\"connected\"} 1"), "{metrics}");
    assert!(metrics.contains("cordboard_observations_total{tenant=\"acme\",source=\"line\",outcome=\"committed\"} 1"));
}
