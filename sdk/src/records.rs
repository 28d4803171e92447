//! The five kinds of record, and the observation that carries one: the contract's `records`, as generated.

pub use crate::bindings::base::cordboard::hub::records::{
    Call, CallPhase, Card, Contact, Conversation, Correspondent, Desk, Direction, Identity, Item, LastMessage,
    Location, Media, Message, MessageStatus, Observation, Origin, Pairing, Poll, Reaction, Recording, Session,
    Transfer, Trust,
};

impl Observation {
    /// A sighting of the subject with this id, reported as it happened, at the time the hub receives it.
    pub fn of(id: impl Into<String>, item: impl Into<Item>) -> Self {
        Self { id: id.into(), also: vec![], at: None, trust: Trust::Reported, item: item.into() }
    }
}

macro_rules! items {
    ($($case:ident),*) => {$(
        impl From<$case> for Item {
            fn from(record: $case) -> Self {
                Self::$case(record)
            }
        }
    )*};
}

items!(Call, Message, Contact, Conversation, Session);
