//! What goes to subscribers, and which of them may see it.

use std::sync::{Arc, OnceLock};

use axum::extract::ws::Utf8Bytes;

use crate::model::{Agent, Event, Item};

/// One thing in a tenant's ring.
pub(super) enum Frame {
    /// A change of a record.
    Event {
        /// What filters look at.
        event: Arc<Event>,
        /// What is sent.
        texts: Texts,
    },
    /// Something that is not in the ledger.
    Notice {
        /// Its type.
        kind: String,
        /// Who is told.
        audience: Audience,
        /// What is sent.
        text: Utf8Bytes,
    },
    /// Commits went by unseen: go on from the store.
    Behind,
}

impl Frame {
    /// An event with its JSON.
    pub(super) fn of(event: &Arc<Event>) -> Result<Self, serde_json::Error> {
        Ok(Frame::Event { texts: Texts::of(event)?, event: event.clone() })
    }
}

/// The types under which desks are told of an event that is not of that type.
const AT_DESKS: [&str; 4] = ["call.ringing", "call.answered", "call.withdrawn", "call.updated"];

/// An event's JSON, under its own type and under those by which desks are told: each is made once, when somebody needs
/// it first.
pub(super) struct Texts {
    own: Utf8Bytes,
    at_desks: [OnceLock<Utf8Bytes>; AT_DESKS.len()],
}

impl Texts {
    /// An event with its own JSON.
    pub(super) fn of(event: &Event) -> Result<Self, serde_json::Error> {
        Ok(Texts { own: serde_json::to_string(event)?.into(), at_desks: Default::default() })
    }

    /// The JSON under this type.
    pub(super) fn told(&self, event: &Event, kind: &str) -> Utf8Bytes {
        let slot = AT_DESKS.iter().position(|known| *known == kind && kind != event.kind);
        let Some(slot) = slot.and_then(|slot| self.at_desks.get(slot)) else { return self.own.clone() };
        let make = || serde_json::to_string(&event.told(kind)).map_or_else(|_| self.own.clone(), Utf8Bytes::from);
        slot.get_or_init(make).clone()
    }
}

/// That everything up to a number has been sent, and that what follows is the present.
pub(super) fn level(seq: u64) -> Utf8Bytes {
    serde_json::json!({ "type": "live", "seq": seq }).to_string().into()
}

/// Who is told something that is not in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// All of the tenant.
    Everybody,
    /// Those who see the whole tenant: codes to scan, states of sources.
    Supervisors,
    /// The agents at these extensions, and those who see the whole tenant.
    Desks(Vec<String>),
}

/// What a subscriber may see of its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All of it.
    Tenant,
    /// What concerns these extensions.
    Desk(Arc<[String]>),
}

impl Sight {
    /// Whether a record may be seen.
    pub fn sees(&self, item: &Item) -> bool {
        match self {
            Sight::Tenant => true,
            Sight::Desk(extensions) => concerns(item, extensions),
        }
    }

    /// The desks from whose place events are told: those asked for, or an agent's own.
    pub(super) fn at<'a>(&'a self, asked: &'a [String]) -> &'a [String] {
        match self {
            Sight::Desk(own) if !asked.iter().all(|asked| own.contains(asked)) || asked.is_empty() => own,
            _ => asked,
        }
    }

    /// Whether something that is not in the ledger may be seen.
    pub(super) fn hears(&self, audience: &Audience) -> bool {
        match (self, audience) {
            (Sight::Tenant, _) | (_, Audience::Everybody) => true,
            (Sight::Desk(_), Audience::Supervisors) => false,
            (Sight::Desk(own), Audience::Desks(desks)) => own.iter().any(|own| desks.contains(own)),
        }
    }
}

/// Whether a record concerns one of these extensions: it rang there, was placed or taken there, or moved from or to it.
pub(super) fn concerns(item: &Item, extensions: &[String]) -> bool {
    let one_of = |extension: &String| extensions.contains(extension);
    let at = |agent: &Option<Agent>| agent.as_ref().and_then(|agent| agent.extension.as_ref()).is_some_and(one_of);
    match item {
        Item::Call(call) => {
            let party = |party: &crate::model::Party| {
                at(&party.agent) || party.number.as_ref().is_some_and(|number| one_of(&number.raw))
            };
            at(&call.agent)
                || call.caller.as_ref().is_some_and(party)
                || call.callee.as_ref().is_some_and(party)
                || call.desks.iter().any(|desk| one_of(&desk.extension))
                || call.transfers.iter().any(|transfer| {
                    transfer.by.as_ref().is_some_and(one_of) || transfer.to.as_ref().is_some_and(one_of)
                })
        }
        Item::Message(message) => [&message.sender, &message.recipient]
            .into_iter()
            .any(|party| party.as_ref().is_some_and(|party| at(&party.agent))),
        Item::Contact(_) | Item::Conversation(_) | Item::Session(_) => false,
    }
}
