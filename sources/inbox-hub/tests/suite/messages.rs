//! What stands in messages, in the shapes of every family.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};

use crate::support::*;

const ANA: &str = "34612345678@s.whatsapp.net";

/// A message of Ana's with further members.
fn from_ana(more: Value) -> Message {
    let mut data = json!({"messageId": "M1", "chatId": ANA, "fromMe": false, "timestamp": 1_760_524_200});
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message(&seen("message.received", data)).1.clone()
}

/// A message of Ana's as Baileys has it.
fn baileys(content: Value) -> Vec<Observation> {
    seen(
        "message.received",
        json!({
            "key": {"remoteJid": ANA, "fromMe": false, "id": "M1"}, "pushName": "Ana", "messageTimestamp": 1_760_524_200,
            "message": content,
        }),
    )
}

#[test]
fn places_cards_and_polls() {
    let place = from_ana(json!({"type": "location", "latitude": 40.4, "longitude": "-3.7", "name": "Sol"}));
    assert_eq!(place.kind.as_deref(), Some("location"));
    let location = place.location.unwrap();
    assert_eq!((location.latitude, location.longitude, location.name.as_deref()), (40.4, -3.7, Some("Sol")));
    let place = baileys(json!({"locationMessage": {"degreesLatitude": 1, "degreesLongitude": 2, "address": "x"}}));
    assert_eq!(message(&place).1.location.as_ref().unwrap().address.as_deref(), Some("x"));
    let off = from_ana(json!({"type": "location", "latitude": 400, "longitude": 0}));
    assert_eq!(off.location, None);

    let card = "BEGIN:VCARD\nFN:Bob\nTEL;waid=34600000000:+34 600 000 000\nEND:VCARD";
    let cards = from_ana(json!({"type": "vcard", "body": card}));
    assert_eq!((cards.kind.as_deref(), cards.text), (Some("contacts"), None));
    assert_eq!(cards.cards[0].numbers, ["+34 600 000 000"]);

    let poll = baileys(json!({"pollCreationMessageV3": {
        "name": "¿Cuándo?", "options": [{"optionName": "hoy"}, {"optionName": "mañana"}], "selectableOptionsCount": 1,
    }}));
    let poll = message(&poll).1.poll.clone().unwrap();
    assert_eq!((poll.question.as_str(), poll.options.len(), poll.choices), ("¿Cuándo?", 2, 1));
    let vote = seen(
        "message.received",
        json!({
            "type": "poll_vote", "chatId": ANA, "fromMe": false, "pollMessageId": "M1", "selectedOptions": ["hoy"],
        }),
    );
    let (observation, vote) = message(&vote);
    assert_eq!(observation.id, "nueva_sesion_wa:M1");
    assert_eq!(attribute(&vote.attributes, "vote-34612345678-s-whatsapp-net"), Some("hoy"));
    let sealed =
        json!({"key": {"remoteJid": ANA, "id": "V"}, "message": {"pollUpdateMessage": {"vote": {"encPayload": "x"}}}});
    assert!(matches!(refused(&event("message.received", sealed)), Refusal::Ignored(_)));
}

#[test]
fn media_of_every_kind() {
    for (content, kind) in [
        (json!({"imageMessage": {"mimetype": "image/jpeg", "caption": "c"}}), "image"),
        (json!({"videoMessage": {"gifPlayback": true}}), "gif"),
        (json!({"audioMessage": {"ptt": true, "seconds": 7}}), "voice"),
        (json!({"audioMessage": {}}), "audio"),
        (json!({"stickerMessage": {}}), "sticker"),
        (json!({"documentWithCaptionMessage": {"message": {"documentMessage": {"fileName": "a.pdf"}}}}), "document"),
    ] {
        let seen = baileys(content.clone());
        let (_, message) = message(&seen);
        assert_eq!((message.kind.as_deref(), message.media.len()), (Some(kind), 1), "{content}");
        assert_eq!(message.media[0].id, "M1");
    }
    let voice = baileys(json!({"audioMessage": {"ptt": true, "seconds": 7, "fileLength": {"low": 900, "high": 0}}}));
    assert_eq!((message(&voice).1.media[0].duration, message(&voice).1.media[0].size), (Some(7), Some(900)));
    // What may be seen once has no link, unless the settings allow it.
    let once = json!({"viewOnceMessageV2": {"message": {"imageMessage": {"url": "https://mmg.example/x"}}}});
    let seen = baileys(once.clone());
    assert_eq!(message(&seen).1.media[0].url, None);
    assert_eq!(attribute(&message(&seen).1.attributes, "view-once"), Some("true"));
    let body = event("message.received", json!({"key": {"remoteJid": ANA, "id": "M1"}, "message": once}));
    let allowed = receive(&outside(json!({"view_once": true})), signed(body.to_string())).unwrap();
    assert!(message(&allowed.observations).1.media[0].url.is_some());
}

