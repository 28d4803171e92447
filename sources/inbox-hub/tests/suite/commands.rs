//! What can be asked of the source, and what is never done twice.

use cordboard_inbox_hub::InboxHub;
use cordboard_sdk::http::Error;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::Outside;

use crate::support::*;

const SEND: &str = "/api/messages/nueva_sesion_wa/send";
const ANA: &str = "34612345678@s.whatsapp.net";

fn perform(outside: &Outside, name: &str, arguments: Value) -> Result<CommandOutcome, Failure> {
    InboxHub::perform(outside, command(name, arguments)).result
}

fn done(outcome: CommandOutcome) -> Value {
    match outcome {
        CommandOutcome::Done(json) => serde_json::from_str(&json).unwrap(),
        other => panic!("not done: {other:?}"),
    }
}

fn code(result: Result<CommandOutcome, Failure>) -> String {
    match result {
        Err(Failure::Rejected(rejected)) => rejected.code,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

fn hello() -> Value {
    json!({"session": SESSION, "to": "+34 612 345 678", "text": "¡Hola!"})
}

#[test]
fn a_text_is_sent_and_known_by_the_servers_id() {
    for (file, id) in [
        ("api.messages.send.seed.200.json", "3EB0C767D26A1B2E5F8A"),
        ("api.messages.send.public.200.json", "3EB0DE00000000000158"),
    ] {
        let outside = outside(json!({}));
        outside
            .expect("POST", SEND)
            .header("X-API-Key", "test-key")
            .body_json(json!({"to": ANA, "message": "¡Hola!", "type": "text"}))
            .answer_with(answer(file, 200, &[]));
        let outcome = perform(&outside, "message.send", hello()).unwrap();
        assert_eq!(outcome, CommandOutcome::Accepted(Some(format!("{SESSION}:{id}"))));
    }
}

#[test]
fn what_is_sent_is_known_by_its_command() {
    let outside = outside(json!({}));
    outside.expect("POST", SEND).answer_with(answer("api.messages.send.seed.200.json", 200, &[]));
    let seen = InboxHub::perform(&outside, command("message.send", hello())).observations;
    let (sighting, sent) = message(&seen);
    assert_eq!(sighting.id, format!("{SESSION}:3EB0C767D26A1B2E5F8A"));
    assert_eq!(attribute(&sent.attributes, "command"), Some("c1"));
    assert_eq!((sent.status, sent.text.as_deref()), (Some(MessageStatus::Sent), Some("¡Hola!")));
    assert_eq!((sent.direction, sent.kind.as_deref()), (Some(Direction::Outbound), Some("text")));
    assert_eq!(sent.conversation, Some(format!("{SESSION}:{ANA}")));
    let (place, last) = conversation(&seen);
    assert_eq!(
        (place.id.clone(), last.last_message.as_ref().map(|it| it.outgoing)),
        (format!("{SESSION}:{ANA}"), Some(true))
    );

    // A refusal is a message that failed, in the server's words.
    outside.expect("POST", SEND).answer_with(answer("api.error.400.session-not-connected.json", 400, &[]));
    let performed = InboxHub::perform(&outside, command("message.send", hello()));
    assert!(matches!(performed.result, Err(Failure::Rejected(_))));
    let (sighting, refused) = message(&performed.observations);
    assert!(sighting.id.starts_with(&format!("{SESSION}:command-")), "{}", sighting.id);
    assert_eq!((refused.status, refused.text.as_deref()), (Some(MessageStatus::Failed), Some("¡Hola!")));
    assert!(refused.error.is_some() && attribute(&refused.attributes, "command") == Some("c1"));
    // What may have been sent shows itself.
    outside.expect("POST", SEND).answer(502, "<html>Bad Gateway</html>");
    assert_eq!(InboxHub::perform(&outside, command("message.send", hello())).observations, []);
}

#[test]
fn whoever_is_meant_is_found_in_any_spelling() {
    for to in ["34612345678", "0034612345678", "34612345678@c.us", ANA, "nueva_sesion_wa:34612345678@s.whatsapp.net"] {
        let outside = outside(json!({}));
        outside.expect("POST", SEND).body_contains(ANA).answer_with(answer(
            "api.messages.send.seed.200.json",
            200,
            &[],
        ));
        perform(&outside, "message.send", json!({"to": to, "text": "x"})).unwrap();
    }
}

#[test]
fn what_may_have_been_sent_is_unknown() {
    let outside = outside(json!({}));
    let uncertain = |outcome: Result<CommandOutcome, Failure>| match outcome.unwrap() {
        CommandOutcome::Unknown(why) => why,
        other => panic!("expected unknown, got {other:?}"),
    };
    outside.expect("POST", SEND).fail(Error::Timeout("inbox.test".into()));
    assert!(uncertain(perform(&outside, "message.send", hello())).contains("may have been sent"));
    outside.expect("POST", SEND).fail(Error::Broken { host: "inbox.test".into(), why: "reset".into() });
    uncertain(perform(&outside, "message.send", hello()));
    outside.expect("POST", SEND).answer(502, "<html>Bad Gateway</html>");
    uncertain(perform(&outside, "message.send", hello()));
    outside.expect("POST", SEND).answer(200, "<html>Welcome</html>");
    uncertain(perform(&outside, "message.send", hello()));
    outside.expect("POST", SEND).answer_with(answer("api.error.500.connection.json", 500, &[]));
    uncertain(perform(&outside, "message.send", hello()));
    outside.expect("POST", SEND).answer_json(200, ok(json!({})));
    uncertain(perform(&outside, "message.send", hello()));
    // Nothing reached the server: it can be tried again.
    let refused = Error::Unreachable { host: "inbox.test".into(), why: "refused".into() };
    outside.expect("POST", SEND).fail(refused);
    assert!(matches!(perform(&outside, "message.send", hello()), Err(Failure::Retryable(_))));
}

#[test]
fn before_it_is_sent_again_the_chat_is_looked_through() {
    let chat = |rows: Value| ok(json!({"messages": rows}));
    let again = json!({"session": SESSION, "to": ANA, "text": "¡Hola!", "since": BASE - 120_000});
    let path = "/api/messages/nueva_sesion_wa?chatId=34612345678%40s.whatsapp.net&page=1&limit=100";
    let row = |id: &str, from_me: bool, text: &str, at: Instant| json!({"whatsappMessageId": id, "fromMe": from_me, "content": text, "type": "text", "timestamp": at / 1000});
    let outside = outside(json!({}));
    outside.expect("GET", path).answer_json(200, chat(json!([row("M1", true, "¡Hola!", BASE - 119_000)])));
    let outcome = perform(&outside, "message.send", again.clone()).unwrap();
    assert_eq!(outcome, CommandOutcome::Accepted(Some(format!("{SESSION}:M1"))), "it was sent, and is not sent again");

    // Neither theirs, nor another text, nor one from before is it.
    let others = json!([
        row("M1", false, "¡Hola!", BASE - 100_000),
        row("M2", true, "Adiós", BASE - 100_000),
        row("M3", true, "¡Hola!", BASE - 900_000),
    ]);
    outside.expect("GET", path).answer_json(200, chat(others));
    outside.expect("POST", SEND).answer_with(answer("api.messages.send.seed.200.json", 200, &[]));
    perform(&outside, "message.send", again.clone()).unwrap();

    // Too soon to tell.
    let mut soon = again.clone();
    soon["since"] = (BASE - 10_000).into();
    outside.expect("GET", path).answer_json(200, chat(json!([])));
    assert!(matches!(perform(&outside, "message.send", soon), Ok(CommandOutcome::Unknown(_))));

    // Some servers have the chat in the path.
    let other = crate::support::outside(json!({"messages_path": "path"}));
    other
        .expect("GET", "/api/messages/nueva_sesion_wa/34612345678%40s.whatsapp.net?page=1&limit=100")
        .answer_json(200, chat(json!([row("M1", true, "¡Hola!", BASE - 119_000)])));
    perform(&other, "message.send", again.clone()).unwrap();
    assert_eq!(other.asked().len(), 1);

    // The chat cannot be read: nothing is sent.
    outside.expect("GET", path).answer(502, "<html>");
    assert!(matches!(perform(&outside, "message.send", again), Err(Failure::Retryable(_))));
}

#[test]
fn refusals_have_the_servers_words() {
    let outside = outside(json!({}));
    outside.expect("POST", SEND).answer_with(answer("api.error.400.session-not-connected.json", 400, &[]));
    assert_eq!(code(perform(&outside, "message.send", hello())), "SESSION_NOT_CONNECTED");
    outside.expect("POST", SEND).answer_with(answer("api.error.422.validation.json", 422, &[]));
    let Err(Failure::Rejected(rejected)) = perform(&outside, "message.send", hello()) else { panic!("rejected") };
    assert!(rejected.code == "VALIDATION_ERROR" && rejected.why.contains("1-4096 caracteres"), "{rejected:?}");
    outside.expect("POST", SEND).answer_with(answer("api.error.429.rate-limit.json", 429, &[("retry-after", "42")]));
    assert_eq!(perform(&outside, "message.send", hello()), Err(Failure::RateLimited(Some(42_000))));
    outside.expect("POST", SEND).answer_with(answer("api.error.401.missing-api-key.json", 401, &[]));
    assert!(matches!(perform(&outside, "message.send", hello()), Err(Failure::Misconfigured(_))));
    outside.expect("POST", SEND).answer_json(200, json!({"success": false, "error": "no", "code": "VALIDATION_ERROR"}));
    assert_eq!(code(perform(&outside, "message.send", hello())), "VALIDATION_ERROR");
    outside.expect("GET", "/api/sessions").answer_with(answer("api.error.404.session-not-found.json", 404, &[]));
    assert_eq!(code(perform(&outside, "session.status", json!({}))), "SESSION_NOT_FOUND");
}

#[test]
fn arguments_are_checked_before_anything_leaves() {
    let outside = outside(json!({}));
    for (name, arguments) in [
        ("message.send", json!({})),
        ("message.send", json!([])),
        ("message.send", json!({"to": 7, "text": "x"})),
        ("message.send", json!({"to": "somebody", "text": "x"})),
        ("message.send", json!({"to": "status@broadcast", "text": "x"})),
        ("message.send", json!({"to": ANA})),
        ("message.send", json!({"to": ANA, "text": ""})),
        ("message.send", json!({"to": ANA, "text": "x".repeat(4097)})),
        ("message.send", json!({"to": ANA, "text": "x", "session": "other"})),
        ("message.send", json!({"to": ANA, "media": {"url": "file:///etc/passwd"}})),
        ("message.read", json!({"session": SESSION})),
        ("call.originate", json!({"to": ANA})),
        ("webhook.register", json!({})),
    ] {
        code(perform(&outside, name, arguments));
    }
    assert_eq!(outside.asked().len(), 0);
}

#[test]
fn media_is_sent_by_link_or_uploaded_first() {
    let outside = outside(json!({}));
    let sent = || answer("api.messages.send.seed.200.json", 200, &[]);
    let media = |more: Value| {
        let mut media = json!({"url": "https://files.test/a", "caption": "c"});
        media.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"to": ANA, "media": media})
    };
    outside
        .expect("POST", SEND)
        .body_json(json!({"to": ANA, "type": "image", "message": {
            "image": {"url": "https://files.test/a", "mimetype": "image/jpeg"}, "caption": "c"}}))
        .answer_with(sent());
    perform(&outside, "message.send", media(json!({"media-type": "image/jpeg"}))).unwrap();
    outside
        .expect("POST", SEND)
        .body_json(json!({"to": ANA, "type": "document", "message": {
            "document": {"url": "https://files.test/a", "mimetype": "application/pdf", "fileName": "a.pdf"}, "caption": "c"}}))
        .answer_with(sent());
    let document = json!({"media-type": "application/pdf", "file-name": "../a.pdf"});
    let outcome = perform(&outside, "message.send", media(document.clone()));
    assert!(outcome.is_ok());
    outside
        .expect("POST", SEND)
        .body_json(json!({"to": ANA, "type": "audio", "message": {
            "audio": {"url": "https://files.test/a"}, "caption": "c", "ptt": true}}))
        .answer_with(sent());
    perform(&outside, "message.send", media(json!({"kind": "voice"}))).unwrap();

    let uploading = crate::support::outside(json!({"media": "upload", "media_url": "https://files.test"}));
    uploading.file("https://files.test/a", "application/pdf", *b"%PDF");
    uploading
        .expect("POST", "/api/media/sessions/nueva_sesion_wa/upload")
        .body_contains("%PDF")
        .answer_json(201, ok(json!({"fileId": "f1", "url": "https://inbox.test/f1"})));
    uploading.expect("POST", SEND).body_contains("https://inbox.test/f1").answer_with(sent());
    perform(&uploading, "message.send", media(document)).unwrap();
}

