//! Bad input and other apps: nothing is lost, nothing is doubled, nothing is sent that nobody asked for.

use cordboard_tests::inbox_hub::SESSION;
use cordboard_tests::whatsapp::{self, INBOX_SECRET};
use serde_json::{Value, json};

use crate::world::{ANA, World, said};

#[tokio::test(flavor = "multi_thread")]
async fn what_people_write_arrives_letter_by_letter() {
    let world = World::start().await;
    let long = "é".repeat(32 << 10);
    let texts = [
        "\u{202e}שלום עולם\u{202c} مرحبا",
        "👩\u{200d}👩\u{200d}👧 🇪🇸",
        "<b>hi</b> <script>alert(1)</script> 2 < 3 & 4",
        "O'One \\ \"x\" %s {{ doc.name }}\r\n\ttwo",
        &long,
    ];
    for (n, text) in texts.iter().enumerate() {
        assert_eq!(world.post("message.received", said(&format!("M{n}"), text)).await, 200);
    }
    assert_eq!(world.post("message.received", said("EMPTY", "")).await, 200);
    world.until("all of them", |world| world.messages().len() == texts.len() + 1).await;
    world.settled().await;
    for (n, text) in texts.iter().enumerate() {
        assert_eq!(world.message(&format!("M{n}")).unwrap()["content"], *text, "{n}");
    }
    assert!(world.message("EMPTY").unwrap()["content"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_an_id_is_one_all_the_same() {
    let world = World::start().await;
    let mut nameless = said("X", "sin número");
    nameless.as_object_mut().unwrap().remove("messageId");
    for _ in 0..3 {
        assert_eq!(world.post("message.received", nameless.clone()).await, 200);
    }
    nameless["content"] = "otro".into();
    assert_eq!(world.post("message.received", nameless).await, 200);
    world.until("both", |world| world.messages().len() == 2).await;
    world.settled().await;
    let mut texts: Vec<_> = world.messages().iter().map(|doc| doc["content"].clone()).collect();
    texts.sort_by_key(Value::to_string);
    assert_eq!(texts, ["otro", "sin número"]);
    let events = world.hub.get("/v1/events?types=message.received&limit=100").await;
    assert_eq!(events.to_string().matches("no-id").count(), 2, "that it had none is said: {events:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_proved_or_not_ours_leaves_nothing_in_the_site() {
    let world = World::start().await;
    let event = |event: &str, session: &str, data: Value| json!({"event": event, "sessionId": session, "data": data});
    let hello = event("message.received", SESSION, said("M1", "hola"));
    assert_eq!(world.post_as(&hello, "another secret").await, 401);
    let unsigned = world.hub.http.post(world.hub.url("/v1/hooks/acme/whatsapp")).body(hello.to_string()).send().await;
    assert_eq!(unsigned.unwrap().status(), 401);
    let elsewhere =
        world.hub.http.post(world.hub.url("/v1/hooks/globex/whatsapp")).body(hello.to_string()).send().await;
    assert_eq!(elsewhere.unwrap().status(), 404);
    assert_eq!(world.post_as(&event("message.received", "globex_main", said("M2", "hola")), INBOX_SECRET).await, 403);
    assert_eq!(world.post("message.of.tomorrow", json!({"x": 1})).await, 200);
    assert_eq!(world.post("message.received", json!({"content": "from nobody"})).await, 422);
    // What was refused or passed over is there for a person to see.
    let intake = world.hub.get("/v1/intake?limit=100").await;
    let verdicts: Vec<&str> =
        intake["items"].as_array().unwrap().iter().filter_map(|row| row["verdict"].as_str()).collect();
    assert_eq!(verdicts.len(), 3, "{intake:#}");
    assert_eq!(world.messages().len(), 0);
    // The site's own webhook needs its proof too.
    let endpoint = world.hub.url("/v1/endpoints/acme/crm/message");
    let body = json!({"name": "x", "session": SESSION, "to": ANA, "text": "forged"}).to_string();
    for signature in ["", "bm90IGl0"] {
        let request = world.hub.http.post(&endpoint).header("x-frappe-webhook-signature", signature);
        assert_eq!(request.body(body.clone()).send().await.unwrap().status(), 401);
    }
    assert_eq!(world.inbox.faults().count("/send"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_privacy_id_is_no_number_until_the_provider_shows_one() {
    let world = World::start().await;
    let lid = "183746352817364@lid";
    let hidden =
        json!({"messageId": "L1", "chatId": lid, "from": lid, "fromMe": false, "type": "text", "content": "soy yo"});
    assert_eq!(world.post("message.received", hidden).await, 200);
    world.until("the message", |world| world.message("L1").is_some()).await;
    world.settled().await;
    assert!(world.message("L1").unwrap()["from_number"].is_null());
    let contact = world.site.docs("Hub WhatsApp Contact").remove(0);
    assert!(contact["phone_number"].is_null() && contact["lid"] == lid, "{contact:#}");
    // The same person under the number, once the provider has said so: one conversation, one contact.
    assert_eq!(world.post("lid-mapping.update", json!({"lid": lid, "pn": ANA})).await, 200);
    let shown = json!({"chatId": ANA, "lid": lid});
    assert_eq!(world.post("conversation.updated", shown).await, 200);
    assert_eq!(world.post("message.received", said("L2", "y este es mi número")).await, 200);
    world.until("the second", |world| world.message("L2").is_some()).await;
    world.settled().await;
    let (one, other) = (world.message("L1").unwrap(), world.message("L2").unwrap());
    assert_eq!(one["conversation"], other["conversation"], "{:#?}", world.site.docs("Hub WhatsApp Conversation"));
    assert_eq!(world.site.docs("Hub WhatsApp Conversation").len(), 1);
    assert_eq!(world.site.docs("Hub WhatsApp Contact").len(), 1);
    let contact = world.site.docs("Hub WhatsApp Contact").remove(0);
    assert_eq!((&contact["phone_number"], &contact["name"]), (&json!("+34600111222"), &other["contact"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_an_unknown_message_waits_for_it() {
    let world = World::start().await;
    let reaction = json!({"chatId": ANA, "from": ANA, "reactionMessage": {"key": {"id": "M1", "fromMe": false,
        "remoteJid": ANA}, "text": "👍"}});
    assert_eq!(world.post("message.received", reaction).await, 200);
    assert_eq!(world.post("message.deleted", json!({"messageId": "M2", "chatId": ANA, "from": ANA})).await, 200);
    world.settled().await;
    assert_eq!(world.messages().len(), 0, "of the messages themselves nothing is known: {:#?}", world.messages());
    let events = world.hub.get("/v1/events?limit=100").await;
    let received = events.to_string().matches("message.received").count();
    assert_eq!(received, 0, "{events:#}");
    assert_eq!(world.post("message.received", said("M1", "hola")).await, 200);
    assert_eq!(world.post("message.received", said("M2", "olvídalo")).await, 200);
    world.until("both", |world| world.messages().len() == 2).await;
    world.settled().await;
    assert_eq!(world.message("M1").unwrap()["reactions"], format!("👍 {ANA}"));
    assert_eq!(world.message("M2").unwrap()["status"], "Deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_app_is_made_to_send() {
    // The community's app has the obvious names, and sends what is written there.
    let mut world = World::bare("whatsapp = \"existing\"\n").await;
    let field = |name: &str, kind: &str| json!({"fieldname": name, "fieldtype": kind, "options": ""});
    let columns = ["type", "from", "to", "message", "message_id", "content_type", "use_template", "whatsapp_account"];
    {
        let mut site = world.site.world();
        let fields: Vec<_> = columns.iter().map(|name| field(name, "Data")).collect();
        site.doctype("WhatsApp Message", json!({"module": "Frappe Whatsapp", "autoname": "hash", "fields": fields}));
        site.user("hub@example.test", &["System Manager"]);
    }
    let bot = world.site.world().users["hub@example.test"].clone();
    whatsapp::write_keys(world.hub.folder(), &bot.key, &bot.secret).unwrap();
    world.go().await;
    let sent = json!({"messageId": "OURS", "chatId": ANA, "fromMe": true, "type": "text", "content": "hola"});
    assert_eq!(world.post("message.sent", sent.clone()).await, 200);
    world
        .hub
        .until("the lane says why", || async {
            world.hub.get("/v1/lanes").await[0]["why"].as_str().is_some_and(|why| why.contains("WhatsApp"))
        })
        .await;
    assert_eq!(world.site.docs("WhatsApp Message").len(), 0);
    assert!(world.site.world().sent.is_empty(), "nobody was written to");
    drop(world);

    // With DocTypes of the hub's own it works beside it, hooks of Frappe CRM and all.
    let mut world = World::bare("").await;
    {
        let mut site = world.site.world();
        let fields: Vec<_> = columns.iter().map(|name| field(name, "Data")).collect();
        site.doctype("WhatsApp Message", json!({"module": "Frappe Whatsapp", "autoname": "hash", "fields": fields}));
    }
    world.set_up().await;
    world.go().await;
    assert_eq!(world.post("message.sent", sent).await, 200);
    world.until("the message", |world| world.message("OURS").is_some()).await;
    assert_eq!(world.site.docs("WhatsApp Message").len(), 0);
    assert!(world.site.world().sent.is_empty(), "nobody was written to");
}