#[test]
fn answers_forwards_and_mentions() {
    let seen = baileys(json!({"extendedTextMessage": {"text": "sí", "contextInfo": {
        "stanzaId": "M0", "participant": ANA, "isForwarded": true, "forwardingScore": 5, "expiration": 604_800,
        "mentionedJid": ["34600000000@s.whatsapp.net"],
    }}}));
    let (_, answer) = message(&seen);
    assert_eq!(answer.quotes.as_deref(), Some("nueva_sesion_wa:M0"));
    let has = |name| attribute(&answer.attributes, name);
    assert_eq!(
        (has("forwarded"), has("forward-score"), has("ephemeral-seconds"), has("mentions")),
        (Some("true"), Some("5"), Some("604800"), Some("34600000000@s.whatsapp.net"))
    );
    let flat = from_ana(json!({"content": "sí", "quotedMsgId": "true_34612345678@c.us_M9_out"}));
    assert_eq!(flat.quotes.as_deref(), Some("nueva_sesion_wa:M9"));
    assert_eq!(contact(&seen).1.push_name.as_deref(), Some("Ana"));
}

#[test]
fn edits_and_deletions_are_about_the_message_that_they_name() {
    let edit = seen(
        "message.received",
        json!({
            "key": {"remoteJid": ANA, "fromMe": false, "id": "E1"}, "messageTimestamp": 1_760_524_300,
            "message": {"editedMessage": {"message": {"protocolMessage": {
                "type": "MESSAGE_EDIT", "key": {"remoteJid": ANA, "fromMe": true, "id": "M1"},
                "editedMessage": {"conversation": "corregido"}, "timestampMs": "1760524300000",
            }}}},
        }),
    );
    let (observation, edited) = message(&edit);
    assert_eq!((observation.id.as_str(), observation.at), ("nueva_sesion_wa:M1", Some(1_760_524_300_000)));
    assert_eq!((edited.text.as_deref(), edited.edited_at), (Some("corregido"), Some(1_760_524_300_000)));
    assert_eq!(edited.direction, Some(Direction::Inbound), "its sender edits it, whatever the sender's own key says");

    let flat = from_ana(json!({"content": "corregido", "isEdited": true, "editedAt": 1_760_524_300}));
    assert_eq!((flat.edited_at, flat.sent_at), (Some(1_760_524_300_000), Some(BASE)));

    for data in [
        json!({"key": {"remoteJid": ANA, "fromMe": false, "id": "D1"}, "messageTimestamp": 1_760_524_400,
               "message": {"protocolMessage": {"type": 0, "key": {"id": "M1"}}}}),
        json!({"messageId": "M1", "chatId": ANA, "fromMe": false, "type": "revoked", "deletedAt": 1_760_524_400}),
    ] {
        let seen = seen("message.received", data);
        let (observation, deleted) = message(&seen);
        assert_eq!(observation.id, "nueva_sesion_wa:M1");
        assert_eq!((deleted.deleted_at, &deleted.text), (Some(1_760_524_400_000), &None));
    }
    let timer = json!({"key": {"remoteJid": ANA, "id": "P"}, "message": {"protocolMessage": {"type": 3}}});
    assert!(matches!(refused(&event("message.received", timer)), Refusal::Ignored(_)));
}

