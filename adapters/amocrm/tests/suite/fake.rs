//! The fake against the vendor's pages: it takes what their examples ask, answers in their form, and refuses what they
//! refuse. What stands on a fake that is kinder than amoCRM proves nothing.

use std::path::Path;
use std::time::Duration;

use crate::bench::{Bench, KNOWN};
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_tests::amocrm::{ANNA, CHANNEL, CHANNEL_SECRET, CLIENT, CODE, LONG_LIVED, REDIRECT, SECRET};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

/// Members of the examples that nobody here reads.
const PASSED_OVER: [&str; 20] = [
    "_links",
    "_total_items",
    "_page",
    "_page_count",
    "avatar",
    "email",
    "phone",
    "profile",
    "sender_id",
    "receiver_id",
    "thumbnail",
    "media",
    "file_name",
    "file_size",
    "rights",
    "lang",
    "statuses",
    "sort",
    "account_id",
    "tags",
];

fn documented(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display())))
        .unwrap()
}

fn sent(bench: &Bench, request: Request) -> (u16, Value) {
    let answer = request.send(&bench.host).unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

fn rest(bench: &Bench, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::new(method, format!("{}{path}", bench.crm.url())).bearer(LONG_LIVED);
    sent(bench, if body.is_null() { request } else { request.json(body) })
}

/// A request to the chat service, signed as of a moment.
fn signed(bench: &Bench, method: &str, path: &str, body: &[u8], date: &str) -> (u16, Value) {
    let digest = hex::encode(Md5::digest(body));
    let (bare, _) = path.split_once('?').unwrap_or((path, ""));
    let mut mac = Hmac::<Sha1>::new_from_slice(CHANNEL_SECRET.as_bytes()).unwrap();
    mac.update(format!("{method}\n{digest}\napplication/json\n{date}\n{bare}").as_bytes());
    let request = Request::new(method, format!("{}{path}", bench.crm.url()))
        .body("application/json", body)
        .header("date", date)
        .header("content-md5", digest)
        .header("x-signature", hex::encode(mac.finalize().into_bytes()));
    sent(bench, request)
}

fn chat(bench: &Bench, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now()).replace("GMT", "+0000");
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    signed(bench, method, path, &body, &date)
}

/// What an example has and the fake does not, by its place.
fn lacks(own: &Value, told: &Value, at: &str, missing: &mut Vec<String>) {
    match (own, told) {
        (own, Value::Object(told)) => {
            for (name, value) in told.iter().filter(|(name, _)| !PASSED_OVER.contains(&name.as_str())) {
                match own.get(name) {
                    Some(own) => lacks(own, value, &format!("{at}/{name}"), missing),
                    None => missing.push(format!("{at}/{name}")),
                }
            }
        }
        (Value::Array(own), Value::Array(told)) => {
            if let (Some(own), Some(told)) = (own.first(), told.first()) {
                lacks(own, told, at, missing);
            } else if own.is_empty() && !told.is_empty() {
                missing.push(at.to_owned());
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (own, told) if std::mem::discriminant(own) != std::mem::discriminant(told) => missing.push(at.to_owned()),
        _ => {}
    }
}

#[test]
fn examples_are_answered_as_on_the_pages() {
    let bench = Bench::outside(json!({}));
    {
        let mut world = bench.crm.world();
        for id in [47_272, 32_321, 88_888, 99_999, 123_123] {
            world.users.push(json!({"id": id, "email": format!("{id}@example.com")}));
        }
        world.pipelines.push(json!({"id": 2_194_576, "name": "Third", "is_main": false}));
        world.contact("Short", "123123", ANNA);
        world.contact("Long", "+79999999999", ANNA);
        let fields = json!([{"field_code": "PHONE", "values": [{"value": "+76665554433", "enum_code": "WORK"}]}]);
        for id in [167_353, 10_952_709] {
            world.cards.insert(
                ("contacts", id),
                json!({"id": id, "name": "Example", "responsible_user_id": ANNA, "custom_fields_values": fields}),
            );
        }
    }
    for name in [
        "calls-01-add-inbound",
        "calls-02-add-outbound-full",
        "unsorted-01-add-sip",
        "contacts-03-add",
        "contacts-04-add-phone-email",
        "notes-02-call-for-analytics",
        "events-01-phone-call-popup",
        "account-01-with-amojo-id",
        "users-01-list",
        "pipelines-01-list",
        "contacts-02-query-phone",
    ] {
        let told = documented(name);
        let (request, response) = (&told["request"], &told["response"]);
        let pairs = request["query"].as_object().into_iter().flatten();
        let query: Vec<String> = pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap())).collect();
        let path = format!("{}?{}", request["path"].as_str().unwrap(), query.join("&"));
        let (status, own) = rest(&bench, request["method"].as_str().unwrap(), &path, &request["json"]);
        assert_eq!(response["status"], status, "{name}: {own}");
        let mut missing = Vec::new();
        lacks(&own, &response["json"], "", &mut missing);
        // What the adapter reads must be there; an account has more than that.
        missing.retain(|at| ["/_embedded", "/errors", "/amojo_id"].iter().any(|read| at.starts_with(read)));
        missing.retain(|at| !UNREAD.iter().any(|end| at.ends_with(end)));
        assert!(missing.is_empty(), "{name} lacks {missing:?}: {own}");
    }
}

