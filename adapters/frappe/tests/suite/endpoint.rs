//! What a site sends.

use base64::Engine as _;
use cordboard_frappe::Frappe;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{self, Value, json};
use cordboard_sdk::testing::{Outside, post};
use hmac::{Hmac, KeyInit, Mac};

use crate::site::{recorded, settings};

const PATH: &str = "/v1/endpoints/acme/crm/message";

fn signed(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

fn outside(more: Value) -> Outside {
    let mut all = settings(json!({"webhook_secret": "whsec-lab"}));
    all.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    Outside::new().settings(all)
}

fn send(outside: &Outside, path: &str, body: &Value) -> Answer {
    let body = body.to_string();
    Frappe::handle(outside, post(path, &[("X-Frappe-Webhook-Signature", &signed("whsec-lab", body.as_bytes()))], body))
}

fn arguments(answer: &Answer) -> Value {
    assert_eq!((answer.response().unwrap().status, answer.commands.len()), (202, 1), "{answer:?}");
    assert_eq!(answer.commands[0].name, "message.send");
    serde_json::from_str(&answer.commands[0].arguments).unwrap()
}

#[test]
fn the_recorded_deliveries_become_one_command_each() {
    for name in ["hook-10-delivery-json", "hook-12-retry-500", "hook-14-timeout"] {
        let recording = recorded(name).all;
        let mut ids = Vec::new();
        for delivery in recording["deliveries"].as_array().unwrap() {
            let headers = delivery["headers"].as_object().unwrap();
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str().unwrap())).collect();
            let request = post(PATH, &headers, delivery["body_text"].as_str().unwrap());
            let answer = Frappe::handle(&outside(json!({})), request.clone());
            let said = arguments(&answer);
            assert_eq!((&said["session"], &said["to"]), (&json!("ventas-1"), &json!("34600111222@s.whatsapp.net")));
            assert_eq!(said["text"], "¿Qué tal? 😀 \"ok\"");
            ids.push(answer.commands[0].id.clone());
            // Another secret, another byte: nothing comes of it.
            let other = Frappe::handle(&outside(json!({"webhook_secret": "whsec-other"})), request.clone());
            assert_eq!((other.response().unwrap().status, other.commands.len()), (401, 0));
            let mut changed = request.clone();
            changed.body.push(b' ');
            assert_eq!(Frappe::handle(&outside(json!({})), changed).response().unwrap().status, 401);
            let rotating = outside(json!({"webhook_secret": "whsec-other", "webhook_secret_before": "whsec-lab"}));
            assert_eq!(
                Frappe::handle(&rotating, request).response().unwrap().status,
                202,
                "while the secret is changed"
            );
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "however often the site says it: {ids:?}");
        assert!(ids[0].starts_with("Hub WhatsApp Message/"));
    }
    let unsigned = recorded("hook-11-delivery-form").all;
    let body = unsigned["deliveries"][0]["body_text"].as_str().unwrap();
    let answer = Frappe::handle(&outside(json!({})), post(PATH, &[], body));
    assert_eq!((answer.response().unwrap().status, answer.commands.len()), (401, 0));
}

#[test]
fn only_what_waits_to_be_sent_is_sent() {
    let document = json!({"doctype": "Hub WhatsApp Message", "name": "doc1", "session": "ventas-1", "chat_id": "34600111222@s.whatsapp.net",
        "content": "hola", "direction": "Outgoing", "status": "Pending", "message_key": null, "message_id": "", "attachment": null});
    let with = |more: Value| {
        let mut document = document.clone();
        document.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        send(&outside(json!({})), PATH, &document)
    };
    let said = arguments(&with(json!({})));
    assert_eq!(said, json!({"session": "ventas-1", "to": "34600111222@s.whatsapp.net", "text": "hola"}));
    for more in [json!({"direction": "Incoming"}), json!({"message_key": "ventas-1:3EB0"}), json!({"status": "Sent"})] {
        let answer = with(more.clone());
        assert_eq!((answer.response().unwrap().status, answer.commands.len()), (200, 0), "{more}");
    }
    let media = arguments(&with(json!({"attachment": "/files/a b.jpg", "media_type": "image/jpeg"})));
    assert_eq!(
        media["media"],
        json!({"url": "https://crm.example.test/files/a b.jpg", "media-type": "image/jpeg", "caption": "hola"})
    );
    for more in [
        json!({"name": ""}),
        json!({"chat_id": null}),
        json!({"session": ""}),
        json!({"content": " "}),
        json!({"content": 7}),
        json!({"content": "x".repeat(70_000)}),
        json!({"attachment": "/private/files/x.jpg"}),
        json!({"attachment": "javascript:alert(1)"}),
        json!({"chat_id": "a\r\nb"}),
        json!({"name": ["a"]}),
    ] {
        let answer = with(more.clone());
        assert_eq!((answer.response().unwrap().status, answer.commands.len()), (422, 0), "{more}");
    }
    for (number, chat, to) in [
        ("+34 600 111 222", "183746352817364@lid", "+34 600 111 222"),
        ("600 111 222", "34600111222@s.whatsapp.net", "34600111222@s.whatsapp.net"),
        ("183746352817364", "183746352817364@lid", "183746352817364@lid"),
    ] {
        assert_eq!(arguments(&with(json!({"to_number": number, "chat_id": chat})))["to"], to);
    }
    let alone = with(json!({"to_number": "600 111 222", "chat_id": null}));
    assert_eq!((alone.response().unwrap().status, alone.commands.len()), (422, 0), "whose number is it?");
    let again = with(json!({"again": "2", "status": "Failed", "message_key": "ventas-1:3EB0"}));
    assert_eq!(again.commands[0].id, "Hub WhatsApp Message/doc1#2", "by a button, when it is meant");
    let long = with(json!({"name": "n".repeat(140), "doctype": "D".repeat(100)}));
    assert!(long.commands[0].id.len() <= 150);
    let two_lines = arguments(&with(json!({"content": "one\ntwo"})));
    assert_eq!(two_lines["text"], "one\ntwo");
}

#[test]
fn nothing_comes_of_what_is_unproved() {
    let closed = Outside::new().settings(settings(json!({})));
    assert_eq!(Frappe::handle(&closed, post(PATH, &[], "{}")).response().unwrap().status, 403, "no secret, no door");
    let outside = outside(json!({}));
    let deep = "[".repeat(10_000);
    for body in ["", "null", "[]", "{}", "1e999", "{\"id\": \"a\\u0000b\", \"t\": \"\\ud800\"}", deep.as_str()] {
        let forged = signed("whsec-lub", body.as_bytes());
        for headers in
            [vec![], vec![("x-frappe-webhook-signature", forged.as_str())], vec![("x-frappe-webhook-signature", "%%%")]]
        {
            let answer = Frappe::handle(&outside, post(PATH, &headers, body));
            assert_eq!(
                (answer.response().unwrap().status, answer.commands.len(), answer.observations.len()),
                (401, 0, 0)
            );
        }
        let own = signed("whsec-lab", body.as_bytes());
        let answer = Frappe::handle(&outside, post(PATH, &[("x-frappe-webhook-signature", &own)], body));
        assert_eq!(answer.commands.len(), 0);
    }
    assert_eq!(
        Frappe::handle(&outside, post("/v1/endpoints/acme/crm/other", &[], "{}")).response().unwrap().status,
        404
    );
    let mut get = post(PATH, &[], "");
    get.method = "GET".into();
    assert_eq!(Frappe::handle(&outside, get).response().unwrap().status, 405);
    assert!(outside.asked().is_empty(), "it is answered without asking anybody");
}