#[test]
fn reactions_come_and_go() {
    let reaction = |text: &str, from_me: bool| {
        let seen = seen(
            "message.received",
            json!({
                "key": {"remoteJid": ANA, "fromMe": from_me, "id": "R1"}, "message": {"reactionMessage": {
                    "key": {"remoteJid": ANA, "fromMe": true, "id": "M1"}, "text": text, "senderTimestampMs": "1760524280000",
                }},
            }),
        );
        let (observation, message) = message(&seen);
        assert_eq!(observation.id, "nueva_sesion_wa:M1");
        message.reactions[0].clone()
    };
    let put = reaction("👍", false);
    assert_eq!((put.by.as_str(), put.emoji.as_deref()), (ANA, Some("👍")));
    assert_eq!(reaction("", false).emoji, None);
    assert_eq!(reaction("👍", true).by, "me");
}

#[test]
fn groups_lists_and_channels() {
    let group = seen(
        "message.received",
        json!({
            "messageId": "G1", "chatId": "120363000000000001@g.us", "isGroup": true, "participant": "34612345678@c.us",
            "participantAlt": "123456789012345@lid", "content": "hola a todos", "timestamp": 1_760_524_200,
            "pushName": "Ana", "groupName": "Equipo",
        }),
    );
    let (place, grouped) = conversation(&group);
    assert_eq!(
        (place.id.as_str(), grouped.kind.as_deref()),
        ("nueva_sesion_wa:120363000000000001@g.us", Some("group"))
    );
    assert_eq!((grouped.name.as_deref(), grouped.contact.as_deref()), (Some("Equipo"), None));
    assert_eq!(
        (contact(&group).0.id.clone(), &contact(&group).0.also[..]),
        (format!("nueva_sesion_wa:{ANA}"), &["nueva_sesion_wa:123456789012345@lid".to_owned()][..])
    );

    let list = seen(
        "message.received",
        json!({
            "messageId": "B1", "chatId": "1700000000@broadcast", "participant": ANA, "content": "oferta", "timestamp": 1_760_524_200,
        }),
    );
    assert_eq!(conversation(&list).0.id, format!("nueva_sesion_wa:{ANA}"));
    assert_eq!(attribute(&message(&list).1.attributes, "broadcast-list"), Some("1700000000@broadcast"));

    for (chat, setting) in [("status@broadcast", "status_posts"), ("120363@newsletter", "channels")] {
        let body =
            event("message.received", json!({"messageId": "S1", "chatId": chat, "participant": ANA, "content": "x"}));
        assert!(matches!(refused(&body), Refusal::Ignored(_)), "{chat}");
        let wanted = receive(&outside(json!({ setting: true })), signed(body.to_string())).unwrap();
        assert_eq!(message(&wanted.observations).1.text.as_deref(), Some("x"));
    }
    let service = event("message.received", json!({"messageId": "S1", "chatId": "0@c.us", "content": "x"}));
    assert!(matches!(refused(&service), Refusal::Ignored(_)));
}

#[test]
fn what_cannot_be_decrypted_gives_way_to_what_can() {
    let sealed = from_ana(json!({"type": "ciphertext"}));
    assert_eq!((sealed.kind.as_deref(), sealed.text), (Some("undecryptable"), None));
    let seen = seen(
        "message.received",
        json!({
            "key": {"remoteJid": ANA, "id": "M1"}, "messageStubType": 2, "messageTimestamp": 1_760_524_200,
        }),
    );
    assert_eq!((message(&seen).0.trust, message(&seen).1.kind.as_deref()), (Trust::Inferred, Some("undecryptable")));
    let unknown = from_ana(json!({"type": "hologram", "content": "x"}));
    assert_eq!((unknown.kind.as_deref(), unknown.text.as_deref()), (Some("unsupported"), Some("x")));
    assert_eq!(attribute(&unknown.attributes, "inbox-hub-type"), Some("hologram"));
}