#[test]
fn sessions_are_listed_looked_at_and_moved() {
    let outside = outside(json!({}));
    let list = || outside.expect("GET", "/api/sessions").answer_with(answer("api.sessions.list.200.json", 200, &[]));
    list();
    let sessions = done(perform(&outside, "session.list", json!({})).unwrap());
    assert_eq!(sessions["sessions"][0]["session"], SESSION);
    list();
    outside.expect("GET", "/api/sessions/2/status").answer_with(answer(
        "api.sessions.status.disconnected.200.json",
        200,
        &[],
    ));
    assert_eq!(done(perform(&outside, "session.status", json!({})).unwrap())["state"], "disconnected");
    list();
    outside
        .expect("GET", "/api/sessions/2/qr")
        .answer_json(200, ok(json!({"qrCode": "data:image/png;base64,AA", "expiresAt": "2025-10-15T10:31:00.000Z"})));
    let code = done(perform(&outside, "session.code", json!({})).unwrap());
    assert_eq!((&code["code"], &code["expires-at"]), (&json!("data:image/png;base64,AA"), &json!(BASE + 60_000)));
    for change in ["connect", "disconnect", "restart"] {
        list();
        outside
            .expect("POST", &format!("/api/sessions/2/{change}"))
            .answer_json(200, ok(json!({"sessionId": SESSION, "status": "connecting"})));
        let outcome = perform(&outside, &format!("session.{change}"), json!({})).unwrap();
        assert_eq!(outcome, CommandOutcome::Accepted(Some(SESSION.into())));
    }
    outside.expect("PUT", "/api/messages/nueva_sesion_wa/34612345678%40s.whatsapp.net/read").answer_with(answer(
        "api.chat.read.200.json",
        200,
        &[],
    ));
    let read = perform(&outside, "message.read", json!({"conversation": format!("{SESSION}:{ANA}")})).unwrap();
    assert_eq!(done(read), json!({"marked": 3}));
}

