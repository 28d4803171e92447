//! What becomes of a message that is there: reactions, edits, deletions, votes.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::Value;

use super::ends::Ends;
use super::{Frame, TIMES};
use crate::content;
use crate::fit::{self, Odd};
use crate::key::{self, Key};
use crate::look;
use crate::person::Person;
use crate::refused::{Decoded, Refused, shown};

impl Frame<'_> {
    /// Somebody reacted to a message, or took a reaction back.
    pub(super) fn reaction(&self, message: &Value, reaction: &Value) -> Result<Decoded, Refused> {
        let target = look::first(reaction, &["key", "targetMessageId", "msgId", "reactedMessageId"]);
        let target = target.or_else(|| look::first(message, &["targetMessageId", "reaction.messageId"]));
        let target = target.map(Key::pointed).unwrap_or_default();
        let Some(id) = target.id.clone() else {
            return Err(Refused::at("/data", "a reaction that does not say to which message"));
        };
        let mut key = Key::of(message);
        key.chat = key.chat.or(target.chat);
        let ends = match self.ends(message, &key)? {
            Ok(ends) => ends,
            Err(ignored) => return Ok(ignored),
        };
        let by = match (&ends.author, ends.ours) {
            (_, true) => "me".to_owned(),
            (Some(author), false) => author.main(),
            (None, false) => return Err(Refused::at("/data", "a reaction that does not say by whom")),
        };
        let time = |value| self.plan.clock.find(value, &["senderTimestampMs", "timestamp", "messageTimestamp"]);
        let at = time(reaction).or_else(|| time(message)).map(|moment| moment.at);
        let at = at.or(self.sent).unwrap_or(self.received);
        let emoji = ["text", "emoji", "reaction"].iter().find_map(|name| reaction.get(*name)?.as_str());
        let emoji = emoji.filter(|emoji| !emoji.is_empty()).map(fit::line);
        let record = Message { reactions: vec![Reaction { by, emoji, at }], ..self.touched(&ends, None) };
        Ok(self.touch(&id, record, Some(at)))
    }

    /// Deletions and edits as Baileys has them.
    pub(super) fn protocol(&self, message: &Value, protocol: &Value) -> Result<Decoded, Refused> {
        let what = look::text(protocol, &["type"]).unwrap_or_default();
        let id = look::first(protocol, &["key"]).and_then(|key| Key::pointed(key).id);
        let at = self.time(protocol, &["timestampMs"]).or_else(|| self.time(message, &TIMES));
        let ends = match self.ends(message, &Key::of(message))? {
            Ok(ends) => ends,
            Err(ignored) => return Ok(ignored),
        };
        match what.as_str() {
            "REVOKE" | "0" => self.deleted(id, &ends, at),
            "MESSAGE_EDIT" | "14" => {
                let Some(id) = id else {
                    return Err(Refused::at("/data", "an edit that does not say of which message"));
                };
                let mut odd = Odd::default();
                let edited = look::first(protocol, &["editedMessage"]).unwrap_or(&Value::Null);
                let content = content::read(edited, &id, false, &mut odd);
                let at = at.or(self.sent).unwrap_or(self.received);
                let record =
                    Message { text: content.text, edited_at: Some(at), ..self.touched(&ends, Some(ends.direction())) };
                Ok(self.touch(&id, record, Some(at)))
            }
            other => Ok(Decoded::Ignored(format!("a notice of the protocol, {}", shown(other)))),
        }
    }

    pub(super) fn deleted(&self, id: Option<String>, ends: &Ends, at: Option<Instant>) -> Result<Decoded, Refused> {
        let Some(id) = id else {
            return Err(Refused::at("/data", "a deletion that does not say of which message"));
        };
        let at = at.or(self.sent).unwrap_or(self.received);
        let record = Message { deleted_at: Some(at), ..self.touched(ends, Some(ends.direction())) };
        Ok(self.touch(&id, record, Some(at)))
    }

    /// Somebody chose in a poll: one attribute of the poll's message for each person.
    pub(super) fn vote(&self, message: &Value) -> Result<Decoded, Refused> {
        let vote = look::first(message, &["vote", "pollVote"]).unwrap_or(message);
        let target = ["pollMessageId", "pollCreationMessageKey", "parentMessageId", "targetMessageId"];
        let target = look::first(vote, &target).or_else(|| look::first(message, &target)).map(Key::pointed);
        let chosen = look::list(vote, &["selectedOptions", "options", "chosen"]);
        let clear = vote.get("selectedOptions").or(vote.get("options")).or(vote.get("chosen")).is_some();
        let Some(id) = target.and_then(|target| target.id).filter(|_| clear) else {
            return Ok(Decoded::Ignored("a vote that the server has not decrypted".to_owned()));
        };
        let ends = match self.ends(message, &Key::of(message))? {
            Ok(ends) => ends,
            Err(ignored) => return Ok(ignored),
        };
        let by = if ends.ours { Some("me".to_owned()) } else { ends.author.as_ref().map(Person::main) };
        let Some(by) = by else { return Err(Refused::at("/data", "a vote that does not say by whom")) };
        let by: String =
            by.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        let option = |option: &Value| look::as_text(option).or_else(|| look::text(option, &["name", "optionName"]));
        let chosen: Vec<_> = chosen.iter().take(100).filter_map(option).collect();
        let record = Message {
            attributes: vec![(format!("vote-{by}"), fit::line(&chosen.join(", ")))],
            ..self.touched(&ends, None)
        };
        Ok(self.touch(&id, record, self.time(message, &TIMES)))
    }

    /// What any news of a message shows beside itself.
    fn touched(&self, ends: &Ends, direction: Option<Direction>) -> Message {
        Message {
            conversation: Some(key::place(self.session, &ends.main())),
            channel: Some("whatsapp".to_owned()),
            direction,
            ..Message::default()
        }
    }

    fn touch(&self, id: &str, record: Message, at: Option<Instant>) -> Decoded {
        let observation = Observation { at, ..Observation::of(key::message(self.session, id), record) };
        Decoded::Observations(vec![observation])
    }
}
