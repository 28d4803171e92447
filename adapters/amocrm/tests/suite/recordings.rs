//! The documented exchanges, word for word: what the vendor's pages answer is understood, and what they ask for is sent.

use std::path::Path;

use cordboard_amocrm::Amocrm;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::{Outside, change};

const LONG: &str = "<access_token>";

fn documented(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display())))
        .unwrap()
}

/// Answers a request of this method and path as the page does, whenever it is asked.
fn answers(outside: &Outside, name: &str) {
    let told = documented(name);
    let text = |member: &str| told["request"][member].as_str().unwrap().to_owned();
    let status = told["response"]["status"].as_u64().unwrap() as u16;
    outside.always(&text("method"), &text("path")).answer_json(status, told["response"]["json"].clone());
}

/// An account as the pages show it, logged in by a long-lived token.
fn account(more: Value) -> Outside {
    let mut settings =
        json!({"url": "https://example.amocrm.ru", "token": LONG, "users": {"101": 123_123, "102": 321_321}});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let outside = Outside::new().settings(settings);
    for name in ["account-01-with-amojo-id", "users-01-list", "pipelines-01-list"] {
        answers(&outside, name);
    }
    let grant = Amocrm::issue(&outside, None).unwrap();
    outside.set_grant(Some(grant));
    outside
}

fn call(number: &str) -> Call {
    Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".into()),
        direction: Some(Direction::Inbound),
        caller: Some(Party::number(number)),
        agent: Some(Agent::extension("101")),
        started_at: Some(1_583_156_916_000),
        talk: Some(60),
        ..Call::default()
    }
}

