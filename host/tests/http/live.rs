//! The live feed: no gap, no repeat, nobody waits for the slow.

use std::time::Duration;

use cordboard::http::Claims;
use cordboard::live::{Audience, Cut, Gap, Sight, Subscription};
use cordboard::model::Instant;
use cordboard::store::Intake;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite;

use crate::fixture::{Fixture, Socket, answer, observed, signed, token};

fn supervisor() -> String {
    token("acme", "supervisor", "eva")
}

/// The status of the answer in place of a socket.
fn refused(refused: Result<Socket, tungstenite::Error>) -> u16 {
    match refused.err().expect("no socket") {
        tungstenite::Error::Http(response) => response.status().as_u16(),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resuming_meets_the_present_without_a_seam() {
    const EVENTS: usize = 4000;
    let hub = Fixture::start().await;
    let mut followers = JoinSet::new();
    let mut commits = JoinSet::new();
    for writer in 0..8 {
        let store = hub.hub.store.clone();
        commits.spawn(async move {
            for n in 0..EVENTS / 8 {
                let tenant = if n % 10 == 9 { "other" } else { "acme" };
                let intake = Intake::of(tenant, "pbx", vec![observed(&format!("{writer}-{n}"), "1001", "")]);
                store.commit(intake).await.unwrap();
            }
        });
    }
    for follower in 0..40_u64 {
        let (live, store) = (hub.hub.live.clone(), hub.hub.store.clone());
        followers.spawn(async move {
            tokio::time::sleep(Duration::from_millis(follower * 15)).await;
            let newest = store.last_seq("acme").await.unwrap();
            let since = [None, Some(0), Some(newest / 2), Some(newest)][follower as usize % 4];
            let wanted = Subscription::default();
            let mut feed = live.follow("acme", since, Sight::Tenant, wanted).await.unwrap();
            let start = feed.seen();
            let mut seqs = Vec::new();
            while let Ok(frame) = tokio::time::timeout(Duration::from_secs(5), feed.next()).await {
                let frame: Value = serde_json::from_str(&frame.unwrap()).unwrap();
                if frame["type"] == "live" {
                    continue;
                }
                assert_eq!(frame["tenant"], "acme");
                seqs.push(frame["seq"].as_u64().unwrap());
            }
            (start, seqs)
        });
    }
    while commits.join_next().await.transpose().unwrap().is_some() {}
    let page = async |after| hub.hub.store.events_since("acme", after, 500, &Default::default()).await.unwrap();
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = page(after).await;
        all.extend(page.events.iter().map(|event| event.seq));
        after = page.next;
        if !page.more {
            break;
        }
    }
    assert_eq!(all.len(), EVENTS / 10 * 9);
    while let Some(followed) = followers.join_next().await {
        let (start, seqs) = followed.unwrap();
        let owed: Vec<u64> = all.iter().copied().filter(|seq| *seq > start).collect();
        assert!(seqs == owed, "after {start}: {} frames of {}", seqs.len(), owed.len());
    }
}

#[tokio::test]
async fn a_socket_is_greeted_resumed_and_goes_on() {
    let hub = Fixture::start().await;
    let first = hub.call("acme", "a", "1001", "").await;
    let second = hub.call("acme", "b", "1001", "").await;
    let mut socket = hub.socket(&format!("?since={first}"), &supervisor()).await;
    let hello = socket.next().await;
    assert_eq!((&hello["type"], &hello["seq"], &hello["tenant"]), (&json!("hello"), &json!(first), &json!("acme")));
    let frame = socket.next().await;
    assert_eq!((&frame["seq"], &frame["subject"]["id"]), (&json!(second), &json!("b")));
    assert!(frame["call"].is_object() && frame["revision"].is_u64() && frame["changed"].is_array(), "{frame}");
    assert_eq!(socket.next().await, json!({ "type": "live", "seq": second }));
    hub.call("other", "x", "1001", "").await;
    let third = hub.call("acme", "c", "1001", "").await;
    assert_eq!(socket.next().await["seq"], third);
}

#[tokio::test]
async fn what_is_no_longer_kept_or_never_was_is_said() {
    let hub = Fixture::start().await;
    let first = hub.call("acme", "a", "1001", "").await;
    let second = hub.call("acme", "b", "1001", "").await;
    let mut ahead = hub.socket(&format!("?since={}", second + 1000), &supervisor()).await;
    assert_eq!(ahead.next().await["seq"], second);
    let gap = ahead.next().await;
    assert_eq!((&gap["type"], &gap["newest"]), (&json!("gap"), &json!(second)));

    tokio::time::sleep(Duration::from_millis(1000)).await;
    let begun = std::time::Instant::now();
    let newest = hub.call("acme", "c", "1001", "").await;
    // However long that took: between the two before and the one after.
    let kept = begun.elapsed() + Duration::from_millis(500);
    let keep = cordboard::store::Retention { events: Some(kept), ..Default::default() };
    hub.hub.store.sweep("acme", &keep, 1000).await.unwrap();
    let feed = hub.hub.live.follow("acme", Some(first), Sight::Tenant, Subscription::default()).await.unwrap();
    assert_eq!(feed.gap(), Some(Gap::Swept(newest)));
    let feed = hub.hub.live.follow("acme", Some(newest), Sight::Tenant, Subscription::default()).await.unwrap();
    assert_eq!(feed.gap(), None);
}

#[tokio::test]
async fn a_subscription_narrows_and_can_be_changed() {
    let hub = Fixture::start().await;
    let mut socket = hub.socket("?types=message.*&since=0", &supervisor()).await;
    assert_eq!(socket.next().await["type"], "hello");
    assert_eq!(socket.next().await["type"], "live");
    hub.call("acme", "unwanted", "1001", "").await;
    socket.say(r#"{"subscribe": {"types": ["call.*"], "agents": ["1002"], "sources": ["pbx"]}}"#).await;
    let answer = socket.next().await;
    assert_eq!((&answer["type"], &answer["subscription"]["agents"]), (&json!("subscribed"), &json!(["1002"])));
    hub.call("acme", "elsewhere", "1001", "").await;
    hub.call("acme", "wanted", "1002", "").await;
    assert_eq!(socket.next().await["subject"]["id"], "wanted");
    for odd in ["hello?", r#"{"command": {}}"#, r#"{"subscribe": {"typs": []}}"#] {
        socket.say(odd).await;
        assert_eq!(socket.next().await["type"], "error", "{odd}");
    }
}

#[tokio::test]
async fn one_record_or_one_subject_can_be_followed() {
    let hub = Fixture::start().await;
    hub.call("acme", "a", "1001", "").await;
    let page = hub.get("/v1/calls", &supervisor()).await.1;
    let record = page["items"][0]["id"].as_i64().unwrap();
    let mut of_record = hub.socket(&format!("?since=0&record={record}"), &supervisor()).await;
    let mut of_subject = hub.socket("?since=0&subject=b", &supervisor()).await;
    let mut later = hub.socket("?types=none", &supervisor()).await;
    for socket in [&mut of_record, &mut of_subject, &mut later] {
        assert_eq!(socket.next().await["type"], "hello");
    }
    later.say(&json!({ "subscribe": { "record": record } }).to_string()).await;
    assert_eq!(later.next().await["type"], "subscribed");
    for id in ["b", "c", "a"] {
        hub.call("acme", id, "1001", "once more").await;
    }
    let (kept, live) = (of_record.next().await, of_record.next().await);
    assert_eq!((&kept["subject"]["id"], &live["type"]), (&json!("a"), &json!("live")), "what was before");
    assert_eq!(of_record.next().await["call"]["notes"], "once more", "and what comes, past all others");
    assert_eq!(later.next().await["subject"]["id"], "a");
    assert_eq!(of_subject.next().await["type"], "live", "nothing was before");
    assert_eq!(of_subject.next().await["subject"]["id"], "b");
    hub.call("acme", "b", "1001", "again").await;
    assert_eq!(of_subject.next().await["call"]["notes"], "again");
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let hub = Fixture::start().await;
    let seq = hub.call("acme", "a", "1001", "").await;
    // Clocks may differ by 30 s: this one is good for two more, and was for a ticket.
    let exp = Instant::now().millis() / 1000 - 28;
    let claims = Claims { tenant: "acme".to_owned(), role: "supervisor".to_owned(), sub: "eva".to_owned(), exp };
    let token = signed(&claims);
    let ticket = answer(hub.request(Method::POST, "/v1/tickets", Some(&token))).await.1;
    let mut socket = hub.socket("", &token).await;
    assert_eq!(socket.next().await["type"], "hello");
    let told = (4001, format!("the token has ended, resume with since={seq}"));
    assert_eq!(socket.close().await, told);
    // Whole seconds are compared.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // By now the token is no good, and the ticket that was made with it opens nothing that lasts.
    assert_eq!(refused(hub.try_socket("", Some(&token), None).await), 401);
    let query = format!("?ticket={}", ticket["ticket"].as_str().unwrap());
    let mut socket = hub.try_socket(&query, None, None).await.unwrap();
    assert_eq!(socket.close().await, told);
}

#[tokio::test]
async fn a_tenant_has_no_more_sockets_than_it_may() {
    let hub = Fixture::with("[auth]\nsecret = { file = \"jwt\" }\n[limits]\nsockets = 2\n").await;
    let mut first = hub.socket("", &supervisor()).await;
    let _second = hub.socket("", &supervisor()).await;
    assert_eq!(refused(hub.try_socket("", Some(&supervisor()), None).await), 429);
    hub.socket("", &token("other", "supervisor", "eva")).await;
    assert_eq!(first.next().await["type"], "hello");
    drop(first);
    let opened = async {
        while hub.try_socket("", Some(&supervisor()), None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), opened).await.expect("the place of the one that went is free");
}

#[tokio::test]
async fn an_agent_hears_of_its_own_desk() {
    let hub = Fixture::start().await;
    let mut ana = hub.socket("", &token("acme", "agent", "ana")).await;
    let mut eva = hub.socket("", &supervisor()).await;
    assert_eq!(
        (ana.next().await["role"].clone(), eva.next().await["role"].clone()),
        (json!("agent"), json!("supervisor"))
    );
    let text = |text: &str| Map::from_iter([("text".to_owned(), json!(text))]);
    hub.hub.live.notice("acme", "session.code", Audience::Supervisors, text("scan me"));
    hub.call("acme", "his", "1002", "").await;
    hub.call("acme", "hers", "1001", "").await;
    hub.hub.live.notice("acme", "source.state", Audience::Everybody, text("logged in"));
    assert_eq!(eva.next().await["text"], "scan me");
    assert_eq!(eva.next().await["subject"]["id"], "his");
    assert_eq!(eva.next().await["subject"]["id"], "hers");
    assert_eq!(ana.next().await["subject"]["id"], "hers");
    let notice = ana.next().await;
    assert_eq!((&notice["type"], &notice["text"]), (&json!("source.state"), &json!("logged in")));
    assert!(notice.get("seq").is_none());
}

#[tokio::test]
async fn a_ticket_opens_one_socket_and_a_token_never_stands_in_the_address() {
    let hub = Fixture::start().await;
    let (status, ticket) = answer(hub.request(Method::POST, "/v1/tickets", Some(&supervisor()))).await;
    assert_eq!(status, StatusCode::CREATED);
    let query = format!("?ticket={}", ticket["ticket"].as_str().unwrap());
    let mut socket = hub.try_socket(&query, None, None).await.unwrap();
    assert_eq!(socket.next().await["name"], "eva");
    assert_eq!(refused(hub.try_socket(&query, None, None).await), 401, "a ticket is used once");
    assert_eq!(refused(hub.try_socket("", None, None).await), 401);
    assert_eq!(refused(hub.try_socket("?ticket=x", None, None).await), 401);
    assert_eq!(refused(hub.try_socket(&format!("?token={}", supervisor()), None, None).await), 400);
    let protocols = format!("cordboard.v1, bearer.{}", supervisor());
    let mut socket = hub.try_socket("", None, Some(&protocols)).await.unwrap();
    assert_eq!(socket.next().await["type"], "hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_is_cut_and_its_neighbour_does_not_notice() {
    const NOTICES: u64 = 20_000;
    let hub = Fixture::start().await;
    let mut slow = hub.socket("", &supervisor()).await;
    let mut quick = hub.socket("", &supervisor()).await;
    let live = hub.hub.live.clone();
    let told = tokio::spawn(async move {
        for n in 0..NOTICES {
            let more = Map::from_iter([("n".to_owned(), json!(n)), ("text".to_owned(), json!("x".repeat(2000)))]);
            live.notice("acme", "test", Audience::Everybody, more);
            if n % 100 == 99 {
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
        }
    });
    assert_eq!(quick.next().await["type"], "hello");
    for n in 0..NOTICES {
        assert_eq!(quick.next().await["n"], n);
    }
    told.await.unwrap();
    let (code, reason) = slow.close().await;
    assert_eq!((code, reason.as_str()), (4008, "too slow, resume with since=0"));
}

#[tokio::test]
async fn one_that_falls_a_ring_behind_is_told_where_to_go_on() {
    let hub = Fixture::start().await;
    let seq = hub.call("acme", "a", "1001", "").await;
    let mut feed = hub.hub.live.follow("acme", None, Sight::Tenant, Subscription::default()).await.unwrap();
    for _ in 0..5000 {
        hub.hub.live.notice("acme", "test", Audience::Everybody, Map::new());
    }
    assert!(matches!(feed.next().await, Err(Cut::TooSlow(resume)) if resume == seq));
}

#[tokio::test]
async fn stopping_tells_sockets_to_come_back_and_is_soon_over() {
    let hub = Fixture::start().await;
    let seq = hub.call("acme", "a", "1001", "").await;
    let mut socket = hub.socket("", &supervisor()).await;
    assert_eq!(socket.next().await["type"], "hello");
    hub.stop.cancel();
    assert_eq!(socket.close().await, (1001, format!("the hub stops, resume with since={seq}")));
    drop(socket);
    tokio::time::timeout(Duration::from_secs(10), hub.served).await.expect("over in time").unwrap();
}

/// How fast one event reaches many sockets, beside a bare broadcaster: `cargo test --test http -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn fan_out_beside_a_bare_broadcaster() {
    for sockets in [1000, 5000] {
        let events = 200_000 / sockets;
        let (bare, ours) = (crate::fan_out::bare(sockets, events).await, crate::fan_out::hub(sockets, events).await);
        println!("{sockets} sockets: bare {bare:.0} frames/s, hub {ours:.0} frames/s, ratio {:.2}", ours / bare);
    }
}
