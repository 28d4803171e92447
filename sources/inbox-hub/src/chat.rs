//! Contacts and conversations, as events and lists show them.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::Value;

use crate::address::Address;
use crate::fit::{self, Odd};
use crate::key;
use crate::look;
use crate::person::Person;
use crate::refused::{Decoded, Refused, shown};
use crate::settings::Plan;

/// What stands where a conversation's address is looked for.
const CHAT: [&str; 6] = ["chatId", "id._serialized", "jid", "id", "remoteJid", "chat.id"];

/// A row or an event's object about somebody; groups among contacts are conversations.
pub fn contact(plan: &Plan, session: &str, row: &Value, at: Option<Instant>) -> Result<Decoded, Refused> {
    let written = look::text(row, &["id._serialized", "id", "jid", "phoneNumber", "phone"])
        .ok_or_else(|| Refused::at("/data/contact/id", "a contact without an id"))?;
    let address = Address::read(&written)
        .ok_or_else(|| Refused::at("/data/contact/id", format!("{} is no address on WhatsApp", shown(&written))))?;
    let Some(mut person) = Person::of(&address) else {
        return match &address {
            Address::Group(_) => conversation(plan, session, row, at, None),
            _ => Ok(Decoded::Ignored(format!("{} is no person", shown(&written)))),
        };
    };
    let mut odd = Odd::default();
    ids(&mut person, row, &mut odd);
    let line = |paths: &[&str]| look::text(row, paths).map(|text| fit::line(&text));
    let picture = look::text(row, &["imgUrl", "profilePicture", "avatar"]);
    let labels = look::list(row, &["labels"]).iter().take(100).filter_map(look::as_text);
    let contact = Contact {
        name: line(&["name", "savedName"]),
        push_name: line(&["notify", "pushName", "pushname"]),
        verified_name: line(&["verifiedName"]),
        business: look::flag(row, &["isBusiness"]),
        blocked: look::flag(row, &["isBlocked", "blocked"]),
        // Baileys writes "changed" for a picture that it has not looked at.
        picture: picture.and_then(|url| fit::link(&url, &mut Odd::default())),
        labels: labels.map(|label| fit::line(&label)).collect(),
        attributes: odd.words().map(|words| ("inbox-hub-anomalies".to_owned(), words)).into_iter().collect(),
        ..Contact::default()
    };
    Ok(Decoded::Observations(vec![person.contact(session, contact, at)]))
}

/// The further ids that a contact's object shows: a number, a privacy id, a business id.
pub fn ids(person: &mut Person, contact: &Value, odd: &mut Odd) {
    if let Some(lid) = look::text(contact, &["lid"]) {
        let lid = if lid.contains('@') { lid } else { format!("{lid}@lid") };
        if let Some(address) = Address::read(&lid) {
            person.also(&address, odd);
        }
    }
    for path in ["phoneNumber", "phone", "pn"] {
        if let Some(address @ Address::Phone { .. }) = look::text(contact, &[path]).and_then(|it| Address::read(&it)) {
            person.also(&address, odd);
        }
    }
    if let Some(address @ Address::UserId(_)) =
        look::text(contact, &["user_id", "userId"]).and_then(|it| Address::read(&it))
    {
        person.also(&address, odd);
    }
}

/// Two ids that the server says are one person's.
pub fn mapping(session: &str, data: &Value, at: Option<Instant>) -> Result<Decoded, Refused> {
    let phone = look::text(data, &["pn", "phoneNumber", "phone"]).and_then(|it| Address::read(&it));
    let Some(mut person) = phone.as_ref().and_then(Person::of) else {
        return Err(Refused::at("/data/pn", "a mapping without a number"));
    };
    ids(&mut person, data, &mut Odd::default());
    Ok(Decoded::Observations(vec![person.contact(session, Contact::default(), at)]))
}

