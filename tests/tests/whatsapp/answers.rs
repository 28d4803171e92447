//! What is typed in Frappe: from the site's webhook to WhatsApp, and the ticks back on the very document.

use cordboard_tests::inbox_hub::Fault;
use cordboard_tests::live::Live;
use serde_json::json;

use crate::world::{ANA, World};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_sent_and_gets_its_ticks() {
    let world = World::start().await;
    world.inbox.says(ANA, "¿Precio?").await;
    world.until("the question", |world| world.messages().len() == 1).await;
    let mut live = Live::open(&world.hub, "", &world.hub.token("supervisor", "eva")).await;
    let name = world.answers("12 € 😀\nun saludo");
    world.until("the ticks", |world| world.document(&name)["status"] == "Read").await;
    world.settled().await;
    assert_eq!(world.inbox.world().sent("12 € 😀\nun saludo"), 1);
    let document = world.document(&name);
    for field in ["message_id", "message_key", "sent_at", "delivered_at", "read_at"] {
        assert!(document[field].is_string(), "{field}: {document:#}");
    }
    assert_eq!(document["content"], "12 € 😀\nun saludo");
    assert_eq!(world.messages().len(), 2, "the answer is the document that was typed: {:#?}", world.messages());
    assert_eq!(world.site.docs("Hub WhatsApp Session")[0]["total_messages_sent"], 1);
    assert_eq!(live.next_of("message.read").await["message"]["text"], "12 € 😀\nun saludo");
    // The site gave up on an answer that was lost, and tells once more.
    let hooks = world.site.told();
    assert_eq!(hooks.len(), 1, "the hub's own writing is not told to it: {hooks:?}");
    world.site.tell_again(&hooks[0]).await;
    let log = world.site.docs("Webhook Request Log");
    assert!(log.last().unwrap()["response"].as_str().unwrap().contains("command"), "{log:#?}");
    // What is typed afterwards has its whole way behind it: so has what was told before.
    let other = world.answers("Hasta luego");
    world.until("the other's ticks", |world| world.document(&other)["status"] == "Read").await;
    world.settled().await;
    let sent = ["12 € 😀\nun saludo", "Hasta luego"].map(|text| world.inbox.world().sent(text));
    assert_eq!(sent, [1, 1], "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_alike_are_two_documents_each_with_its_own_result() {
    let world = World::start().await;
    world.inbox.says(ANA, "hola").await;
    world.until("the question", |world| world.messages().len() == 1).await;
    // A server that tells nothing of what it was asked to send.
    world.inbox.world().tells_sends = false;
    let names = [world.answers("ok"), world.answers("ok")];
    world.until("both", |world| names.iter().all(|name| world.document(name)["status"] == "Sent")).await;
    world.settled().await;
    let ids: Vec<_> = names.iter().map(|name| world.document(name)["message_id"].clone()).collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!((world.inbox.world().sent("ok"), world.messages().len()), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_stands_on_the_document_in_words() {
    let world = World::start().await;
    world.inbox.says(ANA, "hola").await;
    world.until("the question", |world| world.messages().len() == 1).await;
    world.inbox.world().connected = false;
    let name = world.answers("¿Sigue ahí?");
    world.until("the refusal", |world| world.document(&name)["status"] == "Failed").await;
    world.settled().await;
    let failed = world.document(&name);
    assert!(failed["error"].as_str().unwrap().contains("La sesión debe estar conectada"), "{failed:#}");
    assert!(failed["message_key"].is_null() && failed["message_id"].is_null(), "it never was a message: {failed:#}");
    assert_eq!((world.inbox.world().sent("¿Sigue ahí?"), world.messages().len()), (0, 2));
    // By a button, when it is meant: the same document, once more.
    world.inbox.world().connected = true;
    let hook = world.site.told().remove(0);
    let mut body: serde_json::Value = serde_json::from_slice(&hook.body).unwrap();
    body["again"] = json!("1");
    let again = cordboard_frappe_site::Hook { body: body.to_string().into_bytes(), ..hook };
    world.site.tell_again(&again).await;
    world.until("the ticks", |world| world.document(&name)["status"] == "Read").await;
    world.settled().await;
    assert_eq!((world.inbox.world().sent("¿Sigue ahí?"), world.messages().len()), (1, 2));
    assert!(world.document(&name)["message_id"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_sent_is_not_sent_again() {
    let world = World::start().await;
    world.inbox.says(ANA, "hola").await;
    world.until("the question", |world| world.messages().len() == 1).await;
    world.inbox.faults().next("/send", Fault::Page(502));
    let name = world.answers("una vez");
    let key = format!("crm:Hub%20WhatsApp%20Message%2F{name}");
    world
        .hub
        .until("the command's end", || async {
            world.hub.ask(reqwest::Method::GET, &format!("/v1/commands/{key}")).await.status().is_success()
                && world.hub.get(&format!("/v1/commands/{key}")).await["state"] == "unknown"
        })
        .await;
    world.site.tell_again(&world.site.told()[0]).await;
    // What is typed afterwards has its whole way behind it: so has what was told before.
    let other = world.answers("otra cosa");
    world.until("the other's ticks", |world| world.document(&other)["status"] == "Read").await;
    assert_eq!(world.document(&name)["status"], "Pending");
    assert_eq!(world.inbox.faults().count("/send"), 2, "each was tried once");
    // The chat has it after all: a webhook of its content finds the document that waits for it.
    let data = json!({"messageId": "LATE", "chatId": ANA, "fromMe": true, "type": "text", "content": "una vez"});
    assert_eq!(world.post("message.sent", data).await, 200);
    world.until("the late news", |world| world.document(&name)["status"] == "Sent").await;
    assert_eq!(world.document(&name)["message_id"], "LATE");
    assert_eq!(world.messages().len(), 3);
}
