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
