//! Codes to pair with, the login, and the webhook's registration.

use std::time::Duration;

use cordboard_tests::inbox_hub::{API_KEY, PASSWORD, SESSION, now};
use cordboard_tests::pbx::signature;
use serde_json::json;

use crate::world::{SECRET, Wish, World};

#[tokio::test]
async fn a_code_goes_to_supervisors_and_is_on_no_disk() {
    let mut world = World::start(Wish::sync(), |_| {}).await;
    world.server.connected(false).await;
    let (mut supervisor, mut agent) = (world.live("supervisor").await, world.live("agent").await);
    let code = |mark: &str| format!("data:image/png;base64,SECRET-CODE-{mark}");
    let soon = cordboard_tests::inbox_hub::moment(60);
    world.server.tell("session.qr", json!({ "qrCode": code("A"), "expiresAt": soon })).await;
    let told = supervisor.next_of("session.code").await;
    assert_eq!((&told["code"], &told["session"]), (&json!(code("A")), &json!(SESSION)));
    // One that is over, and one that comes when it is of no use any more.
    world.server.tell("session.qr", json!({ "qrCode": code("B"), "expiresAt": "2025-10-15T10:31:00.000Z" })).await;
    world.server.connected(true).await;
    world
        .server
        .tell("session.qr", json!({ "qrCode": code("C"), "timestamp": "2025-10-15T10:30:00.000Z", "expiresAt": soon }))
        .await;
    // By hand, too, it goes to whoever asked.
    world.server.connected(false).await;
    let (status, shown) = world.command("code-1", "session.code", json!({ "session": SESSION })).await;
    assert_eq!((status, &shown["result"]["code"]), (200, &json!("data:image/png;base64,iVBORw0KGgo=")), "{shown}");
    let (_, again) = world.command("code-1", "session.code", json!({ "session": SESSION })).await;
    assert_eq!(again["result"], json!(null), "it is not kept: {again}");
    let request = world.hub.http.post(world.hub.url("/v1/commands")).bearer_auth(world.hub.token("agent", "ana"));
    let asked = request.json(&json!({ "name": "session.code", "arguments": {} })).send().await.unwrap();
    assert_eq!(asked.status(), 403, "an agent is given none by hand either");
    // The next thing that either is told shows that no code came in between.
    world.server.says("34600111222@s.whatsapp.net", "hola").await;
    loop {
        let frame = supervisor.next().await;
        assert_ne!(frame["type"], "session.code", "{frame}");
        if frame["type"] == "message.received" {
            break;
        }
    }
    let quiet = tokio::time::timeout(Duration::from_secs(1), agent.next_of("session.code")).await;
    assert!(quiet.is_err(), "an agent is told no code");
    let kept = world.hub.get("/v1/intake?limit=500").await;
    assert!(kept["items"].as_array().unwrap().iter().any(|row| row["size"] == 0), "that it came is kept: {kept}");
    world.hub.stop().await;
    for secret in ["SECRET-CODE-", "iVBORw0KGgo"] {
        assert_eq!(world.on_disk(secret), Vec::<String>::new(), "{secret}");
    }
}

