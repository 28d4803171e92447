//! What a site sends, and what it is told to be set up with.
#![allow(clippy::unwrap_used)]

mod site;

use base64::Engine as _;
use cordboard_frappe::Frappe;
use cordboard_frappe::provision::{self, Order};
use cordboard_frappe::settings::Settings;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{self, Value, json};
use cordboard_sdk::testing::{Outside, post};
use hmac::{Hmac, KeyInit, Mac};
use site::{Site, recorded, settings};

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
    assert_eq!((answer.response.status, answer.commands.len()), (202, 1), "{answer:?}");
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
            assert_eq!((other.response.status, other.commands.len()), (401, 0));
            let mut changed = request.clone();
            changed.body.push(b' ');
            assert_eq!(Frappe::handle(&outside(json!({})), changed).response.status, 401);
            let rotating = outside(json!({"webhook_secret": "whsec-other", "webhook_secret_before": "whsec-lab"}));
            assert_eq!(Frappe::handle(&rotating, request).response.status, 202, "while the secret is changed");
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "however often the site says it: {ids:?}");
        assert!(ids[0].starts_with("Hub WhatsApp Message/"));
    }
    let unsigned = recorded("hook-11-delivery-form").all;
    let body = unsigned["deliveries"][0]["body_text"].as_str().unwrap();
    let answer = Frappe::handle(&outside(json!({})), post(PATH, &[], body));
    assert_eq!((answer.response.status, answer.commands.len()), (401, 0));
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
        assert_eq!((answer.response.status, answer.commands.len()), (200, 0), "{more}");
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
        assert_eq!((answer.response.status, answer.commands.len()), (422, 0), "{more}");
    }
    let again = with(json!({"again": "2"}));
    assert_eq!(again.commands[0].id, "Hub WhatsApp Message/doc1#2", "by a button, when it is meant");
    let long = with(json!({"name": "n".repeat(140), "doctype": "D".repeat(100)}));
    assert!(long.commands[0].id.len() <= 150);
    let two_lines = arguments(&with(json!({"content": "one\ntwo"})));
    assert_eq!(two_lines["text"], "one\ntwo");
}

#[test]
fn nothing_comes_of_what_is_unproved() {
    let closed = Outside::new().settings(settings(json!({})));
    assert_eq!(Frappe::handle(&closed, post(PATH, &[], "{}")).response.status, 403, "no secret, no door");
    let outside = outside(json!({}));
    let deep = "[".repeat(10_000);
    for body in ["", "null", "[]", "{}", "1e999", "{\"id\": \"a\\u0000b\", \"t\": \"\\ud800\"}", deep.as_str()] {
        for path in [PATH, "/v1/endpoints/acme/crm/setup"] {
            let forged = signed("whsec-lub", body.as_bytes());
            for headers in [
                vec![],
                vec![("x-frappe-webhook-signature", forged.as_str())],
                vec![("x-frappe-webhook-signature", "%%%")],
            ] {
                let answer = Frappe::handle(&outside, post(path, &headers, body));
                assert_eq!((answer.response.status, answer.commands.len(), answer.observations.len()), (401, 0, 0));
            }
            let own = signed("whsec-lab", body.as_bytes());
            let answer = Frappe::handle(&outside, post(path, &[("x-frappe-webhook-signature", &own)], body));
            assert_eq!(answer.commands.len(), 0);
        }
    }
    assert_eq!(Frappe::handle(&outside, post("/v1/endpoints/acme/crm/other", &[], "{}")).response.status, 404);
    let mut get = post(PATH, &[], "");
    get.method = "GET".into();
    assert_eq!(Frappe::handle(&outside, get).response.status, 405);
    assert!(outside.asked().is_empty(), "it is answered without asking anybody");
}

fn plan(more: Value, order: &Order) -> Vec<provision::Step> {
    let settings: Settings = serde_json::from_value(settings(more)).unwrap();
    provision::plan(&settings, None, order)
}

