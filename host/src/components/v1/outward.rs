//! From the host's types to the contract's.

use super::bindings::cordboard::hub::{records as wr, vocabulary as wt};
use super::bindings::exports::cordboard::hub as exported;
use crate::components::contract::{self, Failure};
use crate::model::{
    Instant, Item, Kind, Numbering, Phone, Subject, call, contact, conversation, message, party, session,
};

/// What can be turned into `To`, with the tenant's numbering at hand.
pub trait Outward<To> {
    /// Turns it.
    fn outward(self, numbering: &Numbering) -> To;
}

impl<A: Outward<B>, B> Outward<Option<B>> for Option<A> {
    fn outward(self, numbering: &Numbering) -> Option<B> {
        self.map(|it| it.outward(numbering))
    }
}

impl<A: Outward<B>, B> Outward<Vec<B>> for Vec<A> {
    fn outward(self, numbering: &Numbering) -> Vec<B> {
        self.into_iter().map(|it| it.outward(numbering)).collect()
    }
}

impl Outward<u64> for Instant {
    fn outward(self, _: &Numbering) -> u64 {
        self.millis()
    }
}

macro_rules! same {
    ($($ty:ty),+) => {
        $(impl Outward<$ty> for $ty {
            fn outward(self, _: &Numbering) -> $ty {
                self
            }
        })+
    };
}

same!(bool, u16, u32, u64, String, (String, String));

macro_rules! records {
    ($($from:ty => $to:ty { $($field:ident),+ $(,)? })+) => {
        $(impl Outward<$to> for $from {
            fn outward(self, numbering: &Numbering) -> $to {
                let _ = numbering;
                type To = $to;
                To { $($field: self.$field.outward(numbering),)+ }
            }
        })+
    };
}

macro_rules! enums {
    ($($from:ty => $to:ty { $($case:ident),+ $(,)? })+) => {
        $(impl Outward<$to> for $from {
            fn outward(self, _: &Numbering) -> $to {
                type From = $from;
                type To = $to;
                match self { $(From::$case => To::$case,)+ }
            }
        })+
    };
}

enums! {
    Kind => wt::Kind { Call, Message, Contact, Conversation, Session }
    call::CallPhase => wr::CallPhase { Ringing, Answered, Ended }
    call::Direction => wr::Direction { Inbound, Outbound, Internal }
    message::MessageStatus => wr::MessageStatus { Queued, Sent, Failed, Delivered, Read, Played }
    message::Origin => wr::Origin { Historic, Live }
}

impl Outward<wt::Phone> for Phone {
    fn outward(self, numbering: &Numbering) -> wt::Phone {
        let variants = numbering.variants(&self);
        wt::Phone { raw: self.raw, e164: self.e164, national: self.national, variants }
    }
}

impl Outward<wr::Location> for message::Location {
    fn outward(self, _: &Numbering) -> wr::Location {
        wr::Location {
            latitude: f64::from(self.latitude_e6) / 1e6,
            longitude: f64::from(self.longitude_e6) / 1e6,
            name: self.name,
            address: self.address,
        }
    }
}

