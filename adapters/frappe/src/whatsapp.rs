//! Sessions, contacts, conversations and messages as the values of their DocTypes.

use cordboard_sdk::records::{
    Contact, Conversation, Correspondent, Direction, Identity, Item, Message, MessageStatus, Origin, Session,
};
use cordboard_sdk::serde_json::json;
use cordboard_sdk::vocabulary::{Attributes, Instant, Phone, Subject};

use crate::field::{Given, Slot};
use crate::preset::Kind;
use crate::settings::Settings;
use crate::status;

/// Attributes under which a source may say which session a record belongs to.
const SESSION: [&str; 3] = ["session", "whatsapp-session", "inbox-hub-session"];

/// Attributes under which a source may say by which command of the hub a message was sent.
const COMMAND: [&str; 2] = ["command", "command-id"];

/// A record and the names of what it belongs to.
#[derive(Default)]
pub struct Rendering<'a> {
    /// The subject's id at the source.
    pub id: &'a str,
    /// What it is known by.
    pub key: &'a str,
    /// The document of its session.
    pub session: Option<String>,
    /// The document of its conversation.
    pub conversation: Option<String>,
    /// The document of its contact.
    pub contact: Option<String>,
    /// For messages that no source has timed; absent when one was written before.
    pub now: Option<Instant>,
}

/// Which session a record belongs to: as the source says, else by the beginning of its id, else the source itself.
pub fn session_of(subject: &Subject, item: &Item) -> String {
    let attributes = match item {
        Item::Session(_) => return subject.id.clone(),
        Item::Contact(contact) => &contact.attributes,
        Item::Conversation(conversation) => &conversation.attributes,
        Item::Message(message) => &message.attributes,
        Item::Call(_) | Item::Other(_) => return subject.source.clone(),
    };
    let said = attribute(attributes, &SESSION);
    let conversation = match item {
        Item::Message(message) => message.conversation.as_deref(),
        _ => None,
    };
    let begins = [Some(subject.id.as_str()), conversation].into_iter().flatten().find_map(prefix);
    said.or(begins).unwrap_or(&subject.source).to_owned()
}

/// The session that an id begins with: "ventas-1" of "ventas-1:34600111222@s.whatsapp.net".
pub fn prefix(id: &str) -> Option<&str> {
    let (session, rest) = id.split_once(':')?;
    let word = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    // "34600111222:12@s.whatsapp.net" is a telephone of somebody's, not a session.
    let device = rest.split_once('@').is_some_and(|(device, _)| {
        device.len() <= 3 && device.bytes().chain(session.bytes()).all(|byte| byte.is_ascii_digit())
    });
    (!session.is_empty() && !rest.is_empty() && !device && session.chars().all(word)).then_some(session)
}

/// An id without the session that it begins with.
pub fn bare(id: &str) -> &str {
    prefix(id).and_then(|session| id.get(session.len() + 1..)).unwrap_or(id)
}

/// Whether a number is written with its country's code.
pub fn is_international(number: &str) -> bool {
    let Some(rest) = number.strip_prefix('+').or_else(|| number.strip_prefix("00")) else { return false };
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && rest.chars().all(|c| c.is_ascii_digit() || " -().\u{a0}".contains(c))
}

/// The command by which a message was sent.
pub fn command(message: &Message) -> Option<&str> {
    attribute(&message.attributes, &COMMAND)
}

/// Whether the message itself is known, and not only what became of it.
pub fn shows(message: &Message) -> bool {
    let Message { kind, text, media, location, cards, poll, .. } = message;
    kind.is_some() || text.is_some() || location.is_some() || poll.is_some() || !media.is_empty() || !cards.is_empty()
}

/// Whether the channel has never taken it: a command that was refused.
pub fn unsent(message: &Message) -> bool {
    message.status == Some(MessageStatus::Failed) && message.sent_at.is_none() && command(message).is_some()
}

/// The conversation that a message belongs to; of a message without one, the other side's.
pub fn conversation_of(message: &Message, session: &str) -> Option<String> {
    message.conversation.clone().or_else(|| {
        let jid = scheme(&other(message)?.ids, "jid")?;
        Some(format!("{session}:{jid}"))
    })
}