#[test]
fn a_message_typed_on_the_telephone_is_ours() {
    let typed = seen(
        "message.sent",
        json!({
            "messageId": "O1", "chatId": ANA, "from": "447700900000@c.us", "to": "34612345678", "fromMe": true,
            "type": "text", "content": "ya voy", "timestamp": 1_760_524_200,
        }),
    );
    let (_, ours) = message(&typed);
    assert_eq!((ours.direction, ours.status), (Some(Direction::Outbound), Some(MessageStatus::Sent)));
    assert_eq!(ours.recipient.as_ref().unwrap().number.as_ref().unwrap().raw, "+34612345678");
    assert_eq!(ours.sender.as_ref().unwrap().number.as_ref().unwrap().raw, "+447700900000");
    assert!(conversation(&typed).1.last_message.as_ref().unwrap().outgoing);
    assert!(!typed.iter().any(|seen| matches!(seen.item, Item::Contact(_))));
    let own_reading = event("message.read", json!({"messageId": "M1", "fromMe": false}));
    assert!(matches!(refused(&own_reading), Refusal::Ignored(_)));
}

#[test]
fn sessions_contacts_and_conversations() {
    let states = [
        ("connecting", "starting"),
        ("qr_code", "pairing"),
        ("error", "failed"),
        ("rate_limited", "throttled"),
        ("hibernating", "unknown"),
    ];
    for (word, state) in states {
        let seen = seen("session_status", json!({"status": word}));
        assert_eq!(session(&seen).1.state.as_deref(), Some(state), "{word}");
    }
    let out = seen("session.disconnected", json!({"reason": "connection_lost"}));
    assert_eq!(attribute(&session(&out).1.attributes, "needs-pairing"), Some("false"));

    let person = seen(
        "contact.updated",
        json!({"contact": {
            "id": "123456789012345@lid", "phoneNumber": ANA, "name": "", "notify": "Ana", "imgUrl": "changed",
        }}),
    );
    let (observation, person) = contact(&person);
    assert_eq!(observation.id, format!("nueva_sesion_wa:{ANA}"));
    assert_eq!(observation.also, ["nueva_sesion_wa:123456789012345@lid"]);
    assert_eq!((&person.name, person.push_name.as_deref(), &person.picture), (&None, Some("Ana"), &None));
    let group = seen("contact.updated", json!({"contact": {"id": "1-2@g.us", "name": "Equipo", "isGroup": true}}));
    assert_eq!(conversation(&group).1.kind.as_deref(), Some("group"));
    let pair = seen("lid-mapping.update", json!({"lid": "123456789012345@lid", "pn": ANA}));
    assert_eq!(contact(&pair).0.also, ["nueva_sesion_wa:123456789012345@lid"]);

    let archived = seen("chat.archived", json!({"chatId": ANA, "isArchived": false}));
    let (_, archived) = conversation(&archived);
    assert_eq!(archived.archived, Some(true), "the event's name counts");
    assert_eq!(attribute(&archived.attributes, "inbox-hub-anomalies"), Some("archived-differs"));
}

