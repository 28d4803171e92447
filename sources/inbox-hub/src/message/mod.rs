//! A message object, from a webhook or from the history, as observations.

mod ends;
mod news;

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::Value;

use crate::address::Address;
use crate::content::{self, Content};
use crate::fit::{self, Odd};
use crate::key::{self, Key};
use crate::look;
use crate::person::Person;
use crate::refused::{Decoded, Refused};
use crate::settings::Plan;
use crate::status;

use ends::Ends;

/// A day: a time so far ahead of the hub's clock is not believed.
const AHEAD: u64 = 24 * 3_600_000;

/// Where a message object was found.
pub struct Frame<'a> {
    /// The settings.
    pub plan: &'a Plan,
    /// The session it belongs to.
    pub session: &'a str,
    /// Live or historic.
    pub origin: Origin,
    /// When the server says that it sent this.
    pub sent: Option<Instant>,
    /// When the hub received it.
    pub received: Instant,
    /// Whether it is ours, as the event's name says.
    pub ours: bool,
    /// What the event's name says of the message.
    pub news: News,
}

/// What an event says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It is there.
    Written,
    /// Its text was changed.
    Edited,
    /// It was taken back.
    Deleted,
    /// Somebody reacted to it.
    Reacted,
}

/// Where the time of writing stands.
const TIMES: [&str; 5] = ["timestamp", "messageTimestamp", "t", "senderTimestampMs", "sentAt"];