/// What the contact that a record belongs to may be known by.
pub fn contacts(item: &Item, session: &str) -> Vec<String> {
    match item {
        Item::Message(message) => contacts_of(message, session),
        Item::Conversation(conversation) => conversation.contact.iter().cloned().collect(),
        _ => vec![],
    }
}

/// What the other side of a message may be known by as a contact.
fn contacts_of(message: &Message, session: &str) -> Vec<String> {
    let ids = other(message).map(|other| other.ids.as_slice()).unwrap_or_default();
    let ids = ids.iter().filter(|id| matches!(id.scheme.as_str(), "jid" | "lid"));
    ids.flat_map(|id| [format!("{session}:{}", id.value), id.value.clone()]).collect()
}

fn other(message: &Message) -> Option<&Correspondent> {
    match message.direction {
        Some(Direction::Outbound) => message.recipient.as_ref(),
        _ => message.sender.as_ref(),
    }
}

fn attribute<'a>(attributes: &'a Attributes, names: &[&str]) -> Option<&'a str> {
    let found = attributes.iter().find(|(name, value)| names.contains(&name.as_str()) && !value.is_empty());
    found.map(|(_, value)| value.as_str())
}

fn scheme<'a>(ids: &'a [Identity], scheme: &str) -> Option<&'a str> {
    ids.iter().find(|id| id.scheme == scheme).map(|id| id.value.as_str())
}

/// A LID is no telephone number, however much it looks like one.
fn phone_of(ids: &[Identity]) -> Option<String> {
    let phone = scheme(ids, "phone")?;
    Some(if phone.starts_with('+') { phone.to_owned() } else { format!("+{phone}") })
}

fn number_of(side: Option<&Correspondent>) -> Option<String> {
    let side = side?;
    let number = side.number.as_ref().map(Phone::shown).filter(|text| !text.is_empty()).map(str::to_owned);
    number.or_else(|| phone_of(&side.ids))
}

