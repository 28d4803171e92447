//! "This record changed": what the live feed and routes speak of.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

pub use super::event_type::type_of;
use super::{AtDesks, Instant, Item, Kind, Subject};

/// One change of one record. `seq` grows with every event of the hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<I = Item> {
    /// The sequence number, by which a subscriber resumes.
    pub seq: u64,
    /// One of [`EVENT_TYPES`](super::EVENT_TYPES).
    #[serde(rename = "type")]
    pub kind: String,
    /// When the hub took it in.
    pub at: Instant,
    /// The tenant.
    pub tenant: String,
    /// What it is about.
    #[serde(flatten)]
    pub about: About<I>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About<I = Item> {
    /// The hub's own id of the record, as in the API.
    pub record: i64,
    /// What the record is about.
    pub subject: Subject,
    /// The record's revision after the change.
    pub revision: u64,
    /// The fields that changed.
    pub changed: Vec<String>,
    /// What it did at telephones.
    #[serde(default, skip_serializing_if = "AtDesks::is_empty")]
    pub desks: AtDesks,
    /// The record after the change, under the name of its kind.
    #[serde(flatten)]
    pub item: I,
}

/// A record's JSON under the name of its kind, ready for an event to be written with it.
#[derive(Clone, Debug)]
pub struct Shown {
    kind: Kind,
    record: Box<RawValue>,
}

impl Shown {
    /// Writes the record.
    pub fn of(item: &Item) -> serde_json::Result<Self> {
        let record = match item {
            Item::Call(call) => to_raw_value(call),
            Item::Message(message) => to_raw_value(message),
            Item::Contact(contact) => to_raw_value(contact),
            Item::Conversation(conversation) => to_raw_value(conversation),
            Item::Session(session) => to_raw_value(session),
        };
        Ok(Shown { kind: item.kind(), record: record? })
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.kind.word(), &self.record)?;
        map.end()
    }
}

impl<I> Event<I> {
    /// The same event with the record in another form.
    pub fn with<J>(self, item: J) -> Event<J> {
        let About { record, subject, revision, changed, desks, .. } = self.about;
        let about = About { record, subject, revision, changed, desks, item };
        Event { seq: self.seq, kind: self.kind, at: self.at, tenant: self.tenant, about }
    }
}

/// An event as it is told at a desk: the same, under another type.
#[derive(Serialize)]
struct Told<'a> {
    seq: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    at: Instant,
    tenant: &'a str,
    #[serde(flatten)]
    about: &'a About,
}

impl Event {
    /// The type by which somebody at these extensions is told of it, see [`AtDesks::told`].
    pub fn told_at(&self, extensions: &[String]) -> &str {
        self.about.desks.told(&self.kind, &self.about.item, extensions)
    }

    /// The event under this type.
    pub fn told<'a>(&'a self, kind: &'a str) -> impl Serialize + 'a {
        Told { seq: self.seq, kind, at: self.at, tenant: &self.tenant, about: &self.about }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Call;
    use super::super::call::CallPhase;
    use super::*;

    #[test]
    fn an_event_is_written_the_same_with_a_record_that_is_ready() {
        let call = Call { phase: Some(CallPhase::Ended), notes: Some("a \"word\"".into()), ..Call::default() };
        let item = Item::Call(call);
        let subject = Subject { source: "pbx".into(), kind: Kind::Call, id: "c1".into() };
        let about = About {
            record: 7,
            subject,
            revision: 2,
            changed: vec!["phase".into()],
            desks: AtDesks::default(),
            item: item.clone(),
        };
        let at = Instant::clamped(5);
        let event = Event { seq: 3, kind: "call.ended".into(), at, tenant: "acme".into(), about };
        let ready = event.clone().with(Shown::of(&item).unwrap());
        assert_eq!(serde_json::to_string(&ready).unwrap(), serde_json::to_string(&event).unwrap());
    }
}
