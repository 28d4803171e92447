//! Every recorded webhook, by its manifest: exact bytes, recorded headers, and what must come of it.

use cordboard_inbox_hub::InboxHub;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::Incoming;

use crate::support::*;

/// What is reported, in the manifest's words.
fn normalized(accepted: &Accepted) -> Value {
    let observations = &accepted.observations;
    let first = &observations.first().expect("something is reported").item;
    let moment = |at: Option<Instant>| at.map(written);
    match first {
        Item::Message(_) => {
            let (observation, message) = message(observations);
            let id = observation.id.rsplit(':').next().unwrap();
            if let Some(reaction) = message.reactions.first() {
                let jid = message.conversation.as_deref().unwrap().rsplit(':').next().unwrap();
                return json!({
                    "op": "message.react", "target_message_id": id, "reaction": {"emoji": reaction.emoji},
                    "chat": {"jid": jid}, "sent_at": written(reaction.at),
                });
            }
            if message.kind.is_none() {
                return json!({
                    "op": "message.status", "message_id": id,
                    "status": serde_json::to_value(message.status).unwrap(), "at": moment(observation.at),
                    "error": {"code": attribute(&message.attributes, "inbox-hub-error-code")},
                });
            }
            let (chat_seen, chat) = conversation(observations);
            let media = message.media.first();
            json!({
                "op": "message.new", "message_id": id,
                "direction": if message.direction == Some(Direction::Inbound) { "in" } else { "out" },
                "kind": message.kind, "text": message.text, "sent_at": moment(message.sent_at),
                "chat": {"kind": chat.kind, "jid": chat_seen.id.rsplit(':').next().unwrap()},
                "sender": {
                    "phone_e164": message.sender.as_ref().unwrap().number.as_ref().unwrap().raw,
                    "display_name": message.sender.as_ref().unwrap().name,
                    "is_me": message.direction == Some(Direction::Outbound),
                },
                "media": media.map(|media| json!({
                    "mime": media.media_type, "size": media.size, "filename": media.file_name,
                    // The hub fetches what has a link.
                    "state": if media.url.is_some() { "pending" } else { "none" },
                })),
            })
        }
        Item::Session(session) => {
            let pairing = session.pairing.as_ref();
            json!({
                "op": if pairing.is_some() { "session.qr" } else { "session.status" },
                "status": if pairing.is_some() { json!("qr_required") } else { json!(session.state) },
                "reason": session.reason, "phone_e164": session.number.as_ref().map(|number| &number.raw),
                "expires_at": pairing.map(|pairing| written(pairing.expires_at)),
                "side_effect": accepted.jobs.iter().any(|job| job.kind == "sync").then_some("schedule_sync_once"),
                "needs_repair": attribute(&session.attributes, "needs-pairing") == Some("true"),
                // The hub tells a code, and keeps none.
                "retention": pairing.map(|_| "never_persist_after_expiry"),
            })
        }
        Item::Contact(contact) => json!({
            "op": "contact.upsert",
            "contact": {"jid": contact.ids[0].value, "phone_e164": contact.numbers[0].raw, "name": contact.name},
        }),
        Item::Conversation(chat) => json!({
            "op": if chat.archived.is_some() { "chat.update" } else { "chat.upsert" },
            "chat": {
                "jid": observations[0].id.rsplit(':').next().unwrap(), "archived": chat.archived, "kind": chat.kind,
                "name": chat.name,
            },
        }),
        other => panic!("{other:?}"),
    }
}

fn written(at: Instant) -> String {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap()).unwrap();
    format!("{at:.3}")
}

/// Each key that is expected stands in what there is, with that value.
fn subset(expected: &Value, given: &Value, place: &str) {
    match expected {
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != "notes") {
                subset(value, given.get(name).unwrap_or(&Value::Null), &format!("{place}/{name}"));
            }
        }
        value => assert_eq!(value, given, "{place}"),
    }
}

#[test]
fn every_recorded_webhook_is_read_as_it_should_be() {
    let mut read = 0;
    for recording in manifest().iter().filter(|recording| recording["kind"] == "webhook") {
        let file = recording["file"].as_str().unwrap();
        let body = bytes(file);
        let headers: Vec<(&str, &str)> = recording["request"]["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let sent: Instant = headers.iter().find(|(name, _)| *name == "X-Webhook-Timestamp").unwrap().1.parse().unwrap();
        let request = Incoming { received_at: sent + 1000, ..post(&headers, body) };
        let accepted = receive(&outside(json!({})), request).unwrap_or_else(|refusal| panic!("{file}: {refusal:?}"));
        subset(&recording["expect"]["normalized"], &normalized(&accepted), file);
        read += 1;
    }
    assert_eq!(read, 21);
}

#[test]
fn a_status_does_not_make_a_message_of_its_own() {
    let ack = recorded("webhook.message.ack.p1-3.json");
    let delivered = recorded("webhook.message.delivered.json");
    let (ack, delivered) = (accepted(&ack).observations, accepted(&delivered).observations);
    assert_eq!(ack[0].id, delivered[0].id, "one subject");
    let (_, read) = message(&ack);
    assert_eq!((read.status, read.direction), (Some(MessageStatus::Read), Some(Direction::Outbound)));
    assert_eq!((read.read_at, read.delivered_at, read.sent_at), (Some(1_760_525_202_000), None, None));
    let (_, delivered) = message(&delivered);
    assert_eq!(delivered.delivered_at, Some(1_760_525_102_000));
    assert_eq!(delivered.conversation.as_deref(), Some("nueva_sesion_wa:34612345678@s.whatsapp.net"));
    assert!(delivered.kind.is_none() && delivered.text.is_none());
}

#[test]
fn a_connected_session_starts_one_synchronization_and_one_repair() {
    let connected = recorded("webhook.session.connected.json");
    let jobs = accepted(&connected).jobs;
    assert_eq!(jobs.iter().map(|job| job.kind.as_str()).collect::<Vec<_>>(), ["sync", "repair"]);
    assert_eq!(accepted(&connected).jobs, jobs, "the same webhook names the same jobs");
    let parameters: Value = serde_json::from_str(&jobs[0].parameters).unwrap();
    assert_eq!(parameters, json!({"session": SESSION, "at": 1_760_524_210_000_u64, "delay": 15}));
    let again = accepted(&recorded("webhook.session.connected.p1-no-status.json")).jobs;
    assert_eq!(again.iter().map(|job| &job.id).collect::<Vec<_>>(), ["sync", "repair"], "they are the same two jobs");
    assert_eq!(jobs[0].anew, Some(1_760_524_210_000 - 900_000), "connecting again soon starts no second one");
    assert!(jobs.iter().all(|job| job.session.as_deref() == Some(SESSION)));
    let several = outside(json!({"sessions": [SESSION, "other"]}));
    let named = receive(&several, signed(connected.to_string())).unwrap().jobs;
    assert_eq!(named[0].id, format!("sync/{SESSION}"));
    assert_eq!(InboxHub::begin(&several).len(), 2, "a repair of each goes on by itself");
    let quiet = outside(json!({"sync": {"auto": false}, "repair": {"auto": false}}));
    let accepted = receive(&quiet, signed(connected.to_string())).unwrap();
    assert_eq!(accepted.jobs, []);
}