impl Rendering<'_> {
    /// What is to be written of any record but a call.
    pub fn value(&self, settings: &Settings, item: &Item, slot: &Slot) -> Option<Given> {
        let parent = |name: &Option<String>| name.as_ref().map(|name| Given::Whole(json!(name)));
        match slot.holds.as_str() {
            "session_id" | "contact_key" | "conversation_key" | "message_key" => Some(Given::Whole(json!(self.key))),
            "session" => parent(&self.session),
            "conversation" => parent(&self.conversation),
            "contact" => parent(&self.contact),
            _ => match item {
                Item::Session(session) => self.session(settings, session, slot),
                Item::Contact(contact) => self.contact(contact, slot),
                Item::Conversation(conversation) => self.conversation(conversation, slot),
                Item::Message(message) => self.message(settings, message, slot),
                Item::Call(_) | Item::Other(_) => None,
            },
        }
    }

    fn session(&self, settings: &Settings, session: &Session, slot: &Slot) -> Option<Given> {
        let state = session.state.as_deref();
        Some(match slot.holds.as_str() {
            "session_name" => Given::Text(session.name.clone().unwrap_or_else(|| self.id.to_owned())),
            "session_status" => Given::Words(status::words(settings, Kind::Session, state?)),
            "connected" => Given::Flag(state? == "connected"),
            "phone_number" => Given::Phone(session.number.as_ref()?.shown().to_owned()),
            "reason" => Given::Text(session.reason.clone()?),
            "since" => Given::Moment(session.since?),
            _ => return None,
        })
    }

    fn contact(&self, contact: &Contact, slot: &Slot) -> Option<Given> {
        let names = [&contact.name, &contact.verified_name, &contact.push_name];
        let number = contact.numbers.first().map(Phone::shown).filter(|text| !text.is_empty()).map(str::to_owned);
        Some(match slot.holds.as_str() {
            "jid" => Given::Text(self.jid(&contact.ids)?),
            "lid" => Given::Text(scheme(&contact.ids, "lid")?.to_owned()),
            "phone_number" => Given::Phone(number.or_else(|| phone_of(&contact.ids))?),
            "contact_name" => {
                let name = names.into_iter().flatten().find(|name| !name.trim().is_empty()).cloned();
                Given::Text(name.or(number).or_else(|| self.jid(&contact.ids))?)
            }
            "push_name" => Given::Text(contact.push_name.clone()?),
            "verified_name" => Given::Text(contact.verified_name.clone()?),
            "business" => Given::Flag(contact.business?),
            "blocked" => Given::Flag(contact.blocked?),
            "labels" => Given::Text(joined(&contact.labels)?),
            "picture" => Given::Link(contact.picture.clone()?),
            _ => return None,
        })
    }

    fn conversation(&self, conversation: &Conversation, slot: &Slot) -> Option<Given> {
        let last = conversation.last_message.as_ref();
        Some(match slot.holds.as_str() {
            "chat_id" => Given::Text(self.jid(&conversation.ids).unwrap_or_else(|| bare(self.id).to_owned())),
            "conversation_name" => Given::Text(conversation.name.clone()?),
            "phone_number" => Given::Phone(phone_of(&conversation.ids)?),
            "conversation_kind" => Given::word(conversation.kind.clone()?),
            "group" => Given::Flag(conversation.kind.as_deref()? == "group"),
            "archived" => Given::Flag(conversation.archived?),
            "pinned" => Given::Flag(conversation.pinned?),
            "unread" => Given::Number(i64::from(conversation.unread?)),
            "last_message" => Given::Verbatim(last?.preview.clone()),
            "last_message_at" => Given::Moment(last?.at),
            "participants" => Given::Number(i64::from(conversation.participants?)),
            "labels" => Given::Text(joined(&conversation.labels)?),
            "assigned_to" => Given::Whole(json!(conversation.assigned_to.as_ref()?.user.as_ref()?)),
            _ => return None,
        })
    }

    fn message(&self, settings: &Settings, message: &Message, slot: &Slot) -> Option<Given> {
        let outgoing = message.direction == Some(Direction::Outbound);
        let direction = if outgoing { "Outgoing" } else { "Incoming" };
        let media = message.media.first();
        let kind = message.kind.clone().unwrap_or_else(|| if media.is_some() { "document" } else { "text" }.into());
        let sent = message.sent_at.or(message.delivered_at).or(message.read_at);
        Some(match slot.holds.as_str() {
            "message_id" => Given::Text(self.id.rsplit([':', '/']).next().unwrap_or(self.id).to_owned()),
            "chat_id" => Given::Text(bare(&conversation_of(message, "")?).trim_start_matches(':').to_owned()),
            "message_direction" | "crm_type" => Given::word(direction),
            "from_number" | "crm_from" => Given::Phone(number_of(message.sender.as_ref())?),
            "to_number" | "crm_to" => Given::Phone(number_of(message.recipient.as_ref())?),
            "sender_name" | "crm_profile_name" => Given::Text(message.sender.as_ref()?.name.clone()?),
            "message_kind" if slot.kind == "Select" => Given::Words(vec![kind, "document".into(), "text".into()]),
            "message_kind" | "crm_content_type" => Given::word(kind),
            "content" | "crm_message" => Given::Verbatim(message.text.clone()?),
            "message_status" => Given::Words(status::words(settings, Kind::Message, status::message(message))),
            "timestamp" => Given::Precise(sent.or(self.now)?),
            "sent_at" => Given::Moment(message.sent_at?),
            "delivered_at" => Given::Moment(message.delivered_at?),
            "read_at" => Given::Moment(message.read_at?),
            "edited_at" => Given::Moment(message.edited_at?),
            "deleted_at" => Given::Moment(message.deleted_at?),
            "error" => Given::Text(message.error.clone()?),
            "quotes" | "crm_reply_to" => Given::Text(bare(message.quotes.as_deref()?).to_owned()),
            "crm_reply" => Given::Flag(message.quotes.is_some()),
            "has_media" => Given::Flag(media.is_some()),
            "media_url" => Given::Link(media?.url.clone()?),
            "media_type" => Given::Text(media?.media_type.clone()?),
            "file_name" => Given::Text(media?.file_name.clone()?),
            "details" => Given::Text(details(message)?),
            "reactions" => {
                let shown =
                    message.reactions.iter().filter_map(|it| it.emoji.as_ref().map(|e| format!("{e} {}", it.by)));
                Given::Text(joined(&shown.collect::<Vec<_>>()).or((!message.reactions.is_empty()).then(String::new))?)
            }
            "historic" => Given::Flag(message.origin == Some(Origin::Historic)),
            _ => return None,
        })
    }

    /// The id on the channel: as the record has it, else the subject's own, when it is one.
    fn jid(&self, ids: &[Identity]) -> Option<String> {
        let own = Some(bare(self.id)).filter(|id| id.contains('@'));
        scheme(ids, "jid").or(own).map(str::to_owned)
    }
}

