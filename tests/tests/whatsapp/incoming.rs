//! What customers write: from a signed webhook to the ledger, a frame, and a document in Frappe, in order and once.

use cordboard_tests::files::{AUTHORITY, Files};
use cordboard_tests::inbox_hub::SESSION;
use cordboard_tests::live::Live;
use serde_json::json;

use crate::world::{ANA, World, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_becomes_a_frame_and_a_document() {
    let world = World::start().await;
    let mut live = Live::open(&world.hub, "?types=message.received", &world.hub.token("supervisor", "eva")).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(world.inbox.says(ANA, &format!("¿Número {n}? 😀")).await);
    }
    for (n, id) in ids.iter().enumerate() {
        let frame = live.next_of("message.received").await;
        assert_eq!(frame["subject"]["id"], format!("{SESSION}:{id}"), "{frame}");
        assert_eq!(frame["message"]["text"], format!("¿Número {n}? 😀"), "in order: {frame}");
    }
    world.until("five documents", |world| world.messages().len() == 5).await;
    world.settled().await;
    let mut messages = world.messages();
    messages.sort_by_key(|doc| doc["timestamp"].as_str().map(str::to_owned));
    let order: Vec<&str> = messages.iter().filter_map(|doc| doc["message_id"].as_str()).collect();
    assert_eq!(order, ids);
    let conversation = format!("{SESSION}:{ANA}");
    for (field, value) in [
        ("content", json!("¿Número 0? 😀")),
        ("direction", json!("Incoming")),
        ("session", json!(SESSION)),
        ("conversation", json!(conversation)),
        ("from_number", json!("+34600111222")),
        ("status", json!("Delivered")),
    ] {
        assert_eq!(messages[0][field], value, "{field}");
    }
    for doctype in ["Session", "Contact", "Conversation"] {
        assert_eq!(world.site.docs(&format!("Hub WhatsApp {doctype}")).len(), 1, "{doctype}");
    }
    let session = &world.site.docs("Hub WhatsApp Session")[0];
    assert_eq!((&session["total_contacts"], &session["total_conversations"]), (&json!(1), &json!(1)));
    assert!(world.site.told().is_empty(), "what came in is not told to the hub as something to send");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_webhooks_a_hundred_times_in_any_order_are_one_message_each() {
    let world = World::start().await;
    let ours = json!({"messageId": "OURS", "chatId": ANA, "fromMe": true, "type": "text", "content": "De nada",
        "timestamp": "2026-03-05T10:16:00.000Z"});
    let status =
        |status: &str, at: &str| json!({"messageId": "OURS", "chatId": ANA, "status": status, "timestamp": at});
    let events = [
        ("message.read", status("read", "2026-03-05T10:17:30.000Z")),
        ("message.received", said("THEIRS", "Gracias")),
        ("message.delivered", status("delivered", "2026-03-05T10:17:00.000Z")),
        ("message.sent", ours),
        ("message.sent", status("sent", "2026-03-05T10:16:00.000Z")),
    ];
    // Not at random, and yet in no order: 7 and 5 have nothing in common.
    for n in 0..500 {
        let (event, data) = &events[(n * 7 + n / 25) % events.len()];
        assert_eq!(world.post(event, data.clone()).await, 200);
    }
    world.until("both documents", |world| world.message("OURS").is_some() && world.message("THEIRS").is_some()).await;
    world.settled().await;
    assert_eq!(world.messages().len(), 2);
    let ours = world.message("OURS").unwrap();
    for (field, value) in [
        ("content", "De nada"),
        ("direction", "Outgoing"),
        ("status", "Read"),
        ("delivered_at", "2026-03-05 11:17:00"),
        ("read_at", "2026-03-05 11:17:30"),
    ] {
        assert_eq!(ours[field], value, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_site_is_away() {
    let mut world = World::start().await;
    world.inbox.says(ANA, "Primero").await;
    world.until("the first", |world| world.messages().len() == 1).await;
    world.site.down(Some(cordboard_tests::frappe::Fault::Page(503)));
    world.inbox.says(ANA, "Mientras").await;
    world.hub.kill();
    world.hub.launch();
    world.hub.ready().await;
    world.inbox.says(ANA, "Después").await;
    world.site.down(None);
    world.until("all three", |world| world.messages().len() == 3).await;
    world.settled().await;
    // An answer is lost after all was done.
    world.site.next("POST /api/resource/Hub%20WhatsApp%20Message", cordboard_tests::frappe::Fault::Hangs);
    world.inbox.says(ANA, "Último").await;
    world.until("the lost answer", |world| world.site.all_met()).await;
    world.settled().await;
    let mut texts: Vec<String> =
        world.messages().iter().filter_map(|doc| doc["content"].as_str().map(str::to_owned)).collect();
    texts.sort();
    assert_eq!(texts, ["Después", "Mientras", "Primero", "Último"]);
}

/// The hub as people reach it; the tests know where it really listens.
const PUBLIC: &str = "https://hub.acme.test";

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_a_link_that_opens_without_logging_in() {
    let picture = b"\xff\xd8\xff\xe0\x00\x10JFIF and the rest of a picture";
    let files = Files::start().await.unwrap();
    files.put("/v/1.jpg", 200, "image/jpeg", picture);
    let mut world = World::altered(|setup| {
        setup.hub.push_str(&format!("public_url = \"{PUBLIC}\"\n"));
        let source = "component = \"inbox-hub\"\nallow = [";
        setup.tenant = setup.tenant.replacen(source, &format!("{source}\"{}\", ", files.host()), 1);
        setup.environment.push(("SSL_CERT_FILE".to_owned(), AUTHORITY.to_owned()));
    })
    .await;
    world.set_up().await;
    world.go().await;
    let mut message = said("P1", "mira");
    message["type"] = "image".into();
    message["media"] = json!({"mimetype": "image/jpeg", "filename": "foto.jpg", "url": files.url("/v/1.jpg")});
    assert_eq!(world.post("message.received", message).await, 200);
    world.until("the message", |world| world.message("P1").is_some()).await;
    world.settled().await;
    let link = world.message("P1").unwrap()["media_url"].as_str().expect("a link").to_owned();
    let url = world.hub.url(link.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("not the hub's link: {link}")));
    let opened = async |url: &str| {
        let answer = world.hub.http.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    };
    assert_eq!(opened(&url).await, (200, picture.to_vec()));
    assert_eq!(opened(&url.replace("expires=", "expires=1")).await.0, 403);
    assert_eq!(opened(&url.replace("tenant=acme", "tenant=globex")).await.0, 403);
}
