//! What was lost is found again, and a source that says nothing is found out.

use std::time::Duration;

use cordboard_tests::web::Web;
use serde_json::{Value, json};

use crate::world::{Wish, World};

const CUSTOMER: &str = "34600111222@s.whatsapp.net";

/// The texts of messages that the ledger knows.
async fn texts(world: &World) -> Vec<String> {
    let events = world.events("message.*").await;
    events.iter().filter_map(|event| Some(event["message"]["text"].as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn a_message_whose_webhook_was_lost_is_found_after_connecting_again() {
    let world = World::start(Wish::repair("every = 0"), |_| {}).await;
    world.server.connected(true).await;
    world.server.says(CUSTOMER, "told").await;
    world.server.connected(false).await;
    world.server.world().receive(CUSTOMER, "lost");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(texts(&world).await, ["told"]);
    world.server.connected(true).await;
    world.hub.until("the lost message", || async { texts(&world).await.contains(&"lost".to_owned()) }).await;
    let events = world.events("message.*").await;
    let lost = events.iter().find(|event| event["message"]["text"] == "lost").unwrap();
    assert_eq!((&lost["type"], &lost["message"]["origin"]), (&"message.historic".into(), &"historic".into()));
    assert_eq!(world.records("message").await, 2, "and the other one is not doubled");
}

#[tokio::test]
async fn it_is_found_on_a_timer() {
    let world = World::start(Wish::repair("every = 1"), |_| {}).await;
    world.hub.until("the first round", || async { world.server.faults().count("/chats") >= 1 }).await;
    world.server.world().receive(CUSTOMER, "lost while connected");
    world
        .hub
        .until("what no webhook told", || async { texts(&world).await.contains(&"lost while connected".to_owned()) })
        .await;
    assert_eq!(world.job("repair").await["state"], "running", "it rests until the next round");
}

#[tokio::test]
async fn it_is_found_when_the_hub_comes_back() {
    // No timer would see to it while the test waits.
    let mut world = World::start(Wish::repair("every = 3600"), |_| {}).await;
    world.hub.until("the first round", || async { world.server.faults().count("/chats") >= 1 }).await;
    world.hub.kill();
    world.server.world().receive(CUSTOMER, "lost while the hub was away");
    world.hub.launch();
    world.hub.ready().await;
    world
        .hub
        .until("what came meanwhile", || async {
            texts(&world).await.contains(&"lost while the hub was away".to_owned())
        })
        .await;
    assert_eq!(world.records("message").await, 1);
}

#[tokio::test]
async fn by_hand_it_can_be_told_since_when_and_of_which_chat() {
    // Messages of yesterday, behind what a repair reads by itself.
    let world = World::start(Wish::repair("hours = 1"), |server| server.world().fill(3, 3, 4)).await;
    let standing = || async {
        let jobs = world.jobs().await;
        jobs.into_iter().find(|job| job["id"] == "repair").unwrap_or_default()
    };
    world.hub.until("the first round", || async { world.server.faults().count("/chats") == 1 }).await;
    let given = |parameters: Value| {
        let world = &world;
        async move {
            let (status, job) = world.read_given("?kind=repair", &parameters).await;
            assert_eq!(status, 202, "{job}");
            let done = || async {
                let jobs = world.jobs().await;
                jobs.iter().any(|other| other["id"] == job["id"] && other["state"] == "done")
            };
            world.hub.until("it is over", done).await;
        }
    };
    given(json!({ "chat": "+34 600 000 001" })).await;
    assert_eq!(world.records("message").await, 4, "of this chat alone");
    given(json!({ "since": "2020-01-01T00:00:00Z" })).await;
    assert_eq!(world.records("message").await, 3 * 4);
    assert_eq!(world.events("message.received").await.len(), 0, "history is no news");
    assert_eq!(standing().await["state"], "running", "the one that goes on by itself still does");

    let jobs = world.jobs().await.len();
    for (query, parameters, field) in [
        ("?kind=repair", json!({ "since": "yesterday" }), "/since"),
        ("?kind=repair", json!({ "since": 1 }), "/since"),
        ("?kind=repair", json!({ "chat": "" }), "/chat"),
        ("?kind=repair", json!({ "delay": 1 }), ""),
        ("?kind=sync", json!({ "since": "2020-01-01T00:00:00Z" }), ""),
        ("?kind=dance", json!({}), "kind"),
    ] {
        let (status, refused) = world.read_given(query, &parameters).await;
        assert_eq!((status, refused["field"].as_str().unwrap_or_default()), (422, field), "{refused}");
    }
    assert_eq!(world.jobs().await.len(), jobs, "nothing came of them");

    let run = |parameters: &str| {
        let arguments = ["sources", "sync", "whatsapp", "--kind", "repair", "--parameters", parameters];
        let out = world.hub.command(&arguments).output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    };
    let (started, said) = run(r#"{"chat": "34600000002"}"#);
    assert!(started && said.starts_with("asked/repair/"), "{said}");
    let (refused, said) = run("since=yesterday");
    assert!(!refused && said.contains("--parameters"), "{said}");
    let (refused, said) = run(r#"{"since": "yesterday"}"#);
    assert!(!refused && said.contains("422"), "{said}");
}

#[tokio::test]
async fn a_connected_session_that_says_nothing_is_told() {
    let bell = Web::start(|_| (200, String::new())).await.unwrap();
    let mut wish = Wish::repair("auto = false");
    wish.source = "silence = \"2s\"\n".to_owned();
    wish.hub = format!("[alerts]\nwebhook = \"{}\"\n", bell.url("/alerts"));
    let world = World::start(wish, |_| {}).await;
    let mut live = world.live("supervisor").await;
    world.server.connected(false).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.source().await["silent_since"], json!(null), "one that is away has nothing to say");
    world.server.connected(true).await;
    assert_eq!(live.next_of("source.silent").await["source"], "whatsapp");
    assert!(world.source().await["silent_since"].is_string());
    world.hub.until("somebody is told", || async { !bell.asked().is_empty() }).await;
    let alert = bell.asked()[0].json();
    assert_eq!((&alert["kind"], &alert["name"]), (&"silent".into(), &"whatsapp".into()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bell.asked().len(), 1, "once");
    world.server.says(CUSTOMER, "hola").await;
    live.next_of("source.heard").await;
    assert_eq!(world.source().await["silent_since"], json!(null));
}
