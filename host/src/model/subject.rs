//! What is talked about, a sighting of it, and the merged truth.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::call::MergedCall;
use super::contact::MergedContact;
use super::conversation::MergedConversation;
use super::join::{Stamp, Trust};
use super::message::MergedMessage;
use super::phone::{Numbering, Phone};
use super::session::MergedSession;
use super::{Call, Contact, Conversation, Instant, Message, Session};

/// The kinds of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A telephone call.
    Call,
    /// A message.
    Message,
    /// Somebody outside.
    Contact,
    /// What messages belong to.
    Conversation,
    /// A source's own tie to the outside.
    Session,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Call, Kind::Message, Kind::Contact, Kind::Conversation, Kind::Session];

    /// The word for it, as in tables, events and the API.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Call => "call",
            Kind::Message => "message",
            Kind::Contact => "contact",
            Kind::Conversation => "conversation",
            Kind::Session => "session",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or_else(|| format!("`{word}` is not a kind of record"))
    }
}

/// The ledger's key of a record, inside one tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The source that reports it.
    pub source: String,
    /// What it is.
    pub kind: Kind,
    /// Its id at the source.
    pub id: String,
}

/// A record in its plain form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::large_enum_variant, reason = "calls are nearly all there is")]
pub enum Item {
    /// A call.
    Call(Call),
    /// A message.
    Message(Message),
    /// A contact.
    Contact(Contact),
    /// A conversation.
    Conversation(Conversation),
    /// A session.
    Session(Session),
}

/// A partial, possibly repeated, possibly late sighting of a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The subject's id at its source.
    pub id: String,
    /// Other ids of the very same subject.
    pub also: Vec<String>,
    /// When it was so, by the source's own clock.
    pub at: Option<Instant>,
    /// How far to believe it.
    pub trust: Trust,
    /// What was seen.
    pub item: Item,
}

/// A record in its merged form: what the ledger keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::large_enum_variant, reason = "calls are nearly all there is")]
pub enum Merged {
    /// A call.
    Call(MergedCall),
    /// A message.
    Message(MergedMessage),
    /// A contact.
    Contact(MergedContact),
    /// A conversation.
    Conversation(MergedConversation),
    /// A session.
    Session(MergedSession),
}

impl Item {
    /// The names of the fields in which two records of one kind differ.
    pub fn differing(&self, other: &Item) -> Vec<&'static str> {
        match (self, other) {
            (Item::Call(one), Item::Call(other)) => one.differing(other),
            (Item::Message(one), Item::Message(other)) => one.differing(other),
            (Item::Contact(one), Item::Contact(other)) => one.differing(other),
            (Item::Conversation(one), Item::Conversation(other)) => one.differing(other),
            (Item::Session(one), Item::Session(other)) => one.differing(other),
            _ => Vec::new(),
        }
    }

    /// What kind of record it is.
    pub fn kind(&self) -> Kind {
        match self {
            Item::Call(_) => Kind::Call,
            Item::Message(_) => Kind::Message,
            Item::Contact(_) => Kind::Contact,
            Item::Conversation(_) => Kind::Conversation,
            Item::Session(_) => Kind::Session,
        }
    }

    /// Works out the forms of every number in the record; a number that is withheld is none.
    fn normalize(&mut self, numbering: &Numbering) {
        let read = |slot: &mut Option<Phone>| {
            slot.take_if(|phone| phone.is_withheld());
            if let Some(phone) = slot {
                numbering.normalize(phone);
            }
        };
        match self {
            Item::Call(call) => {
                call.caller.iter_mut().for_each(|party| read(&mut party.number));
                call.callee.iter_mut().for_each(|party| read(&mut party.number));
                read(&mut call.line);
            }
            Item::Message(message) => {
                message.sender.iter_mut().for_each(|who| read(&mut who.number));
                message.recipient.iter_mut().for_each(|who| read(&mut who.number));
            }
            Item::Contact(contact) => {
                contact.numbers.retain(|phone| !phone.is_withheld());
                contact.numbers.iter_mut().for_each(|phone| numbering.normalize(phone));
            }
            Item::Session(session) => read(&mut session.number),
            Item::Conversation(_) => {}
        }
    }
}

impl Observation {
    /// The observation as the merged form of all that is known from it: numbers normalized, the time of receipt where
    /// the source named none.
    pub fn merged(mut self, numbering: &Numbering, received_at: Instant) -> Merged {
        self.item.normalize(numbering);
        let undecryptable =
            matches!(&self.item, Item::Message(message) if message.kind.as_deref() == Some("undecryptable"));
        let stamp = Stamp {
            trust: if undecryptable { Trust::Inferred } else { self.trust },
            at: self.at.unwrap_or(received_at),
        };
        match self.item {
            Item::Call(call) => Merged::Call(MergedCall::of(call.completed(), stamp)),
            Item::Message(message) => Merged::Message(MergedMessage::of(message, stamp)),
            Item::Contact(contact) => Merged::Contact(MergedContact::of(contact, stamp)),
            Item::Conversation(conversation) => Merged::Conversation(MergedConversation::of(conversation, stamp)),
            Item::Session(session) => Merged::Session(MergedSession::of(session, stamp)),
        }
    }
}

impl Merged {
    /// What kind of record it is.
    pub fn kind(&self) -> Kind {
        match self {
            Merged::Call(_) => Kind::Call,
            Merged::Message(_) => Kind::Message,
            Merged::Contact(_) => Kind::Contact,
            Merged::Conversation(_) => Kind::Conversation,
            Merged::Session(_) => Kind::Session,
        }
    }

    /// Nothing known yet.
    pub fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Call => Merged::Call(MergedCall::default()),
            Kind::Message => Merged::Message(MergedMessage::default()),
            Kind::Contact => Merged::Contact(MergedContact::default()),
            Kind::Conversation => Merged::Conversation(MergedConversation::default()),
            Kind::Session => Merged::Session(MergedSession::default()),
        }
    }

    /// The names of the fields of which anything is known.
    pub fn present(&self) -> Vec<&'static str> {
        match self {
            Merged::Call(call) => call.present(),
            Merged::Message(message) => message.present(),
            Merged::Contact(contact) => contact.present(),
            Merged::Conversation(conversation) => conversation.present(),
            Merged::Session(session) => session.present(),
        }
    }

    /// Takes `other` in and names the fields that this changed. A record of another kind changes nothing: the kind is
    /// part of the key.
    pub fn join(&mut self, other: Merged) -> Vec<&'static str> {
        let mut changed = Vec::new();
        match (self, other) {
            (Merged::Call(mine), Merged::Call(theirs)) => mine.join(theirs, &mut changed),
            (Merged::Message(mine), Merged::Message(theirs)) => mine.join(theirs, &mut changed),
            (Merged::Contact(mine), Merged::Contact(theirs)) => mine.join(theirs, &mut changed),
            (Merged::Conversation(mine), Merged::Conversation(theirs)) => mine.join(theirs, &mut changed),
            (Merged::Session(mine), Merged::Session(theirs)) => mine.join(theirs, &mut changed),
            _ => {}
        }
        changed
    }

    /// What is known now.
    pub fn view(&self) -> Item {
        match self {
            Merged::Call(call) => Item::Call(call.view()),
            Merged::Message(message) => Item::Message(message.plain()),
            Merged::Contact(contact) => Item::Contact(contact.plain()),
            Merged::Conversation(conversation) => Item::Conversation(conversation.plain()),
            Merged::Session(session) => Item::Session(session.plain()),
        }
    }
}