fn joined(all: &[String]) -> Option<String> {
    (!all.is_empty()).then(|| all.join("\n"))
}

/// What a message holds beside its text, in words.
fn details(message: &Message) -> Option<String> {
    let mut lines = Vec::new();
    if let Some(place) = &message.location {
        let named = [&place.name, &place.address].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
        lines.push(format!("Location: {}, {} {named}", place.latitude, place.longitude).trim_end().to_owned());
    }
    lines.extend(message.cards.iter().map(|card| format!("Contact: {} {}", card.name, card.numbers.join(", "))));
    if let Some(poll) = &message.poll {
        lines.push(format!("Poll: {} ({})", poll.question, poll.options.join(" / ")));
    }
    // The first has fields of its own.
    for media in message.media.iter().skip(1) {
        let name = media.file_name.as_deref().or(media.media_type.as_deref()).unwrap_or("file");
        lines.push(format!("{name}: {}", media.url.as_deref().unwrap_or("not to be had")));
    }
    joined(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(id: &str) -> Subject {
        Subject { source: "inbox".into(), kind: Default::default(), id: id.into() }
    }

    #[test]
    fn a_record_knows_its_session() {
        let contact = |attributes: Attributes| Item::Contact(Contact { attributes, ..Contact::default() });
        let jid = "ventas-1:34600111222@s.whatsapp.net";
        assert_eq!(session_of(&subject(jid), &contact(vec![])), "ventas-1");
        assert_eq!(session_of(&subject("34600111222@s.whatsapp.net"), &contact(vec![])), "inbox");
        let said = vec![("session".to_owned(), "ventas-2".to_owned())];
        assert_eq!(session_of(&subject(jid), &contact(said)), "ventas-2");
        let message = Message { conversation: Some(jid.into()), ..Message::default() };
        assert_eq!(session_of(&subject("3EB0AAAA0001"), &Item::Message(message)), "ventas-1");
        assert_eq!(bare(jid), "34600111222@s.whatsapp.net");
        assert_eq!(bare("34600111222:12@s.whatsapp.net"), "34600111222:12@s.whatsapp.net");
    }

    #[test]
    fn a_number_without_its_country_is_somebody_elses() {
        for number in ["+34600111222", "+34 600-111-222", "0034 600 111 222", "+1 (202) 555-0123"] {
            assert!(is_international(number), "{number}");
        }
        for number in
            ["600111222", "34600111222", "183746352817364", "+0600111222", "+34", "+34600111222 / 333", "", "+"]
        {
            assert!(!is_international(number), "{number}");
        }
    }

    #[test]
    fn a_lid_is_no_number() {
        let ids = vec![Identity { scheme: "lid".into(), value: "183746352817364@lid".into() }];
        assert_eq!(phone_of(&ids), None);
        let contact = Contact { ids: ids.clone(), ..Contact::default() };
        let rendering = Rendering { id: "ventas-1:183746352817364@lid", ..Rendering::default() };
        let slot = |holds: &str| Slot { holds: holds.into(), ..Slot::default() };
        let settings = Settings::default();
        assert_eq!(rendering.value(&settings, &Item::Contact(contact.clone()), &slot("phone_number")), None);
        let side = Correspondent { ids, ..Correspondent::default() };
        assert_eq!(number_of(Some(&side)), None);
    }
}
