//! The types of events: what a change of a record is called.

use super::call::{CallPhase, Direction};
use super::message::{MessageStatus, Origin};
use super::{AtDesks, Item, Kind, Message};

/// Every type of event, with the moment it stands for. `session.` types beside these follow the states that a source
/// reports: `session.` and the state's word.
pub const EVENT_TYPES: &[(&str, &str)] = &[
    ("call.ringing", "a call was first seen ringing, or one more telephone rings for it"),
    ("call.answered", "a person answered"),
    ("call.withdrawn", "a telephone that rang does not any more, and somebody else may answer"),
    ("call.ended", "the call is over"),
    ("call.recorded", "a recording came in, or more is known of one"),
    ("call.updated", "anything else is known of a call"),
    ("message.received", "a message came in"),
    ("message.historic", "a message of the past was read, whoever wrote it: it is no news"),
    ("message.queued", "a message of ours waits to be sent"),
    ("message.sent", "a message of ours was taken by the channel"),
    ("message.failed", "a message of ours was not delivered, for good"),
    ("message.delivered", "a message of ours reached the other side"),
    ("message.read", "a message was seen"),
    ("message.played", "a voice message was listened to"),
    ("message.edited", "a message was changed by its sender"),
    ("message.deleted", "a message was taken back by its sender"),
    ("message.reacted", "somebody reacted to a message, or took a reaction back"),
    ("message.updated", "anything else is known of a message"),
    ("contact.created", "a contact was first seen"),
    ("contact.updated", "more is known of a contact"),
    ("conversation.created", "a conversation was first seen"),
    ("conversation.archived", "a conversation was put away"),
    ("conversation.unarchived", "a conversation was taken out again"),
    ("conversation.updated", "anything else is known of a conversation"),
    ("session.starting", "a tie to the outside is being set up"),
    ("session.pairing", "a device waits to be paired"),
    ("session.connected", "the tie holds"),
    ("session.disconnected", "the tie broke"),
    ("session.throttled", "the outside asks for less"),
    ("session.banned", "the outside shut the account out"),
    ("session.failed", "the tie cannot be set up"),
    ("session.unknown", "nobody knows how the tie is"),
    ("session.updated", "anything else is known of a tie"),
];

/// The kind of record that an event type is about.
pub fn kind_of(event_type: &str) -> Option<Kind> {
    event_type.split_once('.').and_then(|(kind, _)| kind.parse().ok())
}

/// The type of the event for a change from `before` (absent: a new subject) to `after`. `changed` names the fields that
/// the change touched, `desks` what it did at telephones.
pub fn type_of(before: Option<&Item>, after: &Item, changed: &[&str], desks: &AtDesks) -> String {
    let touched = |field: &str| changed.contains(&field);
    let what = match after {
        Item::Call(call) => {
            let old = match before {
                Some(Item::Call(old)) => old.phase,
                _ => None,
            };
            match call.phase.filter(|phase| Some(*phase) > old) {
                Some(CallPhase::Ringing) => "ringing",
                Some(CallPhase::Answered) => "answered",
                Some(CallPhase::Ended) => "ended",
                None if !desks.ringing.is_empty() => "ringing",
                None if !desks.withdrawn.is_empty() => "withdrawn",
                None if touched("recordings") => "recorded",
                None => "updated",
            }
        }
        Item::Message(message) => {
            let old = match before {
                Some(Item::Message(old)) => Some(old),
                _ => None,
            };
            // What happens to a message may be seen before the message itself: that is told when it comes.
            let comes = shows(message) && !old.is_some_and(shows);
            let stands = message.status.filter(|_| shows(message));
            let advanced = stands.filter(|status| comes || Some(*status) > old.and_then(|old| old.status));
            if comes && message.origin == Some(Origin::Historic) {
                "historic"
            } else if message.deleted_at.is_some() && old.is_none_or(|old| old.deleted_at.is_none()) {
                "deleted"
            } else if comes && message.direction != Some(Direction::Outbound) {
                "received"
            } else if let Some(status) = advanced {
                status_word(status)
            } else if message.edited_at.is_some() && (touched("edited_at") || touched("text")) {
                "edited"
            } else if touched("reactions") {
                "reacted"
            } else {
                "updated"
            }
        }
        Item::Contact(_) => created_or_updated(before),
        Item::Conversation(conversation) => {
            let old = match before {
                Some(Item::Conversation(old)) => old.archived == Some(true),
                _ => false,
            };
            match (before, conversation.archived == Some(true)) {
                (Some(_), true) if !old => "archived",
                (Some(_), false) if old => "unarchived",
                _ => created_or_updated(before),
            }
        }
        Item::Session(session) => match &session.state {
            Some(state) if touched("state") || before.is_none() => return format!("session.{}", word(state)),
            _ => "updated",
        },
    };
    format!("{}.{what}", after.kind())
}