#[test]
fn the_sessions_of_other_tenants_are_not_shown() {
    let outside = outside(json!({"sessions": ["mine"]}));
    outside.expect("GET", "/api/sessions").answer_with(answer("api.sessions.list.200.json", 200, &[]));
    assert_eq!(done(perform(&outside, "session.list", json!({})).unwrap()), json!({"sessions": []}));
}

#[test]
fn a_webhook_is_registered_once() {
    let url = "https://hub.test/v1/hooks/acme/whatsapp";
    let outside = outside(json!({"webhook": {"url": url}, "secret": ["first", "second"]}));
    let events =
        serde_json::from_slice::<Value>(&bytes("api.webhooks.create.201.json")).unwrap()["data"]["events"].clone();
    outside.expect("GET", "/api/webhooks").answer_json(200, ok(json!({"webhooks": []})));
    outside
        .expect("POST", "/api/webhooks")
        .body_json(json!({"name": "Cordboard", "url": url, "method": "POST", "events": events, "secret": "first"}))
        .answer_with(answer("api.webhooks.create.201.json", 201, &[]));
    let first = done(perform(&outside, "webhook.register", json!({})).unwrap());
    assert_eq!(first, json!({"webhook": 7, "state": "registered"}));
    let there = json!({"webhooks": [{"id": 7, "url": url, "events": events, "isActive": true}]});
    outside.expect("GET", "/api/webhooks").answer_json(200, ok(there));
    let again = done(perform(&outside, "webhook.register", json!({})).unwrap());
    assert_eq!(again, json!({"webhook": 7, "state": "there already"}));
    let off = json!({"webhooks": [{"id": 7, "url": url, "events": ["message.received"], "isActive": true}]});
    outside.expect("GET", "/api/webhooks").answer_json(200, ok(off));
    assert_eq!(code(perform(&outside, "webhook.register", json!({}))), "webhook-differs");
    // A server without a list, and an answer that gets lost.
    outside.expect("GET", "/api/webhooks").answer(404, "{}");
    outside.expect("POST", "/api/webhooks").fail(Error::Timeout("inbox.test".into()));
    assert!(matches!(perform(&outside, "webhook.register", json!({})), Ok(CommandOutcome::Unknown(_))));
}

