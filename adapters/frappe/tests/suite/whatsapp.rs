//! Sessions, contacts, conversations and messages, in DocTypes that the hub's own setup makes, and in another app's.

use cordboard_frappe::Frappe;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{self, Value, json};

use crate::site::{START, Site, from_inbox, next, phone};

const JID: &str = "34600111222@s.whatsapp.net";
const CHAT: &str = "ventas-1:34600111222@s.whatsapp.net";

fn side(e164: &str) -> Option<Correspondent> {
    let ids = vec![Identity { scheme: "jid".into(), value: JID.into() }];
    Some(Correspondent { ids, number: Some(phone(e164)), name: Some("Ana".into()), agent: None })
}

fn incoming(text: &str) -> Message {
    Message {
        conversation: Some(CHAT.into()),
        channel: Some("whatsapp".into()),
        direction: Some(Direction::Inbound),
        kind: Some("text".into()),
        sender: side("+34600111222"),
        text: Some(text.into()),
        sent_at: Some(START + 250),
        origin: Some(Origin::Live),
        ..Message::default()
    }
}

fn outgoing(text: &str, status: MessageStatus) -> Message {
    Message {
        direction: Some(Direction::Outbound),
        sender: None,
        recipient: side("+34600111222"),
        status: Some(status),
        ..incoming(text)
    }
}

fn everything() -> Vec<Change> {
    let session = Session {
        state: Some("connected".into()),
        name: Some("Ventas".into()),
        number: Some(phone("+34910000001")),
        ..Session::default()
    };
    let ids = vec![Identity { scheme: "jid".into(), value: JID.into() }];
    let contact = Contact {
        ids: ids.clone(),
        numbers: vec![phone("+34600111222")],
        push_name: Some("Ana".into()),
        ..Contact::default()
    };
    let conversation = Conversation {
        kind: Some("direct".into()),
        ids,
        contact: Some(CHAT.into()),
        unread: Some(2),
        ..Conversation::default()
    };
    vec![
        // The children come first: their parents have to be there all the same.
        from_inbox("ventas-1:3EB0AAAA0001", incoming("Hola, ¿precio? 😀")),
        from_inbox(CHAT, conversation),
        from_inbox(CHAT, contact),
        from_inbox("ventas-1", session),
    ]
}

#[test]
fn everything_has_its_place_and_its_parent() {
    let site = Site::with(json!({}));
    assert_eq!(Frappe::check(&site).unwrap(), Vec::<String>::new());
    for outcome in site.deliver(&everything()) {
        let Outcome::Done(receipt) = outcome else { panic!("{outcome:?}") };
        assert_eq!(receipt.shortened, Vec::<String>::new());
    }
    let session = site.only("Hub WhatsApp Session");
    for (field, value) in [
        ("session_id", json!("ventas-1")),
        ("session_name", json!("Ventas")),
        ("status", json!("Connected")),
        ("is_connected", json!(1)),
        ("phone_number", json!("+34910000001")),
        ("total_contacts", json!(1)),
        ("total_conversations", json!(1)),
    ] {
        assert_eq!(session[field], value, "{field}");
    }
    assert!(session["last_sync"].as_str().unwrap().starts_with("2026-03-05"));
    let contact = site.only("Hub WhatsApp Contact");
    assert_eq!((&contact["name"], &contact["session"]), (&json!(CHAT), &json!("ventas-1")));
    assert_eq!((&contact["jid"], &contact["contact_name"]), (&json!(JID), &json!("Ana")));
    let conversation = site.only("Hub WhatsApp Conversation");
    assert_eq!((&conversation["chat_id"], &conversation["contact"]), (&json!(JID), &json!(CHAT)));
    assert_eq!(conversation["unread_count"], 2);
    let message = site.only("Hub WhatsApp Message");
    for (field, value) in [
        ("message_id", json!("3EB0AAAA0001")),
        ("session", json!("ventas-1")),
        ("conversation", json!(CHAT)),
        ("contact", json!(CHAT)),
        ("direction", json!("Incoming")),
        ("from_number", json!("+34600111222")),
        ("content", json!("Hola, ¿precio? 😀")),
        ("status", json!("Delivered")),
        ("timestamp", json!("2026-03-05 11:15:30.250000")),
        ("message_type", json!("text")),
    ] {
        assert_eq!(message[field], value, "{field}");
    }
}