/// Whether a message itself is known, and not only what became of it.
fn shows(message: &Message) -> bool {
    let Message { kind, text, media, location, cards, poll, .. } = message;
    kind.is_some() || text.is_some() || location.is_some() || poll.is_some() || !media.is_empty() || !cards.is_empty()
}

fn created_or_updated(before: Option<&Item>) -> &'static str {
    if before.is_none() { "created" } else { "updated" }
}

fn status_word(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Queued => "queued",
        MessageStatus::Sent => "sent",
        MessageStatus::Failed => "failed",
        MessageStatus::Delivered => "delivered",
        MessageStatus::Read => "read",
        MessageStatus::Played => "played",
    }
}

/// A state as a part of a type: types are plain words.
fn word(state: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '-' };
    state.chars().take(40).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Call, Conversation, Session};
    use super::*;

    fn call(phase: Option<CallPhase>) -> Item {
        Item::Call(Call { phase, ..Call::default() })
    }

    fn message(direction: Option<Direction>, status: Option<MessageStatus>) -> Message {
        Message { direction, status, kind: Some("text".to_owned()), ..Message::default() }
    }

    #[test]
    fn calls() {
        use CallPhase::{Answered, Ended, Ringing};
        let cases = [
            (None, Some(Ringing), vec!["phase"], "call.ringing"),
            (None, Some(Ended), vec!["phase", "recordings"], "call.ended"),
            (None, None, vec!["notes"], "call.updated"),
            (None, None, vec!["recordings"], "call.recorded"),
            (Some(Some(Ringing)), Some(Answered), vec!["phase"], "call.answered"),
            (Some(None), Some(Ringing), vec!["phase"], "call.ringing"),
            (Some(Some(Answered)), Some(Answered), vec!["queue"], "call.updated"),
            (Some(Some(Ended)), Some(Ended), vec!["recordings", "notes"], "call.recorded"),
        ];
        for (before, after, changed, expected) in cases {
            let (before, after) = (before.map(call), call(after));
            assert_eq!(type_of(before.as_ref(), &after, &changed, &AtDesks::default()), expected);
        }
        let rings = AtDesks { ringing: vec!["1002".into()], withdrawn: vec!["1001".into()], ..AtDesks::default() };
        let stops = AtDesks { ringing: Vec::new(), ..rings.clone() };
        let of = |before, after, desks: &AtDesks| type_of(Some(&call(before)), &call(after), &["desks"], desks);
        assert_eq!(of(Some(Ringing), Some(Ringing), &rings), "call.ringing");
        assert_eq!(of(Some(Ringing), Some(Ringing), &stops), "call.withdrawn");
        assert_eq!(of(Some(Ringing), Some(Answered), &stops), "call.answered");
        assert_eq!(of(Some(Ringing), Some(Ended), &stops), "call.ended");
    }

    #[test]
    fn messages() {
        use Direction::{Inbound, Outbound};
        use MessageStatus::{Delivered, Failed, Queued, Read, Sent};
        let inbound = message(Some(Inbound), None);
        let of = |before: Option<&Message>, after: &Message, changed: &[&str]| {
            let before = before.cloned().map(Item::Message);
            type_of(before.as_ref(), &Item::Message(after.clone()), changed, &AtDesks::default())
        };
        assert_eq!(of(None, &inbound, &["direction"]), "message.received");
        assert_eq!(of(None, &message(None, None), &["text"]), "message.received");
        assert_eq!(of(None, &message(Some(Inbound), Some(Read)), &["direction", "status"]), "message.received");
        assert_eq!(of(None, &message(Some(Outbound), Some(Queued)), &["status"]), "message.queued");
        assert_eq!(of(None, &message(Some(Outbound), None), &["text"]), "message.updated");
        // What was read from the past is no news.
        let past = |message: Message| Message { origin: Some(Origin::Historic), ..message };
        assert_eq!(of(None, &past(inbound.clone()), &["kind", "origin"]), "message.historic");
        assert_eq!(of(None, &past(message(Some(Outbound), Some(Read))), &["kind", "status"]), "message.historic");
        assert_eq!(of(Some(&past(inbound.clone())), &inbound, &["origin"]), "message.updated");
        let sent = message(Some(Outbound), Some(Sent));
        assert_eq!(of(Some(&sent), &message(Some(Outbound), Some(Failed)), &["status"]), "message.failed");
        assert_eq!(of(Some(&sent), &message(Some(Outbound), Some(Delivered)), &["status"]), "message.delivered");
        assert_eq!(of(Some(&inbound), &message(Some(Inbound), Some(Read)), &["status"]), "message.read");
        let edited = Message { edited_at: super::super::Instant::from_millis(5), ..inbound.clone() };
        assert_eq!(of(Some(&inbound), &edited, &["text", "edited_at"]), "message.edited");
        assert_eq!(of(Some(&edited), &edited, &["text"]), "message.edited", "a second edit");
        assert_eq!(of(Some(&inbound), &inbound, &["text"]), "message.updated", "a text that was decrypted late");
        let deleted = Message { deleted_at: super::super::Instant::from_millis(5), ..inbound.clone() };
        assert_eq!(of(Some(&inbound), &deleted, &["deleted_at"]), "message.deleted");
        assert_eq!(of(Some(&deleted), &deleted, &["reactions"]), "message.reacted");
        // What becomes of a message before the message.
        let only = |message: &Message| Message { kind: None, ..message.clone() };
        let (ticked, touched) = (only(&message(Some(Outbound), Some(Read))), only(&inbound));
        assert_eq!(of(None, &ticked, &["status"]), "message.updated");
        assert_eq!(of(Some(&ticked), &message(Some(Outbound), Some(Read)), &["kind"]), "message.read");
        assert_eq!(of(None, &only(&edited), &["edited_at"]), "message.edited");
        assert_eq!(of(None, &touched, &["reactions"]), "message.reacted");
        assert_eq!(of(None, &only(&deleted), &["deleted_at"]), "message.deleted");
        assert_eq!(of(Some(&touched), &inbound, &["kind", "text"]), "message.received");
    }

    #[test]
    fn the_rest() {
        let type_of = |before: Option<&Item>, after: &Item, changed: &[&str]| {
            type_of(before, after, changed, &AtDesks::default())
        };
        let open = Item::Conversation(Conversation::default());
        let away = Item::Conversation(Conversation { archived: Some(true), ..Conversation::default() });
        assert_eq!(type_of(None, &open, &["name"]), "conversation.created");
        assert_eq!(type_of(None, &away, &["archived"]), "conversation.created");
        assert_eq!(type_of(Some(&open), &away, &["archived"]), "conversation.archived");
        assert_eq!(type_of(Some(&away), &open, &["archived"]), "conversation.unarchived");
        assert_eq!(type_of(Some(&away), &away, &["name"]), "conversation.updated");
        let session = |state: &str| Item::Session(Session { state: Some(state.to_owned()), ..Session::default() });
        assert_eq!(type_of(None, &session("connected"), &["state"]), "session.connected");
        assert_eq!(type_of(Some(&session("pairing")), &session("Odd state"), &["state"]), "session.odd-state");
        assert_eq!(type_of(Some(&session("pairing")), &session("pairing"), &["name"]), "session.updated");
    }

    #[test]
    fn every_type_names_a_kind() {
        assert!(EVENT_TYPES.iter().all(|(word, _)| kind_of(word).is_some()));
        assert!(EVENT_TYPES.iter().enumerate().all(|(at, (word, _))| EVENT_TYPES[..at].iter().all(|(w, _)| w != word)));
    }
}