#[test]
fn a_webhook_can_be_an_organizations() {
    let url = "https://hub.test/v1/hooks/acme/whatsapp";
    let outside = outside(json!({
        "auth": "api_key_and_jwt", "identifier": "demo@example.invalid", "password": "test-only", "secret": "first",
        "webhook": {"url": url, "register": "organization", "organization": "4/x", "events": ["message.received"]},
    }));
    outside.expect("POST", "/api/auth/login").answer_with(answer("api.auth.login.200.json", 200, &[]));
    outside.set_grant(Some(InboxHub::issue(&outside, None).unwrap()));
    let bearer = format!("Bearer {}", recorded("api.auth.login.200.json")["data"]["accessToken"].as_str().unwrap());
    let path = "/api/webhooks/organizations/4%2Fx";
    let none = ok(json!({"webhooks": []}));
    outside.expect("GET", path).header("authorization", &bearer).answer_json(200, none);
    outside
        .expect("POST", path)
        .header("authorization", &bearer)
        .body_json(json!({
            "name": "Cordboard", "url": url, "events": ["message.received"], "secret": "first", "headers": {},
            "retryConfig": {"attempts": 3, "delay": 1000}, "timeout": 30000,
        }))
        .answer_json(201, ok(json!({"id": 9})));
    let first = done(perform(&outside, "webhook.register", json!({})).unwrap());
    assert_eq!(first, json!({"webhook": 9, "state": "registered"}));
    let there = json!({"webhooks": [{"id": 9, "url": url, "events": ["message.received"]}]});
    outside.expect("GET", path).answer_json(200, ok(there));
    let again = done(perform(&outside, "webhook.register", json!({})).unwrap());
    assert_eq!(again, json!({"webhook": 9, "state": "there already"}));
}

