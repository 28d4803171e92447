//! Whatever the order in which a message's webhooks come, and however often: the same facts, and no way back.

use std::collections::BTreeMap;

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use proptest::prelude::*;

use crate::support::*;

const ANA: &str = "34612345678@s.whatsapp.net";

/// All that there ever was about two messages: one of ours with its statuses, one of Ana's with what she did to it.
fn webhooks() -> Vec<Value> {
    let status = |name: &str, second: u64| {
        event(name, json!({"messageId": "O1", "to": "34612345678", "timestamp": 1_760_524_200 + second}))
    };
    let ack = |ack: i64, second: u64| {
        event("message.ack", json!({"messageId": "O1", "ack": ack, "timestamp": 1_760_524_200 + second}))
    };
    let key = |id: &str| json!({"remoteJid": ANA, "fromMe": false, "id": id});
    vec![
        event(
            "message.sent",
            json!({"messageId": "O1", "chatId": ANA, "fromMe": true, "content": "ya voy", "type": "text", "timestamp": 1_760_524_200}),
        ),
        status("message.sent", 1),
        status("message.delivered", 2),
        status("message.read", 9),
        status("message.failed", 1),
        ack(1, 1),
        ack(2, 3),
        ack(3, 8),
        event(
            "message.received",
            json!({"key": key("I1"), "pushName": "Ana", "messageTimestamp": 1_760_524_200, "message": {"conversation": "hloa"}}),
        ),
        event(
            "message.received",
            json!({"key": key("E1"), "messageTimestamp": 1_760_524_230, "message": {"protocolMessage": {
            "type": 14, "key": key("I1"), "editedMessage": {"conversation": "hola"}, "timestampMs": 1_760_524_230_000_u64}}}),
        ),
        event(
            "message.received",
            json!({"key": key("R1"), "message": {"reactionMessage": {"key": key("O1"), "text": "👍", "senderTimestampMs": "1760524240000"}}}),
        ),
        event(
            "message.received",
            json!({"key": key("R2"), "message": {"reactionMessage": {"key": key("O1"), "text": "", "senderTimestampMs": "1760524250000"}}}),
        ),
        event(
            "message.received",
            json!({"key": key("D1"), "messageTimestamp": 1_760_524_260, "message": {"protocolMessage": {"type": "REVOKE", "key": key("I1")}}}),
        ),
    ]
}

/// What the hub's rules keep of a message, as far as these webhooks go.
#[derive(Debug, Default, Clone, PartialEq)]
struct Kept {
    status: Option<u8>,
    text: Option<(Instant, String)>,
    sent_at: Option<Instant>,
    delivered_at: Option<Instant>,
    read_at: Option<Instant>,
    edited_at: Option<Instant>,
    deleted_at: Option<Instant>,
    reactions: BTreeMap<String, (Instant, Option<String>)>,
    direction: Option<(Instant, Option<u8>)>,
}

fn earliest(kept: &mut Option<Instant>, seen: Option<Instant>) {
    *kept = [*kept, seen].into_iter().flatten().min();
}

fn join(kept: &mut Kept, seen: &Observation, message: &Message) {
    let at = seen.at.expect("every one of these says when");
    kept.status = kept.status.max(message.status.map(|status| status as u8));
    kept.text = kept.text.take().max(message.text.clone().map(|text| (at, text)));
    kept.direction = kept.direction.max(message.direction.map(|direction| (at, Some(direction as u8))));
    earliest(&mut kept.sent_at, message.sent_at);
    earliest(&mut kept.delivered_at, message.delivered_at);
    earliest(&mut kept.read_at, message.read_at);
    earliest(&mut kept.edited_at, message.edited_at);
    earliest(&mut kept.deleted_at, message.deleted_at);
    for reaction in &message.reactions {
        let entry = kept.reactions.entry(reaction.by.clone()).or_default();
        *entry = entry.clone().max((reaction.at, reaction.emoji.clone()));
    }
}

/// The records after these webhooks, one after the other.
fn ledger(order: &[usize], check: impl Fn(&BTreeMap<String, Kept>)) -> BTreeMap<String, Kept> {
    let (webhooks, outside) = (webhooks(), outside(json!({})));
    let mut ledger = BTreeMap::<String, Kept>::new();
    for (place, which) in order.iter().enumerate() {
        let mut request = signed(webhooks[*which].to_string());
        request.received_at += place as u64 * 1000;
        for seen in receive(&outside, request).unwrap().observations {
            if let Item::Message(message) = &seen.item {
                join(ledger.entry(seen.id.clone()).or_default(), &seen, message);
            }
        }
        check(&ledger);
    }
    ledger
}

fn any_order() -> impl Strategy<Value = Vec<usize>> {
    let all: Vec<usize> = (0..webhooks().len()).collect();
    let repeats = prop::collection::vec(0..all.len(), 0..20);
    (Just(all), repeats)
        .prop_map(|(mut all, repeats)| {
            all.extend(repeats);
            all
        })
        .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_ends_in_the_same_facts(order in any_order()) {
        let straight: Vec<usize> = (0..webhooks().len()).collect();
        let wanted = ledger(&straight, |_| ());
        prop_assert_eq!(wanted.len(), 2);
        prop_assert_eq!(ledger(&order, |_| ()), wanted);
    }

    #[test]
    fn a_status_never_goes_back(order in any_order()) {
        let far = std::cell::Cell::new(None);
        ledger(&order, |ledger| {
            let status = ledger.get("nueva_sesion_wa:O1").and_then(|kept| kept.status);
            assert!(status >= far.get());
            far.set(status);
        });
    }
}

#[test]
fn the_end_is_what_happened() {
    let straight: Vec<usize> = (0..webhooks().len()).collect();
    let ledger = ledger(&straight, |_| ());
    let ours = &ledger["nueva_sesion_wa:O1"];
    assert_eq!(ours.status, Some(MessageStatus::Read as u8), "a failure counts for nothing after delivery");
    assert_eq!((ours.sent_at, ours.delivered_at, ours.read_at), (Some(BASE), Some(BASE + 2000), Some(BASE + 8000)));
    assert_eq!(ours.reactions[ANA], (BASE + 50_000, None), "taken back");
    let hers = &ledger["nueva_sesion_wa:I1"];
    assert_eq!(hers.text, Some((BASE + 30_000, "hola".into())));
    assert_eq!((hers.edited_at, hers.deleted_at), (Some(BASE + 30_000), Some(BASE + 60_000)));
}