impl Frame<'_> {
    /// Reads one message object.
    pub fn read(&self, message: &Value) -> Result<Decoded, Refused> {
        if !message.is_object() {
            return Err(Refused::at("/data", "here stands no message object"));
        }
        let (inner, _) = content::inner(message);
        if let Some(reaction) =
            look::first(inner, &["reactionMessage"]).or_else(|| look::first(message, &["reactionMessage"]))
        {
            return self.reaction(message, reaction);
        }
        let word = look::text(message, &["type", "messageType"]).unwrap_or_default();
        if word == "reaction" || self.news == News::Reacted {
            let reaction = look::first(message, &["reaction"]).filter(|it| it.is_object()).unwrap_or(message);
            return self.reaction(message, reaction);
        }
        if let Some(protocol) = look::first(inner, &["protocolMessage"]) {
            return self.protocol(message, protocol);
        }
        if inner.get("pollUpdateMessage").is_some() || word == "poll_vote" || word == "poll_update" {
            return self.vote(message);
        }
        let ends = match self.ends(message, &Key::of(message))? {
            Ok(ends) => ends,
            Err(ignored) => return Ok(ignored),
        };
        let gone = ["isDeleted", "isRevoked", "deleted", "revoked"];
        if self.news == News::Deleted
            || matches!(word.as_str(), "revoked" | "deleted")
            || look::flag(message, &gone).unwrap_or(false)
        {
            let target = look::first(message, &["deletedMessageId", "targetMessageId", "revokedMessageId"]);
            let id = target.and_then(|it| Key::pointed(it).id).or_else(|| Key::of(message).id);
            return self.deleted(id, &ends, self.time(message, &["deletedAt", "revokedAt"]));
        }
        self.written(message, ends)
    }

    /// A message as it was written, or as it stands after an edit.
    fn written(&self, message: &Value, mut ends: Ends) -> Result<Decoded, Refused> {
        let at = self.at(message, &mut ends.odd);
        let id = Key::of(message).id;
        let content =
            content::read(message, id.as_deref().unwrap_or("media"), self.plan.settings.view_once, &mut ends.odd);
        let subject = match &id {
            Some(id) => key::message(self.session, id),
            None => {
                ends.odd.note("no-id");
                let second = at.map(|at| (at / 1000).to_string()).unwrap_or_default();
                let author = ends.author.as_ref().map(Person::main).unwrap_or_default();
                let text = content.text.as_deref().unwrap_or_default();
                key::digest(self.session, &[&ends.chat.jid(), &author, &second, content.kind, text])
            }
        };
        let name = ["pushName", "notifyName", "notify", "senderName", "contact.name", "contactName"];
        let name = look::text(message, &name).map(|name| fit::line(&name));
        let edited = self.news == News::Edited
            || look::flag(message, &["isEdited", "edited"]).unwrap_or(false)
            || look::first(message, &["editedAt"]).is_some();
        let edited_at = edited.then(|| self.time(message, &["editedAt"]).or(self.sent).unwrap_or(self.received));
        let record = self.record(message, &ends, content, at, edited_at, name.clone());
        let (preview, ours) = (preview(&record), ends.ours);
        let trust = if record.kind.as_deref() == Some("undecryptable") { Trust::Inferred } else { Trust::Reported };
        let mut observations =
            vec![Observation { at: edited_at.max(at), trust, ..Observation::of(subject.clone(), record) }];
        if self.origin == Origin::Live {
            let last = at.map(|at| LastMessage { id: Some(subject), preview, at, outgoing: ours });
            observations.push(self.conversation(message, &ends, last, at));
        }
        let joined = |person: &&Person| !person.aliases().is_empty();
        let told = match self.origin {
            Origin::Live if !ours => ends.author.as_ref(),
            _ => ends.peer.as_ref().or(ends.author.as_ref()).filter(joined),
        };
        if let Some(person) = told {
            let push_name = if ours { None } else { name };
            let verified_name = look::text(message, &["verifiedName", "verifiedBizName"]).map(|it| fit::line(&it));
            let contact = Contact { push_name, verified_name, ..Contact::default() };
            observations.push(person.contact(self.session, contact, at));
        }
        Ok(Decoded::Observations(observations))
    }

    fn record(
        &self,
        message: &Value,
        ends: &Ends,
        content: Content,
        at: Option<Instant>,
        edited_at: Option<Instant>,
        name: Option<String>,
    ) -> Message {
        let mut attributes = content.attributes;
        if let Address::Broadcast(list) = &ends.chat
            && !ends.ours
        {
            attributes.push(("broadcast-list".to_owned(), list.clone()));
        }
        if let Some(words) = ends.odd.words() {
            attributes.push(("inbox-hub-anomalies".to_owned(), words));
        }
        let own = |paths: &[&str]| self.own(message, paths, ends);
        let (sender, recipient) = match ends.ours {
            true => (own(&["from"]), ends.peer.as_ref().map(|peer| peer.correspondent(None))),
            false => (ends.author.as_ref().map(|author| author.correspondent(name)), own(&["to"])),
        };
        Message {
            conversation: Some(key::place(self.session, &ends.main())),
            channel: Some("whatsapp".to_owned()),
            direction: Some(ends.direction()),
            kind: Some(content.kind.to_owned()),
            sender,
            recipient,
            text: content.text,
            status: ends.ours.then(|| status::seen(message, &self.plan.settings).unwrap_or(MessageStatus::Sent)),
            sent_at: at,
            edited_at,
            quotes: content.quotes.map(|id| key::message(self.session, &id)),
            media: content.media.into_iter().collect(),
            location: content.location,
            cards: content.cards,
            poll: content.poll,
            origin: Some(self.origin),
            attributes,
            ..Message::default()
        }
    }

    fn conversation(
        &self,
        message: &Value,
        ends: &Ends,
        last: Option<LastMessage>,
        at: Option<Instant>,
    ) -> Observation {
        let direct = ends.peer.is_some();
        let name = match direct {
            true => None,
            false => look::text(message, &["chatName", "groupName", "subject", "chat.name"]).map(|it| fit::line(&it)),
        };
        let ids = match &ends.peer {
            Some(peer) => peer.identities(),
            None => vec![Identity { scheme: "jid".to_owned(), value: ends.chat.jid() }],
        };
        let record = Conversation {
            kind: Some(if direct { "direct" } else { ends.chat.conversation() }.to_owned()),
            channel: Some("whatsapp".to_owned()),
            ids,
            name,
            contact: ends.peer.as_ref().map(|peer| key::place(self.session, &peer.main())),
            last_message: last,
            ..Conversation::default()
        };
        let aliases = ends.peer.iter().flat_map(Person::aliases);
        Observation {
            also: aliases.map(|alias| key::place(self.session, &alias)).collect(),
            at,
            ..Observation::of(key::place(self.session, &ends.main()), record)
        }
    }

    /// When the message was written: its own time, else that of the webhook.
    fn at(&self, message: &Value, odd: &mut Odd) -> Option<Instant> {
        let moment = self.plan.clock.find(message, &TIMES);
        if moment.is_some_and(|moment| moment.floating) {
            odd.note("time-without-zone");
        }
        match moment.map(|moment| moment.at).or(self.sent) {
            Some(at) if at > self.received.saturating_add(AHEAD) => {
                odd.note("time-ahead");
                None
            }
            at => at,
        }
    }

    fn time(&self, value: &Value, paths: &[&str]) -> Option<Instant> {
        self.plan.clock.find(value, paths).map(|moment| moment.at)
    }
}

fn preview(message: &Message) -> String {
    match (&message.text, &message.kind) {
        (Some(text), _) => fit::preview(text),
        (None, kind) => format!("[{}]", kind.as_deref().unwrap_or("unsupported")),
    }
}
