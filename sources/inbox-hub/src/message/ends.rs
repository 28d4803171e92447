//! The two ends of a message: who wrote it, to whom, and in which conversation.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::Value;

use super::Frame;
use crate::address::Address;
use crate::fit::Odd;
use crate::key::Key;
use crate::look;
use crate::person::Person;
use crate::refused::{Decoded, Refused, shown};

/// The people and the place of a message.
pub(super) struct Ends {
    pub(super) ours: bool,
    pub(super) chat: Address,
    /// The other side of a direct conversation.
    pub(super) peer: Option<Person>,
    /// Who wrote it, when that is somebody else.
    pub(super) author: Option<Person>,
    pub(super) odd: Odd,
}

impl Frame<'_> {
    /// Who wrote to whom. Inside, what is of no interest.
    pub(super) fn ends(&self, message: &Value, key: &Key) -> Result<Result<Ends, Decoded>, Refused> {
        let ours = key.from_me.unwrap_or(self.ours);
        let mut odd = Odd::default();
        let address =
            |path: &str| Address::read(&look::text(message, &[path])?).filter(|_| !self.is_session(message, path));
        let written = key.participant.as_deref().and_then(Address::read);
        let from = address("from").or_else(|| address("sender"));
        let chat = match &key.chat {
            Some(text) => Some(
                Address::read(text)
                    .ok_or_else(|| Refused::at("/data/chatId", format!("{} is no address on WhatsApp", shown(text))))?,
            ),
            None if ours => address("to"),
            None => from.clone().or_else(|| address("contact.phone")),
        };
        let Some(chat) = chat.or_else(|| written.clone()) else {
            return Err(Refused::whole("no_chat: neither a conversation nor a sender stands in it"));
        };
        let settings = &self.plan.settings;
        let passed_over = match &chat {
            Address::Status if !settings.status_posts => Some("a post of status"),
            Address::Channel(_) if !settings.channels => Some("a post in a channel"),
            Address::System(_) => Some("a message of the service itself"),
            _ => None,
        };
        if let Some(what) = passed_over {
            return Ok(Err(Decoded::Ignored(format!("{what}, in {}", shown(&chat.jid())))));
        }
        if look::flag(message, &["isGroup"]).is_some_and(|group| group != matches!(chat, Address::Group(_))) {
            odd.note("is-group-differs");
        }
        let mut peer = Person::of(&chat);
        if let Some(peer) = &mut peer {
            join(peer, message, &["remoteJidAlt", "key.remoteJidAlt", "chatIdAlt"], &mut odd);
            if !ours {
                join(peer, message, &SENDERS, &mut odd);
                joined_card(peer, message, &mut odd);
            }
        }
        let author = match (ours, &peer) {
            (true, _) => None,
            // In a direct conversation the other side writes, whatever name stands in `from`.
            (false, Some(peer)) => match from.as_ref().and_then(Person::of) {
                Some(from) if from.number().is_some_and(|number| peer.is_lid(&number)) => {
                    odd.note("lid-given-as-number");
                    Some(peer.clone())
                }
                Some(from) if !same(&from, peer) => {
                    odd.note("sender-differs-from-chat");
                    Some(from)
                }
                _ => Some(peer.clone()),
            },
            (false, None) => {
                let author = written.or_else(|| from.filter(|from| *from != chat));
                let mut author = author.as_ref().and_then(Person::of);
                match &mut author {
                    Some(author) => {
                        join(author, message, &PARTICIPANTS, &mut odd);
                        join(author, message, &SENDERS, &mut odd);
                    }
                    None => odd.note("no-sender"),
                }
                author
            }
        };
        // A broadcast list stands for the direct conversation with whoever wrote to it.
        let peer = match (&chat, peer) {
            (Address::Broadcast(_), None) if !ours => author.clone(),
            (_, peer) => peer,
        };
        Ok(Ok(Ends { ours, chat, peer, author, odd }))
    }

    /// Whether a member holds the session's own name, which some shapes have in `to`.
    fn is_session(&self, message: &Value, path: &str) -> bool {
        look::text(message, &[path]).is_some_and(|text| text == self.session)
    }

    /// Our own side, when its address is shown.
    pub(super) fn own(&self, message: &Value, paths: &[&str], ends: &Ends) -> Option<Correspondent> {
        let path = paths.iter().find(|path| look::first(message, &[path]).is_some())?;
        let address = Address::read(&look::text(message, &[path])?).filter(|_| !self.is_session(message, path))?;
        let own = Person::of(&address)?;
        let other = ends.peer.as_ref().or(ends.author.as_ref());
        (!other.is_some_and(|other| same(&own, other))).then(|| own.correspondent(None))
    }
}

impl Ends {
    /// The id that the conversation is known by.
    pub(super) fn main(&self) -> String {
        self.peer.as_ref().map_or_else(|| self.chat.jid(), Person::main)
    }

    pub(super) fn direction(&self) -> Direction {
        if self.ours { Direction::Outbound } else { Direction::Inbound }
    }
}

/// Members that show a further id of whoever wrote.
const SENDERS: [&str; 10] = [
    "senderPn",
    "senderLid",
    "key.senderPn",
    "key.senderLid",
    "from_lid",
    "fromLid",
    "senderAlt",
    "user_id",
    "userId",
    "wa_id",
];
/// The same in a group.
const PARTICIPANTS: [&str; 6] = [
    "participantAlt",
    "key.participantAlt",
    "participantPn",
    "participantLid",
    "key.participantPn",
    "key.participantLid",
];

/// Takes in the further ids that these members show.
fn join(person: &mut Person, message: &Value, paths: &[&str], odd: &mut Odd) {
    for path in paths {
        let Some(text) = look::text(message, &[path]) else { continue };
        let lid = path.to_ascii_lowercase().ends_with("lid") && !text.contains('@');
        let text = if lid { format!("{text}@lid") } else { text };
        // `userId` is also what servers call their own users: only ids of this form are WhatsApp's.
        let own = path.starts_with("user") && !matches!(Address::read(&text), Some(Address::UserId(_)));
        match Address::read(&text) {
            Some(address) if !own => person.also(&address, odd),
            _ => {}
        }
    }
}

/// Takes in the ids of the contact that came with a message.
fn joined_card(person: &mut Person, message: &Value, odd: &mut Odd) {
    if let Some(contact) = look::first(message, &["contact"]).filter(|contact| contact.is_object()) {
        crate::chat::ids(person, contact, odd);
    }
}

/// Whether two have an id in common.
fn same(one: &Person, other: &Person) -> bool {
    let others = other.identities();
    one.identities().iter().any(|id| others.contains(id))
}
