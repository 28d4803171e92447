//! Who may report, and what becomes of everything that should not be there.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};

use crate::support::*;

fn text(text: &str) -> Value {
    json!({
        "messageId": "3EB0AA", "chatId": "34612345678@s.whatsapp.net", "fromMe": false, "type": "text",
        "content": text, "timestamp": "2025-10-15T10:30:00.000Z",
    })
}

fn unauthenticated(result: Result<Accepted, Refusal>) -> String {
    match result {
        Err(Refusal::Unauthenticated(why)) => why,
        other => panic!("expected unauthenticated, got {other:?}"),
    }
}

fn malformed(refusal: Refusal) -> (String, String) {
    match refusal {
        Refusal::Malformed(Malformed { field, why }) => (field, why),
        other => panic!("expected malformed, got {other:?}"),
    }
}

#[test]
fn nothing_unsigned_is_looked_at() {
    let outside = outside(json!({}));
    let body = event("message.received", text("hola")).to_string();
    let good = sign(SECRET, body.as_bytes());
    let with = |value: &str| receive(&outside, post(&[("X-Webhook-Signature", value)], body.clone()));
    with(&good).expect("with prefix");
    with(good.trim_start_matches("sha256=")).expect("without prefix");
    with(&good.to_uppercase().replace("SHA256=", "sha256=")).expect("in upper case");
    assert!(unauthenticated(receive(&outside, post(&[], body.clone()))).contains("missing"));
    for wrong in ["", "sha256=", "sha256=00", &sign("another", body.as_bytes()), "sha256=zz", &good[..70]] {
        unauthenticated(with(wrong));
    }
    let mut changed = signed(body.clone());
    changed.body.push(b' ');
    assert!(unauthenticated(receive(&outside, changed)).contains("does not fit"));
    let twice = post(&[("X-Webhook-Signature", &good), ("X-Webhook-Signature", &good)], body.clone());
    assert!(unauthenticated(receive(&outside, twice)).contains("twice"));
    // Listed in one header: refused, unless the settings say that there may be several.
    let listed = format!("{}, {good}", sign("another", body.as_bytes()));
    unauthenticated(with(&listed));
    let several = crate::support::outside(json!({"signature": {"list": true}}));
    receive(&several, post(&[("X-Webhook-Signature", &listed)], body.clone())).expect("one of the list is right");
    // The body is not looked at before.
    unauthenticated(receive(&outside, post(&[], "not json")));
}

#[test]
fn the_first_header_that_is_there_must_be_right() {
    let body = event("message.received", text("hola")).to_string();
    let (good, wrong) = (sign(SECRET, body.as_bytes()), sign("another", body.as_bytes()));
    let old = post(&[("X-Signature", &good)], body.clone());
    unauthenticated(receive(&outside(json!({})), old.clone()));
    let both = outside(json!({"signature": {"headers": ["X-Webhook-Signature", "X-Signature"]}}));
    receive(&both, old).expect("an old sender's header");
    unauthenticated(receive(&both, post(&[("X-Webhook-Signature", &wrong), ("X-Signature", &good)], body)));
}

#[test]
fn secrets_change_one_at_a_time() {
    let outside = outside(json!({"secret": ["new secret", SECRET]}));
    let body = event("message.received", text("hola")).to_string();
    for (secret, good) in [(SECRET, true), ("new secret", true), ("third", false)] {
        let request = post(&[("X-Webhook-Signature", &sign(secret, body.as_bytes()))], body.clone());
        assert_eq!(receive(&outside, request).is_ok(), good, "{secret}");
    }
}

#[test]
fn an_old_delivery_is_refused_and_one_without_a_time_is_not() {
    let outside = outside(json!({}));
    let body = event("message.received", text("hola")).to_string();
    let good = sign(SECRET, body.as_bytes());
    let at = |sent: Instant| {
        let sent = sent.to_string();
        let headers = [("X-Webhook-Signature", good.as_str()), ("X-Webhook-Timestamp", sent.as_str())];
        receive(&outside, post(&headers, body.clone()))
    };
    at(BASE).expect("just sent");
    assert!(unauthenticated(at(BASE - 600_000)).contains("660 s away"));
    assert!(unauthenticated(at(BASE + 600_000)).contains("away"));
    receive(&outside, signed(body.clone())).expect("without a time");
    let strict = crate::support::outside(json!({"freshness": {"required": true}}));
    assert!(unauthenticated(receive(&strict, signed(body))).contains("X-Webhook-Timestamp"));
}

