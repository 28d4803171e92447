//! Messages of ours: ahead of reading, and once.

use std::time::{Duration, Instant};

use cordboard_tests::inbox_hub::{Fault, Limits};
use serde_json::{Value, json};

use crate::world::{Wish, World};

fn hello(text: &str) -> Value {
    json!({ "to": "34600111222", "text": text })
}

#[tokio::test]
async fn a_send_goes_ahead_of_reading_and_both_keep_to_the_limit() {
    // The provider's own limits, and the component's own pace.
    let wish = Wish { source: "rate = \"30/m\"\n".to_owned(), ..Wish::sync() };
    let world = World::start(wish, |server| {
        *server.limits() = Limits::default();
        server.world().fill(3000, 10, 10);
    })
    .await;
    world.server.connected(true).await;
    world.hub.until("reading", || async { world.server.faults().count("/api/contacts/") >= 1 }).await;
    for number in 0..4 {
        let begun = Instant::now();
        let (status, sent) = world.command(&format!("send-{number}"), "message.send", hello("hola")).await;
        assert_eq!((status, &sent["state"]), (200, &"accepted".into()), "{sent}");
        assert!(begun.elapsed() < Duration::from_secs(2), "it waited {:?}", begun.elapsed());
    }
    let pages = world.server.faults().count("/api/contacts/");
    assert!(pages < 10, "{pages} pages have gone before");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(world.server.faults().count("/api/contacts/") > pages, "reading goes on");
    assert_eq!(world.server.limits().refused(), 0, "the provider had to refuse nothing");
}

#[tokio::test]
async fn a_send_that_is_one_too_many_waits_for_its_turn() {
    let world = World::start(Wish::sync(), |server| {
        server.limits().sends.requests = 1;
        server.limits().sends.length = 2_000;
    })
    .await;
    for number in 0..3 {
        let (status, sent) = world.command(&format!("send-{number}"), "message.send", hello("uno a uno")).await;
        assert_eq!((status, &sent["state"]), (200, &"accepted".into()), "{sent}");
    }
    assert_eq!(world.server.world().sent("uno a uno"), 3);
    assert!(world.server.limits().refused() > 0, "the server did refuse");
}

#[tokio::test]
async fn a_send_whose_answer_was_lost_is_not_repeated_until_the_chat_is_read() {
    let world = World::start(Wish::sync(), |_| {}).await;
    // Everything is done, and a proxy answers for the server.
    world.server.world().tells_sends = false;
    world.server.faults().next("/send", Fault::Lost(502));
    let since = cordboard_tests::inbox_hub::now();
    let (_, lost) = world.command("one", "message.send", hello("una vez")).await;
    assert_eq!(lost["state"], "unknown", "{lost}");
    let (_, same) = world.command("one", "message.send", hello("una vez")).await;
    assert_eq!(same["state"], "unknown", "the same key is the same send");
    assert_eq!(world.server.world().sent("una vez"), 1);
    // Whoever asks again says since when: the chat shows it, and nothing is sent.
    let mut again = hello("una vez");
    again["since"] = since.into();
    let (_, found) = world.command("two", "message.send", again).await;
    assert_eq!(found["state"], "accepted", "{found}");
    assert_eq!(world.server.world().sent("una vez"), 1);
}

const ANA: &str = "34600111222@s.whatsapp.net";

#[tokio::test]
async fn media_is_sent_and_its_way_is_seen() {
    let world = World::start(Wish::sync(), |_| {}).await;
    let media = json!({ "url": "https://files.example/a.jpg", "media-type": "image/jpeg", "caption": "la foto" });
    let (status, sent) = world.command("photo", "message.send", json!({ "to": ANA, "media": media })).await;
    assert_eq!((status, &sent["state"]), (200, &"accepted".into()), "{sent}");
    let kinds: Vec<String> = world.server.world().chats[ANA].iter().map(|message| message.kind.clone()).collect();
    assert_eq!(kinds, ["image"], "it is there, once");
    world
        .hub
        .until("its reader", || async {
            let events = world.events("message.read").await;
            events.iter().any(|event| event["subject"]["id"] == sent["subject"])
        })
        .await;
    let events = world.events("message.*").await;
    let last = events.iter().rfind(|event| event["subject"]["id"] == sent["subject"]).unwrap();
    assert_eq!(
        (&last["message"]["kind"], &last["message"]["text"], &last["message"]["status"]),
        (&"image".into(), &"la foto".into(), &"read".into())
    );
}

#[tokio::test]
async fn what_else_can_be_asked_is_done_at_the_server() {
    let world = World::start(Wish::sync(), |_| {}).await;
    world.server.connected(true).await;
    world.server.says(ANA, "uno").await;
    world.server.says(ANA, "dos").await;
    let mut asked = 0;
    let mut ask = async |name: &str, arguments: Value| {
        asked += 1;
        let (status, answer) = world.command(&format!("ask-{asked}"), name, arguments).await;
        assert_eq!(status, 200, "{name}: {answer}");
        answer
    };
    let read = ask("message.read", json!({ "conversation": format!("acme_main:{ANA}") })).await;
    assert_eq!(read["result"], json!({ "marked": 2 }));
    assert!(world.server.world().chats[ANA].iter().all(|message| message.status == "read"));
    let listed = ask("session.list", json!({})).await["result"]["sessions"].clone();
    assert_eq!((&listed[0]["session"], &listed[0]["state"]), (&"acme_main".into(), &"connected".into()), "{listed}");
    for (name, state) in
        [("session.disconnect", "disconnected"), ("session.connect", "connected"), ("session.restart", "connected")]
    {
        assert_eq!(ask(name, json!({})).await["state"], "accepted", "{name}");
        assert_eq!(ask("session.status", json!({})).await["result"]["state"], state, "{name}");
    }
}