#[test]
fn a_webhook_can_be_a_sessions_own() {
    let url = "https://hub.test/v1/hooks/acme/whatsapp";
    let put = outside(json!({"webhook": {"url": url, "register": "session_put", "events": ["message.received"]}}));
    put.expect("GET", "/api/sessions").answer_with(answer("api.sessions.list.200.json", 200, &[]));
    put.expect("PUT", "/api/sessions/2/webhook")
        .body_json(json!({"webhookUrl": url, "webhookSecret": SECRET, "webhookEvents": ["message.received"]}))
        .answer_json(200, ok(json!({})));
    perform(&put, "webhook.register", json!({})).unwrap();

    let create = outside(json!({"webhook": {"url": url, "register": "session_create"}}));
    assert_eq!(code(perform(&create, "webhook.register", json!({}))), "by-session-create");
    create.expect("GET", "/api/sessions").answer_json(200, ok(json!({"sessions": []})));
    create.expect("POST", "/api/sessions").body_contains("webhookSecret").answer_json(201, ok(json!({"id": 3})));
    perform(&create, "session.create", json!({})).unwrap();
    create.expect("GET", "/api/sessions").answer_with(answer("api.sessions.list.200.json", 200, &[]));
    assert_eq!(done(perform(&create, "session.create", json!({})).unwrap())["webhook"], "unchanged");

    let organization = outside(json!({"webhook": {"url": url, "register": "organization", "organization": "4"}}));
    assert!(matches!(perform(&organization, "webhook.register", json!({})), Err(Failure::Misconfigured(_))));
    let manual = outside(json!({"webhook": {"url": url, "register": "manual"}}));
    assert_eq!(code(perform(&manual, "webhook.register", json!({}))), "manual");
}