#[test]
fn what_says_no_time_of_its_own_takes_effect_once() {
    let contact = json!({"contact": {"id": "34612345678@s.whatsapp.net", "name": "Ana"}});
    let edited =
        json!({"messageId": "3EB0AA", "chatId": "34612345678@s.whatsapp.net", "content": "adiós", "fromMe": false});
    let archived = json!({"chatId": "34612345678@s.whatsapp.net", "isArchived": true});
    for (name, data) in [
        ("session.disconnected", json!({"reason": "connection_lost"})),
        ("session.connected", json!({"phoneNumber": "447700900000"})),
        ("contact.updated", contact),
        ("chat.archived", archived),
        ("message.edited", edited),
    ] {
        assert_eq!(accepted(&event(name, data.clone())).once, None, "{name}: it says when");
        let bare = json!({"event": name, "sessionId": SESSION, "data": data});
        let once = accepted(&bare).once.unwrap_or_else(|| panic!("{name}: it does not say when"));
        assert_eq!(once.within, 48 * 3_600_000);
        let [look] = &once.again[..] else { panic!("{name}: {once:?}") };
        assert_eq!((look.id.as_str(), look.kind.as_str(), &look.session), ("look", "look", &None));
        // As often as it stands in a batch, the server is asked once.
        assert_eq!(accepted(&json!([bare.clone(), bare.clone()])).once.unwrap().again.len(), 1);
        let never = receive(&outside(json!({"replay_memory": 0})), signed(bare.to_string())).unwrap();
        assert_eq!(never.once, None);
    }
    assert_eq!(accepted(&event("message.received", text("hola"))).once, None);
}

#[test]
fn the_time_can_be_signed_too_and_the_hash_be_another() {
    use hmac::{Hmac, KeyInit, Mac};
    let outside = outside(json!({
        "signature": {"signed": "{timestamp}.{body}", "algorithm": "sha512", "encoding": "base64", "prefix": ""},
    }));
    let body = event("message.received", text("hola")).to_string();
    let sent = BASE.to_string();
    let mut mac = Hmac::<sha2::Sha512>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{sent}.{body}").as_bytes());
    use base64::Engine;
    let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    let with = |sent: &str| {
        receive(&outside, post(&[("X-Webhook-Signature", &signature), ("X-Webhook-Timestamp", sent)], body.clone()))
    };
    with(&sent).expect("signed together");
    assert!(unauthenticated(with(&(BASE + 1).to_string())).contains("does not fit"));
}

#[test]
fn a_session_of_somebody_else_is_refused_and_told() {
    let outside = outside(json!({}));
    let mut body = event("message.received", text("hola"));
    body["sessionId"] = "other_tenant".into();
    let refusal = receive(&outside, signed(body.to_string())).unwrap_err();
    assert!(matches!(&refusal, Refusal::NotMine(why) if why.contains("other_tenant")), "{refusal:?}");
    assert!(outside.logs().iter().any(|(level, line)| *level == Level::Warn && line.contains("other_tenant")));
    // A header counts only where the body says nothing.
    let good = sign(SECRET, body.to_string().as_bytes());
    let headers = [("X-Webhook-Signature", good.as_str()), ("X-Webhook-Session", SESSION)];
    assert!(matches!(receive(&outside, post(&headers, body.to_string())), Err(Refusal::NotMine(_))));
    body.as_object_mut().unwrap().remove("sessionId");
    let good = sign(SECRET, body.to_string().as_bytes());
    let headers = [("X-Webhook-Signature", good.as_str()), ("X-Webhook-Session", SESSION)];
    receive(&outside, post(&headers, body.to_string())).expect("the header says which session");
    assert_eq!(malformed(refused(&body)).0, "/sessionId");
}

#[test]
fn an_unknown_event_is_kept_and_does_nothing() {
    let refusal = refused(&event("group.exploded", json!({"x": 1})));
    assert!(matches!(&refusal, Refusal::Ignored(why) if why.contains("group.exploded")), "{refusal:?}");
    assert_eq!(malformed(refused(&json!({"sessionId": SESSION, "data": {}}))).0, "/event");
}

#[test]
fn a_list_is_all_or_nothing() {
    let one = event("message.received", text("hola"));
    let mut two = one.clone();
    two["data"]["messageId"] = "3EB0AB".into();
    assert_eq!(accepted(&json!([one, two])).observations.len(), 6);
    let bad = event("message.received", json!({"content": "from nobody"}));
    let (field, why) = malformed(refused(&json!([one, bad])));
    assert!(field == "/1" && why.contains("no_chat"), "{field}: {why}");
    assert!(matches!(refused(&json!([])), Refusal::Ignored(_)));
}

#[test]
fn a_hundred_duplicates_say_the_same() {
    let outside = outside(json!({}));
    let body = event("message.received", text("hola")).to_string();
    let first = receive(&outside, signed(body.clone())).unwrap();
    for later in 0..100 {
        let mut request = signed(body.clone());
        request.received_at += later * 1000;
        assert_eq!(receive(&outside, request).unwrap(), first, "whenever it comes again");
    }
}