/// A row or an event's object about a conversation. `archived` is what the event's name says.
pub fn conversation(
    plan: &Plan,
    session: &str,
    row: &Value,
    at: Option<Instant>,
    archived: Option<bool>,
) -> Result<Decoded, Refused> {
    let written =
        look::text(row, &CHAT).ok_or_else(|| Refused::at("/data/chatId", "a conversation without an address"))?;
    let address = Address::read(&written)
        .ok_or_else(|| Refused::at("/data/chatId", format!("{} is no address on WhatsApp", shown(&written))))?;
    let unwanted = match &address {
        Address::Status => !plan.settings.status_posts,
        Address::Channel(_) => !plan.settings.channels,
        Address::System(_) => true,
        _ => false,
    };
    if unwanted {
        return Ok(Decoded::Ignored(format!("{} is no conversation with people", shown(&written))));
    }
    let mut odd = Odd::default();
    let peer = Person::of(&address).map(|mut peer| {
        ids(&mut peer, row, &mut odd);
        peer
    });
    let said = look::flag(row, &["isArchived", "archived"]);
    if archived.is_some() && said.is_some() && archived != said {
        odd.note("archived-differs");
    }
    let main = peer.as_ref().map_or_else(|| address.jid(), Person::main);
    let subject = key::place(session, &main);
    let ids = match &peer {
        Some(peer) => peer.identities(),
        None => vec![Identity { scheme: "jid".to_owned(), value: main }],
    };
    let also = peer.iter().flat_map(Person::aliases).map(|alias| key::place(session, &alias)).collect();
    let record = Conversation {
        kind: Some(address.conversation().to_owned()),
        channel: Some("whatsapp".to_owned()),
        ids,
        name: look::text(row, &["name", "contactName", "subject"]).map(|name| fit::line(&name)),
        contact: peer.as_ref().map(|peer| key::place(session, &peer.main())),
        archived: archived.or(said),
        pinned: look::flag(row, &["isPinned", "pinned"]),
        unread: look::count(row, &["unreadCount", "unread"]).and_then(|count| u32::try_from(count).ok()),
        participants: look::count(row, &["participantsCount", "participantCount", "size"])
            .and_then(|count| u32::try_from(count).ok()),
        attributes: odd.words().map(|words| ("inbox-hub-anomalies".to_owned(), words)).into_iter().collect(),
        ..Conversation::default()
    };
    let mut observations = vec![Observation { also, at, ..Observation::of(subject.clone(), record) }];
    if let Some(last) = last_message(plan, session, row) {
        // By the message's own time: a list that is read later must not hide what came in between.
        let record = Conversation { last_message: Some(last.clone()), ..Conversation::default() };
        observations.push(Observation { at: Some(last.at), ..Observation::of(subject, record) });
    }
    Ok(Decoded::Observations(observations))
}

/// The address of a row's conversation, and when its last message was written.
pub fn activity(plan: &Plan, row: &Value) -> Option<(String, Option<Instant>)> {
    let address = Address::read(&look::text(row, &CHAT)?)?;
    let times =
        ["lastMessage.timestamp", "lastMessage.messageTimestamp", "lastMessageAt", "conversationTimestamp", "t"];
    let at = plan.clock.find(row, &times).map(|moment| moment.at);
    Some((address.jid(), at))
}

fn last_message(plan: &Plan, session: &str, row: &Value) -> Option<LastMessage> {
    let last = look::first(row, &["lastMessage"]).filter(|last| last.is_object())?;
    let at = plan.clock.find(last, &["timestamp", "messageTimestamp"])?.at;
    let id = key::Key::of(last).id.map(|id| key::message(session, &id));
    let text = look::text(last, &["content", "body", "text"]).unwrap_or_default();
    Some(LastMessage {
        id,
        preview: fit::preview(&text),
        at,
        outgoing: look::flag(last, &["fromMe", "key.fromMe"]).unwrap_or(false),
    })
}