#[tokio::test]
async fn no_more_logins_than_the_provider_takes_whatever_restarts() {
    let mut world = World::start(Wish::sync(), |server| server.world().fill(2, 1, 1)).await;
    for _ in 0..6 {
        world.read("admin", "").await;
        world.done("sync").await;
        world.hub.kill();
        world.hub.launch();
        world.hub.ready().await;
    }
    assert_eq!(world.server.logins(), 1, "a grant outlives the hub");
    for round in 0..6 {
        world.server.expire_tokens();
        world.read("admin", "").await;
        if round < 3 {
            world.done("sync").await;
        } else {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        world.hub.kill();
        world.hub.launch();
        world.hub.ready().await;
    }
    assert!(world.server.logins() <= 4, "{} of the 5 that a quarter of an hour has", world.server.logins());
    assert_eq!(world.server.limits().refused(), 0);
    assert_eq!(world.job("sync").await["state"], "running", "it waits for the next one");
}

#[tokio::test]
async fn many_calls_that_meet_the_end_of_a_token_renew_it_once() {
    let world = World::start(Wish::sync(), |_| {}).await;
    let list = |key: String| {
        let world = &world;
        async move { world.command(&key, "session.list", json!({})).await }
    };
    assert_eq!(list("first".to_owned()).await.0, 200);
    assert_eq!(world.server.logins(), 1);
    world.server.expire_tokens();
    let all = futures::future::join_all((0..20).map(|number| list(format!("list-{number}")))).await;
    assert!(all.iter().all(|(status, _)| *status == 200), "{all:?}");
    assert_eq!(world.server.logins(), 2, "one renewal");
}

#[tokio::test]
async fn neither_password_nor_key_nor_token_is_on_disk() {
    let mut world = World::start(Wish::sync(), |server| server.world().fill(3, 1, 2)).await;
    world.server.connected(true).await;
    world.done("sync").await;
    world.server.expire_tokens();
    assert_eq!(world.command("list", "session.list", json!({})).await.0, 200);
    // And once more in vain: what is noted of that has none of them either.
    world.server.lock(true);
    world.server.expire_tokens();
    assert_ne!(world.command("in vain", "session.list", json!({})).await.0, 200);
    world.hub.stop().await;
    for secret in [PASSWORD, API_KEY, SECRET, "access-1", "refresh-1", "access-2", "refresh-2"] {
        assert_eq!(world.on_disk(secret), Vec::<String>::new(), "{secret}");
    }
}

#[tokio::test]
async fn an_old_webhook_that_is_sent_again_changes_nothing() {
    let world = World::start(Wish { sync: "delay = 0".to_owned(), ..Wish::sync() }, |_| {}).await;
    world.server.connected(true).await;
    world.done("sync").await;
    let (events, asked) = (world.events("session.*").await, world.server.faults().asked().len());
    let then = "2025-10-15T10:30:00.000Z";
    for (event, status) in [("session.disconnected", "disconnected"), ("session.connected", "connected")] {
        for _ in 0..3 {
            world.server.tell(event, json!({ "status": status, "timestamp": then })).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.events("session.*").await, events, "the session is as it was");
    assert_eq!(world.server.faults().asked().len(), asked, "and nothing is read anew");
}

#[tokio::test]
async fn a_webhook_without_a_time_that_was_caught_and_sent_again_changes_nothing() {
    let world = World::start(Wish::sync(), |_| {}).await;
    let post = async |name: &str, member: &str| {
        // The second generation of bodies: no time anywhere.
        let body = json!({ "event": name, "data": { "sessionId": SESSION, "reason": member } }).to_string();
        let signed = signature(SECRET, body.as_bytes());
        let request = world.hub.http.post(world.hub.url("/v1/hooks/acme/whatsapp")).body(body);
        // The header's time is not signed: whoever sends it again writes what is wanted.
        let request = request.header("x-webhook-timestamp", now().to_string()).header("x-webhook-signature", signed);
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    world.server.world().connected = false;
    post("session.disconnected", "connection_lost").await;
    world.server.connected(true).await;
    world.done("sync").await;
    let events = world.events("session.*").await;
    assert_eq!(events.last().unwrap()["session"]["state"], "connected", "{events:?}");
    for _ in 0..3 {
        post("session.disconnected", "connection_lost").await;
    }
    world.done("look").await;
    assert_eq!(world.events("session.*").await, events, "it is what the server says that it is");
    let kept = world.hub.get("/v1/intake?verdict=ignored").await;
    let why = |row: &serde_json::Value| row["why"].as_str().unwrap_or_default().to_owned();
    assert_eq!(kept["items"].as_array().unwrap().iter().filter(|row| why(row).contains("a repeat")).count(), 3);

    // And if it really is so once more, the server says that, too.
    world.server.world().connected = false;
    post("session.disconnected", "connection_lost").await;
    let away = async || world.events("session.*").await.last().unwrap()["session"]["state"] == "disconnected";
    world.hub.until("the session is seen to be away", away).await;
}

#[tokio::test]
async fn a_login_that_is_refused_counts_too_whatever_restarts() {
    let mut world = World::start(Wish::sync(), |server| server.lock(true)).await;
    for round in 0..3 {
        let (status, refused) = world.command(&format!("list-{round}"), "session.list", json!({})).await;
        let why = refused["detail"].as_str().unwrap_or_default();
        assert!(status >= 400 && why.contains("Credenciales inválidas"), "{refused}");
        world.hub.kill();
        world.hub.launch();
        world.hub.ready().await;
    }
    assert_eq!(world.server.logins(), 1, "the next one waits");
}

#[tokio::test]
async fn a_start_with_another_key_costs_no_grant() {
    let key = cordboard_tests::hub::KEY.chars().rev().collect();
    let wish = Wish { environment: vec![("ANOTHER_KEY".to_owned(), key)], ..Wish::sync() };
    let mut world = World::start(wish, |_| {}).await;
    assert_eq!(world.command("first", "session.list", json!({})).await.0, 200);
    // From here on nobody can log in: only the grant that is stored can do.
    world.server.lock(true);
    let file = world.hub.folder().join("cordboard.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    for (key, works) in [("ANOTHER_KEY", false), ("CORDBOARD_KEY", true)] {
        world.hub.kill();
        std::fs::write(&file, text.replace("CORDBOARD_KEY", key)).unwrap();
        world.hub.launch();
        world.hub.ready().await;
        let (status, told) = world.command(key, "session.list", json!({})).await;
        assert_eq!(status == 200, works, "{key}: {told}");
    }
}

#[tokio::test]
async fn the_webhook_is_registered_once() {
    let world = World::start(Wish::sync(), |_| {}).await;
    world.server.world().hooks.clear();
    let url = world.hub.url("/v1/hooks/acme/whatsapp");
    for key in ["one", "two", "three"] {
        let (status, answer) = world.command(key, "webhook.register", json!({ "url": url })).await;
        assert_eq!((status, &answer["state"]), (200, &"done".into()), "{answer}");
    }
    let hooks = world.server.world().hooks.clone();
    assert_eq!((hooks.len(), hooks[0].url.as_str(), hooks[0].secret.as_str()), (1, url.as_str(), SECRET));
    world.server.says("34600111222@s.whatsapp.net", "hola").await;
    assert_eq!(world.events("message.received").await.len(), 1, "and it works");
}