/// What a card has besides.
const UNREAD: [&str; 16] = [
    "/first_name",
    "/last_name",
    "/group_id",
    "/created_by",
    "/updated_by",
    "/created_at",
    "/updated_at",
    "/closest_task_at",
    "/is_deleted",
    "/is_unsorted",
    "/field_name",
    "/field_type",
    "/field_id",
    "/enum_id",
    "/companies",
    "/users/_embedded",
];

#[test]
fn examples_of_chats_are_answered_as_on_the_pages() {
    let bench = Bench::outside(json!({}));
    // The examples' manager.
    bench.crm.world().users.push(json!({"id": 9, "amojo_id": "76fc2bea-902f-425c-9a3d-dcdac4766090"}));
    for name in [
        "chats-01-connect",
        "chats-03-create-chat",
        "chats-05-message-from-client",
        "chats-06-message-from-manager",
        "chats-07-message-from-bot",
        "chats-08-picture-from-client",
        "chats-09-edit-message",
    ] {
        let told = documented(name);
        let (request, response) = (&told["request"], &told["response"]);
        let path = request["path"].as_str().unwrap();
        let (status, own) = chat(&bench, request["method"].as_str().unwrap(), path, &request["json"]);
        assert_eq!(response["status"], status, "{name}: {own}");
        let mut missing = Vec::new();
        lacks(&own, &response["json"], "", &mut missing);
        assert!(missing.is_empty(), "{name} lacks {missing:?}: {own}");
    }
    // Messages of the chat that the examples write to, and one that is answered there.
    let conversation = "my_int-d5a421f7f217";
    bench.crm.world().write(conversation, "Yes");
    let id = bench.crm.world().chats[conversation].id.clone();
    let scope =
        documented("chats-11-history")["request"]["path"].as_str().unwrap().split("/chats/").next().unwrap().to_owned();
    let path = format!("{scope}/chats/{id}/history");
    let (status, own) = chat(&bench, "GET", &format!("{path}?limit=50&offset=0"), &Value::Null);
    let all = own["messages"].as_array().unwrap();
    assert_eq!((status, all.len(), &all[0]["message"]["text"]), (200, 5, &json!("Yes")), "the newest first");
    let told = &documented("chats-11-history")["response"]["json"]["messages"];
    let mut missing = Vec::new();
    lacks(&all[0], &told[0], "/reply", &mut missing);
    lacks(&all[4], &told[1], "/client", &mut missing);
    assert!(missing.is_empty(), "{missing:?}: {own}");
    assert_eq!(chat(&bench, "GET", &format!("{path}?limit=2&offset=4"), &Value::Null).1["messages"], json!([all[4]]));
    assert_eq!(chat(&bench, "GET", &format!("{path}?limit=51&offset=0"), &Value::Null).0, 400, "50 at most");
    let reply = all[0]["message"]["id"].as_str().unwrap();
    let read = &documented("chats-10-delivery-status-read")["request"]["json"];
    assert_eq!(chat(&bench, "POST", &format!("{scope}/{reply}/delivery_status"), read).0, 200);
    assert_eq!(bench.crm.world().chats[conversation].statuses, [(reply.to_owned(), 2)]);
}

