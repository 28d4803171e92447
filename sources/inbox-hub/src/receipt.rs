//! What became of a message of ours.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::Value;

use crate::address::Address;
use crate::fit;
use crate::key::{self, Key};
use crate::look;
use crate::person::Person;
use crate::refused::{Decoded, Refused};
use crate::settings::Plan;
use crate::status;

/// Messages that one receipt may be about.
const IDS: usize = 1000;

/// Reads a status. `level` is what the event's name says; absent: the body says it.
pub fn read(
    plan: &Plan,
    session: &str,
    data: &Value,
    level: Option<MessageStatus>,
    sent: Option<Instant>,
) -> Result<Decoded, Refused> {
    let key = Key::of(data);
    if key.from_me == Some(false) {
        return Ok(Decoded::Ignored("our own reading of somebody else's message".to_owned()));
    }
    let listed = look::list(data, &["ids", "messageIds"]).iter().take(IDS).filter_map(|id| Key::pointed(id).id);
    let ids: Vec<String> = key.id.clone().into_iter().chain(listed).collect();
    if ids.is_empty() {
        return Err(Refused::at("/data/messageId", "a status that does not say of which message"));
    }
    let Some(level) = level.or_else(|| status::seen(data, &plan.settings)) else {
        return Ok(Decoded::Ignored("a status that is none of those known".to_owned()));
    };
    let at = plan.clock.find(data, &["timestamp", "t", "ackAt", "statusTimestamp"]).map(|moment| moment.at).or(sent);
    let reached = |least: MessageStatus| at.filter(|_| level == least);
    let to = key.chat.as_deref().map(str::to_owned).or_else(|| look::text(data, &["to", "recipient"]));
    let to = to.filter(|to| to != session).and_then(|to| Address::read(&to));
    let recipient = to.as_ref().and_then(Person::of);
    let mut attributes = Vec::new();
    if let Some(code) = look::text(data, &["code", "errorCode", "error.code"]) {
        attributes.push(("inbox-hub-error-code".to_owned(), fit::line(&code)));
    }
    if let (Some(participant), Some(at)) = (key.participant.as_deref().and_then(Address::read), at) {
        let who: String = participant.jid().chars().filter(char::is_ascii_alphanumeric).collect();
        let word = if level >= MessageStatus::Read { "read-by" } else { "delivered-to" };
        attributes.push((format!("{word}-{}", who.to_ascii_lowercase()), crate::time::written(at)));
    }
    let error = (level == MessageStatus::Failed)
        .then(|| look::text(data, &["error", "error.message", "error.text", "errorMessage", "reason"]))
        .flatten();
    let record = Message {
        conversation: to.as_ref().map(|to| key::place(session, &to.jid())),
        channel: Some("whatsapp".to_owned()),
        direction: Some(Direction::Outbound),
        recipient: recipient.map(|person| person.correspondent(None)),
        status: Some(level),
        sent_at: reached(MessageStatus::Sent),
        delivered_at: reached(MessageStatus::Delivered),
        read_at: at.filter(|_| level >= MessageStatus::Read),
        error: error.map(|error| fit::line(&error)),
        attributes,
        ..Message::default()
    };
    let sighting = |id: String| Observation { at, ..Observation::of(key::message(session, &id), record.clone()) };
    Ok(Decoded::Observations(ids.into_iter().map(sighting).collect()))
}
