//! What goes to subscribers, and which of them may see it.

use std::sync::{Arc, OnceLock};

use axum::extract::ws::Utf8Bytes;

use crate::model::{Agent, Call, Event, Item, Party};

/// One thing that subscribers are told.
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
    let at = |agent: &Option<Agent>| extension(agent).is_some_and(|own| extensions.iter().any(|one| one == own));
    match item {
        Item::Call(call) => places(call).any(|place| extensions.iter().any(|one| one == place)),
        Item::Message(message) => [&message.sender, &message.recipient]
            .into_iter()
            .any(|party| party.as_ref().is_some_and(|party| at(&party.agent))),
        Item::Contact(_) | Item::Conversation(_) | Item::Session(_) => false,
    }
}

/// Whether a call concerns this extension.
pub fn call_concerns(call: &Call, extension: &str) -> bool {
    places(call).any(|place| place == extension)
}

/// The extensions that a call may concern; numbers of strangers are among them.
pub(super) fn desks_of(call: &Call) -> Vec<String> {
    places(call).map(str::to_owned).collect()
}

fn places(call: &Call) -> impl Iterator<Item = &str> {
    fn of(party: &Party) -> [Option<&str>; 2] {
        [extension(&party.agent), party.number.as_ref().map(|number| number.raw.as_str())]
    }
    let parties = [&call.caller, &call.callee].into_iter().flatten().flat_map(of).flatten();
    let desks = call.desks.iter().map(|desk| desk.extension.as_str());
    let moves = call.transfers.iter().flat_map(|it| [it.by.as_deref(), it.to.as_deref()]).flatten();
    extension(&call.agent).into_iter().chain(parties).chain(desks).chain(moves)
}

fn extension(agent: &Option<Agent>) -> Option<&str> {
    agent.as_ref()?.extension.as_deref()
}
