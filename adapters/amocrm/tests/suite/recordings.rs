//! The documented exchanges, word for word: what the vendor's pages answer is understood, and what they ask for is sent.

use std::path::Path;

use cordboard_amocrm::Amocrm;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::{Outside, change};

const LONG: &str = "<access_token>";

/// The account of the chat service's pages, as one connected scope.
const SCOPE: &str = "344a5002-f8ca-454d-af3d-396180102ac7_52e591f7-c98f-4255-8495-827210138c81";

/// Exchanges that the adapter never has, and why.
const NEVER: [(&str, &str); 10] = [
    ("chats-02-disconnect", "the account itself disconnects the channel when the integration is switched off"),
    ("chats-04-link-chat-to-contact", "whose chat it is amoCRM finds by the number in the client's profile"),
    ("chats-12-typing", "who types is not carried"),
    ("chats-13-react", "reactions are not carried"),
    ("contacts-03-add", "the fake alone is asked so: the adapter writes numbers, see contacts-04"),
    ("notes-01-call-in-call-out", "a note is added to its card's own list, see notes-02"),
    ("sources-01-add-whatsapp-numbers", "takes a widget archive: made in amoCRM"),
    ("unsorted-03-accept", "people accept"),
    ("unsorted-04-summary", "nobody counts"),
    ("webhooks-01-subscribe", "people subscribe, as the README says"),
];

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
    // A name of the hub's own table that is nobody's here is said: its calls would be nobody's.
    outside.office().agent("101", "Anna", "Example1@mail.com");
    assert_eq!(Amocrm::check(&outside).unwrap(), Vec::<String>::new());
    outside.office().agent("102", "Boris", "boris@mail.com");
    outside.office().agent("103", "Boris", "boris@mail.com");
    let said = Amocrm::check(&outside).unwrap();
    assert!(said.len() == 1 && said[0].starts_with("1 of the agents' users") && said[0].contains("boris@mail.com"));
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

/// A file that nobody reads proves nothing.
#[test]
fn every_documented_exchange_has_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let sources = ["src", "tests/suite"].map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let mut code = String::new();
    let mut folders: Vec<_> = sources.into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                code.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        let never = NEVER.iter().any(|(own, why)| *own == name && !why.is_empty());
        assert!(never || code.contains(&name), "{name} is read by no test");
        count += 1;
    }
    assert_eq!(count, 42);
}

/// What a request has, the page's own has too, in the same types.
fn fits(asked: &Value, told: &Value, at: &str) {
    match (asked, told) {
        (Value::Object(asked), Value::Object(told)) => {
            for (name, value) in asked {
                let known = told.get(name).unwrap_or_else(|| panic!("{at}/{name} is not on the page"));
                fits(value, known, &format!("{at}/{name}"));
            }
        }
        _ => assert_eq!(std::mem::discriminant(asked), std::mem::discriminant(told), "{at}: {asked} {told}"),
    }
}

fn person(id: &str) -> Correspondent {
    let number = Phone { raw: id.into(), e164: Some(id.into()), ..Phone::default() };
    Correspondent { number: Some(number), name: Some("Example Client".into()), ..Correspondent::default() }
}

fn message(direction: Direction, text: &str) -> Message {
    let (sender, recipient) = match direction {
        Direction::Outbound => (None, Some(person("+79151112233"))),
        _ => (Some(person("+79151112233")), None),
    };
    Message {
        conversation: Some("my:79151112233@s.whatsapp.net".into()),
        direction: Some(direction),
        kind: Some("text".into()),
        text: Some(text.into()),
        sent_at: Some(1_639_604_761_694),
        sender,
        recipient,
        ..Message::default()
    }
}

/// An account whose chat the pages show.
fn chatting() -> Outside {
    let secret = documented("chats-00-signature-vectors")["channel_secret"].clone();
    let chat = json!({"channel": "344a5002-f8ca-454d-af3d-396180102ac7", "secret": secret,
        "bot": "f1910c7f-b1e0-4184-bd09-c7def2a9109a", "title": "ChatsIntegration", "sources": {"my": "78001234567"}});
    let settings = json!({"url": "https://example.amocrm.ru", "token": LONG, "chat": chat});
    let outside = Outside::new().settings(settings);
    for name in ["account-01-with-amojo-id", "pipelines-01-list", "chats-01-connect"] {
        answers(&outside, name);
    }
    // Shown to who asks for it.
    let mut users = documented("users-01-list")["response"]["json"].clone();
    users["_embedded"]["users"][0]["amojo_id"] = json!("76fc2bea-902f-425c-9a3d-dcdac4766090");
    outside.always("GET", "/api/v4/users").answer_json(200, users);
    let grant = Amocrm::issue(&outside, None).unwrap();
    outside.set_grant(Some(grant));
    let asked = outside.asked().pop().unwrap();
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    fits(&body, &documented("chats-01-connect")["request"]["json"], "chats-01-connect");
    outside
}