#[test]
fn events_by_the_names_of_every_version() {
    let at = 1_760_524_300;
    let of_m1 = |more: Value| {
        let mut data = json!({"messageId": "M1", "chatId": ANA, "timestamp": at});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    let status = seen("message_status", of_m1(json!({"status": "delivered"})));
    assert_eq!(message(&status).1.delivered_at, Some(at * 1000));
    let odd = event("message_status", of_m1(json!({"status": "hovering"})));
    assert!(matches!(refused(&odd), Refusal::Ignored(_)));
    let edited = seen("message.edited", of_m1(json!({"content": "corregido"})));
    assert_eq!(message(&edited).1.text.as_deref(), Some("corregido"));
    assert!(message(&edited).1.edited_at.is_some());
    for name in ["message.deleted", "message.revoked"] {
        let gone = seen(name, of_m1(json!({})));
        assert_eq!(
            (message(&gone).0.id.as_str(), message(&gone).1.text.clone()),
            ("nueva_sesion_wa:M1", None),
            "{name}"
        );
        assert!(message(&gone).1.deleted_at.is_some(), "{name}");
    }
    for reaction in [
        json!({"messageId": "R1", "chatId": ANA, "targetMessageId": "M1", "emoji": "👍", "timestamp": at}),
        json!({"messageId": "R1", "chatId": ANA, "reaction": {"messageId": "M1", "text": "👍"}, "timestamp": at}),
    ] {
        let seen = seen("message.reaction", reaction);
        let (observation, message) = message(&seen);
        assert_eq!(observation.id, "nueva_sesion_wa:M1", "no message of its own");
        assert_eq!((message.reactions[0].by.as_str(), message.reactions[0].emoji.as_deref()), (ANA, Some("👍")));
    }
    let made = seen("contact.created", json!({"contact": {"id": ANA, "name": "Ana", "isBlocked": "true"}}));
    assert_eq!((contact(&made).1.name.as_deref(), contact(&made).1.blocked), (Some("Ana"), Some(true)));
    let row = json!({"conversation": {"id": {"_serialized": ANA}, "contactName": "Ana", "unreadCount": "4"}});
    let chat = seen("conversation.updated", row);
    assert_eq!((conversation(&chat).1.name.as_deref(), conversation(&chat).1.unread), (Some("Ana"), Some(4)));
}

#[test]
fn receipts_of_groups_and_of_several_messages() {
    let at = 1_760_524_300;
    for (name, word) in [("message.read", "read-by-"), ("message.delivered", "delivered-to-")] {
        let seen = seen(
            name,
            json!({"messageId": "O1", "chatId": "1-2@g.us", "participant": "34600000001:3@c.us", "timestamp": at}),
        );
        let (_, ours) = message(&seen);
        let who = format!("{word}34600000001swhatsappnet");
        assert_eq!(attribute(&ours.attributes, &who), Some("2025-10-15T10:31:40.000Z"), "{:?}", ours.attributes);
    }
    let seen = seen("message.read", json!({"ids": ["A", {"id": "B"}], "to": ANA, "timestamp": at}));
    let ids: Vec<_> = seen.iter().map(|seen| seen.id.as_str()).collect();
    assert_eq!(ids, ["nueva_sesion_wa:A", "nueva_sesion_wa:B"]);
}

#[test]
fn numbers_mean_what_the_settings_say() {
    let level = |settings: Value, more: Value| {
        let mut data = json!({"messageId": "O1", "timestamp": 1_760_524_300});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = event("message.ack", data).to_string();
        message(&receive(&outside(settings), signed(body)).unwrap().observations).1.status
    };
    use MessageStatus::{Delivered, Read};
    assert_eq!(level(json!({}), json!({"ack": 3})), Some(Read));
    assert_eq!(level(json!({"ack_numbers": "baileys"}), json!({"ack": 3})), Some(Delivered));
    assert_eq!(level(json!({}), json!({"status": 3})), Some(Delivered));
    assert_eq!(level(json!({"status_numbers": "web"}), json!({"status": 3})), Some(Read));
}

#[test]
fn what_is_odd_is_said() {
    let odd = |message: &Message| attribute(&message.attributes, "inbox-hub-anomalies").map(str::to_owned);
    let other = from_ana(json!({"content": "x", "from": "34699999999@s.whatsapp.net", "isGroup": true}));
    assert_eq!(odd(&other).as_deref(), Some("is-group-differs, sender-differs-from-chat"));
    let nobody = from_ana(json!({"content": "x", "chatId": "1-2@g.us"}));
    assert_eq!((odd(&nobody).as_deref(), &nobody.sender), (Some("no-sender"), &None));
    let long = from_ana(json!({"content": "ñ".repeat(200 << 10)}));
    assert_eq!((odd(&long).as_deref(), long.text.unwrap().len()), (Some("text-cut"), 256 << 10));
    let off = from_ana(json!({"type": "location", "latitude": 91, "longitude": 0}));
    assert_eq!(odd(&off).as_deref(), Some("location-off-the-earth"));
    let mut data = json!({"messageId": "M1", "chatId": ANA, "content": "x", "timestamp": "2025-10-15 12:30:00"});
    data["fromMe"] = false.into();
    let body = event("message.received", data).to_string();
    let local = receive(&outside(json!({"zone": "Europe/Madrid"})), signed(body)).unwrap();
    let (_, local) = message(&local.observations);
    assert_eq!((local.sent_at, odd(local).as_deref()), (Some(BASE), Some("time-without-zone")));
}