#[test]
fn what_does_not_fit_is_refused_by_its_place() {
    let bench = Bench::outside(json!({}));
    let call = || {
        json!({"direction": "inbound", "duration": 1, "source": "x", "phone": KNOWN, "call_status": 4,
            "responsible_user_id": ANNA, "created_by": ANNA})
    };
    let waiting = || documented("unsorted-01-add-sip")["request"]["json"][0].clone();
    let contact = || documented("contacts-04-add-phone-email")["request"]["json"][0].clone();
    bench.crm.world().pipelines.push(json!({"id": 2_194_576, "name": "Third"}));
    let note = || json!({"note_type": "call_in", "params": {"phone": KNOWN, "duration": 1}});
    let notes = format!("/api/v4/contacts/{}/notes", bench.ivan);
    let calls = "/api/v4/calls".to_owned();
    let sip = "/api/v4/leads/unsorted/sip".to_owned();
    let contacts = "/api/v4/contacts".to_owned();
    let lead = || json!({"pipeline_id": 31_001, "_embedded": {"contacts": [contact()]}});
    let complex = "/api/v4/leads/complex".to_owned();
    let kept = || {
        let world = bench.crm.world();
        (world.notes.len(), world.cards.len())
    };
    for (path, good, at, wrong, named) in [
        (&calls, call(), "/phone", Value::Null, "phone"),
        (&calls, call(), "/phone", json!(7), "phone"),
        (&calls, call(), "/direction", json!("in"), "direction"),
        (&calls, call(), "/duration", json!("1"), "duration"),
        (&calls, call(), "/call_status", json!(9), "call_status"),
        (&calls, call(), "/created_by", json!(1), "created_by"),
        (&calls, call(), "/responsible_user_id", json!("anna"), "responsible_user_id"),
        (&sip, waiting(), "/source_uid", Value::Null, "source_uid"),
        (&sip, waiting(), "/pipeline_id", json!(1), "pipeline_id"),
        (&sip, waiting(), "/metadata/called_at", json!("now"), "metadata.called_at"),
        (&sip, waiting(), "/metadata/link", Value::Null, "metadata.link"),
        (&sip, waiting(), "/metadata/is_call_event_needed", Value::Null, "metadata.is_call_event_needed"),
        (&contacts, contact(), "/responsible_user_id", json!(1), "responsible_user_id"),
        (&contacts, contact(), "/custom_fields_values/0/field_code", json!("TEL"), "custom_fields_values.0.field_code"),
        (
            &contacts,
            contact(),
            "/custom_fields_values/0/values/1/enum_code",
            json!("MOBILE"),
            "custom_fields_values.0.values.1.enum_code",
        ),
        (&complex, lead(), "/pipeline_id", json!(1), "pipeline_id"),
        (&complex, lead(), "/_embedded/contacts/0/name", json!(1), "_embedded.contacts.0.name"),
        (&notes, note(), "/params/phone", Value::Null, "params.phone"),
        (&notes, note(), "/params/duration", json!("1"), "params.duration"),
        (&notes, note(), "/note_type", json!("call"), "note_type"),
    ] {
        let mut spoilt = good.clone();
        *spoilt.pointer_mut(at).unwrap_or_else(|| panic!("{path}{at}")) = wrong;
        let before = kept();
        let (status, said) = rest(&bench, "POST", path, &json!([spoilt]));
        let error = &said["validation-errors"][0]["errors"][0];
        assert_eq!((status, &error["path"]), (400, &json!(named)), "{path}{at}: {said}");
        assert_eq!(said["title"], "Bad Request");
        assert_eq!(kept(), before, "nothing of it is done");
        if at != "/note_type" {
            let (status, said) = rest(&bench, "POST", path, &json!([good]));
            // Two equal ones do not wait.
            let again = path == &sip && said.to_string().contains("AlreadyExists");
            assert!(status == 200 || again, "{path}: {said}");
        }
    }
    assert_eq!(rest(&bench, "POST", "/api/v4/calls", &call()).0, 400, "a list is wanted");
    assert_eq!(rest(&bench, "POST", "/api/v4/calls", &json!(vec![call(); 251])).0, 422, "250 at most");
    let shown = |users: Value| {
        let event = json!({"type": "phone_call", "phone_number": KNOWN, "users": users});
        rest(&bench, "POST", "/api/v2/events", &json!({"add": [event]})).0
    };
    assert_eq!([json!([ANNA]), json!(ANNA), json!(ANNA.to_string())].map(shown), [200; 3]);
    assert_eq!([json!([]), json!([1]), json!("anna")].map(shown), [400; 3]);
    let (status, said) = rest(
        &bench,
        "POST",
        "/api/v4/calls",
        &json!([{"direction": "inbound", "duration": 1,
        "source": "x", "phone": "+79995556677"}]),
    );
    assert_eq!((status, &said["errors"][0]["title"]), (400, &json!("Entity not found")), "nobody has the number");
}