fn carried(outside: &Outside, change: Change) -> Receipt {
    match Amocrm::deliver(outside, vec![change]).remove(0) {
        Outcome::Done(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

/// The body of the latest request.
fn latest(outside: &Outside) -> Value {
    serde_json::from_slice(&outside.asked().pop().unwrap().body).unwrap_or_default()
}

#[test]
fn messages_are_carried_as_the_pages_have_them() {
    let by_user = {
        let agent = Agent { user: Some("123123".into()), ..Agent::default() };
        Correspondent { agent: Some(agent), ..Correspondent::default() }
    };
    let picture = Message {
        kind: Some("image".into()),
        quotes: Some("my:A".into()),
        media: vec![Media {
            id: "m".into(),
            media_type: Some("image/jpeg".into()),
            url: Some("https://example.com/files/image.jpg".into()),
            size: Some(12_345),
            ..Media::default()
        }],
        ..message(Direction::Inbound, "caption")
    };
    for (name, message, id) in [
        ("chats-05-message-from-client", message(Direction::Inbound, "Сообщение от клиента"), "27d3"),
        ("chats-08-picture-from-client", picture, "27d6"),
        ("chats-07-message-from-bot", message(Direction::Outbound, "Сообщение от бота канала"), "27d5"),
        (
            "chats-06-message-from-manager",
            Message {
                sender: Some(by_user), ..message(Direction::Outbound, "Сообщение от менеджера")
            },
            "27d4",
        ),
    ] {
        let outside = chatting();
        // Who wrote it is looked for first, and the chat is made for that.
        answers(&outside, "chats-03-create-chat");
        outside
            .always("GET", &format!("/v2/origin/custom/{SCOPE}/chats/31d43a78-e09d-46ae-8994-7e93560169b8/history"))
            .answer(204, "");
        answers(&outside, name);
        let receipt = carried(&outside, change("my:5f2836a8ca475", message));
        assert!(receipt.external_id.as_deref().unwrap().ends_with(id), "{name}: {:?}", receipt.external_id);
        let (asked, told) = (latest(&outside), documented(name)["request"]["json"].clone());
        let mut told = told;
        told["payload"]["source"] = json!({"external_id": "78001234567"});
        fits(&asked, &told, name);
        for member in ["/event_type", "/payload/message/type", "/payload/message/text", "/payload/sender/ref_id"] {
            assert_eq!(asked.pointer(member), told.pointer(member), "{name}{member}");
        }
        assert_eq!(asked["payload"]["receiver"].is_null(), told["payload"]["receiver"].is_null(), "{name}");
        for made in outside.asked().iter().filter(|asked| asked.url.ends_with("/chats")) {
            let made: Value = serde_json::from_slice(&made.body).unwrap();
            fits(&made, &documented("chats-03-create-chat")["request"]["json"], "chats-03-create-chat");
        }
    }
}

#[test]
fn an_edit_and_a_status_are_told_as_the_pages_have_them() {
    let outside = chatting();
    answers(&outside, "chats-05-message-from-client");
    let first = change("my:A", message(Direction::Inbound, "раз"));
    let receipt = carried(&outside, first.clone());
    let edited = Message { edited_at: Some(1_639_605_194_102), ..message(Direction::Inbound, "два") };
    let next = Change { external_id: receipt.external_id, memo: receipt.memo, item: edited.into(), ..first };
    carried(&outside, next);
    let asked = latest(&outside);
    fits(&asked, &documented("chats-09-edit-message")["request"]["json"], "chats-09-edit-message");
    assert_eq!(asked["payload"]["timestamp"], 1_639_605_194);

    // The reply that the page's history shows was written there, though it has an id that is not the service's own.
    let outside = chatting();
    answers(&outside, "chats-03-create-chat");
    let history = documented("chats-11-history");
    let path = format!("/v2/origin/custom/{SCOPE}/chats/31d43a78-e09d-46ae-8994-7e93560169b8/history");
    outside.always("GET", &path).answer_json(200, history["response"]["json"].clone());
    let id = "3985523d-78b3-45b7-aeaf-142405bbf1dc";
    let told = documented("chats-10-delivery-status-read");
    let path = format!("/v2/origin/custom/{SCOPE}/{id}/delivery_status");
    outside.always("POST", &path).answer(200, "");
    let sent = Message {
        status: Some(MessageStatus::Read),
        sent_at: Some(1_596_470_955_000),
        ..message(Direction::Outbound, "Yes, cash or card on delivery.")
    };
    let receipt = carried(&outside, change("my:B", sent));
    assert_eq!(receipt.external_id.as_deref(), Some(id));
    assert_eq!(latest(&outside)["status_code"], told["request"]["json"]["status_code"]);
    // What the client wrote there is not what we wrote, whatever it says.
    let outside = chatting();
    answers(&outside, "chats-03-create-chat");
    answers(&outside, "chats-07-message-from-bot");
    let path = format!("/v2/origin/custom/{SCOPE}/chats/31d43a78-e09d-46ae-8994-7e93560169b8/history");
    let mut shown = history["response"]["json"].clone();
    shown["messages"][1]["sender"]["client_id"] = json!("my:79151112233@s.whatsapp.net");
    outside.always("GET", &path).answer_json(200, shown);
    let same = Message { sent_at: Some(1_596_470_809_000), ..message(Direction::Outbound, "Can I pay on delivery?") };
    let receipt = carried(&outside, change("my:C", same));
    assert!(receipt.external_id.as_deref().unwrap().ends_with("27d5"), "{:?}", receipt.external_id);
}

#[test]
fn other_hooks_are_answered() {
    let secret = documented("chats-00-signature-vectors")["channel_secret"].clone();
    let chat = json!({"channel": "344a5002-f8ca-454d-af3d-396180102ac7", "secret": secret, "bot": "b"});
    let outside = Outside::new().settings(json!({"url": "https://example.amocrm.ru", "chat": chat}));
    for name in ["chats-15-hook-typing", "chats-16-hook-reaction"] {
        let told = documented(name);
        let signature = told["request"]["headers"]["X-Signature"].as_str().unwrap();
        let body = told["request"]["body"].as_str().unwrap();
        let request = |signature: &str| {
            let headers = [("X-Signature", signature)];
            let posted = cordboard_sdk::testing::post("/v1/endpoints/acme/crm/chat/scope", &headers, body);
            let answer = Amocrm::handle(&outside, posted);
            (answer.response().unwrap().status, answer.commands.len())
        };
        assert_eq!((request(signature), request("00")), ((200, 0), (401, 0)), "{name}");
    }
    let told = documented("oauth-04-hook-integration-disabled");
    let outside = Outside::new().settings(json!({"url": "https://example.amocrm.ru", "client_secret": "xxx"}));
    let off = |spoilt: &str| {
        let pairs = told["request"]["query"].as_object().unwrap().iter();
        let query: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
        let mut request = cordboard_sdk::testing::post("/v1/endpoints/acme/crm/off", &[], "");
        (request.method, request.query) = ("GET".into(), Some(query.join("&").replace("12345678", spoilt)));
        Amocrm::handle(&outside, request).response().unwrap().status
    };
    assert_eq!((off("12345678"), off("12345679")), (200, 401));
}

#[test]
fn a_list_is_read_page_by_page() {
    let outside = account(json!({}));
    let told = documented("contacts-01-list-two-pages")["response"]["json"].clone();
    let with = |page: &str, number: &str, more: bool| {
        let mut shown = told.clone();
        shown["_embedded"]["contacts"][1]["custom_fields_values"] =
            json!([{"field_code": "PHONE", "values": [{"value": number, "enum_code": "WORK"}]}]);
        shown["_embedded"]["contacts"][1]["id"] = json!(page.parse::<u64>().unwrap());
        if !more {
            shown["_links"].as_object_mut().unwrap().remove("next");
        }
        let path = format!("/api/v4/contacts?query=9998887766&with=leads%2Ccustomers&limit=250&page={page}");
        outside.expect("GET", &path).answer_json(200, shown);
    };
    with("1", "+79998887766", true);
    with("2", "8 (999) 888-77-66", false);
    outside.expect("GET", "/api/v4/companies").answer(204, "");
    assert_eq!(Amocrm::find(&outside, Phone::raw("+79998887766")).unwrap().len(), 2);
}

#[test]
fn a_call_is_noted_and_a_contact_made_as_the_pages_have_them() {
    let outside = account(json!({"unknown_inbound": "contact"}));
    let nobody = json!({"_total_items": 0, "errors": [{"title": "Entity not found"}]});
    outside.always("POST", "/api/v4/calls").answer_json(400, nobody);
    for path in ["/api/v4/contacts", "/api/v4/companies"] {
        outside.always("GET", path).answer(204, "");
    }
    answers(&outside, "contacts-04-add-phone-email");
    let noted = documented("notes-02-call-for-analytics");
    outside.always("POST", "/api/v4/contacts/40401637/notes").answer_json(200, noted["response"]["json"].clone());
    let link = Recording { id: "r".into(), url: Some("https://example.com".into()), ..Recording::default() };
    let receipt = delivered(&outside, "a", Call { recordings: vec![link], ..call("+79121234567") });
    assert_eq!(receipt.external_id.as_deref(), Some("76787987"));
    let body = |path: &str| -> Value {
        let asked = outside.asked().into_iter().rfind(|asked| asked.method == "POST" && asked.url.ends_with(path));
        serde_json::from_slice(&asked.unwrap().body).unwrap()
    };
    fits(&body("/api/v4/contacts")[0], &documented("contacts-04-add-phone-email")["request"]["json"][0], "contacts-04");
    let mut table = noted["request"]["json"][0].clone();
    // The page's table has these besides.
    (table["created_at"], table["params"]["call_responsible"]) = (json!(1), json!(1));
    fits(&body("/notes")[0], &table, "notes-02");
    assert_eq!(body("/notes")[0]["created_by"], body("/notes")[0]["responsible_user_id"], "else it is not counted");
}