fn delivered(outside: &Outside, id: &str, call: Call) -> Receipt {
    let attempt = if id == "again" { 2 } else { 1 };
    match Amocrm::deliver(outside, vec![Change { attempt, ..change(id, call) }]).remove(0) {
        Outcome::Done(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_account_is_learnt() {
    let outside = account(json!({}));
    let grant = outside.grant().unwrap();
    assert!(grant.attributes.contains(&("account".to_owned(), "1231414".to_owned())), "{:?}", grant.attributes);
    assert!(grant.attributes.contains(&("chat".to_owned(), "f3c6340d-410e-4ad1-9f7e-c5e663599909".to_owned())));
    assert_eq!(Amocrm::check(&outside).unwrap(), Vec::<String>::new());
}

#[test]
fn a_call_is_added() {
    let outside = account(json!({}));
    answers(&outside, "calls-01-add-inbound");
    let receipt = delivered(&outside, "a", call("+79999999999"));
    assert_eq!(receipt.external_id.as_deref(), Some("37512063"));
    assert_eq!(receipt.url.as_deref(), Some("https://example.amocrm.ru/contacts/detail/11070881"));
    // Every member that the page's own request has, and no other than its table has.
    let asked: Value = serde_json::from_slice(&outside.asked().last().unwrap().body).unwrap();
    let full = documented("calls-02-add-outbound-full")["request"]["json"][0].clone();
    let table = full.as_object().unwrap();
    for (name, value) in asked[0].as_object().unwrap() {
        let same = table.get(name).is_some_and(|told| std::mem::discriminant(told) == std::mem::discriminant(value));
        assert!(same, "{name}: {value}");
    }
}

#[test]
fn an_incoming_lead_is_added_and_found_again() {
    let outside = account(json!({}));
    let nobody = json!({"_total_items": 0, "errors": [{"title": "Entity not found"}]});
    outside.always("POST", "/api/v4/calls").answer_json(400, nobody);
    answers(&outside, "unsorted-01-add-sip");
    let receipt = delivered(&outside, "a", call("+79998888888"));
    let uid = "aa401affb0094076b74442bc3f401d53e103f264d6668fd3ecfd5acef42f";
    assert_eq!(receipt.external_id.as_deref(), Some(uid));
    assert_eq!(receipt.url.as_deref(), Some("https://example.amocrm.ru/leads/detail/7706509"));
    let asked: Value = serde_json::from_slice(&outside.asked().last().unwrap().body).unwrap();
    let told = documented("unsorted-01-add-sip")["request"]["json"][0].clone();
    for name in ["request_id", "source_name", "source_uid", "pipeline_id", "created_at", "metadata", "_embedded"] {
        assert!(!asked[0][name].is_null() && !told[name].is_null(), "{name}");
    }
    for name in told["metadata"].as_object().unwrap().keys() {
        assert!(!asked[0]["metadata"][name].is_null(), "{name}");
    }
    // In the list the types are loose, and `uniq` is not told.
    let outside = account(json!({}));
    outside.always("GET", "/api/v4/contacts").answer(204, "");
    outside.always("GET", "/api/v4/companies").answer(204, "");
    answers(&outside, "unsorted-02-list-sip");
    let receipt = delivered(&outside, "again", call("+7999999999"));
    assert_eq!(receipt.external_id.as_deref(), Some("98fb033cefde74f5de1a5d3980a2a2d108037"));
}

#[test]
fn a_contact_is_found() {
    let outside = account(json!({}));
    answers(&outside, "contacts-02-query-phone");
    outside.always("GET", "/api/v4/companies").answer(204, "");
    let found = Amocrm::find(&outside, Phone::raw("+7 666 555 44 33")).unwrap();
    assert_eq!(
        (found.len(), found[0].external_id.as_str(), found[0].owner.as_deref()),
        (1, "10952709", Some("504141"))
    );
    // Its number is another one: the digits stood somewhere else.
    assert_eq!(Amocrm::find(&outside, Phone::raw("+7 666 555 44 34")).unwrap(), []);
}

#[test]
fn a_call_that_went_to_a_customer_is_found_again() {
    let outside = account(json!({}));
    let mut found = documented("contacts-02-query-phone")["response"]["json"].clone();
    found["_embedded"]["contacts"][0]["_embedded"]["customers"] = json!([{"id": 88}]);
    outside.always("GET", "/api/v4/contacts").answer_json(200, found);
    outside.always("GET", "/api/v4/companies").answer(204, "");
    outside.always("GET", "/api/v4/contacts/10952709/notes").answer(204, "");
    let notes = json!({"_embedded": {"notes": [{"id": 5, "params": {"uniq": "again"}}]}});
    outside.always("GET", "/api/v4/customers/88/notes").answer_json(200, notes);
    outside.always("PATCH", "/api/v4/customers/88/notes/5").answer_json(200, json!({"id": 5}));
    let receipt = delivered(&outside, "again", call("+76665554433"));
    assert_eq!(receipt.external_id.as_deref(), Some("5"));
}

#[test]
fn who_rings_is_shown() {
    let outside = account(json!({}));
    let told = documented("events-01-phone-call-popup");
    let mut asked = told["request"]["json"].clone();
    asked["add"][0]["users"] = json!([123_123, 321_321]);
    outside.expect("POST", "/api/v2/events").body_json(asked).answer_json(200, told["response"]["json"].clone());
    let desk = |extension: &str| Desk { extension: extension.into(), rang_at: 1, answered_at: None, stopped_at: None };
    let rings = Call {
        phase: Some(CallPhase::Ringing),
        outcome: None,
        desks: vec![desk("101"), desk("102")],
        agent: None,
        ..call("+79998885533")
    };
    delivered(&outside, "a", rings);
}

#[test]
fn tokens_are_exchanged() {
    let oauth = |more: Value| {
        let mut settings = json!({"url": "https://example.amocrm.ru", "client_id": "xxxx", "client_secret": "xxxx",
            "redirect_uri": "https://test.test"});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Outside::new().settings(settings)
    };
    for (name, more) in [
        ("oauth-01-authorization-code", json!({"code": "xxxxxxx"})),
        ("oauth-02-refresh-token", json!({"refresh_token": "xxxxx"})),
    ] {
        let outside = oauth(more);
        let told = documented(name);
        let (path, body) = (told["request"]["path"].as_str().unwrap(), told["request"]["json"].clone());
        outside.expect("POST", path).body_json(body).answer_json(200, told["response"]["json"].clone());
        for learnt in ["account-01-with-amojo-id", "users-01-list", "pipelines-01-list"] {
            answers(&outside, learnt);
        }
        let grant = Amocrm::issue(&outside, None).unwrap();
        let token: Value = serde_json::from_str(&grant.token).unwrap();
        assert_eq!((&token["access"], &token["refresh"]), (&json!("xxxxxx"), &json!("xxxxx")));
    }
    // The refresh token is refused where the account was, and taken where it is.
    let outside = oauth(json!({"refresh_token": "xxxxx"}));
    let revoked = json!({"hint": "Token has been revoked", "title": "Некорректный запрос", "status": 401,
        "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson"});
    outside.expect("POST", "https://example.amocrm.ru/oauth2/access_token").answer_json(401, revoked);
    let told = documented("oauth-03-account-domain-by-refresh-token");
    outside
        .expect("GET", told["request"]["path"].as_str().unwrap())
        .header("X-Refresh-Token", "xxxxx")
        .answer_json(200, told["response"]["json"].clone());
    let pair = documented("oauth-02-refresh-token")["response"]["json"].clone();
    outside.expect("POST", "https://account_subdomain.amocrm.ru/oauth2/access_token").answer_json(200, pair);
    for learnt in ["account-01-with-amojo-id", "users-01-list", "pipelines-01-list"] {
        answers(&outside, learnt);
    }
    let grant = Amocrm::issue(&outside, None).unwrap();
    let moved = ("address".to_owned(), "https://account_subdomain.amocrm.ru".to_owned());
    assert!(grant.attributes.contains(&moved), "{:?}", grant.attributes);
}

#[test]
fn a_hook_of_the_chat_service_is_understood() {
    let told = documented("chats-14-hook-message-v2");
    let secret = documented("chats-00-signature-vectors")["channel_secret"].clone();
    let chat =
        json!({"channel": "344a5002-f8ca-454d-af3d-396180102ac7", "secret": secret, "bot": "b", "session": "main"});
    let outside = Outside::new().settings(json!({"url": "https://example.amocrm.ru", "chat": chat}));
    let request = |signature: &str| {
        let body = told["request"]["body"].as_str().unwrap();
        let headers = [("X-Signature", signature)];
        cordboard_sdk::testing::post("/v1/endpoints/acme/crm/chat/scope", &headers, body)
    };
    let signature = told["request"]["headers"]["X-Signature"].as_str().unwrap();
    let answer = Amocrm::handle(&outside, request(signature));
    assert_eq!((answer.response().unwrap().status, answer.commands.len()), (200, 1), "{:?}", outside.logs());
    let arguments: Value = serde_json::from_str(&answer.commands[0].arguments).unwrap();
    assert_eq!(arguments["media"]["url"], "https://amojo.amocrm.ru/attachments/image.jpg");
    assert_eq!(arguments["to"], "+79161234567");
    assert_eq!(Amocrm::handle(&outside, request(&signature.replace('8', "9"))).response().unwrap().status, 401);
}