#[test]
fn a_message_that_comes_alone_brings_its_parents() {
    let site = Site::with(json!({}));
    site.one(&from_inbox("ventas-1:3EB0AAAA0001", incoming("a")));
    assert_eq!(site.only("Hub WhatsApp Conversation")["chat_id"], JID);
    let session = site.only("Hub WhatsApp Session");
    assert_eq!((&session["session_id"], &session["total_conversations"]), (&json!("ventas-1"), &json!(1)));
    assert!(!site.only("Hub WhatsApp Message").contains_key("contact"), "nobody makes up contacts");
    // The parents' own records find what was made for them.
    site.deliver(&everything());
    assert_eq!(site.only("Hub WhatsApp Session")["session_name"], "Ventas");
    assert_eq!(site.only("Hub WhatsApp Conversation")["unread_count"], 2);
    site.only("Hub WhatsApp Message");
}

#[test]
fn a_page_of_history_is_made_at_once() {
    let site = Site::with(json!({}));
    site.deliver(&everything());
    let page: Vec<Change> = (0..200)
        .map(|n| {
            let message = Message { origin: Some(Origin::Historic), ..outgoing(&format!("n{n}"), MessageStatus::Read) };
            from_inbox(&format!("ventas-1:3EB0BBBB{n:04}"), message)
        })
        .collect();
    let (outcomes, asked) = site.requests(|| site.deliver(&page));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "{:?}", outcomes[0]);
    assert!(asked <= 6, "{asked} requests for 200 messages");
    assert_eq!(site.docs("Hub WhatsApp Message").len(), 201);
    assert_eq!(site.only("Hub WhatsApp Session")["total_messages_sent"], 200);
    assert_eq!(site.docs("Hub WhatsApp Message")[1]["is_history"], 1);
    site.deliver(&page);
    assert_eq!(site.docs("Hub WhatsApp Message").len(), 201, "once, however often");
}

#[test]
fn what_people_wrote_stays_letter_by_letter() {
    let site = Site::with(json!({}));
    let long = "é".repeat(32 << 10);
    for (n, text) in [
        "<b>hi</b> <script>alert(1)</script> 2 < 3 & 4",
        "O'One \\ \"x\" %s %% `tabUser`",
        "👩\u{200D}👩\u{200D}👧 \u{202E}שלום\t\r\n two",
        long.as_str(),
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let receipt = site.one(&from_inbox(&format!("ventas-1:m{n}"), incoming(text)));
        let docs = site.docs("Hub WhatsApp Message");
        assert_eq!(docs[n]["content"], *text, "{n}");
        assert_eq!(receipt.shortened, Vec::<String>::new());
    }
    let receipt = site.one(&from_inbox("ventas-1:nul", incoming("a\0b")));
    assert!(receipt.shortened[0].contains("NUL"));
}

#[test]
fn statuses_follow_and_capitals_of_ids_count() {
    let site = Site::with(json!({}));
    let first = from_inbox("ventas-1:wamid.HBgAAa", outgoing("a", MessageStatus::Sent));
    let receipt = site.one(&first);
    let read = Message { read_at: Some(START + 9000), ..outgoing("a", MessageStatus::Played) };
    let (_, asked) = site.requests(|| site.one(&next(&first, &receipt, read)));
    assert!(asked <= 2, "the contact is looked for, and what has changed is written: {asked}");
    let message = site.only("Hub WhatsApp Message");
    assert_eq!((&message["status"], &message["read_at"]), (&json!("Played"), &json!("2026-03-05 11:15:39")));
    site.one(&from_inbox("ventas-1:wamid.HBgaAA", outgoing("b", MessageStatus::Sent)));
    assert_eq!(site.docs("Hub WhatsApp Message").len(), 2);
    assert_eq!(site.only("Hub WhatsApp Session")["total_messages_sent"], 2);
}