records! {
    Subject => wt::Subject { source, kind, id }
    party::Agent => wt::Agent { extension, name, user }
    party::Party => wt::Party { number, name, agent }
    party::Identity => wr::Identity { scheme, value }
    party::Correspondent => wr::Correspondent { ids, number, name, agent }
    call::Call => wr::Call {
        phase, outcome, direction, caller, callee, line, queue, agent, started_at, answered_at, ended_at, duration, talk,
        hold, wait, hangup_cause, hangup_by, desks, recordings, transfers, system, notes, attributes,
    }
    call::Desk => wr::Desk { extension, rang_at, answered_at, stopped_at }
    call::Recording => wr::Recording { id, url, media_type, duration }
    call::Transfer => wr::Transfer { kind, at, by, to, answered }
    message::Message => wr::Message {
        conversation, channel, direction, kind, sender, recipient, text, status, sent_at, delivered_at, read_at, error,
        edited_at, deleted_at, quotes, media, location, cards, poll, reactions, origin, attributes,
    }
    message::Media => wr::Media { id, media_type, file_name, size, url, sha256, duration }
    message::Card => wr::Card { name, numbers }
    message::Poll => wr::Poll { question, options, choices }
    message::Reaction => wr::Reaction { by, emoji, at }
    contact::Contact => wr::Contact {
        ids, numbers, name, push_name, verified_name, business, blocked, picture, labels, attributes,
    }
    conversation::Conversation => wr::Conversation {
        kind, channel, ids, name, contact, archived, pinned, muted_until, unread, last_message, participants, labels,
        assigned_to, attributes,
    }
    conversation::LastMessage => wr::LastMessage { id, preview, at, outgoing }
    session::Session => wr::Session { state, reason, name, number, since, pairing, attributes }
    session::Pairing => wr::Pairing { code, expires_at }
    contract::Job => wt::Job { id, kind, parameters, session, anew }
    contract::Command => wt::Command { id, name, agent, arguments }
    contract::Grant => wt::Grant { token, expires_at, attributes }
    contract::Joined => exported::sink::Joined { id, external_id }
    contract::Unfinished => exported::connection::Unfinished { id, item }
}

impl Outward<wr::Item> for Item {
    fn outward(self, numbering: &Numbering) -> wr::Item {
        match self {
            Item::Call(it) => wr::Item::Call(it.outward(numbering)),
            Item::Message(it) => wr::Item::Message(it.outward(numbering)),
            Item::Contact(it) => wr::Item::Contact(it.outward(numbering)),
            Item::Conversation(it) => wr::Item::Conversation(it.outward(numbering)),
            Item::Session(it) => wr::Item::Session(it.outward(numbering)),
        }
    }
}

impl Outward<exported::sink::Change> for contract::Change {
    fn outward(self, numbering: &Numbering) -> exported::sink::Change {
        exported::sink::Change {
            subject: self.subject.outward(numbering),
            revision: self.revision,
            attempt: self.attempt,
            external_id: self.external_id,
            memo: self.memo,
            joined: self.joined.outward(numbering),
            item: self.item.outward(numbering),
        }
    }
}

impl Outward<wt::Request> for contract::Request {
    fn outward(self, _: &Numbering) -> wt::Request {
        wt::Request {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: self.headers,
            body: self.body.into(),
            received_at: self.received_at.millis(),
        }
    }
}

impl Outward<exported::connection::Input> for contract::Input {
    fn outward(self, numbering: &Numbering) -> exported::connection::Input {
        use exported::connection::Input;
        match self {
            contract::Input::Left(left) => Input::Left(exported::connection::Left {
                heard: left.heard.millis(),
                unfinished: left.unfinished.outward(numbering),
            }),
            contract::Input::Opened => Input::Opened,
            contract::Input::Bytes(bytes) => Input::Bytes(bytes),
            contract::Input::Timer(number) => Input::Timer(number),
            contract::Input::Closed(why) => Input::Closed(why),
            contract::Input::Command(command) => Input::Command(command.outward(numbering)),
        }
    }
}

impl Outward<wt::Failure> for Failure {
    fn outward(self, _: &Numbering) -> wt::Failure {
        let millis = |wait: std::time::Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        match self {
            Failure::Retryable { why, status, after } => {
                wt::Failure::Retryable(wt::Retryable { why, status, after: after.map(millis) })
            }
            Failure::RateLimited { after } => wt::Failure::RateLimited(after.map(millis)),
            Failure::Unauthorized { why } => wt::Failure::Unauthorized(why),
            Failure::Rejected { code, why } => wt::Failure::Rejected(wt::Rejected { code, why }),
            Failure::Misconfigured { why } => wt::Failure::Misconfigured(why),
        }
    }
}