#[test]
fn the_plan_asks_for_what_the_real_site_took() {
    let order = Order {
        endpoint: Some("https://hub.example.test/x".into()),
        user: Some("hub-bot@example.test".into()),
        role: None,
    };
    let steps = plan(json!({"webhook_secret": "whsec-lab-1"}), &order);
    let at = |path: &str| steps.iter().filter(|step| step.path == path).collect::<Vec<_>>();
    for (name, path) in [
        ("setup-01-role", "/api/resource/Role"),
        ("setup-02-user", "/api/resource/User"),
        ("setup-03-generate-keys", "/api/method/frappe.core.doctype.user.user.generate_keys"),
        ("setup-05-perm-add", "/api/method/frappe.core.page.permission_manager.permission_manager.add"),
        ("ddl-03-doctype-create", "/api/resource/DocType"),
        ("ddl-12-custom-field-create", "/api/resource/Custom%20Field"),
        ("hook-01-create-json", "/api/resource/Webhook"),
    ] {
        let recording = recorded(name);
        assert_eq!((recording.method.as_str(), recording.path.as_str(), recording.answer.status), ("POST", path, 200));
        let step = at(path)[0];
        let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let known = members(&recording.body);
        for member in members(&step.body) {
            let more = ["timeout", "condition", "naming_rule"].contains(&member.as_str());
            assert!(known.contains(&member) || more, "{name}: {member}");
        }
    }
    assert_eq!(recorded("setup-01-role").body, at("/api/resource/Role")[0].body);
    let setter = plan(json!({"whatsapp": "existing"}), &Order::default());
    let setter = setter.iter().find(|step| step.path.ends_with("Property%20Setter")).unwrap();
    assert_eq!(
        recorded("ddl-15-property-setter").body.as_object().unwrap().keys().collect::<Vec<_>>(),
        setter.body.as_object().unwrap().keys().collect::<Vec<_>>()
    );
    // A link to a DocType that is not there yet is refused: parents come first.
    let doctypes: Vec<&str> =
        at("/api/resource/DocType").iter().map(|step| step.body["name"].as_str().unwrap()).collect();
    assert_eq!(
        doctypes,
        ["Hub WhatsApp Session", "Hub WhatsApp Contact", "Hub WhatsApp Conversation", "Hub WhatsApp Message"]
    );
    for step in at("/api/resource/DocType") {
        assert_eq!((&step.body["custom"], &step.body["module"]), (&json!(1), &json!("Custom")));
        let hub =
            step.body["permissions"].as_array().unwrap().iter().find(|it| it["role"] == "Hub Integration").unwrap();
        assert_eq!(hub, &json!({"role": "Hub Integration", "read": 1, "write": 1, "create": 1}), "the least");
    }
    let message = at("/api/resource/DocType")[3];
    let content = message.body["fields"].as_array().unwrap().iter().find(|it| it["fieldname"] == "content").unwrap();
    assert_eq!(content["ignore_xss_filter"], 1, "what people wrote stays");
    let text = serde_json::to_string(&steps).unwrap();
    assert!(
        !text.contains("whsec-lab-1") && text.contains("{webhook_secret}"),
        "the secret is put in by who carries it out"
    );
    assert_eq!(at("/api/method/frappe.core.doctype.user.user.generate_keys")[0].shows, Some("/message/api_secret"));
    assert!(
        plan(json!({"webhook_secret": "whsec-lab-1"}), &Order::default())
            .iter()
            .all(|step| !step.path.contains("Webhook") && !step.path.contains("User"))
    );
}

#[test]
fn what_is_there_is_left_out_of_the_plan() {
    let site = Site::with(json!({"webhook_secret": "whsec-lab"}));
    let body = json!({"endpoint": "https://hub.example.test/v1/endpoints/acme/crm/message"}).to_string();
    let request = post(
        "/v1/endpoints/acme/crm/setup",
        &[("x-frappe-webhook-signature", &signed("whsec-lab", body.as_bytes()))],
        body,
    );
    let answer = Frappe::handle(&site, request);
    assert_eq!((answer.response.status, answer.commands.len()), (200, 0));
    let plan: Value = serde_json::from_slice(&answer.response.body).unwrap();
    let paths: Vec<&str> =
        plan["steps"].as_array().unwrap().iter().map(|step| step["path"].as_str().unwrap()).collect();
    assert!(!paths.contains(&"/api/resource/DocType") && !paths.contains(&"/api/resource/Custom%20Field"), "{paths:?}");
    assert!(paths.contains(&"/api/resource/Webhook"));
    assert_eq!(plan["site"], "https://crm.example.test");
}