#[test]
fn what_was_asked_for_in_frappe_gets_its_result() {
    let site = Site::with(json!({}));
    site.deliver(&everything());
    let asked_for = |text: &str| {
        let doc = json!({"session": "ventas-1", "conversation": CHAT, "direction": "Outgoing", "status": "Pending", "content": text});
        let mut state = site.state();
        let n = state.docs["Hub WhatsApp Message"].len();
        let mut row = doc.as_object().unwrap().clone();
        row.extend([
            ("name".to_owned(), json!(format!("doc{n}"))),
            ("creation".to_owned(), json!(format!("2026-03-05 11:10:0{n}"))),
        ]);
        state.docs.get_mut("Hub WhatsApp Message").unwrap().push(row);
    };
    for text in ["¡Sí!", "ok", "ok"] {
        asked_for(text);
    }
    // By the command, whatever became of the text.
    let mut sent = outgoing("¡Sí! (edited)", MessageStatus::Sent);
    sent.attributes = vec![("command".into(), "crm:Hub WhatsApp Message/doc1".into())];
    let receipt = site.one(&from_inbox("ventas-1:3EB0C1", sent));
    assert_eq!(receipt.external_id.as_deref(), Some("doc1"));
    // By its text, the oldest first.
    let change = from_inbox("ventas-1:3EB0C2", outgoing("ok", MessageStatus::Sent));
    let receipt = site.one(&change);
    assert_eq!(receipt.external_id.as_deref(), Some("doc2"));
    site.one(&next(&change, &receipt, outgoing("ok", MessageStatus::Read)));
    assert_eq!(
        site.one(&from_inbox("ventas-1:3EB0C3", outgoing("ok", MessageStatus::Sent))).external_id.as_deref(),
        Some("doc3")
    );
    let docs = site.docs("Hub WhatsApp Message");
    assert_eq!(docs.len(), 4);
    let of = |n: usize, field: &str| docs[n][field].as_str().unwrap().to_owned();
    assert_eq!((of(1, "status"), of(2, "status"), of(3, "status")), ("Sent".into(), "Read".into(), "Sent".into()));
    assert_eq!((of(2, "message_id"), of(3, "message_id")), ("3EB0C2".into(), "3EB0C3".into()));
    // What was sent before anybody asked for it is another one.
    asked_for("typed before");
    let early = Message { sent_at: Some(START - 3_600_000), ..outgoing("typed before", MessageStatus::Read) };
    let receipt = site.one(&from_inbox("ventas-1:3EB0C0", early));
    assert_ne!(receipt.external_id.as_deref(), Some("doc4"));
    site.state().docs.get_mut("Hub WhatsApp Message").unwrap().truncate(4);
    // What was typed on the telephone is a document of its own.
    site.one(&from_inbox("ventas-1:3EB0C4", outgoing("typed elsewhere", MessageStatus::Sent)));
    assert_eq!(site.docs("Hub WhatsApp Message").len(), 5);
}

#[test]
fn a_lid_stands_in_no_field_of_numbers() {
    let site = Site::with(json!({}));
    let lid = || vec![Identity { scheme: "lid".into(), value: "183746352817364@lid".into() }];
    let contact = Contact { ids: lid(), ..Contact::default() };
    let sender = Some(Correspondent { ids: lid(), ..Correspondent::default() });
    site.deliver(&[
        from_inbox("ventas-1:183746352817364@lid", contact),
        from_inbox("ventas-1:3EB0D1", Message { sender, conversation: None, ..incoming("a") }),
    ]);
    let contact = site.only("Hub WhatsApp Contact");
    assert!(!contact.contains_key("phone_number"), "{contact:?}");
    assert!(!site.only("Hub WhatsApp Message").contains_key("from_number"));
}

#[test]
fn the_kinds_of_messages_say_what_they_hold() {
    let site = Site::with(json!({"media": "file", "media_url": "https://files.example.test"}));
    let url = "https://files.example.test/1";
    site.state().files.insert(url.into(), b"\xff\xd8\xff\xe0".to_vec());
    let media = vec![Media {
        id: "m1".into(),
        url: Some(url.into()),
        media_type: Some("image/jpeg".into()),
        ..Media::default()
    }];
    let message = Message { media, kind: Some("image".into()), text: Some("caption".into()), ..incoming("") };
    site.one(&from_inbox("ventas-1:3EB0E1", message));
    let location = Some(Location { latitude: 40.4, longitude: -3.7, name: Some("Madrid".into()), address: None });
    let reactions = vec![Reaction { by: "ana".into(), emoji: Some("👍".into()), at: START }];
    site.one(&from_inbox(
        "ventas-1:3EB0E2",
        Message { location, reactions, text: None, kind: Some("location".into()), ..incoming("") },
    ));
    let docs = site.docs("Hub WhatsApp Message");
    assert_eq!((&docs[0]["has_media"], &docs[0]["message_type"]), (&json!(1), &json!("image")));
    assert_eq!(docs[0]["attachment"], site.only("File")["file_url"]);
    assert!(docs[1]["details"].as_str().unwrap().contains("40.4, -3.7 Madrid"));
    assert_eq!(docs[1]["reactions"], "👍 ana");
}