#[test]
fn tokens_work_once_and_only_the_newest() {
    let bench = Bench::outside(json!({}));
    let exchange = |more: Value| {
        let mut body = json!({"client_id": CLIENT, "client_secret": SECRET, "redirect_uri": REDIRECT});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, said) =
            sent(&bench, Request::post(format!("{}/oauth2/access_token", bench.crm.url())).json(&body));
        let token = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        (status, token("access_token"), token("refresh_token"), said["hint"].clone())
    };
    let by_code = |code: &str| exchange(json!({"grant_type": "authorization_code", "code": code}));
    let renewed = |token: &str| exchange(json!({"grant_type": "refresh_token", "refresh_token": token}));
    let works = |token: &str| {
        let request = Request::get(format!("{}/api/v4/account", bench.crm.url())).bearer(token);
        sent(&bench, request).0 == 200
    };
    assert_eq!(exchange(json!({"grant_type": "authorization_code", "code": CODE, "redirect_uri": "https://x"})).0, 401);
    assert_eq!(exchange(json!({"grant_type": "authorization_code", "code": CODE, "client_secret": "x"})).0, 401);
    let (status, access, refresh, _) = by_code(CODE);
    assert!(status == 200 && works(&access));
    assert_eq!(by_code(CODE).0, 400, "a code works once");
    let (status, other, next, _) = renewed(&refresh);
    assert!(status == 200 && works(&other) && !works(&access), "the pair before is void");
    let (status, _, _, hint) = renewed(&refresh);
    assert_eq!((status, hint), (401, json!("Token has been revoked")), "a refresh token works once");
    assert_eq!(renewed(&next).0, 200, "and what was refused has spent nothing");
    assert!(!works("") && !works("made-up"));
}

#[test]
fn the_eighth_request_of_a_second_is_refused_and_then_everything() {
    let bench = Bench::outside(json!({}));
    bench.crm.limits().enforce(Duration::from_secs(300));
    let ask = || {
        let request = Request::get(format!("{}/api/v4/account", bench.crm.url())).bearer(LONG_LIVED);
        let answer = request.send(&bench.host).unwrap();
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        (answer.status, kind, body["retry_after"].as_u64())
    };
    assert!((0..7).all(|_| ask().0 == 200));
    assert_eq!(ask(), (429, "application/problem+json".to_owned(), Some(300)));
    let shut_out = (0..9).map(|_| ask()).find(|(status, ..)| *status == 403).unwrap();
    assert_eq!(shut_out, (403, "text/plain".to_owned(), None));
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(ask().0, 403, "a pause mends nothing");
}

#[test]
fn the_chat_service_takes_only_what_is_signed_and_only_once() {
    let bench = Bench::outside(json!({}));
    let connect = format!("/v2/origin/custom/{CHANNEL}/connect");
    let body = documented("chats-01-connect")["request"]["json"].to_string().into_bytes();
    let (status, said) = signed(&bench, "POST", &connect, &body, "Thu, 16 Dec 2021 16:00:00 +0000");
    assert_eq!((status, &said["error_type"]), (403, &json!("ORIGIN_INVALID_SIGNATURE")), "fifteen minutes");
    assert_eq!(signed(&bench, "POST", &connect, &body, "").0, 403);
    let told = documented("chats-05-message-from-client");
    let path = told["request"]["path"].as_str().unwrap();
    assert_eq!(chat(&bench, "POST", path, &told["request"]["json"]).0, 404, "not connected yet");
    assert_eq!(chat(&bench, "POST", &connect, &serde_json::from_slice(&body).unwrap()).0, 200);
    assert_eq!(chat(&bench, "POST", path, &told["request"]["json"]).0, 200);
    assert_eq!(chat(&bench, "POST", path, &told["request"]["json"]).0, 400, "of one id there is one");
    for (at, wrong) in [
        ("/payload/sender", Value::Null),
        ("/payload/sender/name", Value::Null),
        ("/payload/timestamp", json!("now")),
        ("/payload/message/text", json!("")),
        ("/payload/message/type", json!("poem")),
    ] {
        let mut spoilt = told["request"]["json"].clone();
        spoilt["payload"]["msgid"] = json!(at);
        *spoilt.pointer_mut(at).unwrap() = wrong;
        assert_eq!(chat(&bench, "POST", path, &spoilt).0, 400, "{at}");
    }
    let mut stranger = documented("chats-06-message-from-manager")["request"]["json"].clone();
    stranger["payload"]["sender"]["ref_id"] = json!("nobody");
    assert_eq!(chat(&bench, "POST", path, &stranger).0, 400, "neither a user nor the bot");
    let mut long = documented("chats-08-picture-from-client")["request"]["json"].clone();
    long["payload"]["source"]["external_id"] = json!("x".repeat(41));
    assert_eq!(chat(&bench, "POST", path, &long).0, 400);
}