#[test]
fn bodies_that_are_none() {
    let outside = outside(json!({}));
    for body in ["", "<html><body>502 Bad Gateway</body></html>", "null", "7", "\"x\"", "{", "\u{0}"] {
        malformed(receive(&outside, signed(body)).unwrap_err());
    }
    malformed(receive(&outside, signed(b"{\"event\":\"\xff\"}".to_vec())).unwrap_err());
    malformed(receive(&outside, signed("[".repeat(100_000))).unwrap_err());
    for data in [json!([]), json!("x"), json!(7), json!(null), json!({}), json!({"message": 7}), json!({"id": []})] {
        for name in [
            "message.received",
            "message.sent",
            "message.ack",
            "message.failed",
            "session.qr",
            "session_status",
            "contact.updated",
            "chat.archived",
            "conversation.created",
            "lid-mapping.update",
            "message.reaction",
            "message.deleted",
        ] {
            assert!(receive(&outside, signed(event(name, data.clone()).to_string())).is_err(), "{name} {data}");
        }
    }
}

#[test]
fn texts_stay_as_they_were_written() {
    let long = "ñ".repeat(32 << 10);
    for words in [
        "\u{202e}שלום עולם\u{202c} مرحبا",
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{1f1ea}\u{1f1f8}",
        "  \r\n x \t",
        &long,
    ] {
        let seen = seen("message.received", text(words));
        assert_eq!(message(&seen).1.text.as_deref(), Some(words));
    }
    let empty = seen("message.received", text(""));
    assert_eq!((message(&empty).1.text.clone(), message(&empty).1.kind.as_deref()), (None, Some("text")));
    let nul = seen("message.received", text("a\u{0}b"));
    let (_, nul) = message(&nul);
    assert_eq!(nul.text.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(attribute(&nul.attributes, "inbox-hub-anomalies"), Some("nul-replaced"));
}

#[test]
fn what_is_of_another_type_is_turned_into_a_text_or_said() {
    let mut data = text("");
    (data["content"], data["messageId"], data["fromMe"]) = (12345.into(), 678.into(), "false".into());
    let seen_of = |data: &Value| seen("message.received", data.clone());
    let number = seen_of(&data);
    let (observation, message) = message(&number);
    assert_eq!((observation.id.as_str(), message.text.as_deref()), ("nueva_sesion_wa:678", Some("12345")));
    assert_eq!(
        (message.direction, attribute(&message.attributes, "inbox-hub-anomalies")),
        (Some(Direction::Inbound), None)
    );
    for none in [json!(true), json!(["hola"])] {
        data["content"] = none;
        let seen = seen_of(&data);
        let (_, message) = crate::support::message(&seen);
        assert_eq!(message.text, None);
        assert_eq!(attribute(&message.attributes, "inbox-hub-anomalies"), Some("text-is-none"));
    }
}

#[test]
fn half_a_surrogate_pair_costs_one_character() {
    let body = event("message.received", text("HERE")).to_string().replace("HERE", "x\\ud83dy");
    let accepted = receive(&outside(json!({})), signed(body)).unwrap();
    assert_eq!(message(&accepted.observations).1.text.as_deref(), Some("x\u{fffd}y"));
}

#[test]
fn a_message_without_an_id_is_known_by_what_it_says() {
    let mut data = text("hola");
    data.as_object_mut().unwrap().remove("messageId");
    let (one, other) = (seen("message.received", data.clone()), seen("message.received", data.clone()));
    assert_eq!(one, other);
    let (observation, first) = message(&one);
    assert!(observation.id.starts_with("nueva_sesion_wa:digest-"), "{}", observation.id);
    assert_eq!(attribute(&first.attributes, "inbox-hub-anomalies"), Some("no-id"));
    data["content"] = "adiós".into();
    assert_ne!(message(&seen("message.received", data)).0.id, observation.id);
}

#[test]
fn a_privacy_id_is_never_a_number() {
    let mut data = text("hola");
    data["chatId"] = "123456789012345@lid".into();
    let only = seen("message.received", data.clone());
    let (observation, sender) = contact(&only);
    assert_eq!((observation.id.as_str(), observation.also.len()), ("nueva_sesion_wa:123456789012345@lid", 0));
    assert_eq!((sender.numbers.len(), sender.ids[0].scheme.as_str()), (0, "lid"));
    assert_eq!(message(&only).1.sender.as_ref().unwrap().number, None);
    // A server that cut `@lid` off and calls the rest a number is not believed.
    data["contact"] = json!({"phone": "123456789012345", "name": "Ana"});
    let (observation, sender) = contact(&seen("message.received", data.clone())).to_owned_pair();
    assert_eq!((observation.also.len(), sender.numbers.len()), (0, 0));
    data["from"] = "123456789012345".into();
    let cut = seen("message.received", data.clone());
    assert_eq!(message(&cut).1.sender.as_ref().unwrap().number, None);
    assert_eq!(attribute(&message(&cut).1.attributes, "inbox-hub-anomalies"), Some("lid-given-as-number"));
    data["from"] = Value::Null;
    // One that shows both is.
    data["contact"] = Value::Null;
    data["remoteJidAlt"] = "34612345678:7@s.whatsapp.net".into();
    let both = seen("message.received", data);
    let (observation, sender) = contact(&both);
    assert_eq!(
        (observation.id.as_str(), &observation.also[..]),
        ("nueva_sesion_wa:34612345678@s.whatsapp.net", &["nueva_sesion_wa:123456789012345@lid".to_owned()][..])
    );
    assert_eq!(sender.numbers[0].raw, "+34612345678");
    let (place, _) = conversation(&both);
    assert_eq!(place.id, "nueva_sesion_wa:34612345678@s.whatsapp.net");
    assert_eq!(place.also, ["nueva_sesion_wa:123456789012345@lid"]);
}

/// For tests that let go of what they looked at.
trait Owned {
    fn to_owned_pair(&self) -> (Observation, Contact);
}

impl Owned for (&Observation, &Contact) {
    fn to_owned_pair(&self) -> (Observation, Contact) {
        (self.0.clone(), self.1.clone())
    }
}

#[test]
fn two_ids_are_never_joined_by_guess() {
    // The sender stands in `from`, the conversation under its privacy id: nobody says that they are one.
    let mut data = text("hola");
    data["chatId"] = "123456789012345@lid".into();
    data["from"] = "34612345678@s.whatsapp.net".into();
    let seen = seen("message.received", data.clone());
    assert!(seen.iter().all(|observation| observation.also.is_empty()), "{seen:#?}");
    // An outgoing message's `senderPn` is our own.
    data["fromMe"] = true.into();
    data["senderPn"] = "447700900000@s.whatsapp.net".into();
    let ours = crate::support::seen("message.received", data);
    assert!(ours.iter().all(|observation| observation.also.is_empty()), "{ours:#?}");
    // Two numbers are two people.
    let mut data = text("hola");
    data["remoteJidAlt"] = "34600000001@s.whatsapp.net".into();
    let odd = crate::support::seen("message.received", data);
    assert!(odd.iter().all(|observation| observation.also.is_empty()));
    assert_eq!(attribute(&message(&odd).1.attributes, "inbox-hub-anomalies"), Some("two-ids-of-one-kind"));
}

#[test]
fn media_that_is_not_what_it_says_is_reported_with_a_mark() {
    let mut data = text("mira");
    data["type"] = "image".into();
    data["media"] = json!({
        "mimetype": "application/x-msdownload", "filename": "../\u{202e}gpj.exe", "size": "12",
        "url": "http://169.254.169.254/latest/meta-data",
    });
    let seen = seen("message.received", data);
    let (_, message) = message(&seen);
    let media = &message.media[0];
    assert_eq!((media.url.as_deref(), media.file_name.as_deref(), media.size), (None, Some("gpj.exe"), Some(12)));
    assert_eq!(attribute(&message.attributes, "inbox-hub-anomalies"), Some("link-not-https, media-type-differs"));
}

#[test]
fn a_time_far_ahead_is_not_believed() {
    let mut data = text("hola");
    data["timestamp"] = "2093-01-01T00:00:00Z".into();
    let seen = seen("message.received", data);
    let (observation, message) = message(&seen);
    assert_eq!((observation.at, message.sent_at), (None, None));
    assert_eq!(attribute(&message.attributes, "inbox-hub-anomalies"), Some("time-ahead"));
}

#[test]
fn a_code_to_pair_with_is_reported_with_its_end() {
    // One that is over, too: what has a code in it is kept nowhere, and the hub knows it by the code.
    let late = json!({"qrCode": "2@x", "expiresAt": "2025-10-15T10:30:59.000Z"});
    assert_eq!(session(&seen("session.qr", late)).1.pairing.as_ref().unwrap().expires_at, BASE + 59_000);
    let good = json!({"qrCode": "2@x", "expiresAt": "2025-10-15T10:31:30.000Z"});
    let seen = seen("session.qr", good);
    assert_eq!(session(&seen).1.pairing.as_ref().unwrap().expires_at, BASE + 90_000);
}

#[test]
fn secrets_stand_in_no_answer_and_no_line() {
    let outside = outside(json!({"secret": "not-to-be-told", "api_key": "not-to-be-told-either"}));
    let body = event("message.received", text("hola")).to_string();
    let refusal = format!("{:?}", receive(&outside, signed(body)));
    assert!(!refusal.contains("not-to-be-told") && !format!("{:?}", outside.logs()).contains("not-to-be-told"));
}