#[test]
fn a_picture_that_is_none_is_left_out_and_the_message_stays() {
    let site = Site::with(json!({"media": "file", "media_url": "https://files.example.test"}));
    for (id, media_type) in [("1", "image/jpeg"), ("2", "application/pdf")] {
        let url = format!("https://files.example.test/{id}");
        site.state().files.insert(url.clone(), vec![1, 2, 3]);
        let media = Media { id: "m".into(), url: Some(url), media_type: Some(media_type.into()), ..Media::default() };
        let message = Message { media: vec![media], ..incoming("look") };
        let receipt = site.one(&from_inbox(&format!("ventas-1:3EB0F{id}"), message));
        assert!(receipt.shortened.iter().any(|note| note.starts_with("file: not attached")), "{receipt:?}");
    }
    assert_eq!((site.docs("Hub WhatsApp Message").len(), site.docs("File").len()), (2, 0));
}

/// The DocTypes of the app that keeps an Inbox Hub, as far as they are known.
fn other_app(site: &Site, message: &[(&str, &str)]) {
    let field = |name: &str, kind: &str, options: &str, mandatory: u8, unique: u8| json!({"fieldname": name, "fieldtype": kind, "options": options, "reqd": mandatory, "unique": unique});
    site.doctype(
        "WhatsApp Session",
        json!({"module": "Xappiens Whatsapp", "autoname": "hash", "fields": [
        field("session_id", "Data", "", 1, 1), field("session_name", "Data", "", 0, 0),
        field("status", "Select", "Disconnected\nConnecting\nConnected\nQR Code Required\nError", 0, 0),
        field("total_contacts", "Int", "", 0, 0), field("total_chats", "Int", "", 0, 0),
        field("total_messages_sent", "Int", "", 0, 0)]}),
    );
    site.doctype(
        "WhatsApp Contact",
        json!({"autoname": "field:contact_id", "fields": [
        field("contact_id", "Data", "", 1, 1), field("session", "Link", "WhatsApp Session", 1, 0),
        field("phone_number", "Data", "", 1, 0), field("contact_name", "Data", "", 0, 0)]}),
    );
    site.doctype(
        "WhatsApp Conversation",
        json!({"autoname": "format:WACONV-{####}", "fields": [
        field("session", "Link", "WhatsApp Session", 1, 0), field("chat_id", "Data", "", 1, 0),
        field("contact", "Link", "WhatsApp Contact", 0, 0)]}),
    );
    let mut fields = vec![
        field("message_id", "Data", "", 1, 1),
        field("session", "Link", "WhatsApp Session", 1, 0),
        field("conversation", "Link", "WhatsApp Conversation", 1, 0),
        field("contact", "Link", "WhatsApp Contact", 0, 0),
        field("direction", "Select", "Incoming\nOutgoing", 1, 0),
        field("from_number", "Data", "", 0, 0),
        field("message_type", "Select", "text\nimage\ndocument\nreaction", 1, 0),
        field("content", "Long Text", "", 0, 0),
        field("status", "Select", "Pending\nSent\nDelivered\nRead\nFailed\nDeleted", 0, 0),
        field("timestamp", "Datetime", "", 1, 0),
        field("has_media", "Check", "", 0, 0),
    ];
    fields.extend(message.iter().map(|(name, kind)| field(name, kind, "", 0, 0)));
    site.doctype(
        "WhatsApp Message",
        json!({"module": "Xappiens Whatsapp", "autoname": "format:WAMSG-{#####}", "fields": fields}),
    );
}

const HOOKED: [(&str, &str); 5] =
    [("type", "Data"), ("from", "Data"), ("to", "Data"), ("message", "Long Text"), ("content_type", "Data")];

#[test]
fn another_apps_doctypes_by_mapping() {
    let site = Site::outside(json!({"whatsapp": "existing"}));
    other_app(&site, &HOOKED);
    site.login().unwrap();
    for _ in 0..2 {
        for outcome in site.deliver(&everything()) {
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
    }
    let (session, conversation) = (site.only("WhatsApp Session"), site.only("WhatsApp Conversation"));
    assert_eq!((&session["session_id"], &session["total_chats"]), (&json!("ventas-1"), &json!(1)));
    assert_eq!((&conversation["session"], &conversation["chat_id"]), (&session["name"], &json!(JID)));
    let message = site.only("WhatsApp Message");
    assert_eq!((&message["conversation"], &message["session"]), (&conversation["name"], &session["name"]));
    assert_eq!(message["message_type"], "text");
    // What Frappe CRM's hook reads.
    assert_eq!(
        (&message["type"], &message["from"], &message["message"]),
        (&json!("Incoming"), &json!("+34600111222"), &json!("Hola, ¿precio? 😀"))
    );
}

#[test]
fn what_another_app_wants_sent_goes_to_its_conversations_chat() {
    let site = Site::outside(json!({"whatsapp": "existing", "webhook_secret": "whsec-lab-1"}));
    other_app(&site, &HOOKED);
    site.state().doctypes.get_mut("WhatsApp Message").unwrap()["fields"][0]["reqd"] = json!(0);
    site.login().unwrap();
    site.deliver(&everything());
    for step in Frappe::plan(&site, Some("https://hub.example.test/v1/endpoints/acme/crm".into())).unwrap() {
        Frappe::make(&site, step).unwrap();
    }
    let (session, conversation) = (site.only("WhatsApp Session"), site.only("WhatsApp Conversation"));
    assert_ne!(session["name"], "ventas-1", "its document has a name of its own");
    let (session, conversation) = (&session["name"], &conversation["name"]);
    let doc = json!({"session": session, "conversation": conversation, "direction": "Outgoing", "status": "Pending",
        "message_type": "text", "content": "hola", "timestamp": "2026-03-05 11:20:00"});
    site.state().typed("WhatsApp Message", &doc).unwrap();
    let hooks = site.state().hooks();
    assert_eq!(hooks.len(), 1);
    let told: Value = serde_json::from_slice(&hooks[0].body).unwrap();
    let said = (&told["session"], &told["chat_id"], &told["content"]);
    assert_eq!(said, (&json!("ventas-1"), &json!(JID), &json!("hola")), "{told}");
}

#[test]
fn an_app_that_would_send_is_never_written_to() {
    let site = Site::outside(json!({"whatsapp": "existing"}));
    other_app(&site, &[]);
    let column = |name: &str| json!({"fieldname": name, "fieldtype": "Data"});
    site.doctype(
        "WhatsApp Message",
        json!({"module": "Frappe Whatsapp", "autoname": "hash",
        "fields": [column("type"), column("message"), column("message_id"), column("use_template")]}),
    );
    site.login().unwrap();
    let Failure::Misconfigured(why) = site.fails(&from_inbox("ventas-1:m", incoming("a"))) else {
        panic!("misconfigured")
    };
    assert!(why.contains("sends to the customer"), "{why}");
    assert!(Frappe::check(&site).unwrap().contains(&why));
    assert!(!site.state().asked.iter().any(|request| request.method != "GET"), "nothing was written");
    // The CRM has hooked the name, and fails over a DocType without its columns.
    other_app(&site, &[]);
    site.login().unwrap();
    let Failure::Misconfigured(why) = site.fails(&from_inbox("ventas-1:m", incoming("a"))) else {
        panic!("misconfigured")
    };
    assert!(why.contains("Frappe CRM has hooked") && why.contains("content_type"), "{why}");
}

#[test]
fn what_is_missing_is_said_one_by_one() {
    let site = Site::outside(json!({}));
    site.login().unwrap();
    let problems = Frappe::check(&site).unwrap();
    assert_eq!(problems.len(), 4, "{problems:#?}");
    for doctype in ["Session", "Contact", "Conversation", "Message"] {
        assert!(problems.iter().any(|it| it.starts_with(&format!("Hub WhatsApp {doctype}: there is no such DocType"))));
    }
    assert!(matches!(site.fails(&from_inbox("ventas-1:m", incoming("a"))), Failure::Misconfigured(_)));
    site.one(&cordboard_sdk::testing::change("c1", crate::site::finished()));
    let off = Site::outside(json!({"whatsapp": "off"}));
    off.login().unwrap();
    assert_eq!(Frappe::check(&off).unwrap(), Vec::<String>::new());
    assert!(matches!(off.deliver(&everything())[0], Outcome::Skipped(_)));

    let site = Site::with(json!({"fields": {"message": {"content": "words"}, "call": {"medium": ""}}}));
    let remove = |doctype: &str, name: &str| {
        let mut state = site.state();
        let fields = state.doctypes.get_mut(doctype).unwrap()["fields"].as_array_mut().unwrap();
        fields.retain(|field| field["fieldname"] != name);
    };
    remove("CRM Call Log", "status");
    remove("CRM Call Log", "medium");
    remove("Hub WhatsApp Contact", "contact_key");
    site.state().denied.extend(["read Hub WhatsApp Session".to_owned(), "create CRM Call Log".to_owned()]);
    site.put("CRM Call Log", json!({"name": "c0", "id": "c0"}));
    let problems = Frappe::check(&site).unwrap();
    for part in [
        "\"words\"",
        "no field \"status\"",
        "`contact_key`",
        "hub@example.test may not read",
        "CRM Call Log: hub@example.test may not create",
    ] {
        assert!(problems.iter().any(|it| it.contains(part)), "{part}: {problems:#?}");
    }
    assert!(!problems.iter().any(|it| it.contains("medium")), "{problems:#?}");
}

#[test]
fn what_is_hidden_from_a_user_may_be_missing() {
    let site = Site::outside(json!({"calls": "off"}));
    site.state().users.get_mut("hub@example.test").unwrap().roles = vec!["Sales User".into()];
    site.login().unwrap();
    let Err(Failure::Misconfigured(why)) = Frappe::check(&site) else { panic!("misconfigured") };
    let hidden = "Hub WhatsApp Session: there is no such DocType on the site, or hub@example.test may not see it";
    assert!(why.contains(hidden), "{why}");
}

#[test]
fn a_lost_memo_changes_nothing() {
    let site = Site::with(json!({}));
    let change = from_inbox("ventas-1:3EB0F1", incoming("a"));
    let receipt = site.one(&change);
    let mut again = next(&change, &receipt, incoming("a"));
    again.memo = vec![0xff, 0];
    let before: Value = json!(site.docs("Hub WhatsApp Message"));
    site.one(&again);
    assert_eq!(json!(site.docs("Hub WhatsApp Message")), before);
}

#[test]
fn a_refused_send_stands_on_its_document_and_can_be_tried_again() {
    let site = Site::with(json!({}));
    site.deliver(&everything());
    let doc = json!({"name": "doc1", "session": "ventas-1", "conversation": CHAT, "direction": "Outgoing",
        "status": "Pending", "content": "hola", "creation": "2026-03-05 11:10:00"});
    site.put("Hub WhatsApp Message", doc);
    let command = |number: &str| vec![("command".to_owned(), format!("crm:Hub WhatsApp Message/doc1{number}"))];
    let failed = Message {
        status: Some(MessageStatus::Failed),
        sent_at: None,
        error: Some("La sesión debe estar conectada".into()),
        attributes: command(""),
        ..outgoing("hola", MessageStatus::Failed)
    };
    let receipt = site.one(&from_inbox("ventas-1:command-0a", failed));
    assert_eq!(receipt.external_id.as_deref(), Some("doc1"));
    let of = |field: &str| site.docs("Hub WhatsApp Message")[1].get(field).cloned().unwrap_or_default();
    assert_eq!((of("status"), of("error")), (json!("Failed"), json!("La sesión debe estar conectada")));
    assert_eq!((of("message_key"), of("message_id")), (Value::Null, Value::Null), "it never was a message");
    let total = || site.only("Hub WhatsApp Session")["total_messages_sent"].clone();
    assert_eq!(total(), 0, "it was not sent");
    let sent = Message { attributes: command("#1"), ..outgoing("hola", MessageStatus::Sent) };
    let receipt = site.one(&from_inbox("ventas-1:3EB0D1", sent));
    assert_eq!(receipt.external_id.as_deref(), Some("doc1"));
    assert_eq!((of("status"), of("message_id")), (json!("Sent"), json!("3EB0D1")));
    assert_eq!(total(), 1);
    assert_eq!(site.docs("Hub WhatsApp Message").len(), 2);
}

#[test]
fn what_becomes_of_an_unknown_message_waits_for_it() {
    let site = Site::with(json!({}));
    let ticked = Message { kind: None, text: None, ..outgoing("", MessageStatus::Read) };
    let change = from_inbox("ventas-1:3EB0E9", ticked);
    assert!(matches!(site.deliver(std::slice::from_ref(&change))[0], Outcome::Skipped(_)));
    assert!(site.docs("Hub WhatsApp Message").is_empty());
    site.one(&from_inbox("ventas-1:3EB0E9", outgoing("now it is known", MessageStatus::Read)));
    assert_eq!(site.only("Hub WhatsApp Message")["status"], "Read");
}
